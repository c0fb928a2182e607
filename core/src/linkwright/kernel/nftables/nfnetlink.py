"""What nfnetlink adds to a netlink message: a header with the family, big-endian integers, lists, batches.

No socket, and no meaning either. Source: linux/netfilter/nfnetlink.h.
"""

import struct
from collections.abc import Iterator

from attrs import frozen

from linkwright.kernel import netlink
from linkwright.kernel.netlink import ATTRIBUTE, NLA_TYPE_MASK, Message
from linkwright.kernel.nftables.numbers import BATCH_BEGIN, BATCH_END, SUBSYSTEM

_GENERIC = struct.Struct("!BBH")  # struct nfgenmsg: family, version, resource id
_U32 = struct.Struct("!I")
_S32 = struct.Struct("!i")


@frozen
class Request:
    """A message to send: what kind, on which family of tables, with which attributes and flags."""

    kind: int
    family: int
    body: bytes = b""
    flags: int = 0

    def framed(self, sequence: int, extra_flags: int = 0) -> bytes:
        """Return its bytes under *sequence*."""
        payload = _GENERIC.pack(self.family, 0, 0) + self.body
        return netlink.frame(netlink.Request(SUBSYSTEM << 8 | self.kind, self.flags, payload), sequence, extra_flags)


def begin(sequence: int) -> bytes:
    """Return what begins a transaction."""
    return netlink.frame(netlink.Request(BATCH_BEGIN, 0, _GENERIC.pack(0, 0, SUBSYSTEM)), sequence)


def end(sequence: int) -> bytes:
    """Return what ends it."""
    return netlink.frame(netlink.Request(BATCH_END, 0, _GENERIC.pack(0, 0, SUBSYSTEM)), sequence)


def integer(number: int, value: int) -> bytes:
    """Pack a 32-bit integer in network order; a negative one as its two's complement."""
    return netlink.attribute(number, _U32.pack(value & 0xFFFFFFFF))


def to_integer(payload: bytes) -> int:
    """Read an unsigned integer in network order."""
    return int.from_bytes(payload, "big")


def to_signed(payload: bytes) -> int:
    """Read a signed 32-bit integer in network order."""
    return int(_S32.unpack(payload)[0])


def family(message: Message) -> int:
    """The family of tables that *message* is about."""
    return message.data[message.start]


def read(message: Message) -> dict[int, bytes]:
    """The attributes of *message*, by number."""
    return netlink.attributes(message.data, message.start + _GENERIC.size, message.end)


def read_nested(payload: bytes) -> dict[int, bytes]:
    """The attributes in an attribute, by number."""
    return netlink.attributes(payload, 0, len(payload))


def read_list(payload: bytes) -> Iterator[bytes]:
    """The payloads of a list's members, in order; they all have one number."""
    position = 0
    while position + ATTRIBUTE.size <= len(payload):
        size, number = ATTRIBUTE.unpack_from(payload, position)
        if size < ATTRIBUTE.size or not number & NLA_TYPE_MASK:
            return
        yield payload[position + ATTRIBUTE.size : position + size]
        position += size + -size % 4
