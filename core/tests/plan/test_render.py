"""Every kind of thing and everything that can be done to it, as a person would type it."""

from ipaddress import ip_address, ip_interface, ip_network
from typing import get_args

import pytest
from attrs import evolve

from linkwright.model import Mac
from linkwright.plan import (
    Action,
    Address,
    Bridge,
    BridgePort,
    BridgeVlan,
    Element,
    Existing,
    FdbEntry,
    Hairpin,
    Hold,
    Ifb,
    Ipvlan,
    IpvlanFlag,
    IpvlanMode,
    Link,
    LinkKind,
    Macvlan,
    MacvlanMode,
    Mark,
    Neighbour,
    Redirect,
    Resource,
    Route,
    Shaper,
    Step,
    Sysctl,
    Veth,
    Vlan,
    Vxlan,
    render,
    render_all,
)

CREATE, CHANGE, DELETE = Action.CREATE, Action.CHANGE, Action.DELETE
MAC = Mac.parse("02:00:00:00:00:01")
ZERO = Mac(bytes(6))
VTEP = ip_address("192.0.2.1")

BRIDGE = Link("lwb1", Bridge(multicast_snooping=False), mtu=1500, mac=MAC, mark=Mark("default", "n"))
PORT = Link("lwh1", Veth("lwc1"), master="lwb1", port=BridgePort(isolated=True, neighbour_suppress=False))
VXLAN = Link("lwx1", Vxlan(42, 8472, VTEP, "eth0", learning=False, proxy=True))
ROUTE = Route(ip_network("10.2.0.0/24"), "lwb1", ip_address("10.1.0.9"), ip_address("10.1.0.1"), metric=50, table=7)
ADDRESS4, ADDRESS6 = (Address("lwb1", ip_interface(text)) for text in ("10.1.0.1/24", "fd00::1/64"))
NEIGHBOUR = Neighbour("lwx1", ip_address("10.1.0.9"), MAC)
PROXY = Neighbour("lwx1", ip_address("fd00::9"), proxy=True)
ENTRY, FLOOD = FdbEntry("lwx1", MAC, VTEP), FdbEntry("lwx1", ZERO, VTEP)
SHAPER, REDIRECT, VLAN, HAIRPIN = (
    Shaper("lwh1", 10_000_000, 15_000),
    Redirect("lwh1", "lwi1"),
    BridgeVlan("lwh1", 10, True, True),
    Hairpin("lwh1"),
)
SYSCTL = Sysctl("net/ipv6/conf/lwb1/accept_ra", "0")
MEMBER, MAPPED = Element("siblings", ("lwb1", "lwb1")), Element("wildcard4", ("tcp", "80"), ("10.1.0.2", "80"))

GOLDEN: list[tuple[Step, str]] = [
    # links
    (
        Step(CREATE, BRIDGE),
        (
            "ip link add lwb1 mtu 1500 address 02:00:00:00:00:01 up type bridge mcast_snooping 0\n"
            'ip link set lwb1 alias "linkwright:default:n"'
        ),
    ),
    (
        Step(CREATE, PORT),
        (
            "ip link add lwh1 master lwb1 up type veth peer name lwc1\n"
            "bridge link set dev lwh1 isolated on neigh_suppress off"
        ),
    ),
    (
        Step(CREATE, Link("lwh1", Veth("lwc1", MAC), mtu=1400, up=False)),
        "ip link add lwh1 mtu 1400 type veth peer name lwc1 mtu 1400 address 02:00:00:00:00:01",
    ),
    (
        Step(CREATE, Link("lwm1", Macvlan("eth0", MacvlanMode.VEPA), mac=MAC, up=None)),
        "ip link add lwm1 link eth0 address 02:00:00:00:00:01 type macvlan mode vepa",
    ),
    (
        Step(CREATE, VXLAN),
        "ip link add lwx1 up type vxlan id 42 dstport 8472 local 192.0.2.1 dev eth0 nolearning proxy",
    ),
    (
        Step(CREATE, Link("lwx1", Vxlan(1, learning=True, proxy=False))),
        "ip link add lwx1 up type vxlan id 1 dstport 4789 learning noproxy",
    ),
    (Step(CREATE, Link("lwi1", Ifb())), "ip link add lwi1 up type ifb"),
    (Step(CREATE, Link("eth0.50", Vlan("eth0", 50))), "ip link add eth0.50 link eth0 up type vlan id 50"),
    (
        Step(CREATE, Link("lwp1", Ipvlan("eth0", IpvlanMode.L3S, IpvlanFlag.PRIVATE))),
        "ip link add lwp1 link eth0 up type ipvlan mode l3s private",
    ),
    (
        Step(CREATE, Link("lwm1", Macvlan("eth0", bc_queue_len=2000), up=None)),
        "ip link add lwm1 link eth0 type macvlan mode bridge bcqueuelen 2000",
    ),
    (
        Step(
            CREATE,
            Link(
                "lwm1",
                Macvlan("eth0", MacvlanMode.SOURCE, sources=(Mac.parse("02:00:00:00:00:02"), MAC)),
                up=None,
            ),
        ),
        "ip link add lwm1 link eth0 type macvlan mode source macaddr set 02:00:00:00:00:01 02:00:00:00:00:02",
    ),
    (
        Step(CREATE, Link("lwb1", Bridge(vlan_filtering=True, default_pvid=0), master="")),
        "ip link add lwb1 up type bridge vlan_filtering 1 vlan_default_pvid 0",
    ),
    (Step(CHANGE, evolve(BRIDGE, mtu=1400), BRIDGE), "ip link set lwb1 mtu 1400"),
    (Step(CHANGE, evolve(BRIDGE, up=False), BRIDGE), "ip link set lwb1 down"),
    (Step(CHANGE, evolve(BRIDGE, mark=Mark("b", "n")), BRIDGE), 'ip link set lwb1 alias "linkwright:b:n"'),
    (Step(CHANGE, BRIDGE, evolve(BRIDGE, kind=Bridge(True))), "ip link set lwb1 type bridge mcast_snooping 0"),
    (Step(CHANGE, evolve(PORT, master=""), PORT), "ip link set lwh1 nomaster"),
    (Step(CHANGE, Link("eth0", master="", up=None)), "ip link set eth0 nomaster"),  # whatever it has now
    (
        Step(CHANGE, Link("eth0", Bridge(vlan_filtering=False), up=None)),
        "ip link set eth0 type bridge vlan_filtering 0",
    ),
    (
        Step(CHANGE, PORT, evolve(PORT, port=BridgePort(isolated=False))),
        "bridge link set dev lwh1 isolated on neigh_suppress off",
    ),
    (
        Step(CHANGE, Link("eth0", Existing(), mtu=9000, hold=Hold.BORROW), Link("eth0", mtu=1500)),
        "ip link set eth0 mtu 9000",
    ),
    (Step(CHANGE, BRIDGE, BRIDGE), ""),
    (Step(DELETE, BRIDGE), "ip link del lwb1"),
    # what lies on links
    (Step(CREATE, ADDRESS4), "ip addr add 10.1.0.1/24 dev lwb1"),
    (Step(CREATE, ADDRESS6), "ip addr add fd00::1/64 dev lwb1 nodad"),
    (Step(CHANGE, ADDRESS6, ADDRESS6), "ip addr replace fd00::1/64 dev lwb1 nodad"),
    (Step(DELETE, ADDRESS6), "ip addr del fd00::1/64 dev lwb1"),
    (Step(CREATE, ROUTE), "ip route add 10.2.0.0/24 via 10.1.0.9 dev lwb1 src 10.1.0.1 metric 50 table 7"),
    (Step(CREATE, Route(ip_network("fd01::/64"), "lwb1")), "ip route add fd01::/64 dev lwb1"),
    (Step(CHANGE, ROUTE, ROUTE), "ip route replace 10.2.0.0/24 via 10.1.0.9 dev lwb1 src 10.1.0.1 metric 50 table 7"),
    (Step(DELETE, Route(ip_network("10.2.0.0/24"), "lwb1")), "ip route del 10.2.0.0/24 dev lwb1"),
    (Step(CREATE, NEIGHBOUR), "ip neigh add 10.1.0.9 lladdr 02:00:00:00:00:01 dev lwx1"),
    (Step(CHANGE, NEIGHBOUR, NEIGHBOUR), "ip neigh replace 10.1.0.9 lladdr 02:00:00:00:00:01 dev lwx1"),
    (Step(DELETE, NEIGHBOUR), "ip neigh del 10.1.0.9 dev lwx1"),
    (Step(CREATE, PROXY), "ip neigh add proxy fd00::9 dev lwx1"),
    (Step(DELETE, PROXY), "ip neigh del proxy fd00::9 dev lwx1"),
    (Step(CREATE, ENTRY), "bridge fdb add 02:00:00:00:00:01 dev lwx1 dst 192.0.2.1 self"),
    (Step(CREATE, FLOOD), "bridge fdb append 00:00:00:00:00:00 dev lwx1 dst 192.0.2.1 self"),
    (Step(CREATE, FdbEntry("lwh1", MAC)), "bridge fdb add 02:00:00:00:00:01 dev lwh1 master static"),
    (Step(DELETE, FdbEntry("lwh1", MAC)), "bridge fdb del 02:00:00:00:00:01 dev lwh1 master static"),
    (Step(CHANGE, ENTRY, ENTRY), "bridge fdb replace 02:00:00:00:00:01 dev lwx1 dst 192.0.2.1 self"),
    (Step(DELETE, FLOOD), "bridge fdb del 00:00:00:00:00:00 dev lwx1 dst 192.0.2.1 self"),
    (Step(CREATE, VLAN), "bridge vlan add dev lwh1 vid 10 pvid untagged"),
    (Step(CHANGE, evolve(VLAN, pvid=False), VLAN), "bridge vlan add dev lwh1 vid 10 untagged"),
    (Step(CREATE, BridgeVlan("lwb1", 10, last=20, on_bridge=True)), "bridge vlan add dev lwb1 vid 10-20 self"),
    (Step(DELETE, VLAN), "bridge vlan del dev lwh1 vid 10"),
    (Step(CREATE, HAIRPIN), "bridge link set dev lwh1 hairpin on"),
    (Step(CHANGE, HAIRPIN, HAIRPIN), "bridge link set dev lwh1 hairpin on"),
    (Step(DELETE, HAIRPIN), "bridge link set dev lwh1 hairpin off"),
    # how fast
    (
        Step(CREATE, SHAPER),
        "tc qdisc replace dev lwh1 root handle 6c77: tbf rate 10000000bit burst 15000b latency 50ms",
    ),
    (
        Step(CHANGE, evolve(SHAPER, rate=1_000_000), SHAPER),
        "tc qdisc replace dev lwh1 root handle 6c77: tbf rate 1000000bit burst 15000b latency 50ms",
    ),
    (Step(DELETE, SHAPER), "tc qdisc del dev lwh1 root handle 6c77:"),
    (
        Step(CREATE, REDIRECT),
        (
            "tc qdisc replace dev lwh1 ingress\n"
            "tc filter add dev lwh1 parent ffff: pref 27767 protocol all "
            "u32 match u32 0 0 action mirred egress redirect dev lwi1"
        ),
    ),
    (
        Step(CHANGE, REDIRECT, evolve(REDIRECT, to="?")),
        (
            "tc filter del dev lwh1 parent ffff: pref 27767 protocol all\n"
            "tc qdisc replace dev lwh1 ingress\n"
            "tc filter add dev lwh1 parent ffff: pref 27767 protocol all "
            "u32 match u32 0 0 action mirred egress redirect dev lwi1"
        ),
    ),
    (Step(DELETE, REDIRECT), "tc qdisc del dev lwh1 ingress"),
    # host-wide
    (Step(CREATE, SYSCTL), "sysctl -w net.ipv6.conf.lwb1.accept_ra=0"),
    (Step(CHANGE, SYSCTL, SYSCTL), "sysctl -w net.ipv6.conf.lwb1.accept_ra=0"),
    (Step(DELETE, SYSCTL), ""),
    (Step(DELETE, evolve(SYSCTL, otherwise="1")), "sysctl -w net.ipv6.conf.lwb1.accept_ra=1"),
    (Step(CREATE, Sysctl("net/ipv4/conf/eth0.50/proxy_arp", "1")), "sysctl -w net.ipv4.conf.eth0/50.proxy_arp=1"),
    (Step(CREATE, MEMBER), "nft add element inet linkwright siblings { lwb1 . lwb1 }"),
    (Step(DELETE, MEMBER), "nft delete element inet linkwright siblings { lwb1 . lwb1 }"),
    (Step(CREATE, MAPPED), "nft add element inet linkwright wildcard4 { tcp . 80 : 10.1.0.2 . 80 }"),
    (
        Step(CHANGE, MAPPED, MAPPED),
        (
            "nft delete element inet linkwright wildcard4 { tcp . 80 }\n"
            "nft add element inet linkwright wildcard4 { tcp . 80 : 10.1.0.2 . 80 }"
        ),
    ),
    (Step(DELETE, MAPPED), "nft delete element inet linkwright wildcard4 { tcp . 80 }"),
    (Step(CREATE, Element("checked", ("lwh1",))), "nft add element bridge linkwright checked { lwh1 }"),
]


@pytest.mark.parametrize(
    ("step", "text"), GOLDEN, ids=[text or f"{step.action.value} of nothing" for step, text in GOLDEN]
)
def test_golden(step: Step, text: str) -> None:
    """What the plan shows is what a person would type to do the same."""
    assert text == render(step)


def test_the_golden_texts_cover_every_kind_and_action() -> None:
    """A new kind of resource, or of link, needs its texts here."""
    shown = {(type(step.resource), step.action) for step, _ in GOLDEN}
    assert shown == {(kind, action) for kind in get_args(Resource) for action in Action}
    assert set(get_args(LinkKind)) == {
        type(step.resource.kind) for step, _ in GOLDEN if isinstance(step.resource, Link)
    }


def test_a_plan_is_one_command_a_line() -> None:
    """It can be read from top to bottom, and piped into a shell; a step that does nothing has no line."""
    steps = [Step(CREATE, PORT), Step(DELETE, SYSCTL), Step(DELETE, PORT)]
    assert render_all(steps) == (
        "ip link add lwh1 master lwb1 up type veth peer name lwc1\n"
        "bridge link set dev lwh1 isolated on neigh_suppress off\n"
        "ip link del lwh1\n"
    )
    assert render_all([]) == ""


def test_elements_are_those_of_the_instances_own_tables() -> None:
    """What another instance shows can be typed too: its tables are called otherwise."""
    steps = [Step(CREATE, MEMBER), Step(DELETE, Element("checked", ("lwh1",)))]
    assert render_all(steps, "linkwright_b") == (
        "nft add element inet linkwright_b siblings { lwb1 . lwb1 }\n"
        "nft delete element bridge linkwright_b checked { lwh1 }\n"
    )
    assert render(steps[0], "linkwright_b") == "nft add element inet linkwright_b siblings { lwb1 . lwb1 }"
