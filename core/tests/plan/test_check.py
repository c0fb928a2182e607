"""The linter for wishes: what a driver may not answer, and what it is told."""

from ipaddress import ip_address, ip_interface, ip_network

import pytest

from linkwright.model import Mac
from linkwright.plan import (
    Address,
    Bridge,
    BridgeVlan,
    Element,
    Existing,
    FdbEntry,
    Hold,
    Ifb,
    Ipvlan,
    IpvlanFlag,
    IpvlanMode,
    Key,
    Link,
    Macvlan,
    MacvlanMode,
    Redirect,
    Resource,
    Route,
    Shaper,
    Sysctl,
    Veth,
    Vlan,
    Vxlan,
    check,
)

BRIDGE = Link("lwb1", Bridge())
PARENT = Link("eth0", Existing(), up=None, hold=Hold.BORROW)
PASSTHRU = Macvlan("eth0", MacvlanMode.PASSTHRU)

WRONG: list[tuple[list[Resource], list[str]]] = [
    ([Link("br0", Bridge())], ["link br0: a link of ours is named lw…"]),
    (
        [Link("lwb1", Bridge(), mac=Mac.parse("01:00:5e:00:00:01"))],
        ["link lwb1: 01:00:5e:00:00:01 is no unicast hardware address"],
    ),
    ([Link("lwh1", Veth("eth0"))], ["link lwh1: its peer is named lw…, and otherwise than itself"]),
    ([Link("lwh1", Veth("lwh1"))], ["link lwh1: its peer is named lw…, and otherwise than itself"]),
    ([Link("eth0", hold=Hold.BORROW, lent=True)], ["link eth0: what is borrowed cannot be lent"]),
    ([Link("lwh1", Veth("lwc1"), master="lwb1")], ["link lwh1: requires link lwb1, which nobody wishes for"]),
    ([Link("lwm1", Macvlan("eth0"))], ["link lwm1: requires link eth0, which nobody wishes for"]),
    (
        [Address("lwb1", ip_interface("10.0.0.1/24"))],
        ["address lwb1 10.0.0.1/24: requires link lwb1, which nobody wishes for"],
    ),
    (
        [BRIDGE, Address("lwb1", ip_interface("224.0.0.1/24"))],
        ["address lwb1 224.0.0.1/24: 224.0.0.1/24 cannot be an interface's address"],
    ),
    ([BRIDGE, Address("lwb1", ip_interface("::/64"))], ["address lwb1 ::/64: ::/64 cannot be an interface's address"]),
    (
        [Route(ip_network("10.0.0.0/24"))],
        ["route 254 10.0.0.0/24 0: leads nowhere: it names neither a link nor a next hop"],
    ),
    (
        [FdbEntry("lwx1", Mac(bytes(6)), ip_address("192.0.2.1"))],
        ["fdb lwx1 00:00:00:00:00:00 192.0.2.1: requires link lwx1, which nobody wishes for"],
    ),
    (
        [Sysctl("kernel/core_pattern", "|/bin/sh")],
        ["sysctl kernel/core_pattern: only settings below net/ may be wished for"],
    ),
    (
        [Sysctl("net/../kernel/core_pattern", "x")],
        ["sysctl net/../kernel/core_pattern: only settings below net/ may be wished for"],
    ),
    ([Sysctl("net/x", "0", before_up="lwb1")], ["sysctl net/x: requires link lwb1, which nobody wishes for"]),
    ([Element("m", ("a",), ("b",)), Element("m", ("a",), ("c",))], ["element m a: is wished for twice"] * 2),
    (
        [Link("lwx1", Vxlan(7)), Link("lwx2", Vxlan(7))],
        ["link lwx1: only one link can hold vni 7 4789", "link lwx2: only one link can hold vni 7 4789"],
    ),
    (
        [PARENT, Link("lwm1", PASSTHRU), Link("lwm2", PASSTHRU)],
        ["link lwm1: only one link can hold passthru eth0", "link lwm2: only one link can hold passthru eth0"],
    ),
    (
        [PARENT, Link("lwv1", Vlan("eth0", 7)), Link("lwv2", Vlan("eth0", 7))],
        ["link lwv1: only one link can hold vid eth0 7", "link lwv2: only one link can hold vid eth0 7"],
    ),
    (
        [PARENT, Link("lwl1", Ipvlan("eth0"), mac=Mac.derive("a"))],
        ["link lwl1: an ipvlan link has its parent's hardware address"],
    ),
    (
        [PARENT, Link("lwl1", Ipvlan("eth0")), Link("lwl2", Ipvlan("eth0", IpvlanMode.L3))],
        ["link lwl2: all ipvlan links on eth0 have one mode and one flag"],
    ),
    (
        [PARENT, Link("lwl1", Ipvlan("eth0", flag=IpvlanFlag.VEPA)), Link("lwl2", Ipvlan("eth0"))],
        ["link lwl2: all ipvlan links on eth0 have one mode and one flag"],
    ),
    (
        [BRIDGE, BridgeVlan("lwb1", 1, pvid=True), BridgeVlan("lwb1", 2, pvid=True)],
        ["vlan lwb1 2: lwb1 puts what has no tag into one VLAN"],
    ),
    (
        [Link("lwb1", Bridge(), mtu=9000), Shaper("lwb1", 10**7, 9017)],
        ["shaper lwb1: no frame of lwb1 would ever leave: a burst of 9017 bytes holds none"],
    ),
    ([BRIDGE, Redirect("lwb1", "lwb1")], ["redirect lwb1: leads back to where it came from"]),
    ([BRIDGE, Redirect("lwb1", "lwi1")], ["redirect lwb1: requires link lwi1, which nobody wishes for"]),
    ([Shaper("lwb1", 10**7, 9000)], ["shaper lwb1: requires link lwb1, which nobody wishes for"]),
    (
        [Sysctl("net/ipv4/conf/eth0/route_localnet", "1")],
        ["sysctl net/ipv4/conf/eth0/route_localnet: requires link eth0, which nobody wishes for"],
    ),
]

RIGHT: list[tuple[list[Resource], list[Key]]] = [
    ([], []),
    ([BRIDGE, Address("lwb1", ip_interface("10.0.0.1/24"))], []),
    ([Link("lwh1", Veth("lwc1"), master="lwb1")], [("link", "lwb1")]),
    ([PARENT, Link("lwm1", Macvlan("eth0")), Link("lwm2", Macvlan("eth0"))], []),
    ([Link("lwx1", Vxlan(7)), Link("lwx2", Vxlan(7, port=8472)), Link("lwx3", Vxlan(8))], []),
    ([Route(ip_network("10.0.0.0/24"), via=ip_address("192.0.2.1"))], []),
    ([Sysctl("net/ipv4/ip_forward", "1", hold=Hold.BORROW)], []),
    ([Sysctl("net/ipv4/conf/all/forwarding", "1"), Sysctl("net/ipv4/conf/default/rp_filter", "2")], []),
    ([PARENT, Link("eth0.7", Vlan("eth0", 7)), Link("lwv8", Vlan("eth0", 8))], []),
    ([PARENT, Link("lwl1", Ipvlan("eth0")), Link("lwl2", Ipvlan("eth0"))], []),
    ([PARENT, Link("eth1", up=None, hold=Hold.BORROW), Link("lwl1", Ipvlan("eth0")), Link("lwl2", Ipvlan("eth1"))], []),
    ([BRIDGE, BridgeVlan("lwb1", 1, pvid=True), BridgeVlan("lwb1", 2)], []),
    (
        [Link("lwb1", Bridge(), mtu=9000), Link("lwi1", Ifb()), Shaper("lwb1", 10**7, 9018), Redirect("lwb1", "lwi1")],
        [],
    ),
    ([Element("m", ("a", "b")), Element("m", ("a", "c")), Element("n", ("a", "b"))], []),
]


@pytest.mark.parametrize(("wishes", "texts"), WRONG, ids=[texts[0] for _, texts in WRONG])
def test_what_cannot_be_right_is_said_with_the_wish_it_is_about(wishes: list[Resource], texts: list[str]) -> None:
    """An author sees which wish breaks which rule."""
    assert texts == [str(note) for note in check(wishes)]


@pytest.mark.parametrize(("wishes", "around"), RIGHT)
def test_what_can_be_right_passes(wishes: list[Resource], around: list[Key]) -> None:
    """What somebody else sees to counts as there; what only looks alike is no collision."""
    assert check(wishes, around=around) == ()
