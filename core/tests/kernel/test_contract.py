"""What ``engine.ports.Kernel`` promises, asked of the fake and of the real one alike."""

import errno
from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_address, ip_interface, ip_network

import pytest
import trio
from attrs import evolve, frozen

from linkwright.errors import KernelError
from linkwright.model import Handover
from linkwright.model.mac import Mac
from linkwright.plan import Snapshot, diff
from linkwright.plan.compare import changed
from linkwright.plan.mark import Mark
from linkwright.plan.resources import (
    Address,
    Bridge,
    BridgePort,
    BridgeVlan,
    Element,
    FdbEntry,
    Hairpin,
    Ifb,
    Ipvlan,
    IpvlanFlag,
    IpvlanMode,
    Key,
    Link,
    Macvlan,
    MacvlanMode,
    Neighbour,
    Redirect,
    Resource,
    Route,
    Shaper,
    Sysctl,
    Veth,
    Vlan,
    Vxlan,
)
from linkwright.plan.steps import Action, Step
from linkwright.testkit.hosts import FakeHost, Host, RealHost, link, real_host, told_of

MARK = Mark("default", "network1")
OTHERS = Mark("other", "network1")
M1, M2 = Mac.parse("02:00:00:00:00:01"), Mac.parse("02:00:00:00:00:02")
ZERO = Mac(bytes(6))

BRIDGE = Link("lwb0", Bridge(multicast_snooping=False), mtu=1400, mac=M1, mark=MARK)
PAIR = Link(
    "lwv0",
    Veth("lwv0p", M2),
    mtu=1400,
    master="lwb0",
    port=BridgePort(flood=False, isolated=True),
    mark=Mark("default", "network1", "endpoint1", M2, (ip_interface("10.0.0.2/24"),)),
)
VXLAN = Vxlan(77, local=ip_address("10.0.0.1"), learning=False, proxy=True)
TUNNEL = Link("lwx0", VXLAN, mtu=1450, mark=MARK)
PARENT = Link("lwp0", Veth("lwp0p"), mark=MARK)
CHILD = Link("lwm0", Macvlan("lwp0", MacvlanMode.BRIDGE), mac=M1, mark=MARK)
V4, V6 = Address("lwb0", ip_interface("10.0.0.1/24")), Address("lwb0", ip_interface("fd00::1/64"))
ROUTE = Route(ip_network("10.9.0.0/16"), via=ip_address("10.0.0.9"))
QUEUE = Link("lwi0", Ifb(), mark=MARK)
DOWNLOAD, UPLOAD = Shaper("lwv0", 10_000_000, 15_000), Shaper("lwi0", 12_345_678, 20_000)
BACK = Redirect("lwv0", "lwi0")
TAGGED = Link("lwp0.50", Vlan("lwp0", 50), mark=MARK)
LAYERED = Link("lwl0", Ipvlan("lwp0", IpvlanMode.L3S, IpvlanFlag.VEPA), mark=MARK)
FILTERING = Link("lwb0", Bridge(vlan_filtering=True, default_pvid=0), mark=MARK)
MEMBER = BridgeVlan("lwv0", 10, pvid=True, untagged=True)


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.netns)])
async def host(request: pytest.FixtureRequest) -> AsyncIterator[Host]:
    """One host of each sort."""
    if request.param == "fake":
        yield FakeHost()
        return
    new_namespace = request.getfixturevalue("new_namespace")
    async with real_host(new_namespace(), new_namespace()) as real:
        yield real


def creates(*resources: Resource) -> list[Step]:
    """The steps that make *resources*."""
    return [Step(Action.CREATE, resource) for resource in resources]


def deletes(*resources: Resource) -> list[Step]:
    """The steps that delete *resources*."""
    return [Step(Action.DELETE, resource, resource) for resource in resources]


async def observed(host: Host, key: Key) -> Resource | None:
    """What is there under one key."""
    return (await host.kernel.observe([key])).resources.get(key)


# --- every kind of resource ----------------------------------------------------------------------------------


@frozen
class Kind:
    """A wish, what it needs, and what it may change into."""

    wish: Resource
    base: tuple[Resource, ...] = ()
    changes: tuple[Resource, ...] = ()
    needs: str = ""  # a feature that a kernel may lack


KINDS = {
    "bridge": Kind(BRIDGE, (), (evolve(BRIDGE, mtu=1500, kind=Bridge(multicast_snooping=True)),)),
    "bridge, bare": Kind(Link("lwb1", Bridge(), mark=MARK), (), (Link("lwb1", Bridge(), mac=M2, up=False, mark=MARK),)),
    "veth": Kind(Link("lwv1", Veth("lwv1p"), mark=MARK), (BRIDGE,), (Link("lwv1", Veth("lwv1p"), master="lwb0"),)),
    "veth, port": Kind(
        PAIR,
        (BRIDGE,),
        (
            evolve(PAIR, port=BridgePort(isolated=False, learning=False, flood=True, neighbour_suppress=True)),
            evolve(PAIR, master="", port=None),
            evolve(PAIR, mark=MARK, master="", port=None),
        ),
    ),
    "macvlan": Kind(CHILD, (PARENT,), (evolve(CHILD, mac=M2), evolve(CHILD, up=False))),
    "macvlan, private": Kind(evolve(CHILD, kind=Macvlan("lwp0", MacvlanMode.PRIVATE)), (PARENT,)),
    "macvlan, with a long queue": Kind(
        evolve(CHILD, kind=Macvlan("lwp0", bc_queue_len=2000)),
        (PARENT,),
        (evolve(CHILD, kind=Macvlan("lwp0", bc_queue_len=3000)),),
    ),
    "macvlan, source": Kind(evolve(CHILD, kind=Macvlan("lwp0", MacvlanMode.SOURCE, sources=(M2, M1))), (PARENT,)),
    "ifb": Kind(QUEUE, (), (evolve(QUEUE, mtu=1400, up=False),)),
    "vlan": Kind(TAGGED, (PARENT,), (evolve(TAGGED, mtu=1400),), needs="vlan"),
    "ipvlan": Kind(LAYERED, (PARENT,), (evolve(LAYERED, up=False),), needs="ipvlan"),
    "bridge, filtering": Kind(
        FILTERING, (), (evolve(FILTERING, kind=Bridge(vlan_filtering=False)),), needs="vlan_filtering"
    ),
    "macvlan, passthru": Kind(Link("lwm0", Macvlan("lwp0", MacvlanMode.PASSTHRU), mark=MARK), (PARENT,)),
    "vxlan": Kind(TUNNEL, (), (evolve(TUNNEL, kind=evolve(VXLAN, learning=True)),)),
    "vxlan, IPv6": Kind(Link("lwx1", Vxlan(78, port=8472, local=ip_address("fd00::1")), mark=MARK)),
    "vxlan, parent": Kind(Link("lwx2", Vxlan(79, parent="lwp0"), mark=MARK), (PARENT,)),
    "vxlan, port of a bridge": Kind(evolve(TUNNEL, master="lwb0", port=BridgePort(neighbour_suppress=True)), (BRIDGE,)),
    "address": Kind(V4, (BRIDGE,)),
    "address, IPv6": Kind(V6, (BRIDGE,)),
    "route": Kind(ROUTE, (BRIDGE, V4), (evolve(ROUTE, via=ip_address("10.0.0.10")),)),
    "route, on link": Kind(Route(ip_network("10.9.0.0/16"), link="lwb0"), (BRIDGE,)),
    "route, IPv6": Kind(
        Route(ip_network("fd09::/64"), link="lwb0", via=ip_address("fd00::9"), metric=7),
        (BRIDGE, V6),
        (Route(ip_network("fd09::/64"), link="lwb0", via=ip_address("fd00::10"), metric=7),),
    ),
    "route, IPv6 on link": Kind(Route(ip_network("fd09::/64"), link="lwb0"), (BRIDGE,)),
    "route, table": Kind(
        Route(ip_network("0.0.0.0/0"), link="lwb0", source=ip_address("10.0.0.1"), metric=9, table=1000), (BRIDGE, V4)
    ),
    "neighbour": Kind(
        Neighbour("lwb0", ip_address("10.0.0.7"), M1), (BRIDGE,), (Neighbour("lwb0", ip_address("10.0.0.7"), M2),)
    ),
    "neighbour, IPv6": Kind(Neighbour("lwb0", ip_address("fd00::7"), M1), (BRIDGE,)),
    "neighbour, proxy": Kind(Neighbour("lwx0", ip_address("10.0.0.7"), proxy=True), (TUNNEL,)),
    "neighbour, IPv6 proxy": Kind(Neighbour("lwx0", ip_address("fd00::7"), proxy=True), (TUNNEL,)),
    "fdb": Kind(
        FdbEntry("lwx0", M1, ip_address("10.0.0.8")), (TUNNEL,), (FdbEntry("lwx0", M1, ip_address("10.0.0.9")),)
    ),
    "fdb, all-zero": Kind(
        FdbEntry("lwx0", ZERO, ip_address("10.0.0.9")), (TUNNEL, FdbEntry("lwx0", ZERO, ip_address("10.0.0.8")))
    ),
    "fdb, static": Kind(FdbEntry("lwv0", M2), (BRIDGE, PAIR)),
    "bridge vlan": Kind(
        MEMBER, (FILTERING, PAIR), (BridgeVlan("lwv0", 10), BridgeVlan("lwv0", 10, untagged=True)), "vlan_filtering"
    ),
    "bridge vlan, the bridge itself": Kind(
        BridgeVlan("lwb0", 20, untagged=True, on_bridge=True), (FILTERING,), needs="vlan_filtering"
    ),
    "hairpin": Kind(Hairpin("lwv0"), (BRIDGE, PAIR)),
    "shaper": Kind(DOWNLOAD, (BRIDGE, PAIR), (Shaper("lwv0", 20_000_000, 15_000), Shaper("lwv0", 20_000_000, 30_000))),
    "shaper, slow": Kind(Shaper("lwi0", 8_000, 1600), (QUEUE,)),
    "shaper, past 32 bits": Kind(Shaper("lwi0", 100_000_000_000, 100_000_000), (QUEUE,)),
    "redirect": Kind(
        BACK,
        (BRIDGE, PAIR, QUEUE, Link("lwi1", Ifb(), mark=MARK)),
        (Redirect("lwv0", "lwi1"), Redirect("lwv0", "lwi0")),
    ),
    "sysctl": Kind(
        Sysctl("net/ipv6/conf/lwb0/accept_ra", "0"), (BRIDGE,), (Sysctl("net/ipv6/conf/lwb0/accept_ra", "2"),)
    ),
    "element": Kind(Element("bridges", ("lwb0",))),
}


async def lacks(host: Host, kind: Kind) -> bool:
    """Whether the real kernel cannot do this, and then refuses it in words that name what it lacks."""
    if not kind.needs or not isinstance(host, RealHost) or kind.needs in (await host.kernel.host_facts()).features:
        return False
    before = await host.kernel.snapshot()
    with pytest.raises(KernelError, match=LACKS[kind.needs]) as caught:
        await host.kernel.apply(creates(*kind.base, kind.wish))
    assert caught.value.code == errno.EOPNOTSUPP
    assert before == await host.kernel.snapshot()
    return True


LACKS = {
    "ipvlan": "the kernel has no ipvlan: modprobe ipvlan, or CONFIG_IPVLAN",
    "vlan": "the kernel has no vlan: modprobe 8021q, or CONFIG_VLAN_8021Q",
    "vlan_filtering": "the kernel has no bridge VLAN filtering: CONFIG_BRIDGE_VLAN_FILTERING",
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
async def test_each_kind_is_made_as_wished_read_back_as_ours_changed_and_removed(host: Host, kind: Kind) -> None:
    """What is asked for is there afterwards, by observe and by snapshot, and is ours; what is deleted is gone.

    What this kernel lacks (``FEATURES_THAT_MAY_BE_MISSING``) it refuses by name instead, and nothing is made.
    """
    key = kind.wish.key
    await host.kernel.prepare()
    if await lacks(host, kind):
        return
    await host.kernel.apply(creates(*kind.base))
    before = await host.kernel.snapshot()
    await host.kernel.apply(creates(kind.wish))
    for wish in (kind.wish, *kind.changes):
        if wish is not kind.wish:
            await host.kernel.apply([Step(Action.CHANGE, wish, await observed(host, key))])
        seen = await host.kernel.observe([key])
        assert frozenset() == changed(seen.resources[key], wish)
        if not isinstance(wish, Sysctl):  # nobody's in particular, and too many for a snapshot
            assert {key} == seen.ours
            snapshot = await host.kernel.snapshot()
            assert seen.resources[key] == snapshot.resources[key]
            assert key in snapshot.ours
    await host.kernel.apply(deletes(kind.wish))
    if not isinstance(kind.wish, Sysctl):
        assert await observed(host, key) is None
        assert before == await host.kernel.snapshot()
    await host.kernel.apply(deletes(kind.wish))  # a second time: nothing to do, and no error


async def test_observe_and_snapshot_agree_about_everything(host: Host) -> None:
    """Reading under keys gives the same values and the same owners as reading everything."""
    await host.kernel.apply(creates(*EVERYTHING))
    await host.create(Address("lwb0", ip_interface("10.0.1.1/24")))
    await host.create(Link("stranger", Bridge()))
    snapshot = await host.kernel.snapshot()
    assert {resource.key for resource in EVERYTHING} <= snapshot.ours
    assert snapshot == await host.kernel.observe(snapshot.resources)


EVERYTHING: tuple[Resource, ...] = (
    BRIDGE,
    PAIR,
    TUNNEL,
    PARENT,
    CHILD,
    V4,
    V6,
    ROUTE,
    Route(ip_network("fd09::/64"), link="lwb0"),
    Neighbour("lwb0", ip_address("10.0.0.7"), M1),
    Neighbour("lwx0", ip_address("fd00::7"), proxy=True),  # on a link with a carrier: a loss of it takes proxies
    FdbEntry("lwx0", M1, ip_address("10.0.0.8")),
    FdbEntry("lwx0", ZERO, ip_address("10.0.0.8")),
    FdbEntry("lwx0", ZERO, ip_address("10.0.0.9")),
    Hairpin("lwv0"),
    QUEUE,
    DOWNLOAD,
    UPLOAD,
    BACK,
    Element("bridges", ("lwb0",)),
)


# --- all or none ---------------------------------------------------------------------------------------------

#: On a host that has EVERYTHING: one of each thing that can be done, in an order that a planner could choose.
PLAN: tuple[Step, ...] = (
    *creates(Element("bridges", ("lwb2",))),
    *deletes(TUNNEL),
    *creates(Link("lwx9", VXLAN, mark=MARK), Link("lwb2", Bridge(), mac=M2, mark=MARK)),
    *creates(Link("lwv2", Veth("lwv2p"), master="lwb2", port=BridgePort(isolated=True), mark=MARK)),
    Step(Action.CHANGE, Link("lwv0", PAIR.kind, mtu=1300, master="lwb2", mark=MARK), PAIR),
    Step(Action.CHANGE, Link("lwb0", Bridge(multicast_snooping=True), mac=M2, up=False), BRIDGE),
    *creates(Sysctl("net/ipv6/conf/lwb2/accept_ra", "0"), Address("lwb2", ip_interface("10.1.0.1/24"))),
    *creates(Route(ip_network("10.8.0.0/16"), link="lwb2"), Neighbour("lwb2", ip_address("10.1.0.7"), M1)),
    *creates(FdbEntry("lwx9", M1, ip_address("10.0.0.8")), FdbEntry("lwv2", M2)),
    *creates(
        Hairpin("lwv2"), Link("lwi2", Ifb(), mark=MARK), Shaper("lwv2", 8_000_000, 10_000), Redirect("lwv2", "lwi2")
    ),
    Step(Action.CHANGE, Redirect("lwv0", "lwi2"), BACK),
    Step(Action.CHANGE, evolve(DOWNLOAD, rate=9_000_000), DOWNLOAD),
    *deletes(Hairpin("lwv0"), BACK, DOWNLOAD, QUEUE),
    *deletes(Address("lwp0", ip_interface("10.3.0.1/24")), CHILD, PAIR, BRIDGE, Element("bridges", ("lwb0",))),
)

REFUSED = Step(Action.CREATE, Address("nosuch", ip_interface("10.4.0.1/24")))


@pytest.mark.parametrize("place", range(len(PLAN) + 1))
async def test_p_15_a_failure_at_any_step_leaves_the_host_as_it_was(host: Host, place: int) -> None:
    """Whatever was done before the refusal is undone, deletions and changes included, and what lay on links is back."""
    await host.kernel.prepare()
    await host.kernel.apply(creates(*EVERYTHING))
    before = await host.kernel.snapshot()
    with pytest.raises(KernelError) as caught:
        await host.kernel.apply([*PLAN[:place], REFUSED, *PLAN[place:]])
    assert caught.value.code == errno.ENODEV
    assert getattr(caught.value, "__notes__", []) == []
    assert before == await host.kernel.snapshot()
    assert getattr(await observed(host, ("sysctl", "net/ipv6/conf/lwb0/accept_ra")), "value", None) == "1"


async def test_the_plan_itself_can_be_done(host: Host) -> None:
    """The plan of the failing tests is no plan that fails by itself."""
    await host.kernel.prepare()
    await host.kernel.apply(creates(*EVERYTHING))
    await host.kernel.apply(PLAN)
    names = {key[1] for key in (await host.kernel.snapshot()).resources if key[0] == "link"}
    assert {"lo", "lwb2", "lwi2", "lwp0", "lwp0p", "lwv2", "lwv2p", "lwx9"} == names


async def test_a_caller_cancelled_before_it_began_has_done_nothing(host: Host) -> None:
    """A plan that has not started is withdrawn."""
    before = await host.kernel.snapshot()
    with trio.CancelScope() as scope:
        scope.cancel()
        await host.kernel.apply(creates(BRIDGE))
    assert scope.cancelled_caught
    assert before == await host.kernel.snapshot()


# --- refusals ------------------------------------------------------------------------------------------------


@frozen
class Refusal:
    """What cannot be done on a host that has *base*, and the errno."""

    base: tuple[Resource, ...]
    step: Step
    code: int


def _refused(code: int, resource: Resource, *base: Resource) -> Refusal:
    return Refusal(base, Step(Action.CREATE, resource), code)


REFUSALS = {
    "name taken": _refused(errno.EEXIST, Link("lwb0", Bridge()), BRIDGE),
    "peer's name taken": _refused(errno.EEXIST, Link("lwv1", Veth("lwb0")), BRIDGE),
    "VNI taken": _refused(errno.EEXIST, Link("lwx1", Vxlan(77)), TUNNEL),
    "master missing": _refused(errno.ENODEV, Link("lwv1", Veth("lwv1p"), master="lwb0")),
    "parent missing": _refused(errno.ENODEV, Link("lwm0", Macvlan("lwp0"))),
    "parent taken whole": _refused(
        errno.EINVAL, Link("lwm1", Macvlan("lwp0")), PARENT, evolve(CHILD, kind=Macvlan("lwp0", MacvlanMode.PASSTHRU))
    ),
    "parent not whole": _refused(errno.EINVAL, Link("lwm1", Macvlan("lwp0", MacvlanMode.PASSTHRU)), PARENT, CHILD),
    "port of nothing": _refused(errno.EOPNOTSUPP, Link("lwv1", Veth("lwv1p"), port=BridgePort(isolated=True))),
    "hairpin of no port": _refused(errno.EOPNOTSUPP, Hairpin("lwb0"), BRIDGE),
    "hairpin without link": _refused(errno.ENODEV, Hairpin("lwv0"), BRIDGE),
    "unknown kind": _refused(errno.EOPNOTSUPP, Link("lwz0")),
    "address there": _refused(errno.EEXIST, V4, BRIDGE, V4),
    "address without link": _refused(errno.ENODEV, V4),
    "IPv6 switched off": _refused(errno.EACCES, V6, BRIDGE, Sysctl("net/ipv6/conf/lwb0/disable_ipv6", "1")),
    "route there": _refused(errno.EEXIST, ROUTE, BRIDGE, V4, ROUTE),
    "gateway out of reach": _refused(errno.ENETUNREACH, ROUTE, BRIDGE),
    "gateway out of reach, IPv6": _refused(
        errno.EHOSTUNREACH, Route(ip_network("fd09::/64"), "lwb0", ip_address("fd00::9")), BRIDGE
    ),
    "route over a link that is down": _refused(
        errno.ENETDOWN, Route(ip_network("10.9.0.0/16"), "lwb0"), evolve(BRIDGE, up=False)
    ),
    "route from a strange address": _refused(
        errno.EINVAL, Route(ip_network("10.9.0.0/16"), "lwb0", source=ip_address("10.3.3.3")), BRIDGE
    ),
    "neighbour without link": _refused(errno.ENODEV, Neighbour("lwb0", ip_address("10.0.0.7"), M1)),
    "shaping without link": _refused(errno.ENODEV, DOWNLOAD),
    "leading to no link": _refused(errno.ENODEV, BACK, BRIDGE, PAIR),
    "VLAN of no port": _refused(errno.EOPNOTSUPP, BridgeVlan("lwp0", 10), PARENT),
    "VLAN without link": _refused(errno.ENODEV, MEMBER),
    "no such setting": _refused(errno.ENOENT, Sysctl("net/ipv6/conf/lwb0/accept_ra", "0")),
    "change of what is not there": Refusal((), Step(Action.CHANGE, BRIDGE, BRIDGE), errno.ENODEV),
    "change to another kind": Refusal(
        (BRIDGE,), Step(Action.CHANGE, evolve(BRIDGE, kind=VXLAN), BRIDGE), errno.EOPNOTSUPP
    ),
    "change of a fixed flag": Refusal(
        (TUNNEL,), Step(Action.CHANGE, evolve(TUNNEL, kind=Vxlan(77, proxy=False)), TUNNEL), errno.EOPNOTSUPP
    ),
}


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
async def test_what_cannot_be_is_refused_with_the_kernels_errno_and_changes_nothing(
    host: Host, refusal: Refusal
) -> None:
    """Each refusal carries an errno and the step in words, and leaves no trace."""
    await host.kernel.apply(creates(*refusal.base))
    before = await host.kernel.snapshot()
    with pytest.raises(KernelError) as caught:
        await host.kernel.apply([refusal.step])
    assert errno.errorcode[refusal.code] == errno.errorcode[caught.value.code]
    assert caught.value.step
    assert before == await host.kernel.snapshot()


# --- whose things are ----------------------------------------------------------------------------------------


async def test_b_15_a_strangers_link_of_that_name_stays_unmarked_and_as_it_was(host: Host) -> None:
    """EEXIST never makes a stranger's link ours: neither its mark nor anything of it changes."""
    await host.create(Link("lwv0", Veth("lwv0p"), up=False))
    await host.create(BRIDGE)
    before = await host.kernel.snapshot()
    with pytest.raises(KernelError):
        await host.kernel.apply(creates(PAIR))
    assert before == await host.kernel.snapshot()
    assert ("link", "lwv0") not in before.ours


async def test_what_others_made_is_seen_where_it_lies_on_ours_and_is_not_ours(host: Host) -> None:
    """A stranger's address on our bridge is in the snapshot but not ours; one on its own bridge is not in it."""
    await host.kernel.apply(creates(BRIDGE))
    await host.create(Link("stranger", Bridge(), mark=OTHERS))
    lying = [Address(name, ip_interface("10.2.0.1/24")) for name in ("lwb0", "stranger")]
    for address in lying:
        await host.create(address)
    snapshot = await host.kernel.snapshot()
    assert lying[0] == snapshot.resources[lying[0].key]
    assert lying[1].key not in snapshot.resources
    assert {BRIDGE.key} == snapshot.ours
    assert getattr(snapshot.resources["link", "stranger"], "mark", None) == OTHERS
    assert BRIDGE.key in snapshot.owned()


async def test_what_we_make_on_a_borrowed_link_is_ours(host: Host) -> None:
    """Addresses, routes and neighbours carry our protocol, so that they are found on links without our mark."""
    await host.create(Link("eth9", Bridge(), mac=M2))
    mine: Sequence[Resource] = (
        Address("eth9", ip_interface("10.0.0.1/24")),
        Route(ip_network("10.9.0.0/16"), "eth9"),
        Neighbour("eth9", ip_address("10.0.0.7"), M1),
    )
    await host.kernel.apply(creates(*mine))
    assert {resource.key for resource in mine} == (await host.kernel.snapshot()).ours


# --- what falls with what ------------------------------------------------------------------------------------


async def test_with_a_link_goes_what_lies_on_it_and_hangs_on_it(host: Host) -> None:
    """Addresses, routes and entries go with their link, the other end with a pair, children with their parent.

    With a bridge goes what its ports were told of it.
    """
    await host.kernel.apply(creates(*EVERYTHING))
    await host.kernel.apply(deletes(BRIDGE, PARENT))
    left = await host.kernel.snapshot()
    stays = {resource.key for resource in EVERYTHING if getattr(resource, "link", None) in {"lwx0", "lwv0", "lwi0"}}
    stays.discard(Hairpin("lwv0").key)
    assert {PAIR.key, TUNNEL.key, QUEUE.key, Element("bridges", ("lwb0",)).key} | stays == left.ours
    assert ("link", "lwp0p") not in left.resources
    assert getattr(left.resources[PAIR.key], "master", None) == ""


async def test_a_link_that_goes_down_keeps_ipv4_addresses_and_little_else(host: Host) -> None:
    """Down takes IPv6 addresses, routes and neighbours; the plan has to put them back."""
    await host.kernel.apply(creates(BRIDGE, V4, V6, ROUTE, Neighbour("lwb0", ip_address("10.0.0.7"), M1)))
    await host.kernel.apply([Step(Action.CHANGE, evolve(BRIDGE, up=False), BRIDGE)])
    assert {BRIDGE.key, V4.key} == (await host.kernel.snapshot()).ours


async def test_names_vnis_and_parents_are_free_as_soon_as_their_link_is_deleted(host: Host) -> None:
    """However lazily a link is really removed, the same can be made again, in the next plan or in the same."""
    whole = evolve(CHILD, kind=Macvlan("lwp0", MacvlanMode.PASSTHRU))
    everything = (BRIDGE, PAIR, TUNNEL, PARENT, whole)
    await host.kernel.apply(creates(*everything))
    await host.kernel.apply(deletes(whole, TUNNEL, PAIR, BRIDGE))
    await host.kernel.apply(creates(BRIDGE, PAIR, evolve(TUNNEL, name="lwx5"), evolve(whole, name="lwm5")))
    swapped = [*deletes(PAIR, BRIDGE), *creates(BRIDGE, PAIR)]
    again = [*deletes(evolve(TUNNEL, name="lwx5"), evolve(whole, name="lwm5")), *creates(TUNNEL, whole)]
    await host.kernel.apply([*swapped, *again])
    assert {one.key for one in everything} == (await host.kernel.snapshot()).ours


async def test_a_lent_link_is_absent_and_its_other_end_stays(host: Host) -> None:
    """After Docker's move the peer is nowhere and the host's end names it "?"; given back it is there again."""
    await host.kernel.apply(creates(BRIDGE, PAIR))
    here = await link(host, "lwv0")
    await host.lend("lwv0p")
    assert await link(host, "lwv0p") is None
    assert Veth("?") == getattr(await link(host, "lwv0"), "kind", None)
    await host.give_back("lwv0p")
    assert here == await link(host, "lwv0")
    back = await link(host, "lwv0p")
    assert back is not None
    assert (Veth("lwv0"), False, M2) == (back.kind, back.up, back.mac)


async def test_both_ends_of_a_pair_are_ours_if_both_are_wished(host: Host) -> None:
    """Made at once, up, and marked; one deletion takes both, and their names are free; whoever deletes one, both go."""
    ends = {end.key: end for end in (PARENT, Link("lwp0p", Veth("lwp0"), mark=MARK))}
    for _ in range(2):
        await host.kernel.apply(diff({}, ends).steps)
        seen = await host.kernel.observe(ends)
        assert seen.ours == ends.keys()
        assert [frozenset()] * 2 == [changed(seen.resources[key], end) for key, end in ends.items()]
        await host.kernel.apply(diff(seen.resources, {}).steps)
        assert await host.kernel.observe(ends) == Snapshot({}, frozenset())
    await host.kernel.apply(diff({}, ends).steps)
    await host.delete(ends["link", "lwp0p"])
    assert await host.kernel.observe(ends) == Snapshot({}, frozenset())


async def test_a_sandbox_is_alive_or_not(host: Host) -> None:
    """A sandbox's path is a live namespace, or it is not."""
    assert await host.kernel.sandbox_alive(host.sandbox) is True
    assert await host.kernel.sandbox_alive("/run/netns/nosuch") is False


async def test_a_link_is_handed_over_and_known_there_by_its_addresses(host: Host) -> None:
    """It is gone from the host, and its other end stays; a sandbox that is none takes nothing, and has no addresses."""
    await host.kernel.apply([Step(Action.CREATE, one) for one in (BRIDGE, PAIR)])
    addresses = (ip_interface("10.0.0.2/24"),)
    assert not await host.kernel.addresses_inside(host.sandbox) & {M2, addresses[0].ip}
    for link_name, sandbox in (("lwv0p", "/run/netns/nosuch"), ("lwnone", host.sandbox)):
        with pytest.raises(KernelError):
            await host.kernel.hand_over(Handover(link_name, sandbox, mac=M2, addresses=addresses))

    assert await host.kernel.hand_over(Handover("lwv0p", host.sandbox, mac=M2, addresses=addresses)) == "eth0"

    assert await host.kernel.addresses_inside(host.sandbox) >= {M2, addresses[0].ip}
    assert await link(host, "lwv0p") is None
    assert await link(host, "lwv0") is not None
    with pytest.raises(KernelError):
        await host.kernel.addresses_inside("/run/netns/nosuch")


async def test_m_07_a_child_is_as_low_as_its_parent_was_and_how_low_that_was_is_kept(host: Host) -> None:
    """Until it is asked for; of a link that was made meanwhile and has what it had from the first there is none."""
    await host.kernel.apply(creates(PARENT, CHILD))
    for mtu in (1300, 1200, 1500):
        await host.kernel.apply([Step(Action.CHANGE, evolve(PARENT, mtu=mtu), PARENT)])
    stranger = Link("stranger", Bridge())
    await host.create(stranger)
    await told_of(host, stranger.key)
    child = await link(host, "lwm0")
    assert child is not None
    assert child.mtu == 1200
    assert host.kernel.lowest_mtus() == {"lwp0": 1200, "lwm0": 1200}
    assert host.kernel.lowest_mtus() == {}


async def test_the_boot_id_is_the_same_all_along(host: Host) -> None:
    """It names the boot, not the moment."""
    assert host.kernel.boot_id() == host.kernel.boot_id() != ""


# --- events --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "gone",
    [
        PAIR,
        BRIDGE,
        V4,
        V6,
        ROUTE,
        FdbEntry("lwx0", M1, ip_address("10.0.0.8")),
        FdbEntry("lwx0", ZERO, ip_address("10.0.0.9")),
        QUEUE,
        DOWNLOAD,
        BACK,
    ],
    ids=lambda resource: " ".join(resource.key),
)
async def test_what_a_stranger_deletes_is_told(host: Host, gone: Resource) -> None:
    """An event names the key, so that the reconciler looks there."""
    await host.kernel.apply(creates(*EVERYTHING))
    await host.delete(gone)
    assert gone.key in await told_of(host, gone.key)


async def test_what_a_stranger_makes_is_told(host: Host) -> None:
    """New links and addresses are told, whoever's they are."""
    stranger = Link("stranger", Bridge())
    await host.create(stranger)
    await told_of(host, stranger.key)
    address = Address("stranger", ip_interface("10.2.0.1/24"))
    await host.create(address)
    await told_of(host, address.key)


async def test_what_we_do_ourselves_is_not_told(host: Host) -> None:
    """Of our own making and unmaking no event says anything, but for links on their way through several states."""
    await host.kernel.apply(creates(*EVERYTHING))
    await host.kernel.apply(deletes(*reversed(EVERYTHING)))
    await host.create(Link("stranger", Bridge()))
    told = await told_of(host, ("link", "stranger"))
    assert set() == {key for key in told if key[0] != "link"}


async def test_docker_moving_a_link_is_told(host: Host) -> None:
    """The engine hears that a lent link has left, and that it came back."""
    await host.kernel.apply(creates(BRIDGE, PAIR))
    await host.lend("lwv0p")
    await told_of(host, ("link", "lwv0p"))
    await host.give_back("lwv0p")
    await told_of(host, ("link", "lwv0p"))


# --- the firewall's table ------------------------------------------------------------------------------------


async def test_prepare_says_whether_the_table_had_to_be_made(host: Host) -> None:
    """The first time it had to, the second it had not."""
    assert await host.kernel.prepare() is True
    assert await host.kernel.prepare() is False
