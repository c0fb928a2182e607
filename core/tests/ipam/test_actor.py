"""When requests happen, and what becomes of them: order, group commit, a disk that refuses, callers that go."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address, ip_network

import pytest
import trio
import trio.testing
from attrs import define, field

from linkwright.errors import Conflict, Exhausted, KernelError, Refused, Stopping, Unavailable
from linkwright.ipam import LOCAL, AddressRequest, Happening, Ledger, PoolRequest, docker_defaults
from linkwright.ipam.actor import Actor
from linkwright.model.address import Lease, LeaseKind, Pool, Prefix
from linkwright.model.change import Change, Put, key_of

POOL = "linkwright-local/10.1.0.0/24"


@define
class Disk:
    """A store in memory that can be slow, refuse, or break."""

    stored: dict[tuple[type, str], Pool | Lease] = field(factory=dict)
    sizes: list[int] = field(factory=list)  # changes in each transaction
    gate: trio.Event = field(factory=trio.Event)  # a commit waits for this
    entered: trio.Event = field(factory=trio.Event)
    error: Exception | None = None
    script: list[Exception | None] = field(factory=list)  # how the next commits end, one each

    async def commit(self, changes: Sequence[Change], /) -> None:
        """Store all of *changes*, or none."""
        self.entered.set()
        await self.gate.wait()
        error = self.script.pop(0) if self.script else self.error
        if error is not None:
            raise error
        self.sizes.append(len(changes))
        for change in changes:
            record = change.record
            assert isinstance(record, Pool | Lease)
            if isinstance(change, Put):
                self.stored[type(record), key_of(record)] = record
            else:
                self.stored.pop((type(record), key_of(record)), None)

    def hold(self) -> None:
        """Let the next commit wait."""
        self.gate, self.entered = trio.Event(), trio.Event()

    def addresses(self) -> set[str]:
        """The addresses of the leases that are stored."""
        return {str(record.address) for record in self.stored.values() if isinstance(record, Lease)}


@define
class Desk:
    """An actor that runs, with all it was handed."""

    actor: Actor
    disk: Disk
    routes: list[Prefix]
    nursery: trio.Nursery
    run: trio.CancelScope = field(factory=trio.CancelScope)

    def equal(self) -> bool:
        """Whether the ledger is what the disk says."""
        other = Ledger()
        other.load(self.disk.stored.values())
        return other.records() == self.actor.records()


@asynccontextmanager
async def desk(capacity: int = 256, records: Sequence[Pool | Lease] = ()) -> AsyncIterator[Desk]:
    """An actor in a nursery of its own, until the block ends."""
    disk, routes = Disk(), list[Prefix]()
    disk.gate.set()

    async def read() -> list[Prefix]:
        await trio.lowlevel.checkpoint()
        return routes

    actor = Actor(
        Ledger(docker_defaults("x")), commit=disk.commit, routes=read, clock=trio.current_time, capacity=capacity
    )
    actor.load(records)
    async with trio.open_nursery() as nursery:
        made = Desk(actor, disk, routes, nursery)

        async def run(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
            with made.run:
                await actor.run(task_status=task_status)

        await nursery.start(run)
        yield made
        made.run.cancel()


async def _pool(actor: Actor) -> Pool:
    return await actor.request_pool(PoolRequest(LOCAL, 4, ip_network("10.1.0.0/24")))


async def test_a_life(autojump_clock: trio.testing.MockClock) -> None:
    """Pool, gateway, container, and back: each answer is on the disk before it is given."""
    async with desk() as at:
        pool = await _pool(at.actor)
        assert (pool.id, len(at.disk.stored)) == (POOL, 1)
        gateway = await at.actor.request_address(AddressRequest(pool.id, kind=LeaseKind.GATEWAY))
        web = await at.actor.request_address(AddressRequest(pool.id, owner="web"))
        assert [str(gateway), str(web)] == ["10.1.0.1/24", "10.1.0.2/24"]
        assert at.disk.addresses() == {"10.1.0.1", "10.1.0.2"}
        assert await at.actor.annotate(LOCAL, web.ip, owner="www")
        await at.actor.release_address(pool.id, web.ip)
        assert not await at.actor.reclaim(LOCAL, web.ip)
        await at.actor.release_pool(pool.id)
        assert not at.disk.stored
        assert at.equal()


async def test_i_04_routes_are_read_for_automatic_pools_only(autojump_clock: trio.testing.MockClock) -> None:
    """At that moment: a route that has come since the last request is kept clear of."""
    async with desk() as at:
        assert str((await at.actor.request_pool(PoolRequest(LOCAL, 4))).subnet) == "172.17.0.0/16"
        at.routes.append(ip_network("172.18.0.0/16"))
        assert str((await at.actor.request_pool(PoolRequest(LOCAL, 4))).subnet) == "172.19.0.0/16"
        any_24 = await at.actor.request_pool(PoolRequest(LOCAL, 4, ip_network("0.0.0.0/24")))
        assert any_24.subnet.prefixlen == 24


async def test_routes_that_cannot_be_read_are_the_caller_s_error() -> None:
    """The kernel refuses the dump: an automatic pool fails with that, an explicit one is not concerned."""

    async def read() -> list[Prefix]:
        raise KernelError(1, step="ip route show")

    disk = Disk()
    disk.gate.set()
    actor = Actor(Ledger(docker_defaults("x")), commit=disk.commit, routes=read, clock=trio.current_time)
    async with trio.open_nursery() as nursery:
        await nursery.start(lambda task_status: actor.run(task_status=task_status))
        with pytest.raises(KernelError):
            await actor.request_pool(PoolRequest(LOCAL, 4))
        assert (await _pool(actor)).id == POOL
        nursery.cancel_scope.cancel()


async def test_i_17_two_hundred_at_once_then_a_mix(autojump_clock: trio.testing.MockClock) -> None:
    """No address is given twice at any time, and what is held at the end is on the disk."""
    async with desk() as at:
        await _pool(at.actor)
        held, rounds = set[str](), 3

        async def container(number: int) -> None:
            for turn in range(rounds):
                address = await at.actor.request_address(AddressRequest(POOL, owner=f"c{number}"))
                assert str(address.ip) not in held
                held.add(str(address.ip))
                await trio.sleep(number % 7)
                if number % 2 or turn < rounds - 1:
                    held.discard(str(address.ip))
                    await at.actor.release_address(POOL, address.ip)

        async with trio.open_nursery() as nursery:
            for number in range(200):
                nursery.start_soon(container, number)
        assert len(held) == 100
        assert held == at.disk.addresses()
        assert at.equal()


async def test_what_gathers_is_one_transaction(autojump_clock: trio.testing.MockClock) -> None:
    """While one commit runs forty requests gather; the next commit stores all of them, in the order they came."""
    async with desk() as at:
        await _pool(at.actor)
        at.disk.hold()
        answers: list[str] = []

        async def one() -> None:
            answers.append(str((await at.actor.request_address(AddressRequest(POOL))).ip))

        async with trio.open_nursery() as nursery:
            for _ in range(41):
                nursery.start_soon(one)
                await trio.testing.wait_all_tasks_blocked()
            assert (at.actor.statistics().waiting, answers) == (40, [])
            at.disk.gate.set()
        assert at.disk.sizes == [1, 1, 40]
        assert {f"10.1.0.{last}" for last in range(1, 42)} == set(answers)
        assert at.actor.statistics().commits == 3


async def test_requests_that_change_nothing_need_no_disk(autojump_clock: trio.testing.MockClock) -> None:
    """Releases of the unknown, and refusals, are answered with the disk blocked."""
    async with desk() as at:
        at.disk.hold()
        await at.actor.release_pool("nothing")
        await at.actor.release_address(POOL, ip_address("10.1.0.1"))
        with pytest.raises(Refused):
            await at.actor.request_pool(PoolRequest("elsewhere", 4))
        assert not at.disk.entered.is_set()


async def test_p_03_epochs_and_figures_are_answered_with_the_disk_blocked(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Both are plain calls: nothing in them can wait, whatever the disk does."""
    async with desk() as at:
        await _pool(at.actor)
        at.disk.hold()
        at.nursery.start_soon(at.actor.request_address, AddressRequest(POOL))
        await at.disk.entered.wait()
        assert at.actor.begin_epoch("", "dockerd", activation=True).number == 1
        assert at.actor.statistics().pools[0].capacity == 256
        assert [found.pool.id for found in at.actor.unconfirmed()] == [POOL]
        at.disk.gate.set()


async def test_a_disk_that_refuses_makes_all_of_it_not_happen(autojump_clock: trio.testing.MockClock) -> None:
    """A group of requests, one of them refused by the ledger because of another: all fail, none leaves a trace."""
    async with desk() as at:
        await _pool(at.actor)
        await at.actor.request_address(AddressRequest(POOL, ip_address("10.1.0.9")))
        before = at.actor.records()
        at.disk.hold()
        errors: list[BaseException] = []

        async def failing(work: Callable[[], object]) -> None:
            try:
                await work()  # type: ignore[misc]
            except (Unavailable, Conflict) as error:
                errors.append(error)

        async with trio.open_nursery() as nursery:
            for work in (
                lambda: at.actor.request_address(AddressRequest(POOL)),
                lambda: at.actor.request_address(AddressRequest(POOL, ip_address("10.1.0.5"))),
                lambda: at.actor.request_address(AddressRequest(POOL, ip_address("10.1.0.5"))),
                lambda: at.actor.release_address(POOL, ip_address("10.1.0.5")),
                lambda: at.actor.release_address(POOL, ip_address("10.1.0.9")),
                lambda: at.actor.request_pool(PoolRequest(LOCAL, 4, ip_network("10.2.0.0/24"))),
            ):
                nursery.start_soon(failing, work)
                await trio.testing.wait_all_tasks_blocked()
            at.disk.error = Unavailable("the disk is full")
            at.disk.gate.set()
        assert [str(error) for error in errors] == ["the disk is full"] * 6
        assert len({id(error) for error in errors}) == 6
        assert before == at.actor.records()
        assert at.equal()
        at.disk.error = None
        assert str(await at.actor.request_address(AddressRequest(POOL, ip_address("10.1.0.5")))) == "10.1.0.5/24"
        statistics = at.actor.statistics()
        assert (statistics.commits, statistics.failed_commits) == (3, 2)


@pytest.mark.parametrize("error", [Stopping("closing"), Refused("this record is from the future")])
async def test_the_store_s_other_refusals_are_passed_on(error: Exception) -> None:
    """What the store says instead reaches the caller as it is, and nothing has happened."""
    async with desk() as at:
        at.disk.error = error
        with pytest.raises(type(error), match=str(error)):
            await _pool(at.actor)
        assert at.actor.records() == ()


async def test_a_caller_that_goes_before_its_turn_leaves_nothing(autojump_clock: trio.testing.MockClock) -> None:
    """It waited behind a slow commit and its deadline passed: its request is withdrawn."""
    async with desk() as at:
        await _pool(at.actor)
        at.disk.hold()
        at.nursery.start_soon(at.actor.request_address, AddressRequest(POOL))
        await at.disk.entered.wait()
        with trio.move_on_after(5) as deadline:
            await at.actor.request_address(AddressRequest(POOL))
        assert deadline.cancelled_caught
        at.disk.gate.set()
        await trio.testing.wait_all_tasks_blocked()
        assert at.disk.addresses() == {"10.1.0.1"}
        assert at.disk.sizes == [1, 1]
        assert at.equal()


async def test_a_caller_that_goes_after_its_turn_began_gives_back(autojump_clock: trio.testing.MockClock) -> None:
    """Its deadline passed while its facts were being stored: they are stored, and then what it got is given back."""
    async with desk() as at:
        await _pool(at.actor)
        at.disk.hold()
        with trio.move_on_after(5) as deadline:
            await at.actor.request_address(AddressRequest(POOL, owner="gone"))
        assert deadline.cancelled_caught
        at.disk.gate.set()
        await trio.testing.wait_all_tasks_blocked()
        assert at.disk.sizes == [1, 1, 1]
        assert at.disk.addresses() == set()
        assert at.equal()
        assert at.actor.statistics().happenings[Happening.UNDONE] == 1


async def test_a_release_whose_caller_goes_is_done(autojump_clock: trio.testing.MockClock) -> None:
    """Docker takes an unanswered release for done, so it is."""
    async with desk() as at:
        await _pool(at.actor)
        address = await at.actor.request_address(AddressRequest(POOL))
        at.disk.hold()
        with trio.move_on_after(5):
            await at.actor.release_address(POOL, address.ip)
        at.disk.gate.set()
        await trio.testing.wait_all_tasks_blocked()
        assert at.disk.addresses() == set()
        assert at.equal()


async def test_what_could_not_be_given_back_is_given_back_later(autojump_clock: trio.testing.MockClock) -> None:
    """The disk took the request and then refused its undoing: the next transaction brings it along."""
    async with desk() as at:
        await _pool(at.actor)
        at.disk.hold()
        with trio.move_on_after(5):
            await at.actor.request_address(AddressRequest(POOL, owner="gone"))
        at.disk.script = [None, Unavailable("full")]
        at.disk.gate.set()
        await trio.testing.wait_all_tasks_blocked()
        assert at.disk.addresses() == {"10.1.0.1"}
        assert at.equal()
        await at.actor.request_address(AddressRequest(POOL, owner="next"))
        await trio.testing.wait_all_tasks_blocked()
        assert at.disk.addresses() == {"10.1.0.2"}
        assert at.equal()


async def test_a_caller_that_goes_from_a_failing_transaction_has_nothing_to_give_back(
    autojump_clock: trio.testing.MockClock,
) -> None:
    """Nothing happened, so nothing is undone: a stranger who has the address next keeps it."""
    async with desk() as at:
        await _pool(at.actor)
        at.disk.hold()
        with trio.move_on_after(5):
            await at.actor.request_address(AddressRequest(POOL, ip_address("10.1.0.7")))
        at.disk.error = Unavailable("full")
        at.disk.gate.set()
        await trio.testing.wait_all_tasks_blocked()
        at.disk.error = None
        await at.actor.request_address(AddressRequest(POOL, ip_address("10.1.0.7"), owner="next"))
        await at.actor.request_address(AddressRequest(POOL))
        assert at.disk.addresses() == {"10.1.0.7", "10.1.0.1"}


@pytest.mark.parametrize("error", [None, Unavailable("full")])
async def test_a_reference_is_given_back_once(autojump_clock: trio.testing.MockClock, error: Exception | None) -> None:
    """A second reference whose caller has gone is given back once if it was stored, and not at all if it was not."""
    async with desk() as at:
        await _pool(at.actor)
        at.disk.hold()
        with trio.move_on_after(5):
            await _pool(at.actor)
        at.disk.script = [error]
        at.disk.gate.set()
        for _ in range(3):
            await at.actor.request_address(AddressRequest(POOL))
        (pool,) = (record for record in at.actor.records() if isinstance(record, Pool))
        assert pool.references == 1
        happenings = at.actor.statistics().happenings
        assert (happenings[Happening.REVIVED], happenings[Happening.UNDONE]) == (0, 1 if error is None else 0)
        assert at.equal()


async def test_a_full_inbox_makes_callers_wait_and_loses_none(autojump_clock: trio.testing.MockClock) -> None:
    """With room for two, ten requests are all answered, in transactions of two at most; a deadline still works."""
    async with desk(capacity=2) as at:
        await _pool(at.actor)
        at.disk.hold()
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(at.actor.request_address, AddressRequest(POOL))
            await trio.testing.wait_all_tasks_blocked()
            assert at.actor.statistics().waiting == 2
            with trio.move_on_after(5) as deadline:
                await at.actor.request_address(AddressRequest(POOL))
            assert deadline.cancelled_caught
            at.disk.gate.set()
        assert len(at.disk.addresses()) == 10
        assert max(at.disk.sizes) <= 2


async def test_stopping_answers_everybody(autojump_clock: trio.testing.MockClock) -> None:
    """The one being stored, those in the inbox, those before it, and whoever comes later: all learn that we stop."""
    async with desk(capacity=2) as at:
        await _pool(at.actor)
        at.disk.hold()
        stopped = []

        async def one() -> None:
            with pytest.raises(Stopping):
                await at.actor.request_address(AddressRequest(POOL))
            stopped.append(1)

        async with trio.open_nursery() as nursery:
            for _ in range(6):
                nursery.start_soon(one)
            await trio.testing.wait_all_tasks_blocked()
            at.run.cancel()
        await one()
        assert len(stopped) == 7


async def test_a_broken_store_ends_the_actor() -> None:
    """An error that the store does not promise leaves the disk unknown: the service ends, and its callers are told."""

    async def broken(changes: Sequence[Change], /) -> None:
        raise OSError("not a promise")

    async def none() -> list[Prefix]:
        return []

    actor = Actor(Ledger(), commit=broken, routes=none, clock=trio.current_time)

    ended: list[OSError] = []

    async def service() -> None:
        try:
            await actor.run()
        except OSError as error:
            ended.append(error)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(service)
        with pytest.raises(Stopping):
            await _pool(actor)
    assert [str(error) for error in ended] == ["not a promise"]


async def test_a_fault_in_one_request_does_not_end_the_others(autojump_clock: trio.testing.MockClock) -> None:
    """A request that makes the ledger stumble is answered with that error, undone, and the next one is served."""
    async with desk() as at:
        await _pool(at.actor)
        before = at.actor.records()
        with pytest.raises(AttributeError):
            await at.actor.request_address(AddressRequest(POOL, "10.1.0.1"))  # type: ignore[arg-type]
        assert before == at.actor.records()
        assert str(await at.actor.request_address(AddressRequest(POOL))) == "10.1.0.1/24"


async def test_observations_go_pool_by_pool(autojump_clock: trio.testing.MockClock) -> None:
    """After a crash and a replay that names neither lease, both pools' leases rest and are freed, and are counted."""
    async with desk() as at:
        subnets = [ip_network("10.1.0.0/24"), ip_network("10.2.0.0/24")]
        for subnet in subnets:
            pool = await at.actor.request_pool(PoolRequest(LOCAL, 4, subnet))
            await at.actor.request_address(AddressRequest(pool.id))
        at.actor.begin_epoch("", "dockerd 2", activation=True)
        for subnet in subnets:
            await at.actor.request_pool(PoolRequest(LOCAL, 4, subnet))
        for _ in range(3):
            await at.actor.observe([ip_address("10.9.0.1")])
            await trio.sleep(300)
        await at.actor.observe([])
        assert at.disk.addresses() == set()
        happenings = at.actor.statistics().happenings
        counted = (Happening.REPLAYED, Happening.QUARANTINED, Happening.FREED, Happening.RECOVERED)
        assert [happenings[each] for each in counted] == [2, 2, 2, 0]
        assert at.equal()


async def test_it_begins_with_what_the_store_holds(autojump_clock: trio.testing.MockClock) -> None:
    """Records loaded before the start are held: their addresses are taken."""
    async with desk() as at:
        pool = await at.actor.request_pool(PoolRequest(LOCAL, 4, ip_network("10.1.0.0/30")))
        await at.actor.request_address(AddressRequest(pool.id))
        records = at.actor.records()
    async with desk(records=records) as at:
        assert str(await at.actor.request_address(AddressRequest("linkwright-local/10.1.0.0/30"))) == "10.1.0.2/30"
        with pytest.raises(Exhausted):
            await at.actor.request_address(AddressRequest("linkwright-local/10.1.0.0/30"))
