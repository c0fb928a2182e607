"""What is borrowed: what of it is kept, how it goes back, and that no more than that is ever touched."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from linkwright.model import Mac
from linkwright.plan import (
    Action,
    Address,
    Bridge,
    BridgePort,
    Existing,
    Hold,
    Key,
    Link,
    Mark,
    Resource,
    Step,
    Sysctl,
    as_found,
    diff,
    found_attributes,
    found_resource,
    render_all,
)
from linkwright.plan.compare import changed

MAC, OTHER_MAC = Mac.derive("a"), Mac.derive("b")
PORT = BridgePort(learning=True, flood=True, isolated=False, neighbour_suppress=False)

#: As the kernel shows them: a bridge of the host's, and a port of it.
BRIDGE = Link("br0", Bridge(True, vlan_filtering=False, default_pvid=1), mtu=1500, mac=MAC, master="", up=False)
UPLINK = Link("eth0", Existing(), mtu=1500, mac=OTHER_MAC, master="br0", up=True, port=PORT)


def borrowed(name: str, kind: Bridge | Existing | None = None, **wished: object) -> Link:
    """The wish for a link of the host's; only what is named is wished."""
    return Link(name, kind or Existing(), hold=Hold.BORROW, **{"up": None, **wished})  # type: ignore[arg-type] - by name


KEPT: dict[str, tuple[Resource, Resource, Resource | None]] = {
    "nothing, for nothing is wished of it": (borrowed("br0"), BRIDGE, None),
    "what is wished, and no more": (borrowed("br0", mtu=9000, up=True), BRIDGE, borrowed("br0", mtu=1500, up=False)),
    "what is as wished already": (borrowed("br0", mtu=1500), BRIDGE, borrowed("br0", mtu=1500)),
    "of a bridge the settings that are wished": (
        borrowed("br0", Bridge(vlan_filtering=True)),
        BRIDGE,
        borrowed("br0", Bridge(vlan_filtering=False)),
    ),
    "nothing of a kind that it is not": (
        borrowed("eth0", Bridge(vlan_filtering=True), mtu=9000),
        UPLINK,
        borrowed("eth0", mtu=1500),
    ),
    "of a port all settings: they go with its master": (
        borrowed("eth0", master="lwb1"),
        UPLINK,
        borrowed("eth0", master="br0", port=PORT),
    ),
    "of a port that stays one what is wished of it": (
        borrowed("eth0", port=BridgePort(isolated=True)),
        UPLINK,
        borrowed("eth0", port=BridgePort(isolated=False)),
    ),
    "nothing of our own": (Link("lwb1", Bridge(), mtu=9000), evolve(BRIDGE, name="lwb1"), None),
    "a setting of a link of the host's": (
        Sysctl("net/ipv4/conf/br0/route_localnet", "1"),
        Sysctl("net/ipv4/conf/br0/route_localnet", "0"),
        Sysctl("net/ipv4/conf/br0/route_localnet", "0"),
    ),
    "no setting of a link of ours: it goes with it": (
        Sysctl("net/ipv4/conf/lwb1/route_localnet", "1"),
        Sysctl("net/ipv4/conf/lwb1/route_localnet", "0"),
        None,
    ),
    "no setting of the host's: whoever needs it says so": (
        Sysctl("net/ipv4/ip_forward", "1"),
        Sysctl("net/ipv4/ip_forward", "0"),
        None,
    ),
    "no setting that is never written": (
        Sysctl("net/ipv4/conf/br0/forwarding", "1", hold=Hold.BORROW),
        Sysctl("net/ipv4/conf/br0/forwarding", "0"),
        None,
    ),
}


@pytest.mark.parametrize(("wish", "found", "kept"), KEPT.values(), ids=KEPT)
def test_what_is_kept_is_what_may_be_changed(wish: Resource, found: Resource, kept: Resource | None) -> None:
    """No more and no less; and what is kept once stands, whatever the thing looks like by then."""
    assert kept == as_found(wish, found)
    if kept is not None:
        later = evolve(found, mtu=1280) if isinstance(found, Link) else evolve(kept, value="7")
        assert kept == as_found(wish, later, known=kept)


def test_a_second_wish_keeps_what_it_adds_and_not_what_the_first_made() -> None:
    """The MTU that the first wish set is not how the link was found; the rest still is."""
    first = as_found(borrowed("eth0", mtu=9000), UPLINK)
    now = evolve(UPLINK, mtu=9000)
    second = as_found(borrowed("eth0", mtu=9000, port=BridgePort(isolated=True), up=True), now, known=first)
    assert second == borrowed("eth0", mtu=1500, port=BridgePort(isolated=False), up=True)
    changed_since = evolve(now, port=evolve(PORT, isolated=True), up=False)
    assert second == as_found(borrowed("eth0", mtu=9000, up=True), changed_since, known=second)


BEFORE: dict[Key, Resource] = {("link", "eth0"): borrowed("eth0", mtu=1500, master="br0", port=PORT, up=True)}


def test_when_the_last_wish_goes_all_is_as_it_was() -> None:
    """A change, back to what was found; what lies on the link goes first, what was nobody's wish is not named."""
    wish = borrowed("eth0", mtu=9000, master="lwb1", up=True)
    ours = {resource.key: resource for resource in (wish, Link("lwb1", Bridge(), mark=Mark("default", "n")))}
    steps = diff(ours, {}, BEFORE).steps
    assert render_all(steps) == (
        "ip link del lwb1\n"
        "ip link set eth0 mtu 1500 master br0\n"
        "bridge link set dev eth0 learning on flood on isolated off neigh_suppress off\n"
    )
    assert steps[1] == Step(Action.CHANGE, BEFORE[wish.key], wish)


def test_what_is_as_it_was_found_needs_nothing_and_what_was_not_kept_is_left() -> None:
    """Without a record there is nothing to go back to: as little as can be is done to what is not ours."""
    wish = borrowed("eth0", mtu=9000)
    assert not diff({wish.key: borrowed("eth0", mtu=1500)}, {}, {wish.key: borrowed("eth0", mtu=1500)})
    assert not diff({wish.key: wish}, {})


def test_what_is_wished_no_longer_goes_back_though_the_rest_is_still_wished() -> None:
    """A driver's new version that leaves the MTU alone leaves it as it was found."""
    wish = borrowed("eth0", master="lwb1")
    seen = evolve(UPLINK, mtu=9000, master="lwb1")
    steps = diff({wish.key: seen}, {wish.key: wish}, BEFORE).steps
    assert render_all(steps) == "ip link set eth0 mtu 1500\n"
    assert not diff({wish.key: evolve(seen, mtu=1500)}, {wish.key: wish}, BEFORE)


def test_what_no_wish_ever_named_stays_the_administrators() -> None:
    """While we borrow a port for one setting, the others may be changed by whoever likes."""
    wish = borrowed("eth0", port=BridgePort(isolated=True))
    kept = as_found(wish, UPLINK)
    assert kept is not None
    theirs = evolve(UPLINK, mtu=9000, port=evolve(PORT, isolated=True, flood=False))
    assert not diff({wish.key: theirs}, {wish.key: wish}, {wish.key: kept})
    (step,) = diff({wish.key: theirs}, {}, {wish.key: kept}).steps
    assert render_all([step]) == "bridge link set dev eth0 isolated off\n"


def test_a_setting_goes_back_to_what_was_found_before_it_goes_to_what_the_wish_says() -> None:
    """What was really there is better than what somebody thought."""
    wish = Sysctl("net/ipv4/conf/br0/route_localnet", "1", otherwise="0")
    for kept, text in (({wish.key: evolve(wish, value="2")}, "2"), ({}, "0")):
        (step,) = diff({wish.key: wish}, {}, kept).steps
        assert step.action is Action.DELETE
        assert render_all([step]) == f"sysctl -w net.ipv4.conf.br0.route_localnet={text}\n"
        assert render_all([step.inverse()]) == "sysctl -w net.ipv4.conf.br0.route_localnet=1\n"


def test_the_way_back_can_itself_be_taken_back() -> None:
    """A removal that fails later leaves the link as it was wished."""
    wish = borrowed("eth0", mtu=9000, master="lwb1", up=True)
    (step,) = diff({wish.key: wish}, {}, BEFORE).steps
    assert step.inverse() == Step(Action.CHANGE, wish, BEFORE[wish.key])


# --- whatever is wished and found ----------------------------------------------------------------------------

truths = st.sampled_from([None, True, False])
ports = st.builds(BridgePort, isolated=truths, learning=truths)
wishes = st.builds(
    Link,
    st.just("br0"),
    st.just(Existing()) | st.builds(Bridge, truths, truths, st.sampled_from([None, 0, 7])),
    mtu=st.sampled_from([None, 1400, 1500]),
    mac=st.sampled_from([None, MAC, OTHER_MAC]),
    master=st.sampled_from([None, "", "lwb1"]),
    up=truths,
    port=st.none() | ports,
    hold=st.just(Hold.BORROW),
)


def made(wish: Link, was: Link) -> Link:
    """The link *was* as the kernel shows it once *wish* has been done to it."""
    plain = {name: value for name in ("mtu", "mac", "master", "up") if (value := getattr(wish, name)) is not None}
    kind, port = was.kind, PORT if plain.get("master") else (None if "master" in plain else was.port)
    if isinstance(wish.kind, Bridge) and isinstance(kind, Bridge):
        said = {name: getattr(wish.kind, name) for name in ("multicast_snooping", "vlan_filtering", "default_pvid")}
        kind = evolve(kind, **{name: value for name, value in said.items() if value is not None})
    if port is not None and wish.port is not None:
        port = evolve(port, **{n: v for n in ("isolated", "learning") if (v := getattr(wish.port, n)) is not None})
    return evolve(was, kind=kind, port=port, **plain)


@given(wishes, wishes, st.sampled_from([BRIDGE, evolve(BRIDGE, master="bond0", port=PORT, mtu=9000, up=True)]))
def test_after_any_two_wishes_the_link_is_as_it_was_found(first: Link, second: Link, was: Link) -> None:
    """One wish follows another and goes: every attribute is again what it was, whichever of them named it."""
    kept, now = as_found(first, was), made(first, was)
    kept, now = as_found(second, now, known=kept) or kept, made(second, now)
    for step in diff({now.key: now}, {}, {} if kept is None else {now.key: kept}).steps:
        assert isinstance(step.resource, Link)
        now = made(step.resource, now)
    assert was == now


@given(wishes, st.sampled_from([BRIDGE, evolve(BRIDGE, master="bond0", port=PORT)]))
def test_what_is_kept_survives_as_text(wish: Link, was: Link) -> None:
    """It outlives us in the store, as names and words."""
    kept = as_found(wish, was)
    if kept is not None:
        assert kept == found_resource(kept.key, found_attributes(kept))


def test_text_that_cannot_be_read_is_an_error_that_names_it() -> None:
    """A record of another version, or a damaged one, is not half understood."""
    assert found_attributes(borrowed("br0", Bridge(vlan_filtering=True), mtu=1500, up=False, master="")) == {
        "mtu": "1500",
        "master": "",
        "up": "false",
        "kind.vlan_filtering": "true",
    }
    assert found_resource(("sysctl", "net/x"), {"value": "2"}) == Sysctl("net/x", "2")
    for name, text in (("colour", "red"), ("up", "perhaps"), ("mtu", "much"), ("mac", "1"), ("kind.up", "true")):
        with pytest.raises(ValueError, match=f"link br0 was kept with {name}='{text}', which cannot be read"):
            found_resource(("link", "br0"), {name: text})
    with pytest.raises(ValueError, match="sysctl net/x was kept without its value"):
        found_resource(("sysctl", "net/x"), {})
    with pytest.raises(TypeError, match="never borrowed"):
        found_attributes(Address("br0", "10.0.0.1/24"))  # type: ignore[arg-type] - it does not come so far


def test_what_was_kept_is_no_wish_of_its_own() -> None:
    """Compared with what is there it says only what was kept."""
    kept = as_found(borrowed("br0", mtu=9000), BRIDGE)
    assert kept is not None
    assert frozenset() == changed(evolve(BRIDGE, up=True, mac=OTHER_MAC), kept)
