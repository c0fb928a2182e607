"""Which addresses are in use as far as this host sees: its own, and those its neighbours answered for. Reads only."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.netlink import attributes
from linkwright.kernel.transport import Rtnetlink

#: Reachable, stale, delay, probe, permanent (linux/neighbour.h): somebody has answered there. Not incomplete or failed.
_ANSWERED = 0x02 | 0x04 | 0x08 | 0x10 | rt.NUD_PERMANENT

_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_OF_FAMILY: dict[int, Callable[[bytes], IPv4Address | IPv6Address]] = {
    rt.AF_INET: IPv4Address,
    rt.AF_INET6: IPv6Address,
}


def live_addresses(netlink: Rtnetlink) -> frozenset[IPv4Address | IPv6Address]:
    """Return the addresses of all links of this host, and of all neighbours that have answered."""
    found: set[IPv4Address | IPv6Address] = set()
    for message in netlink.dump(rt.RTM_GETADDR, rt.IFADDR.pack(rt.AF_UNSPEC, 0, 0, 0, 0)):
        family = message.data[message.start]
        values = attributes(message.data, message.start + rt.IFADDR.size, message.end)
        octets = values.get(_IFA_LOCAL) or values.get(_IFA_ADDRESS)  # on a point-to-point link ADDRESS is the peer's
        if octets is not None and family in _OF_FAMILY:
            found.add(_OF_FAMILY[family](octets))
    for family, of_octets in _OF_FAMILY.items():
        for message in netlink.dump(rt.RTM_GETNEIGH, rt.NDMSG.pack(family, 0, 0, 0, 0)):
            _, _, state, _, _ = rt.NDMSG.unpack_from(message.data, message.start)
            octets = attributes(message.data, message.start + rt.NDMSG.size, message.end).get(rt.NDA_DST)
            if octets is not None and state & _ANSWERED:
                found.add(of_octets(octets))
    return frozenset(found)
