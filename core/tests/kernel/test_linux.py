"""What only the real kernel shows: its words, its limits, cancellation in the middle, and who is who."""

import errno
import math
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, ip_address, ip_interface, ip_network

import pytest
import trio
from attrs import evolve

from linkwright.errors import KernelError, Unavailable
from linkwright.kernel.batch import HostIndexes
from linkwright.kernel.linux import LinuxKernel
from linkwright.kernel.nftables.firewall import Firewall
from linkwright.kernel.ruleset import ruleset
from linkwright.model import LinkFact
from linkwright.model.mac import Mac
from linkwright.plan.mark import Mark
from linkwright.plan.resources import Address, Bridge, Element, FdbEntry, Key, Link, Resource, Veth, Vxlan
from linkwright.plan.steps import Action, KernelEvent, Step
from linkwright.testkit.hosts import RealHost, link, real_host
from linkwright.testkit.namespaces import Namespace

MARK = Mark("default", "network1")
BRIDGE = Link("lwb0", Bridge(), mtu=1400, mark=MARK)
TUNNEL = Link("lwx0", Vxlan(77), mark=MARK)


@pytest.fixture
async def host(new_namespace: Callable[[], Namespace]) -> AsyncIterator[RealHost]:
    """The real kernel in a namespace of its own."""
    async with real_host(new_namespace(), new_namespace()) as real:
        yield real


def creates(*resources: Resource) -> list[Step]:
    """The steps that make *resources*."""
    return [Step(Action.CREATE, resource) for resource in resources]


class Elements:
    """A firewall that does what the test says, when it says."""

    def __init__(self) -> None:
        self.entered = trio.Event()
        self.release = trio.Event()
        self.error: KernelError | None = None
        self.done: list[Sequence[Step]] = []

    async def prepare(self) -> bool:
        """Nothing to prepare."""
        return False

    async def apply(self, steps: Sequence[Step]) -> None:
        """Wait to be let go, then do it or fail."""
        self.entered.set()
        await self.release.wait()
        if self.error is not None:
            raise self.error
        self.done.append(steps)

    async def elements(self) -> frozenset[Element]:
        """None."""
        return frozenset()

    async def elements_of(self, keys: Iterable[Key]) -> frozenset[Element]:
        """None, under any of *keys*."""
        return frozenset(element for element in await self.elements() if element.key in keys)


@asynccontextmanager
async def kernel_with(elements: Elements, namespace: Namespace) -> AsyncIterator[LinuxKernel]:
    """A kernel with that firewall."""
    events, _ = trio.open_memory_channel[KernelEvent](math.inf)
    async with LinuxKernel(events=events, firewall=elements, netns=namespace.path) as kernel:
        yield kernel


# --- words ---------------------------------------------------------------------------------------------------


@pytest.mark.netns
async def test_a_refusal_has_the_kernels_words_the_step_and_who_is_in_the_way(host: RealHost) -> None:
    """The person who typed ``docker network create`` learns what to look at."""
    await host.create(Link("flannel.1", Vxlan(77)))
    with pytest.raises(KernelError) as caught:
        await host.kernel.apply(creates(TUNNEL))
    assert str(caught.value) == (
        "the kernel refused `ip link add lwx0 up type vxlan id 77 dstport 4789; "
        'ip link set lwx0 alias "linkwright:default:network1"`: EEXIST: '
        "A VXLAN device with the specified VNI already exists; "
        "VNI 77 on port 4789 is held by 'flannel.1', a vxlan link that is not ours"
    )


@pytest.mark.netns
async def test_an_element_that_is_refused_is_told_with_the_instances_table(namespace: Namespace) -> None:
    """A port that is none, of a daemon that is not the only one: what was tried is written as it would be typed."""
    events, _ = trio.open_memory_channel[KernelEvent](math.inf)
    firewall = Firewall(ruleset("blue-2"), netns=namespace.path)
    kernel = LinuxKernel(events=events, firewall=firewall, instance="blue-2", netns=namespace.path)
    async with firewall, kernel:
        with pytest.raises(KernelError, match=r"`nft add element inet linkwright_blue_2 wildcard4 \{ tcp \. many : "):
            await kernel.apply(creates(Element("wildcard4", ("tcp", "many"), ("10.0.0.2", "80"))))


@pytest.mark.netns
async def test_a_taken_name_names_its_holder(host: RealHost) -> None:
    """Another instance's link is told as such."""
    await host.create(evolve(BRIDGE, mark=Mark("blue", "network9")))
    with pytest.raises(KernelError, match="'lwb0' is taken by a bridge link marked 'linkwright:blue:network9'"):
        await host.kernel.apply(creates(BRIDGE))


@pytest.mark.netns
async def test_z_01_a_full_bridge_says_how_many_ports_it_has(host: RealHost) -> None:
    """The 1024th port of a bridge is refused with the limit in the message, and nothing is left of it."""
    await host.kernel.apply(creates(BRIDGE))
    pairs = [Link(f"lwv{number}", Veth(f"lwp{number}"), master="lwb0", mark=MARK) for number in range(1024)]
    await host.kernel.apply(creates(*pairs[:1023]))
    with pytest.raises(KernelError, match="a bridge has 1023 ports at most, and lwb0 has them all"):
        await host.kernel.apply(creates(pairs[1023]))
    assert await link(host, "lwv1023") is None
    assert await link(host, "lwp1023") is None


# --- bulk ----------------------------------------------------------------------------------------------------


def _entries(count: int) -> list[FdbEntry]:
    return [
        FdbEntry("lwx0", Mac(b"\x02\0" + number.to_bytes(4)), IPv4Address(0x0A000001 + number))
        for number in range(1, count + 1)
    ]


@pytest.mark.netns
async def test_thousands_of_entries_are_one_plan(host: RealHost) -> None:
    """More than one send holds: all are there, and all are ours."""
    entries = _entries(3500)
    await host.kernel.apply(creates(TUNNEL, *entries))
    snapshot = await host.kernel.snapshot()
    assert {entry.key: entry for entry in entries} == {
        key: snapshot.resources[key] for key in snapshot.ours if key[0] == "fdb"
    }
    assert host.kernel.statistics().batches == 1


@pytest.mark.netns
@pytest.mark.parametrize("place", [0, 999, 1000, 3499])
async def test_one_bad_entry_among_thousands_takes_all_back(host: RealHost, place: int) -> None:
    """Wherever it stands, in whichever send, the first failure is told and nothing stays."""
    await host.kernel.apply(creates(TUNNEL))
    entries: list[Resource] = [*_entries(3500)]
    entries.insert(place, FdbEntry("lwx0", Mac.parse("02:00:00:00:ff:ff"), ip_address("fd00::1")))
    before = await host.kernel.snapshot()
    with pytest.raises(KernelError, match="02:00:00:00:ff:ff"):
        await host.kernel.apply(creates(*entries))
    assert before == await host.kernel.snapshot()


# --- cancellation --------------------------------------------------------------------------------------------


@pytest.mark.netns
async def test_a_caller_cancelled_in_the_middle_leaves_and_its_steps_are_undone(namespace: Namespace) -> None:
    """Kernel work cannot be stopped: the caller goes at once, and when the work is done it is taken back."""
    elements = Elements()
    plan = creates(BRIDGE, Address("lwb0", ip_interface("10.0.0.1/24")), Element("bridges", ("lwb0",)))
    async with kernel_with(elements, namespace) as kernel, trio.open_nursery() as nursery:
        before = await kernel.snapshot()
        with trio.CancelScope() as scope:
            nursery.start_soon(_cancel_when, elements.entered, scope)
            await kernel.apply(plan)
        assert scope.cancelled_caught
        elements.release.set()
        assert before == await kernel.snapshot()  # the next job in the thread comes after the undoing
        element = plan[-1]
        assert [(element,), (Step(Action.DELETE, element.resource, element.resource),)] == [
            tuple(steps) for steps in elements.done
        ]
        assert kernel.statistics().not_undone == 0


@pytest.mark.netns
async def test_a_firewall_that_refuses_takes_links_back_too(namespace: Namespace) -> None:
    """All or none goes across rtnetlink and nftables."""
    elements = Elements()
    elements.release.set()
    elements.error = KernelError(errno.ENOENT, step="add element")
    async with kernel_with(elements, namespace) as kernel:
        before = await kernel.snapshot()
        with pytest.raises(KernelError, match="add element"):
            await kernel.apply(creates(BRIDGE, Element("bridges", ("lwb0",)), TUNNEL))
        assert before == await kernel.snapshot()


async def _cancel_when(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()


# --- who is who ----------------------------------------------------------------------------------------------


@pytest.mark.netns
async def test_two_instances_keep_out_of_each_others_way(new_namespace: Callable[[], Namespace]) -> None:
    """In one namespace each sees the other's links, and calls only its own its own, whatever lies on them."""
    namespace = new_namespace()
    events, _ = trio.open_memory_channel[KernelEvent](math.inf)
    async with real_host(namespace, new_namespace()) as host:
        other = LinuxKernel(events=events, firewall=Elements(), instance="blue", netns=namespace.path)
        async with other:
            mine = (BRIDGE, Address("lwb0", ip_interface("10.0.0.1/24")))
            theirs = (Link("lwb1", Bridge(), mark=Mark("blue", "n")), Address("lwb1", ip_interface("10.0.1.1/24")))
            await host.kernel.apply(creates(*mine))
            await other.apply(creates(*theirs))
            assert {one.key for one in mine} == (await host.kernel.snapshot()).ours
            assert {one.key for one in theirs} == (await other.snapshot()).ours
            keys = [one.key for one in (*mine, *theirs)]
            assert {one.key for one in mine} == (await host.kernel.observe(keys)).ours


def test_an_index_that_is_taken_is_not_chosen() -> None:
    """What follows by index must not meet a stranger: 1 is the loopback's, everywhere."""
    draws = iter([1, 1, 77_777_777, 77_777_777, 77_777_778])
    indexes = HostIndexes(lambda: next(draws))
    assert (indexes.choose("a"), indexes.choose("b")) == (77_777_777, 77_777_778)
    assert (indexes.of("a"), indexes.of("b")) == (77_777_777, 77_777_778)


async def test_a_namespace_that_is_not_there_is_unavailable() -> None:
    """The daemon ends with a reason instead of working somewhere else."""
    events, _ = trio.open_memory_channel[KernelEvent](math.inf)
    before = threading.active_count()
    with pytest.raises(Unavailable, match="/nonexistent"):
        async with LinuxKernel(events=events, firewall=Elements(), netns="/nonexistent"):
            pass
    assert before >= threading.active_count() - 1  # trio keeps an idle thread of its own


# --- facts about the host ------------------------------------------------------------------------------------


@pytest.mark.netns
async def test_a_host_without_a_default_route_has_no_uplink(host: RealHost) -> None:
    """Then there is nothing to derive an MTU from, and that is no error."""
    facts = await host.kernel.host_facts(["nosuch"])
    assert (facts.uplink, facts.addresses, facts.links) == (None, (), ())
    assert {"bridge", "veth", "macvlan", "vxlan", "ifb", "tbf", "mirred"} <= facts.features


@pytest.mark.netns
async def test_the_uplink_is_that_of_the_default_route_ipv4_before_ipv6(host: RealHost) -> None:
    """The main table before others, the lower metric before the higher; a route through half the world is none."""
    run = host.namespace.run
    for name, number in (("eth0", 0), ("eth1", 1), ("eth2", 2), ("eth3", 3)):
        run("ip", "link", "add", name, "mtu", str(1500 - number), "type", "bridge")
        run("ip", "link", "set", name, "up")
        run("ip", "address", "add", f"10.0.{number}.2/24", "dev", name)
        run("ip", "-6", "address", "add", f"fd00:{number}::2/64", "dev", name, "nodad")
    run("ip", "route", "add", "0.0.0.0/1", "via", "10.0.0.1")
    run("ip", "-6", "route", "add", "default", "via", "fd00:1::1", "metric", "1")
    assert getattr((await host.kernel.host_facts()).uplink, "name", None) == "eth1"
    run("ip", "route", "add", "default", "via", "10.0.2.1", "table", "100")
    assert getattr((await host.kernel.host_facts()).uplink, "name", None) == "eth2"
    run("ip", "route", "add", "default", "via", "10.0.1.1", "metric", "200")
    run("ip", "route", "add", "default", "via", "10.0.3.1", "metric", "100")
    facts = await host.kernel.host_facts(["eth0", "nosuch", "lo"])
    assert facts.uplink is not None
    assert (facts.uplink.name, facts.uplink.kind, facts.uplink.mtu, facts.uplink.up) == ("eth3", "bridge", 1497, True)
    assert (ip_interface("10.0.3.2/24"), ip_interface("fd00:3::2/64")) == facts.addresses
    assert tuple(fact.name for fact in facts.links) == ("eth0", "lo")
    assert LinkFact("lo", mtu=65536, mac="00:00:00:00:00:00", up=False) == facts.link("lo")
    routes = set(await host.kernel.host_routes())
    expected = {"0.0.0.0/1", "0.0.0.0/0", "10.0.0.0/24", "10.0.3.0/24", "fd00:1::/64", "::/0"}
    assert {ip_network(text) for text in expected} <= routes
    assert ip_network("10.0.3.2/32") not in routes  # of the local table


@pytest.mark.netns
async def test_probing_features_makes_nothing(host: RealHost) -> None:
    """Asking what the kernel can do leaves no link, no qdisc and no action behind."""
    shown = [host.namespace.run("tc", *words.split()) for words in ("qdisc show", "actions ls action mirred")]
    await host.kernel.host_facts()
    assert {("link", "lo")} == set((await host.kernel.snapshot()).resources)
    assert shown == [host.namespace.run("tc", *words.split()) for words in ("qdisc show", "actions ls action mirred")]


@pytest.mark.netns
async def test_in_use_are_the_hosts_addresses_and_those_of_neighbours_that_answered(host: RealHost) -> None:
    """Of a point-to-point link our end, not the peer's; of neighbours none that is only being asked for, or failed."""
    for command in (
        "ip link add lwb0 up type bridge",
        "ip addr add 10.9.0.1 peer 10.9.0.99/32 dev lwb0",
        "ip addr add fd00:9::1/64 dev lwb0 nodad",
        "ip neigh add 10.9.0.2 dev lwb0 lladdr 02:00:00:00:00:02 nud stale",
        "ip neigh add fd00:9::2 dev lwb0 lladdr 02:00:00:00:00:02 nud permanent",
        "ip neigh add 10.9.0.3 dev lwb0 nud failed",
    ):
        host.namespace.run(*command.split())
    found = {str(address) for address in await host.kernel.live_addresses()}
    assert {"10.9.0.1", "fd00:9::1", "10.9.0.2", "fd00:9::2"} <= found
    assert found.isdisjoint({"10.9.0.99", "10.9.0.3"})


@pytest.mark.netns
async def test_a_strangers_link_may_be_called_anything(host: RealHost) -> None:
    """What the kernel takes for a name is one: otherwise no snapshot could be read while such a link is there."""
    for name in ("a\u2003b", "a\x85b", "a\x1cb"):
        host.namespace.run("ip", "link", "add", name, "type", "bridge")
        assert ("link", name) in (await host.kernel.snapshot()).resources


# --- figures -------------------------------------------------------------------------------------------------


@pytest.mark.netns
async def test_statistics_count_what_was_done_and_what_was_not(host: RealHost) -> None:
    """By action and kind; a plan that failed counts once, and its steps not at all."""
    await host.kernel.apply(creates(BRIDGE, TUNNEL, Address("lwb0", ip_interface("10.0.0.1/24"))))
    with pytest.raises(KernelError):
        await host.kernel.apply(creates(BRIDGE))
    await host.kernel.apply([Step(Action.DELETE, TUNNEL, TUNNEL)])
    assert await host.kernel.wait_swept()
    statistics = host.kernel.statistics()
    assert statistics.operations == {("create", "link"): 2, ("create", "address"): 1, ("delete", "link"): 1}
    assert (statistics.batches, statistics.failures, statistics.not_undone) == (2, 1, 0)
    assert (statistics.doomed_waiting, statistics.doomed_removed) == (0, 1)
    assert statistics.receive_buffer >= 8 << 20
