"""Asking for one neighbour or forwarding entry by its key, instead of dumping a table of thousands. Pure.

The kernel answers such questions since Linux 5.0. For an address with a list of remotes it names only the first.
"""

from collections.abc import Sequence
from ipaddress import ip_address

from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.netlink import attribute
from linkwright.model.mac import Mac
from linkwright.plan.resources import Key

_ZERO = str(Mac(bytes(6)))


def is_single(key: Key) -> bool:
    """Whether what *key* names can be asked for alone."""
    return key[0] == "neighbour" or (key[0] == "fdb" and key[2] != _ZERO)


def single(key: Key, index: int) -> Sequence[bytes]:
    """Return the bodies of the questions for *key* on the link with *index*; the last answer counts."""
    if key[0] == "neighbour":
        address = ip_address(key[2])
        flags = rt.NTF_PROXY if key[3] else 0
        head = rt.NDMSG.pack(rt.FAMILY[address.version], index, 0, flags, 0)
        return (head + attribute(rt.NDA_DST, address.packed),)
    # A port of a bridge may be a vxlan link as well: both tables may have it.
    mac = attribute(rt.NDA_LLADDR, Mac.parse(key[2]).octets)
    return tuple(rt.NDMSG.pack(rt.AF_BRIDGE, index, 0, flags, 0) + mac for flags in (rt.NTF_MASTER, rt.NTF_SELF))
