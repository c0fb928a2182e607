"""Resources as values: what cannot be made, what makes two the same thing, what they need and what they hold."""

from collections.abc import Callable
from ipaddress import ip_address, ip_interface, ip_network

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from linkwright.model import Mac
from linkwright.plan import (
    NAME_LENGTH,
    Action,
    Address,
    Bridge,
    BridgeVlan,
    Element,
    Existing,
    FdbEntry,
    Hairpin,
    Ipvlan,
    Key,
    Link,
    Macvlan,
    MacvlanMode,
    Neighbour,
    Redirect,
    Resource,
    Route,
    Shaper,
    Snapshot,
    Step,
    Sysctl,
    Veth,
    Vlan,
    Vxlan,
    Wishes,
    undo,
)

BAD_NAMES = ["", ".", "..", "a/b", "a:b", "a b", "a\tb", "a\u00e0", "sixteen-bytes-ab", "äääääääää"]
MAKERS: list[Callable[[str], object]] = [Link, Veth, Macvlan, Ipvlan, lambda name: Vlan(name, 1)]
ZERO = Mac(bytes(6))
BRIDGE = Link("lwb1", Bridge())


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("make", MAKERS)
def test_a_name_that_the_kernel_would_refuse_cannot_be_written_down(name: str, make: Callable[[str], object]) -> None:
    """A link, a veth's peer and a parent are all named; the author learns it where the name is made."""
    with pytest.raises(ValueError, match=f"is no link name: 1 to {NAME_LENGTH} bytes"):
        make(name)


@pytest.mark.parametrize("name", ["a\u2003b", "a\x85b", "a\x1cb"])
def test_what_only_python_takes_for_a_space_may_be_in_a_name(name: str) -> None:
    """The kernel goes by octets; a stranger's link of such a name must not be in the way of reading all others."""
    assert Link(name).name == name


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.@", min_size=3, max_size=NAME_LENGTH))
def test_names_that_the_kernel_takes_pass(name: str) -> None:
    """Fifteen bytes of anything usual."""
    assert Link(name).name == name


@pytest.mark.parametrize(("vni", "port"), [(0, 4789), (1 << 24, 4789), (-1, 4789), (1, 0), (1, 65536)])
def test_a_segment_that_cannot_be_is_no_value(vni: int, port: int) -> None:
    """24 bits for the VNI, of which 0 is not used, and a UDP port."""
    with pytest.raises(ValueError, match=r"VNI|port"):
        Vxlan(vni, port)


@pytest.mark.parametrize("vid", [0, -1, 4095, 10_000])
def test_a_vlan_that_cannot_be_is_no_value(vid: int) -> None:
    """0 is "no VLAN", 4095 is reserved; so is what a range ends with, and where it begins."""
    for make in (lambda: Vlan("eth0", vid), lambda: BridgeVlan("a", vid), lambda: BridgeVlan("a", 7, last=vid)):
        with pytest.raises(ValueError, match=r"VLAN|range"):
            make()
    with pytest.raises(ValueError, match="default_pvid"):
        Bridge(default_pvid=vid or -1)


def test_a_range_of_vlans_is_a_wish_for_each() -> None:
    """So that ranges may overlap, and what the kernel has is compared one by one; one has no range."""
    wishes = Wishes.of(BridgeVlan("a", 10, untagged=True, last=12), BridgeVlan("b", 7, pvid=True))
    assert [wish.key for wish in wishes] == [
        ("vlan", "a", "10"),
        ("vlan", "a", "11"),
        ("vlan", "a", "12"),
        ("vlan", "b", "7"),
    ]
    assert next(iter(wishes)) == BridgeVlan("a", 10, untagged=True)
    with pytest.raises(ValueError, match="into one VLAN, not into a range"):
        BridgeVlan("a", 10, pvid=True, last=12)
    with pytest.raises(ValueError, match="ends at 10 … 4094, not 9"):
        BridgeVlan("a", 10, last=9)


@pytest.mark.parametrize(("rate", "burst"), [(0, 1500), (7, 1500), (8, 0), (8000, 1 << 32), (8000, 300_000), (15, 400)])
def test_a_shaper_that_cannot_be_is_no_value(rate: int, burst: int) -> None:
    """Less than a byte a second, no burst, more than 32 bits of bytes, or of ticks that it takes to earn them."""
    with pytest.raises(ValueError, match=r"rate|burst"):
        Shaper("a", rate, burst)


@pytest.mark.parametrize(
    ("path", "link"),
    [
        ("net/ipv4/conf/lw0/route_localnet", "lw0"),
        ("net/ipv6/neigh/eth0.50/proxy_delay", "eth0.50"),
        ("net/ipv4/conf/all/forwarding", None),
        ("net/ipv6/conf/default/accept_ra", None),
        ("net/ipv4/ip_forward", None),
        ("net/bridge/bridge-nf-call-iptables", None),
    ],
)
def test_a_setting_knows_its_link(path: str, link: str | None) -> None:
    """By its path; what is for all links, or for those to come, is the host's."""
    assert link == Sysctl(path, "1").of_link


SAME: list[tuple[Resource, Resource]] = [
    (BRIDGE, Link("lwb1", Existing(), mtu=9000)),
    (Route(ip_network("10.0.0.0/8"), "a"), Route(ip_network("10.0.0.0/8"), "b", ip_address("10.0.0.1"))),
    (Neighbour("a", ip_address("10.0.0.1")), Neighbour("a", ip_address("10.0.0.1"), ZERO)),
    (FdbEntry("a", Mac.derive("x"), ip_address("10.0.0.1")), FdbEntry("a", Mac.derive("x"), ip_address("10.0.0.2"))),
    (Sysctl("net/x", "0"), Sysctl("net/x", "1")),
    (Element("m", ("a",)), Element("m", ("a",), ("b",))),
]
OTHER: list[tuple[Resource, Resource]] = [
    (BRIDGE, Link("lwb2", Bridge())),
    (Address("a", ip_interface("10.0.0.1/8")), Address("a", ip_interface("10.0.0.1/16"))),
    (Address("a", ip_interface("10.0.0.1/8")), Address("b", ip_interface("10.0.0.1/8"))),
    (Route(ip_network("10.0.0.0/8"), "a"), Route(ip_network("10.0.0.0/8"), "a", metric=5)),
    (Route(ip_network("10.0.0.0/8"), "a"), Route(ip_network("10.0.0.0/8"), "a", table=5)),
    (Neighbour("a", ip_address("10.0.0.1")), Neighbour("a", ip_address("10.0.0.1"), proxy=True)),
    (FdbEntry("a", ZERO, ip_address("10.0.0.1")), FdbEntry("a", ZERO, ip_address("10.0.0.2"))),
    (Element("m", ("a",)), Element("n", ("a",))),
    (Element("m", ("a", "b")), Element("m", ("a",))),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_thing_otherwise(one: Resource, other: Resource) -> None:
    """Where the kernel keeps one, there is one key."""
    assert one.key == other.key
    assert one != other


@pytest.mark.parametrize(("one", "other"), OTHER)
def test_another_thing(one: Resource, other: Resource) -> None:
    """Where the kernel keeps two, there are two keys."""
    assert one.key != other.key


NEEDS: list[tuple[Resource, tuple[Key, ...]]] = [
    (BRIDGE, ()),
    (Link("lwh1", Veth("lwc1"), master="lwb1"), (("link", "lwb1"),)),
    (Link("lwh1", Veth("lwc1"), master=""), ()),
    (Link("lwm1", Macvlan("eth0")), (("link", "eth0"),)),
    (Link("lwx1", Vxlan(1, parent="eth0"), master="lwb1"), (("link", "lwb1"), ("link", "eth0"))),
    (Address("a", ip_interface("10.0.0.1/8")), (("link", "a"),)),
    (Route(ip_network("10.0.0.0/8"), via=ip_address("10.0.0.1")), ()),
    (Route(ip_network("10.0.0.0/8"), "a"), (("link", "a"),)),
    (Neighbour("a", ip_address("10.0.0.1")), (("link", "a"),)),
    (FdbEntry("a", ZERO), (("link", "a"),)),
    (Sysctl("net/x", "0", before_up="a"), (("link", "a"),)),
    (Sysctl("net/x", "0"), ()),
    (Sysctl("net/ipv4/conf/a/route_localnet", "1"), (("link", "a"),)),
    (BridgeVlan("a", 7), (("link", "a"),)),
    (Hairpin("a"), (("link", "a"),)),
    (Shaper("a", 8000, 1600), (("link", "a"),)),
    (Redirect("a", "b"), (("link", "a"), ("link", "b"))),
    (Link("lwl1", Ipvlan("eth0")), (("link", "eth0"),)),
    (Link("lwv1", Vlan("eth0", 7)), (("link", "eth0"),)),
    (Element("m", ("a",)), ()),
]


@pytest.mark.parametrize(("resource", "keys"), NEEDS)
def test_what_a_thing_needs_first(resource: Resource, keys: tuple[Key, ...]) -> None:
    """A master, a parent, the link it lies on."""
    assert keys == resource.requires


@pytest.mark.parametrize(
    ("link", "held"),
    [
        (Link("lwx1", Vxlan(7, 8472)), ("vni", "7", "8472")),
        (Link("lwm1", Macvlan("eth0", MacvlanMode.PASSTHRU)), ("passthru", "eth0")),
        (Link("lwm1", Macvlan("eth0")), None),
        (Link("lwv1", Vlan("eth0", 7)), ("vid", "eth0", "7")),
        (Link("lwl1", Ipvlan("eth0")), None),
        (BRIDGE, None),
    ],
)
def test_what_only_one_link_can_hold(link: Link, held: Key | None) -> None:
    """A VNI on a port, a parent in passthru, a VLAN of a parent."""
    assert held == link.exclusive


def test_wishes_leave_out_what_is_not_wished() -> None:
    """A driver may write ``None`` for "not in this case"."""
    assert list(Wishes.of(BRIDGE, None)) == [BRIDGE]
    assert Wishes([None]).by_key() == {}
    assert Wishes.of(BRIDGE).by_key() == {("link", "lwb1"): BRIDGE}
    assert Wishes.of() == Wishes()


def test_a_snapshot_tells_ours_from_the_rest_and_does_not_change() -> None:
    """Only what is ours may be removed."""
    eth0 = Link("eth0")
    resources: dict[Key, Resource] = {eth0.key: eth0, BRIDGE.key: BRIDGE}
    snapshot = Snapshot(resources, frozenset({BRIDGE.key, ("link", "gone")}))
    resources.clear()
    assert snapshot.owned() == {BRIDGE.key: BRIDGE}
    assert dict(snapshot.resources) == {eth0.key: eth0, BRIDGE.key: BRIDGE}


def test_undo_is_the_inverse_of_each_step_last_first() -> None:
    """What was made goes, what was changed is as before, what was removed is there again."""
    changed, gone = evolve(BRIDGE, mtu=1400), Link("lwb2", Bridge())
    done = [Step(Action.CREATE, BRIDGE), Step(Action.CHANGE, changed, BRIDGE), Step(Action.DELETE, gone, gone)]
    assert undo(done) == (
        Step(Action.CREATE, gone),
        Step(Action.CHANGE, BRIDGE, changed),
        Step(Action.DELETE, BRIDGE, BRIDGE),
    )
