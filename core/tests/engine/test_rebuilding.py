"""A joined link that was deleted is made anew when an operator asks for it, and never by itself."""

import errno

import pytest
import trio
from core.tests.engine.conftest import ENDPOINT, NETWORK, SANDBOX, World
from core.tests.engine.paper import Paper, registered
from core.tests.engine.stubborn import refuse

from linkwright import sdk
from linkwright.engine.observation import Drift
from linkwright.model import EndpointState, Handover
from linkwright.plan import Bridge, Link, Macvlan, Wishes

KEPT, LENT = "lwhcdcdcdcdcdcd", "lwccdcdcdcdcdcd"
PARENT = Link("lwb1", Bridge())
CHILD = Link("lwm1", Macvlan("lwb1"), lent=True, up=None)


async def joined(world: World, lent: str = LENT) -> None:
    """An endpoint whose link Docker has taken into its sandbox."""
    await world.endpoint()
    await world.join()
    world.kernel.lend(lent, SANDBOX)


async def rebuilt(world: World) -> list[tuple[str, bool]]:
    """Have an operator ask; return what was told."""
    world.told.clear()
    await world.engine.rebuilding.rebuild()
    return [(told.kind, told.repaired) for told in world.told if isinstance(told, Drift)]


async def test_a_pair_deleted_on_the_host_is_made_again_and_handed_over(world: World) -> None:
    """With all that the first one had: name or prefix, hardware address, addresses, gateway; a second time nothing."""
    await world.network()
    await joined(world)
    before, stored = world.host(), await world.stored()
    world.kernel.foreign_delete(("link", KEPT))
    assert LENT not in world.kernel.state.lent

    assert await rebuilt(world) == [("joined", True)]

    assert before == world.host()
    assert stored == await world.stored()
    endpoint = world.engine.state.endpoints[ENDPOINT]
    gateway = world.engine.state.networks[NETWORK].subnets[0].gateway
    assert gateway is not None
    assert world.kernel.handed[LENT] == Handover(
        LENT, SANDBOX, prefix="eth", mac=endpoint.mac, addresses=endpoint.addresses, gateways=(gateway.ip,)
    )
    assert await rebuilt(world) == []


async def test_it_is_never_done_unasked(world: World) -> None:
    """Neither by the timer nor at a start: the container may have been cut off by somebody who had a reason to."""
    await world.network()
    await joined(world)
    world.kernel.foreign_delete(("link", KEPT))

    await world.engine.reconcile.heal()
    world.restart()
    await world.load()

    assert world.kernel.handed == {}
    assert ("link", KEPT) not in world.host()


async def child(world: World) -> None:
    """An endpoint whose link is a macvlan, which Docker has taken into its sandbox."""
    driver = Paper(
        network=lambda _: Wishes.of(PARENT),
        endpoint=lambda _, __: Wishes.of(CHILD),
        join=lambda _, __: sdk.Join("lwm1"),
    )
    world.drivers = [registered(driver)]
    world.restart()
    described = await world.engine.networks.described(
        "paper", NETWORK, subnets=(), ipv4=True, ipv6=False, internal=False, options={}
    )
    await world.engine.networks.create(described)
    await joined(world, "lwm1")


async def test_a_link_deleted_in_its_sandbox_is_missed_there(world: World) -> None:
    """Of a macvlan nothing stays on the host: its sandbox is looked into, and it is known by its addresses."""
    await child(world)
    endpoint = world.engine.state.endpoints[ENDPOINT]
    world.kernel.handed["lwm1"] = Handover("lwm1", SANDBOX, addresses=endpoint.addresses)
    assert await rebuilt(world) == []

    del world.kernel.state.lent["lwm1"]
    del world.kernel.handed["lwm1"]
    assert await rebuilt(world) == [("joined", True)]
    assert "lwm1" in world.kernel.state.lent


@pytest.mark.parametrize("state", list(EndpointState))
async def test_only_endpoints_that_have_joined_have_something_to_miss(world: World, state: EndpointState) -> None:
    """One that is new is healed, one that has left is Docker's to delete."""
    await world.network()
    await world.endpoint()
    if state is not EndpointState.CREATING:
        await world.join()
        world.kernel.lend(LENT, SANDBOX)
    if state is EndpointState.LEFT:
        await world.engine.endpoints.leave(NETWORK, ENDPOINT)
    if state is EndpointState.DELETING:
        refuse(world.kernel, ("link", KEPT))
        await world.engine.endpoints.delete(NETWORK, ENDPOINT)
        refuse(world.kernel)
    assert world.engine.state.endpoints[ENDPOINT].state is state
    world.kernel.foreign_delete(("link", KEPT))

    assert bool(await rebuilt(world)) is (state is EndpointState.JOINED)


async def test_a_dead_sandbox_misses_nothing(world: World) -> None:
    """Its endpoint is collected, not given a new link."""
    await world.network()
    await joined(world)
    world.kernel.destroy_sandbox(SANDBOX)
    assert await rebuilt(world) == []
    assert ("link", KEPT) not in world.host()


async def test_what_the_kernel_refuses_leaves_nothing_behind_and_is_told(world: World) -> None:
    """Whether it is the pair or the way into the sandbox; and the next endpoint has its turn."""
    await world.network()
    await joined(world)
    world.kernel.foreign_delete(("link", KEPT))
    before = world.host()

    world.kernel.fail_next(errno.EPERM)
    assert await rebuilt(world) == [("kernel", False)]
    assert before == world.host()

    world.kernel.handover_fails = errno.EPERM
    assert await rebuilt(world) == [("kernel", False)]
    assert before == world.host()

    world.kernel.handover_fails = 0
    assert await rebuilt(world) == [("joined", True)]


@pytest.mark.parametrize("made", ["veth", "macvlan"])
async def test_an_operator_who_goes_away_meanwhile_leaves_nothing_half_made(
    world: World, made: str, autojump_clock: object
) -> None:
    """While it is made or while it is handed over; and the next time that one asks it is had."""
    if made == "macvlan":
        await child(world)
        world.kernel.destroy_sandbox(SANDBOX)
        world.kernel.sandboxes.add(SANDBOX)
    else:
        await world.network()
        await joined(world)
        world.kernel.foreign_delete(("link", KEPT))
    before = world.host()
    world.kernel.delay = 1.0

    for moment in (0.5, 1.5):
        with trio.move_on_after(moment) as deadline:
            await rebuilt(world)
        assert deadline.cancelled_caught
        assert (world.host(), world.kernel.state.lent) == (before, {})

    assert await rebuilt(world) == [("joined", True)]
