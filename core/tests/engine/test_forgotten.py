"""What Docker has forgotten without saying so: told from what it is still at, and from what only a clock makes old."""

from ipaddress import ip_address, ip_network

import pytest
import trio
from attrs import evolve
from core.tests.engine.conftest import ENDPOINT, NETWORK, SANDBOX, World

from linkwright.engine.observation import Drift
from linkwright.model import EndpointState

OTHER = "ef" * 32
LENT = "lwccdcdcdcdcdcd"
KEPT = "lwhcdcdcdcdcdcd"
POOL, ADDRESS = ip_network("10.1.0.0/24"), ip_address("10.1.0.2")
DAY = 86_400.0


async def looks(world: World, times: int = 2) -> list[str]:
    """Look that often, and return the endpoints that are left."""
    for _ in range(times):
        await world.engine.collecting.collect()
    return list(world.engine.state.endpoints)


async def joined(world: World) -> None:
    """A network with an endpoint whose link Docker has taken into its sandbox."""
    await world.network()
    await world.endpoint()
    await world.join()
    world.kernel.lend(LENT, SANDBOX)


async def test_a_sandbox_that_is_still_on_its_way_is_waited_for(world: World) -> None:
    """Up to engine 27 it is made after Join; a host that starts a hundred containers at once takes its time."""
    await world.network()
    await world.endpoint()
    await world.join()
    world.kernel.sandboxes.clear()

    world.now += 59
    assert await looks(world, 3) == [ENDPOINT]


async def test_r_15_a_link_that_came_back_without_a_deletion_is_collected(world: World) -> None:
    """Leave and DeleteEndpoint were lost: the container lives on, and its link lies on the host again.

    A forced disconnect while we are away is this; once is not enough, since Docker may be between two calls.
    """
    await joined(world)
    world.now += 61
    assert await looks(world) == [ENDPOINT]
    world.kernel.give_back(LENT)

    assert await looks(world, 1) == [ENDPOINT]
    assert await looks(world, 1) == []
    assert world.given_back == [ENDPOINT]
    assert ("link", LENT) not in world.host()


async def test_an_endpoint_that_left_and_is_never_deleted_is_collected(world: World) -> None:
    """Only DeleteEndpoint was lost, and the sandbox lives on with other networks."""
    await joined(world)
    await world.engine.endpoints.leave(NETWORK, ENDPOINT)
    world.kernel.give_back(LENT)
    world.now += 61

    assert await looks(world) == []


async def test_a_link_that_no_sandbox_has_taken_yet_is_left_alone(world: World) -> None:
    """Between Join and the move nothing has come back; the endpoint is young."""
    await world.network()
    await world.endpoint()
    await world.join()

    assert await looks(world, 3) == [ENDPOINT]


@pytest.mark.parametrize("hands", ["one calendar day later", "one calendar day earlier"])
async def test_r_10_a_clock_that_jumps_ends_nothing(world: World, hands: str) -> None:
    """An endpoint in use, one that was just made and a network stay, whichever way the clock goes."""
    await joined(world)
    await world.endpoint(OTHER, "10.1.0.3/24")
    before = world.host()

    world.now += DAY if hands == "one calendar day later" else -DAY
    assert await looks(world, 1) == [ENDPOINT, OTHER]
    await world.engine.endpoints.join(NETWORK, OTHER, SANDBOX, ())
    world.kernel.lend("lwcefefefefefef", SANDBOX)
    assert await looks(world, 3) == [ENDPOINT, OTHER]
    world.kernel.give_back("lwcefefefefefef")
    assert before == world.host()
    assert world.given_back == []


async def test_r_10_what_is_dead_is_collected_though_the_clock_was_put_back(world: World) -> None:
    """It is not waited for until the clock is there again."""
    await joined(world)
    world.kernel.destroy_sandbox(SANDBOX)
    world.now -= DAY

    assert await looks(world) == []


async def test_r_15_an_address_whose_holder_is_gone_is_free_at_once(world: World) -> None:
    """Docker asks anew for the address of a container that ended while we were away: nobody told us of the release."""
    await joined(world)
    world.now += 61
    world.kernel.destroy_sandbox(SANDBOX)

    assert await world.engine.ending.evict("test", POOL, ADDRESS)
    assert (list(world.engine.state.endpoints), world.given_back) == ([], [ENDPOINT])


@pytest.mark.parametrize(
    ("state", "age", "alive"),
    [
        (EndpointState.CREATING, 61, False),
        (EndpointState.JOINED, 61, True),
        (EndpointState.LEFT, 61, True),
        (EndpointState.JOINED, 59, False),
    ],
)
async def test_an_address_whose_holder_may_live_is_not_taken(
    world: World, state: EndpointState, age: float, alive: bool
) -> None:
    """A second container that asks for a fixed address does not end the first, not even one that only starts."""
    await world.network()
    await world.endpoint()
    if state is not EndpointState.CREATING:
        await world.join()
    if state is EndpointState.LEFT:
        await world.engine.endpoints.leave(NETWORK, ENDPOINT)
    world.now += age
    if not alive:
        world.kernel.sandboxes.clear()

    assert not await world.engine.ending.evict("test", POOL, ADDRESS)
    assert list(world.engine.state.endpoints) == [ENDPOINT]


async def test_an_address_is_freed_in_its_own_subnet_only(world: World) -> None:
    """The same address of another address space has a holder of its own."""
    await joined(world)
    world.now += 61
    world.kernel.destroy_sandbox(SANDBOX)

    assert not await world.engine.ending.evict("blue", POOL, ADDRESS)
    assert not await world.engine.ending.evict("test", ip_network("10.1.0.0/16"), ADDRESS)
    assert list(world.engine.state.endpoints) == [ENDPOINT]


async def test_an_endpoint_known_by_its_mark_alone_lives_as_long_as_its_link(world: World) -> None:
    """After a damaged state file the sandbox is not known: it is gone when it took the host's end of the pair along."""
    await joined(world)
    endpoint = evolve(world.engine.state.endpoints[ENDPOINT], sandbox=None)
    assert not await world.engine.vitality.dead(endpoint)

    world.kernel.destroy_sandbox(SANDBOX)
    assert await world.engine.vitality.dead(endpoint)


async def test_a_sandbox_that_docker_takes_down_is_no_drift(world: World, autojump_clock: object) -> None:
    """Cleaning up after a crash, engine 20.10 has an empty sandbox in the place of the old one for a moment.

    So a joined link that is gone is told by the next look at everything, and not by its event.
    """
    await joined(world)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.engine.reconcile.run, world.kernel.events)
        world.kernel.foreign_delete(("link", KEPT))
        await trio.sleep(1)
        assert [told for told in world.told if isinstance(told, Drift)] == []
        await trio.sleep(30)
        nursery.cancel_scope.cancel()
    told = [(one.kind, one.repaired, one.text) for one in world.told if isinstance(one, Drift)]
    assert told == [("joined", False, KEPT)]
