"""One lock for each network, and only as long as somebody needs it."""

import trio
import trio.testing
from core.tests.engine.conftest import ENDPOINT, NETWORK, World

from linkwright.engine.locks import Locks
from linkwright.errors import Conflict


async def test_two_callers_are_never_inside_together_whoever_comes_and_goes(autojump_clock: object) -> None:
    """A deletion lets its lock go while others wait for it; whoever comes then has to queue with those."""
    locks, inside, most = Locks(), 0, 0

    async def enter(delay: float) -> None:
        nonlocal inside, most
        await trio.sleep(delay)
        async with locks.of("n"):
            inside += 1
            most = max(most, inside)
            await trio.sleep(2)
            inside -= 1

    async with trio.open_nursery() as nursery:
        for number in range(6):
            nursery.start_soon(enter, number)

    assert most == 1
    assert trio.current_time() >= 12


async def test_locks_of_different_networks_do_not_wait_for_each_other(autojump_clock: object) -> None:
    """Order per network, parallel across."""
    locks = Locks()
    async with locks.of("a"), locks.of("b"):
        assert len(locks) == 2


async def test_a_lock_is_forgotten_with_its_last_user_also_when_that_was_cancelled(autojump_clock: object) -> None:
    """Neither a waiting caller that gives up nor one inside leaves anything behind."""
    locks = Locks()

    async def wait() -> None:
        async with locks.of("n"):
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        nursery.start_soon(wait)
        await trio.testing.wait_all_tasks_blocked()
        assert len(locks) == 1
        nursery.cancel_scope.cancel()

    assert len(locks) == 0


async def test_s_09_calls_about_ids_that_nobody_knows_leave_nothing_in_memory(world: World) -> None:
    """Whatever ids are sent, nothing is kept for them: no lock, no driver's view, no empty list of endpoints."""
    for number in range(50):
        network = f"{number:064x}"
        await world.engine.networks.delete(network)
        await world.engine.endpoints.leave(network, ENDPOINT)
        await world.engine.endpoints.delete(network, ENDPOINT)
        await world.engine.endpoints.revoke(network, ENDPOINT)
        world.kernel.fail_next()
        try:
            await world.network(network)
        except Exception:  # noqa: BLE001 - it has to fail, and how is another test's business
            world.kernel.fail_at.clear()
        else:
            raise AssertionError("the kernel refused nothing")
    await world.network(pool="10.9.0.0/24")
    await world.endpoint(address="10.9.0.2/24")
    await world.engine.networks.delete(NETWORK)

    assert len(world.engine.networks.locks) == 0
    assert not world.engine.asking._typed
    assert not world.engine.state._of_network


async def test_calls_that_wait_while_their_network_is_deleted_stay_in_order(
    world: World, autojump_clock: object
) -> None:
    """While a deletion works, CreateNetwork of that id comes twice, with different data: one of them has it."""
    await world.network()
    world.kernel.delay = 1.0
    outcomes: list[str] = []

    async def create(delay: float, pool: str) -> None:
        await trio.sleep(delay)
        try:
            await world.network(pool=pool)
            outcomes.append(pool)
        except Conflict:
            outcomes.append("conflict")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.engine.networks.delete, NETWORK)
        nursery.start_soon(create, 0.5, "10.1.0.0/24")
        nursery.start_soon(create, 1.5, "10.2.0.0/24")

    assert sorted(outcomes) == ["10.1.0.0/24", "conflict"]
    assert len(world.engine.networks.locks) == 0
