"""The planner, told as stories: what is there, what is wished, and what has to be done, as a person would type it.

Each story is read from top to bottom: the order of the lines is the promise.
"""

from collections.abc import Iterable
from ipaddress import ip_address, ip_interface, ip_network

import pytest
from attrs import evolve

from linkwright.model import Mac
from linkwright.plan import (
    Address,
    Bridge,
    BridgePort,
    BridgeVlan,
    Element,
    FdbEntry,
    Hold,
    Ifb,
    Link,
    Macvlan,
    MacvlanMode,
    Mark,
    Neighbour,
    Plan,
    Redirect,
    Resource,
    Route,
    Shaper,
    Sysctl,
    Veth,
    Vxlan,
    Wishes,
    diff,
    render,
    render_all,
)

MARK = Mark("default", "n1")
MAC = Mac.parse("02:00:00:00:00:01")
ZERO = Mac(bytes(6))

BRIDGE = Link("lwb1", Bridge(), mtu=1500, mac=MAC, mark=MARK)
GATEWAY = Address("lwb1", ip_interface("10.1.0.1/24"))
KNOWN = Element("bridges", ("lwb1",))
NO_RA = Sysctl("net/ipv6/conf/lwb1/accept_ra", "0", before_up="lwb1")
VETH = Link("lwh1", Veth("lwc1", MAC), mtu=1500, master="lwb1")
NEAR, FAR = Link("lwp1", Veth("lwq1"), mtu=1400), Link("lwq1", Veth("lwp1"), mtu=1400)
FAR_QUIET = Sysctl("net/ipv6/conf/lwq1/disable_ipv6", "1", before_up="lwq1")
CHILD_OF_NEAR = Link("lwm1", Macvlan("lwp1"), up=False)
VXLAN = Link("lwx1", Vxlan(42, local=ip_address("192.0.2.1")), master="lwb1")
PEER = FdbEntry("lwx1", ZERO, ip_address("192.0.2.2"))
ROUTE = Route(ip_network("10.2.0.0/24"), link="lwb1", via=ip_address("10.1.0.9"))
FORWARDING = Sysctl("net/ipv4/ip_forward", "1", hold=Hold.BORROW)
PARENT = Link("eth0", up=None, hold=Hold.BORROW)
CHILD = Link("lwm1", Macvlan("eth0"), up=False, lent=True)

QUEUE = Link("lwi1", Ifb())
SHAPED = [QUEUE, Shaper("lwh1", 8_000_000, 10_000), Shaper("lwi1", 8_000_000, 10_000), Redirect("lwh1", "lwi1")]
PUBLISHED = Element("wildcard4", ("tcp", "80"), ("10.1.0.2", "80"))
HERE = Element("published4", ("192.0.2.1", "tcp", "443"), ("10.1.0.2", "443"))
LOCALNET = Sysctl("net/ipv4/conf/lwb1/route_localnet", "1", otherwise="0")
TBF = "tbf rate 8000000bit burst 10000b latency 50ms"
FILTER = "pref 27767 protocol all u32 match u32 0 0 action mirred egress redirect dev"

STORIES: list[tuple[str, list[Resource], list[Resource], str]] = [
    ("nothing is there and nothing is wished", [], [], ""),
    ("what is wished is there", [BRIDGE, GATEWAY, KNOWN], [BRIDGE, GATEWAY, KNOWN], ""),
    (
        "a network comes: the firewall knows the bridge before it is there, its sysctl is set before it is up",
        [],
        [ROUTE, GATEWAY, NO_RA, BRIDGE, KNOWN],
        """
        nft add element inet linkwright bridges { lwb1 }
        ip link add lwb1 mtu 1500 address 02:00:00:00:00:01 type bridge
        ip link set lwb1 alias "linkwright:default:n1"
        sysctl -w net.ipv6.conf.lwb1.accept_ra=0
        ip addr add 10.1.0.1/24 dev lwb1
        ip link set lwb1 up
        ip route add 10.2.0.0/24 via 10.1.0.9 dev lwb1
        """,
    ),
    (
        "without a sysctl to wait for the bridge is made up",
        [],
        [GATEWAY, evolve(BRIDGE, mark=None)],
        """
        ip link add lwb1 mtu 1500 address 02:00:00:00:00:01 up type bridge
        ip addr add 10.1.0.1/24 dev lwb1
        """,
    ),
    (
        "a network goes: what lies on the bridge goes with it, and the firewall forgets it last",
        [KNOWN, BRIDGE, GATEWAY, ROUTE, NO_RA],
        [],
        """
        ip link del lwb1
        nft delete element inet linkwright bridges { lwb1 }
        """,
    ),
    (
        "an endpoint comes",
        [BRIDGE],
        [BRIDGE, VETH],
        "ip link add lwh1 mtu 1500 master lwb1 up type veth peer name lwc1 mtu 1500 address 02:00:00:00:00:01",
    ),
    ("an endpoint goes", [BRIDGE, VETH], [BRIDGE], "ip link del lwh1"),
    (
        "both ends of a pair are wished: it is made once, and the other end is then changed; children come after both",
        [],
        [CHILD_OF_NEAR, FAR_QUIET, FAR, NEAR],
        """
        ip link add lwp1 mtu 1400 up type veth peer name lwq1 mtu 1400
        ip link add lwm1 link lwp1 type macvlan mode bridge
        sysctl -w net.ipv6.conf.lwq1.disable_ipv6=1
        ip link set lwq1 up
        """,
    ),
    (
        "nor does it matter which is named first",
        [],
        [NEAR, FAR],
        """
        ip link add lwp1 mtu 1400 up type veth peer name lwq1 mtu 1400
        ip link set lwq1 up
        """,
    ),
    ("an end is down", [NEAR, evolve(FAR, up=False)], [FAR, NEAR], "ip link set lwq1 up"),
    ("one deletion takes both ends", [FAR, NEAR], [], "ip link del lwp1"),
    (
        "an end has been moved away: no other can be made as long as the one is there",
        [NEAR],
        [NEAR, FAR, FAR_QUIET],
        "problem: the other end of 'lwp1' was moved or renamed; `ip link del lwp1`, and both are made again",
    ),
    (
        "a network with its endpoint goes: the port before its bridge",
        [BRIDGE, VETH],
        [],
        """
        ip link del lwh1
        ip link del lwb1
        """,
    ),
    (
        "everything comes at once, named in the worst order: masters first, entries when their link is there",
        [],
        [PEER, VXLAN, VETH, evolve(BRIDGE, mark=None)],
        """
        ip link add lwb1 mtu 1500 address 02:00:00:00:00:01 up type bridge
        ip link add lwx1 master lwb1 up type vxlan id 42 dstport 4789 local 192.0.2.1
        ip link add lwh1 mtu 1500 master lwb1 up type veth peer name lwc1 mtu 1500 address 02:00:00:00:00:01
        bridge fdb append 00:00:00:00:00:00 dev lwx1 dst 192.0.2.2 self
        """,
    ),
    (
        "an address was removed by somebody: it alone is put back",
        [BRIDGE],
        [BRIDGE, GATEWAY],
        "ip addr add 10.1.0.1/24 dev lwb1",
    ),
    (
        "a gateway moves: the new address is there before the old one goes",
        [BRIDGE, GATEWAY],
        [BRIDGE, Address("lwb1", ip_interface("10.1.0.254/24"))],
        """
        ip addr add 10.1.0.254/24 dev lwb1
        ip addr del 10.1.0.1/24 dev lwb1
        """,
    ),
    (
        "a bridge was deleted and only its port's wish still finds anything: the port is attached again",
        [evolve(VETH, master="")],
        [evolve(BRIDGE, mark=None), VETH],
        """
        ip link add lwb1 mtu 1500 address 02:00:00:00:00:01 up type bridge
        ip link set lwh1 master lwb1
        """,
    ),
    (
        "somebody changed MTU, hardware address, and set the bridge down",
        [evolve(BRIDGE, mtu=1400, mac=Mac.derive("x"), up=False)],
        [BRIDGE],
        "ip link set lwb1 mtu 1500 address 02:00:00:00:00:01 up",
    ),
    (
        "the process died between making the bridge and setting it up: the sysctl still comes before up",
        [evolve(BRIDGE, up=False), evolve(NO_RA, value="1")],
        [BRIDGE, NO_RA],
        """
        sysctl -w net.ipv6.conf.lwb1.accept_ra=0
        ip link set lwb1 up
        """,
    ),
    (
        "the same with another MTU: that can be put right at once",
        [evolve(BRIDGE, up=False, mtu=1400), evolve(NO_RA, value="1")],
        [BRIDGE, NO_RA],
        """
        ip link set lwb1 mtu 1500
        sysctl -w net.ipv6.conf.lwb1.accept_ra=0
        ip link set lwb1 up
        """,
    ),
    (
        "a link that is up stays up while its sysctl is put back",
        [BRIDGE, evolve(NO_RA, value="1")],
        [BRIDGE, NO_RA],
        "sysctl -w net.ipv6.conf.lwb1.accept_ra=0",
    ),
    (
        "a setting of a port was changed: what is not wished of the others is left alone",
        [evolve(VETH, port=BridgePort(isolated=False, flood=True, learning=True))],
        [evolve(VETH, port=BridgePort(isolated=True))],
        "bridge link set dev lwh1 isolated on",
    ),
    (
        "the alias was wiped",
        [evolve(BRIDGE, mark=None)],
        [BRIDGE],
        'ip link set lwb1 alias "linkwright:default:n1"',
    ),
    (
        "snooping was changed",
        [evolve(BRIDGE, kind=Bridge(multicast_snooping=True))],
        [evolve(BRIDGE, kind=Bridge(multicast_snooping=False))],
        "ip link set lwb1 type bridge mcast_snooping 0",
    ),
    (
        "the veth's peer is in a sandbox under another name: nothing to say about it",
        [evolve(VETH, kind=Veth("eth0", Mac.derive("x")))],
        [VETH],
        "",
    ),
    (
        "a VNI is held by a link that has to go: only here unmake comes before make",
        [VXLAN, PEER],
        [Link("lwx2", Vxlan(42, local=ip_address("192.0.2.1")))],
        """
        ip link del lwx1
        ip link add lwx2 up type vxlan id 42 dstport 4789 local 192.0.2.1
        """,
    ),
    (
        "another VNI takes nothing away: make before unmake",
        [VXLAN],
        [Link("lwx2", Vxlan(43))],
        """
        ip link add lwx2 up type vxlan id 43 dstport 4789
        ip link del lwx1
        """,
    ),
    (
        "a parent in passthru has one child at a time",
        [PARENT, evolve(CHILD, kind=Macvlan("eth0", MacvlanMode.PASSTHRU))],
        [PARENT, evolve(CHILD, name="lwm2", kind=Macvlan("eth0", MacvlanMode.PASSTHRU))],
        """
        ip link del lwm1
        ip link add lwm2 link eth0 type macvlan mode passthru
        """,
    ),
    (
        "a segment's number cannot be changed under living containers: pending",
        [VXLAN],
        [evolve(VXLAN, kind=Vxlan(43, local=ip_address("192.0.2.1")))],
        "pending: ip link set lwx1 type vxlan id 43 dstport 4789 local 192.0.2.1",
    ),
    (
        "a link of another kind is in the place: pending, and its MTU is not touched either",
        [Link("lwb1", Veth("lwc9"), mtu=1400)],
        [evolve(BRIDGE, mark=None)],
        """
        pending: ip link set lwb1 mtu 1500 address 02:00:00:00:00:01
        pending: ip link set lwb1 type bridge
        """,
    ),
    (
        "the parent is there: it is borrowed, and left as it is, up or down",
        [Link("eth0", mtu=9000, up=False)],
        [PARENT, CHILD],
        "ip link add lwm1 link eth0 type macvlan mode bridge",
    ),
    (
        "the parent is gone: that is the host's move",
        [],
        [PARENT],
        "problem: there is no link 'eth0' on this host",
    ),
    (
        "the parent is gone: its child waits, and what has nothing to do with it does not",
        [],
        [CHILD, PARENT, KNOWN],
        """
        nft add element inet linkwright bridges { lwb1 }
        problem: there is no link 'eth0' on this host
        """,
    ),
    (
        "a VNI is held by a link that stays: neither the other link nor what lies on it is tried",
        [VXLAN],
        [evolve(VXLAN, kind=Vxlan(43)), Link("lwx2", Vxlan(42)), evolve(PEER, link="lwx2")],
        """
        pending: ip link set lwx1 type vxlan id 43 dstport 4789
        problem: vni 42 4789 is held by link 'lwx1', which is in use
        """,
    ),
    ("the last network on a parent goes: what was borrowed stays", [PARENT], [], ""),
    (
        "routing is off, and whether to switch it on is not ours to decide",
        [evolve(FORWARDING, value="0", hold=Hold.OWN)],
        [FORWARDING],
        "problem: the host's net.ipv4.ip_forward is 0, and it has to be 1",
    ),
    (
        "a kernel without IPv6 has no such setting",
        [],
        [Sysctl("net/ipv6/conf/all/forwarding", "1", hold=Hold.BORROW)],
        "problem: the host's net.ipv6.conf.all.forwarding is not there, and it has to be 1",
    ),
    ("routing is on", [evolve(FORWARDING, hold=Hold.OWN)], [FORWARDING], ""),
    (
        "the operator lets us switch it on: nothing switches it off again",
        [evolve(FORWARDING, value="0", hold=Hold.OWN)],
        [evolve(FORWARDING, hold=Hold.OWN)],
        "sysctl -w net.ipv4.ip_forward=1",
    ),
    ("a host-wide setting is left as it is when the wish goes", [FORWARDING], [], ""),
    (
        "a peer joins the segment and another leaves: each is one entry of the list",
        [VXLAN, PEER],
        [VXLAN, evolve(PEER, remote=ip_address("192.0.2.3"))],
        """
        bridge fdb append 00:00:00:00:00:00 dev lwx1 dst 192.0.2.3 self
        bridge fdb del 00:00:00:00:00:00 dev lwx1 dst 192.0.2.2 self
        """,
    ),
    (
        "a container moves to another host: its entry is replaced in one step, never missing",
        [VXLAN, FdbEntry("lwx1", MAC, ip_address("192.0.2.2"))],
        [VXLAN, FdbEntry("lwx1", MAC, ip_address("192.0.2.3"))],
        "bridge fdb replace 02:00:00:00:00:01 dev lwx1 dst 192.0.2.3 self",
    ),
    (
        "a neighbour has another hardware address",
        [VXLAN, Neighbour("lwx1", ip_address("10.1.0.9"), MAC)],
        [VXLAN, Neighbour("lwx1", ip_address("10.1.0.9"), Mac.parse("02:00:00:00:00:02"))],
        "ip neigh replace 10.1.0.9 lladdr 02:00:00:00:00:02 dev lwx1",
    ),
    (
        "a route leads elsewhere",
        [BRIDGE, ROUTE],
        [BRIDGE, evolve(ROUTE, via=ip_address("10.1.0.8"))],
        "ip route replace 10.2.0.0/24 via 10.1.0.8 dev lwb1",
    ),
    (
        "a map's element says something else",
        [Element("publish4", ("tcp", "8080"), ("10.1.0.2", "80"))],
        [Element("publish4", ("tcp", "8080"), ("10.1.0.3", "80"))],
        """
        nft delete element inet linkwright publish4 { tcp . 8080 }
        nft add element inet linkwright publish4 { tcp . 8080 : 10.1.0.3 . 80 }
        """,
    ),
    (
        "one network comes while another goes: first all that is made",
        [BRIDGE, GATEWAY, KNOWN],
        [Link("lwb2", Bridge()), Address("lwb2", ip_interface("10.2.0.1/24")), Element("bridges", ("lwb2",))],
        """
        nft add element inet linkwright bridges { lwb2 }
        ip link add lwb2 up type bridge
        ip addr add 10.2.0.1/24 dev lwb2
        ip link del lwb1
        nft delete element inet linkwright bridges { lwb1 }
        """,
    ),
    (
        "an endpoint that is shaped comes: its queue before what leads there, all before it has an address",
        [BRIDGE],
        [Address("lwh1", ip_interface("10.9.0.1/24")), *SHAPED, BRIDGE, VETH, BridgeVlan("lwh1", 7, True, True)],
        f"""
        ip link add lwh1 mtu 1500 master lwb1 up type veth peer name lwc1 mtu 1500 address 02:00:00:00:00:01
        ip link add lwi1 up type ifb
        tc qdisc replace dev lwh1 root handle 6c77: {TBF}
        tc qdisc replace dev lwi1 root handle 6c77: {TBF}
        tc qdisc replace dev lwh1 ingress
        tc filter add dev lwh1 parent ffff: {FILTER} lwi1
        bridge vlan add dev lwh1 vid 7 pvid untagged
        ip addr add 10.9.0.1/24 dev lwh1
        """,
    ),
    (
        "an endpoint that is shaped goes: with its links goes what is on them",
        [BRIDGE, VETH, *SHAPED],
        [BRIDGE],
        """
        ip link del lwi1
        ip link del lwh1
        """,
    ),
    (
        "an endpoint is shaped no longer: what leads to its queue goes first, for its link stays",
        [BRIDGE, VETH, *SHAPED],
        [BRIDGE, VETH],
        """
        tc qdisc del dev lwh1 ingress
        tc qdisc del dev lwh1 root handle 6c77:
        ip link del lwi1
        """,
    ),
    (
        "the queue was deleted: what led there leads nowhere, and has to be led anew",
        [BRIDGE, VETH, SHAPED[1], Redirect("lwh1", "?")],
        [BRIDGE, VETH, *SHAPED],
        f"""
        ip link add lwi1 up type ifb
        tc qdisc replace dev lwi1 root handle 6c77: {TBF}
        tc filter del dev lwh1 parent ffff: pref 27767 protocol all
        tc qdisc replace dev lwh1 ingress
        tc filter add dev lwh1 parent ffff: {FILTER} lwi1
        """,
    ),
    (
        "ports are published: what leads into the container comes when all else stands",
        [],
        [PUBLISHED, HERE, BRIDGE, GATEWAY, VETH, ROUTE, LOCALNET, KNOWN, Element("open4", ("10.1.0.2", "tcp", "80"))],
        """
        nft add element inet linkwright bridges { lwb1 }
        nft add element inet linkwright open4 { 10.1.0.2 . tcp . 80 }
        ip link add lwb1 mtu 1500 address 02:00:00:00:00:01 up type bridge
        ip link set lwb1 alias "linkwright:default:n1"
        ip link add lwh1 mtu 1500 master lwb1 up type veth peer name lwc1 mtu 1500 address 02:00:00:00:00:01
        sysctl -w net.ipv4.conf.lwb1.route_localnet=1
        ip addr add 10.1.0.1/24 dev lwb1
        ip route add 10.2.0.0/24 via 10.1.0.9 dev lwb1
        nft add element inet linkwright wildcard4 { tcp . 80 : 10.1.0.2 . 80 }
        nft add element inet linkwright published4 { 192.0.2.1 . tcp . 443 : 10.1.0.2 . 443 }
        """,
    ),
    (
        "an endpoint with published ports goes: they first, its bridge stays and has its setting back",
        [PUBLISHED, HERE, BRIDGE, GATEWAY, VETH, LOCALNET, KNOWN],
        [BRIDGE, GATEWAY, KNOWN],
        """
        nft delete element inet linkwright published4 { 192.0.2.1 . tcp . 443 }
        nft delete element inet linkwright wildcard4 { tcp . 80 }
        sysctl -w net.ipv4.conf.lwb1.route_localnet=0
        ip link del lwh1
        """,
    ),
    (
        "the bridge goes too: its setting goes with it",
        [BRIDGE, LOCALNET],
        [],
        "ip link del lwb1",
    ),
]


def told(plan: Plan) -> str:
    """Return everything a plan says as text."""
    pending = [f"pending: {line}\n" for step in plan.pending for line in render(step).splitlines()]
    problems = [f"problem: {problem.text}\n" for problem in plan.problems]
    return render_all(plan.steps) + "".join(pending + problems)


def lines(text: str) -> list[str]:
    """Return the lines of *text* without their margin."""
    return [line.strip() for line in text.strip().splitlines()]


def planned(actual: Iterable[Resource], wanted: Iterable[Resource]) -> Plan:
    """Plan from one set of resources to another."""
    return diff(Wishes(actual).by_key(), Wishes(wanted).by_key())


@pytest.mark.parametrize(("actual", "wanted", "text"), [s[1:] for s in STORIES], ids=[s[0] for s in STORIES])
def test_stories(actual: list[Resource], wanted: list[Resource], text: str) -> None:
    """What is there and what is wished lead to these lines, in this order, and to no others."""
    assert lines(text) == lines(told(planned(actual, wanted)))


@pytest.mark.parametrize(("actual", "wanted", "text"), [s[1:] for s in STORIES], ids=[s[0] for s in STORIES])
def test_the_order_in_which_a_driver_names_its_wishes_changes_no_dependency(
    actual: list[Resource], wanted: list[Resource], text: str
) -> None:
    """The same lines, whichever way round the wishes are named: order is the planner's business."""
    assert sorted(lines(text)) == sorted(lines(told(planned(reversed(actual), reversed(wanted)))))


def test_a_plan_that_says_nothing_is_false() -> None:
    """Callers ask ``if plan``: steps, pending changes and problems are all something to say."""
    assert not planned([BRIDGE], [BRIDGE])
    assert planned([], [BRIDGE]).steps
    assert bool(planned([], [PARENT])) is True
    assert bool(planned([VXLAN], [evolve(VXLAN, kind=Vxlan(43))])) is True
