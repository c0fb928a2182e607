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
    Element,
    Existing,
    FdbEntry,
    Key,
    Link,
    Macvlan,
    MacvlanMode,
    Neighbour,
    Resource,
    Route,
    Snapshot,
    Step,
    Sysctl,
    Veth,
    Vxlan,
    Wishes,
    undo,
)

BAD_NAMES = ["", ".", "..", "a/b", "a:b", "a b", "a\tb", "sixteen-bytes-ab", "äääääääää"]
MAKERS: list[Callable[[str], object]] = [Link, Veth, Macvlan]
ZERO = Mac(bytes(6))
BRIDGE = Link("lwb1", Bridge())


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("make", MAKERS)
def test_a_name_that_the_kernel_would_refuse_cannot_be_written_down(name: str, make: Callable[[str], object]) -> None:
    """A link, a veth's peer and a parent are all named; the author learns it where the name is made."""
    with pytest.raises(ValueError, match=f"is no link name: 1 to {NAME_LENGTH} bytes"):
        make(name)


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789-_.@", min_size=3, max_size=NAME_LENGTH))
def test_names_that_the_kernel_takes_pass(name: str) -> None:
    """Fifteen bytes of anything usual."""
    assert Link(name).name == name


@pytest.mark.parametrize(("vni", "port"), [(0, 4789), (1 << 24, 4789), (-1, 4789), (1, 0), (1, 65536)])
def test_a_segment_that_cannot_be_is_no_value(vni: int, port: int) -> None:
    """24 bits for the VNI, of which 0 is not used, and a UDP port."""
    with pytest.raises(ValueError, match=r"VNI|port"):
        Vxlan(vni, port)


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
        (BRIDGE, None),
    ],
)
def test_what_only_one_link_can_hold(link: Link, held: Key | None) -> None:
    """A VNI on a port, a parent in passthru."""
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
