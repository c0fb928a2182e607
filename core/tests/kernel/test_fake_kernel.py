"""What the fake kernel adds to the contract: failures on order, time to cancel, and strangers at work."""

import errno
from ipaddress import ip_interface, ip_network

import pytest
import trio
import trio.testing

from linkwright.errors import KernelError
from linkwright.model import HostFacts, LinkFact
from linkwright.plan.mark import Mark
from linkwright.plan.resources import Address, Bridge, Element, Link, Macvlan, Resource, Sysctl, Veth
from linkwright.plan.steps import Action, KernelEvent, Step
from linkwright.testkit.fake_kernel import FakeKernel

MARK = Mark("default", "network1")
BRIDGE = Link("lwb0", Bridge(), mark=MARK)
PAIR = Link("lwv0", Veth("lwv0p"), master="lwb0", mark=MARK)
ADDRESS = Address("lwb0", ip_interface("10.0.0.1/24"))
PLAN = [Step(Action.CREATE, resource) for resource in (BRIDGE, PAIR, ADDRESS)]


@pytest.mark.parametrize("place", range(1, len(PLAN) + 1))
async def test_a_failure_can_be_ordered_at_each_step(place: int) -> None:
    """The step fails with the errno ordered, what was done before is undone, and the next try succeeds."""
    kernel = FakeKernel(fail_at={place: errno.ENOMEM})
    before = kernel.resources()
    with pytest.raises(KernelError) as caught:
        await kernel.apply(PLAN)
    assert caught.value.code == errno.ENOMEM
    assert before == kernel.resources()
    assert (place, []) == (kernel.attempted, kernel.journal)
    await kernel.apply(PLAN)
    assert kernel.journal == PLAN


async def test_a_failure_can_be_ordered_from_now() -> None:
    """Steps done before do not count."""
    kernel = FakeKernel()
    await kernel.apply(PLAN[:2])
    kernel.fail_next(errno.EPERM)
    with pytest.raises(KernelError) as caught:
        await kernel.apply(PLAN[2:])
    assert caught.value.code == errno.EPERM


async def test_a_caller_cancelled_while_it_works_finds_everything_undone(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """What somebody else did meanwhile stays."""
    kernel = FakeKernel()
    kernel.delay = 5
    before = kernel.resources()
    other = Link("ext0", Bridge())
    async with trio.open_nursery() as nursery:
        with trio.move_on_after(1) as scope:
            nursery.start_soon(_later, kernel, other)
            await kernel.apply([*PLAN, Step(Action.CREATE, Sysctl("net/ipv4/ip_forward", "1"))])
        assert scope.cancelled_caught
    left = kernel.resources()
    assert left.pop(other.key).key == other.key
    assert before == left
    assert Sysctl("net/ipv4/ip_forward", "0") == kernel.get(("sysctl", "net/ipv4/ip_forward"))
    assert kernel.journal == []


async def _later(kernel: FakeKernel, resource: Resource) -> None:
    await trio.sleep(0.5)
    kernel.foreign_create(resource)


async def test_strangers_are_told_of_and_we_are_not() -> None:
    """One event for each thing somebody else did, with its key; of what falls with a link only other links."""
    kernel = FakeKernel()
    await kernel.apply(PLAN)
    kernel.foreign_delete(PAIR.key)
    kernel.foreign_create(Address("lwb0", ip_interface("10.7.0.1/24")))
    kernel.foreign_change(Link("lwb0", Bridge(), up=False))
    kernel.foreign_delete(BRIDGE.key)
    kernel.overrun()
    told = []
    while kernel.events.statistics().current_buffer_used:
        told.append(kernel.events.receive_nowait())
    assert [
        KernelEvent("dellink", frozenset({PAIR.key})),
        KernelEvent("dellink", frozenset({("link", "lwv0p")})),
        KernelEvent("newaddr", frozenset({("address", "lwb0", "10.7.0.1/24")})),
        KernelEvent("newlink", frozenset({BRIDGE.key})),
        KernelEvent("dellink", frozenset({BRIDGE.key})),
        KernelEvent("overrun"),
    ] == told


async def test_a_read_only_proc_sys_refuses_what_differs() -> None:
    """Case B-19: equal is fine, other is EROFS."""
    kernel = FakeKernel()
    kernel.state.proc_sys_read_only = True
    await kernel.apply([Step(Action.CREATE, Sysctl("net/ipv4/ip_forward", "0"))])
    with pytest.raises(KernelError) as caught:
        await kernel.apply([Step(Action.CREATE, Sysctl("net/ipv4/ip_forward", "1"))])
    assert caught.value.code == errno.EROFS


async def test_a_flushed_table_takes_its_elements() -> None:
    """Somebody runs ``nft flush ruleset``: that is told, and the table has to be made again."""
    kernel = FakeKernel()
    await kernel.prepare()
    await kernel.apply([Step(Action.CREATE, Element("bridges", ("lwb0",)))])
    kernel.foreign_flush()
    assert KernelEvent("ruleset") == await kernel.events.receive()
    assert {("link", "lo")} == set((await kernel.snapshot()).resources)
    assert await kernel.prepare() is True
    assert kernel.prepared == 2


async def test_a_sandbox_that_goes_takes_what_was_lent_to_it() -> None:
    """A veth's other end goes with it, and a macvlan link alone; a parent that goes takes its lent children."""
    kernel = FakeKernel(sandboxes={"/a", "/b"})
    parent = Link("eth0", Veth("eth0p"))
    child = Link("lwm0", Macvlan("eth0"), mark=MARK)
    await kernel.apply([*PLAN, *(Step(Action.CREATE, one) for one in (parent, child))])
    kernel.lend("lwv0p", "/a")
    kernel.lend("lwm0", "/b")
    kernel.destroy_sandbox("/a")
    assert await kernel.sandbox_alive("/a") is False
    assert kernel.get(PAIR.key) is None
    kernel.foreign_delete(parent.key)
    assert kernel.state.lent == {}


async def test_host_facts_are_those_given() -> None:
    """Of the links only those asked for."""
    links = (LinkFact("eth0"), LinkFact("eth1"))
    kernel = FakeKernel(host=HostFacts(uplink=links[0], links=links), routes=[ip_network("10.0.0.0/8")])
    assert HostFacts(uplink=links[0], links=links[1:]) == await kernel.host_facts(["eth1", "eth2"])
    assert (ip_network("10.0.0.0/8"),) == await kernel.host_routes()
