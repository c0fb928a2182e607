"""Which addresses are in use as far as this host sees: its own, and those its neighbours answered for. Reads only."""

from ipaddress import ip_address

from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.netlink import attributes
from linkwright.kernel.snapshot import Reader
from linkwright.kernel.transport import Rtnetlink
from linkwright.model import Address

#: Reachable, stale, delay, probe, permanent (linux/neighbour.h): somebody has answered there. Not incomplete or failed.
_ANSWERED = 0x02 | 0x04 | 0x08 | 0x10 | rt.NUD_PERMANENT


def live_addresses(netlink: Rtnetlink) -> frozenset[Address]:
    """Return the addresses of all links of this host, and of all neighbours that have answered."""
    found: set[Address] = {one.interface.ip for one in Reader(netlink, "").addresses(str)}
    for family in rt.FAMILY.values():
        for message in netlink.dump(rt.RTM_GETNEIGH, rt.NDMSG.pack(family, 0, 0, 0, 0)):
            _, _, state, _, _ = rt.NDMSG.unpack_from(message.data, message.start)
            octets = attributes(message.data, message.start + rt.NDMSG.size, message.end).get(rt.NDA_DST)
            if octets is not None and state & _ANSWERED:
                found.add(ip_address(octets))
    return frozenset(found)
