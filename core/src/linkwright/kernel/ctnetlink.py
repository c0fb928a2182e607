"""What ctnetlink calls things, and its messages: tracked connections by what they went to. Pure: no socket.

Source: linux/netfilter/nfnetlink_conntrack.h, and nf_conntrack_netlink.c for the flags of a filter. Ports, addresses,
status and zone are in network order; the flags of a filter are in the host's, as the header of every message is.
"""

import struct
from collections.abc import Container
from typing import NamedTuple

from linkwright.kernel.netlink import ATTRIBUTE, Message, Request, attribute, attributes, nested, u8, u32

#: NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, IPCTNL_MSG_CT_DELETE, IPCTNL_MSG_CT_GET_STATS
_GET, _DELETE, _GET_STATS = 0x101, 0x102, 0x105
_GENERIC = struct.Struct("!BBH")  # struct nfgenmsg: family, version, resource id
_U16 = struct.Struct("!H")

_TUPLE_ORIG, _STATUS, _ID, _ZONE, _FILTER = 1, 3, 12, 18, 25
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_IP_V4_DST, _IP_V6_DST = 2, 4
_PROTO_NUM, _PROTO_DST_PORT = 1, 3
_FILTER_ORIG_FLAGS = 1
#: Where the header of an entry's port lies, by family, as ctnetlink_dump_tuples writes it: four headers, two addresses
#: and the protocol come before it.
_PORT_AT = {2: 48, 10: 72}
_PORT_HEADER = ATTRIBUTE.pack(6, _PROTO_DST_PORT)
_F_PROTO_NUM, _F_PROTO_DST_PORT = 1 << 3, 1 << 5
_DST_NAT = 1 << 5  # IPS_DST_NAT
_STATS_ENTRIES = 1  # CTA_STATS_GLOBAL_ENTRIES

#: The kinds and bodies that ask for every entry of every family (a dump), and for how many there are (a get).
EVERYTHING = _GET, _GENERIC.pack(0, 0, 0)
COUNT = _GET_STATS, _GENERIC.pack(0, 0, 0)


class Goal(NamedTuple):
    """Where a connection's first packet went, as its sender wrote it."""

    family: int
    protocol: int
    address: bytes
    port: int


class Tracked(NamedTuple):
    """One entry: where it went, whether it was led elsewhere, and all that its deletion needs."""

    goal: Goal
    translated: bool
    deletion: Request


def question(family: int, protocol: int, port: int | None = None) -> tuple[int, bytes]:
    """Return the kind and the body of a dump of what *family* sent by *protocol* (to *port*, where it is given).

    A kernel before 5.8 knows no filter, ignores the attribute, and dumps the family.
    """
    flags, proto = _F_PROTO_NUM, u8(_PROTO_NUM, protocol)
    if port is not None:
        flags |= _F_PROTO_DST_PORT
        proto += attribute(_PROTO_DST_PORT, _U16.pack(port))
    original = nested(_TUPLE_ORIG, nested(_TUPLE_PROTO, proto))
    return _GET, _GENERIC.pack(family, 0, 0) + original + nested(_FILTER, u32(_FILTER_ORIG_FLAGS, flags))


def count(message: Message) -> int:
    """Read how many entries the network namespace has: those of the table, and a few that are not in it yet."""
    found = attributes(message.data, message.start + _GENERIC.size, message.end)
    return int.from_bytes(found[_STATS_ENTRIES], "big")


def goal(message: Message, ports: Container[int]) -> Goal | None:
    """Read where the entry's original direction went; None if that was to none of *ports*, or has no port.

    Most entries of a long dump are somebody else's: one look at where the port has always been is enough for them.
    """
    data, start = message.data, message.start
    port_at = start + _PORT_AT.get(data[start], 0)
    if data[port_at : port_at + 4] == _PORT_HEADER and _U16.unpack_from(data, port_at + 4)[0] not in ports:
        return None
    original = _inside(attributes(data, start + _GENERIC.size, message.end).get(_TUPLE_ORIG, b""))
    proto, ip = _inside(original.get(_TUPLE_PROTO, b"")), _inside(original.get(_TUPLE_IP, b""))
    address = ip.get(_IP_V4_DST) or ip.get(_IP_V6_DST)
    if address is None or _PROTO_NUM not in proto or _PROTO_DST_PORT not in proto:
        return None
    (port,) = _U16.unpack(proto[_PROTO_DST_PORT])
    return Goal(data[start], proto[_PROTO_NUM][0], address, port) if port in ports else None


def tracked(message: Message, went: Goal) -> Tracked:
    """Read the rest of the entry that *went* there.

    It is deleted by what tells it from all others, its tuple and its zone, given back as they came, and by its id: what
    has taken its place between the same ends since then stays, unless the kernel used the same memory for it.
    """
    found = attributes(message.data, message.start + _GENERIC.size, message.end)
    names = b"".join(attribute(kind, found[kind]) for kind in (_ID, _ZONE) if kind in found)
    body = _GENERIC.pack(went.family, 0, 0) + nested(_TUPLE_ORIG, found[_TUPLE_ORIG]) + names
    status = int.from_bytes(found.get(_STATUS, b""), "big")
    return Tracked(went, bool(status & _DST_NAT), Request(_DELETE, 0, body))


def _inside(payload: bytes) -> dict[int, bytes]:
    return attributes(payload, 0, len(payload))
