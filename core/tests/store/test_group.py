"""The writing thread: what gathers is one transaction, and each caller learns what became of its own."""

import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

import pytest
import trio
from attrs import define, field
from trio.testing import MockClock

from linkwright.errors import Stopping, Unavailable
from linkwright.store.group import GroupWriter
from linkwright.store.rows import Name, Write, after


@define
class Disk:
    """Rows in memory behind a gate that the test opens; ``broken`` keys cannot be written."""

    rows: dict[Name, str] = field(factory=dict)
    transactions: list[list[str]] = field(factory=list)
    broken: set[str] = field(factory=set)
    entered: threading.Semaphore = field(factory=lambda: threading.Semaphore(0))
    gate: threading.Semaphore = field(factory=lambda: threading.Semaphore(0))

    def transact(self, writes: Sequence[Write]) -> Mapping[Name, str | None]:
        """Wait for the gate, then write all or none."""
        self.entered.release()
        assert self.gate.acquire(timeout=10)
        bad = self.broken & {write.key for write in writes}
        self.transactions.append([write.key for write in writes])
        if bad:
            raise Unavailable(f"cannot write {bad}")
        before = {write.name: self.rows.get(write.name) for write in writes}
        self.rows = after(self.rows, writes)
        return before

    def pass_on(self, count: int = 1) -> None:
        """Let *count* transactions go."""
        self.gate.release(count)

    async def busy(self) -> None:
        """Return when a transaction stands at the gate."""
        assert await trio.to_thread.run_sync(lambda: self.entered.acquire(timeout=10))


def put(key: str, text: str = "1") -> list[Write]:
    """One row."""
    return [Write("k", key, text)]


@pytest.fixture
def disk() -> Disk:
    """A disk with its gate shut."""
    return Disk()


@pytest.fixture
def writer(disk: Disk) -> Iterator[GroupWriter]:
    """A writer on it that gives up after 5 seconds of the test's clock."""
    made = GroupWriter(disk.transact, patience=5, place="the disk")
    yield made
    disk.pass_on(1000)
    made.close()


async def until(condition: Callable[[], bool]) -> None:
    """Let the other tasks and the thread go on until *condition* holds."""
    with trio.fail_after(10):
        while not condition():
            await trio.lowlevel.checkpoint()


async def answer(call: Callable[[], Awaitable[None]], answers: list[str], name: str) -> None:
    """Note how *call* ended."""
    try:
        await call()
    except Unavailable as error:
        answers.append(f"{name}: {error}")
    else:
        answers.append(name)


async def test_what_gathers_is_one_transaction(disk: Disk, writer: GroupWriter) -> None:
    """While one transaction runs ninety-nine callers gather, and a second one serves them all, in order."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.commit, put("first"))
        await disk.busy()
        keys = [f"{number:02}" for number in range(99)]
        for number, key in enumerate(keys):
            nursery.start_soon(writer.commit, put(key))
            await until(lambda number=number: writer.statistics().queue == number + 1)  # type: ignore[misc]
        disk.pass_on(2)
    assert disk.transactions == [["first"], keys]
    seen = writer.statistics()
    assert (
        seen.commits,
        seen.transactions,
        seen.changes,
        seen.bytes,
        seen.largest_group,
        seen.queue,
    ) == (100, 2, 100, 100, 99, 0)


async def test_a_caller_is_awakened_after_its_transaction_only(disk: Disk, writer: GroupWriter) -> None:
    """No answer before it is durable."""
    answers: list[str] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer, lambda: writer.commit(put("a")), answers, "a")
        await disk.busy()
        nursery.start_soon(answer, lambda: writer.commit(put("b")), answers, "b")
        await until(lambda: writer.statistics().queue == 1)
        assert answers == []
        disk.pass_on()
        await until(lambda: bool(answers))
        assert (answers, disk.rows) == (["a"], {("k", "a"): "1"})
        disk.pass_on()
    assert answers == ["a", "b"]


async def test_one_that_cannot_be_written_fails_alone(disk: Disk, writer: GroupWriter) -> None:
    """When a group fails its members are tried one by one: only the culprit is told, and none of it is there."""
    answers: list[str] = []
    disk.broken = {"bad"}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer, lambda: writer.commit(put("first")), answers, "first")
        await disk.busy()
        for key in ("a", "bad", "b"):
            nursery.start_soon(answer, lambda key=key: writer.commit([*put(key), *put(f"{key}2")]), answers, key)
        await until(lambda: writer.statistics().queue == 3)
        disk.pass_on(5)
    assert sorted(answers) == ["a", "b", "bad: cannot write {'bad'}", "first"]
    assert {"first", "a", "a2", "b", "b2"} == {key for _, key in disk.rows}
    assert (writer.statistics().commits, writer.statistics().failures) == (3, 1)


async def test_the_next_call_after_a_failure_works(disk: Disk, writer: GroupWriter) -> None:
    """A failure ends one call and not the writer."""
    disk.broken = {"a"}
    disk.pass_on(2)
    with pytest.raises(Unavailable, match="cannot write"):
        await writer.commit(put("a"))
    assert writer.statistics().failing == "cannot write {'a'}"
    disk.broken = set()
    await writer.commit(put("a"))
    assert disk.rows == {("k", "a"): "1"}
    assert (writer.statistics().failing, writer.statistics().last_failure) == ("", "cannot write {'a'}")


async def test_a_bug_below_reaches_the_caller_as_it_is(disk: Disk) -> None:
    """What is not Unavailable is not made so, and the thread goes on."""

    def transact(writes: Sequence[Write]) -> Mapping[Name, str | None]:
        if writes[0].key == "a":
            raise ZeroDivisionError("a bug")
        return {}

    writer = GroupWriter(transact, patience=5, place="the disk")
    with pytest.raises(ZeroDivisionError, match="a bug"):
        await writer.commit(put("a"))
    await writer.commit(put("b"))
    writer.close()


async def test_cancelled_while_waiting_is_withdrawn(disk: Disk, writer: GroupWriter) -> None:
    """A caller that goes away before its transaction began was never there."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.commit, put("first"))
        await disk.busy()
        with trio.CancelScope() as scope:
            nursery.start_soon(lambda: _cancel_when(scope, lambda: writer.statistics().queue == 1))
            await writer.commit(put("gone"))
        assert scope.cancelled_caught
        assert (writer.statistics().queue, writer.statistics().withdrawn) == (0, 1)
        disk.pass_on(100)
    await trio.to_thread.run_sync(writer.close)
    assert disk.transactions == [["first"]]


async def test_cancelled_after_it_began_is_seen_through(disk: Disk, writer: GroupWriter) -> None:
    """A caller cancelled in the middle of its transaction stays, learns the end, and is cancelled afterwards."""
    reached: list[str] = []
    async with trio.open_nursery() as nursery:
        scope = trio.CancelScope()

        async def caller() -> None:
            with scope:
                await writer.commit(put("a"))
                reached.append("returned")
                await trio.lowlevel.checkpoint()
                reached.append("not cancelled")

        nursery.start_soon(caller)
        await disk.busy()
        scope.cancel()
        for _ in range(10):
            await trio.lowlevel.checkpoint()
        assert reached == []
        disk.pass_on()
    assert (reached, scope.cancelled_caught) == (["returned"], True)
    assert disk.rows == {("k", "a"): "1"}


async def test_not_reached_in_time_is_unavailable_and_never_written(
    disk: Disk, writer: GroupWriter, mock_clock: MockClock
) -> None:
    """Behind a disk that hangs a caller waits no longer than its patience, and its changes are gone for good."""
    answers: list[str] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer, lambda: writer.commit(put("first")), answers, "first")
        await disk.busy()
        nursery.start_soon(answer, lambda: writer.commit(put("second")), answers, "second")
        await until(lambda: writer.statistics().queue == 1)
        mock_clock.jump(6)
        await until(lambda: len(answers) == 2)
        disk.pass_on(2)
    first, second = sorted(answers)
    assert first == (
        "first: the disk under the disk did not answer within 5 s; the change is taken back when it does; look at the "
        "disk, then try again"
    )
    assert second == (
        "second: the disk was not reached within 5 s behind other changes; nothing was written; try again, and look "
        "at the disk if it goes on"
    )
    assert (writer.statistics().commits, writer.statistics().failures, writer.statistics().withdrawn) == (0, 2, 1)
    disk.pass_on(100)
    await trio.to_thread.run_sync(writer.close)
    assert disk.transactions == [["first"], ["first"]]


async def test_late_is_undone_before_anything_else(disk: Disk, writer: GroupWriter, mock_clock: MockClock) -> None:
    """Unavailable stays true: when the disk answers after all the change is taken back, and then come the others."""
    answers: list[str] = []
    disk.pass_on()
    await writer.commit([*put("old", "before"), *put("kept", "before")])
    await disk.busy()
    async with trio.open_nursery() as nursery:
        late = [*put("old", "late"), *put("new", "late")]
        nursery.start_soon(answer, lambda: writer.commit(late), answers, "late")
        await disk.busy()
        mock_clock.jump(6)
        await until(lambda: len(answers) == 1)
        nursery.start_soon(answer, lambda: writer.commit(put("next")), answers, "next")
        await until(lambda: writer.statistics().queue == 1)
        disk.pass_on(3)
    assert disk.rows == {("k", "old"): "before", ("k", "kept"): "before", ("k", "next"): "1"}
    assert disk.transactions == [["old", "kept"], ["old", "new"], ["new", "old"], ["next"]]


async def _late(disk: Disk, writer: GroupWriter, clock: MockClock, writes: list[Write]) -> None:
    """Commit *writes* on a disk that answers after the caller's patience has ended."""
    answers: list[str] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer, lambda: writer.commit(writes), answers, "late")
        await disk.busy()
        clock.jump(6)
        await until(lambda: len(answers) == 1)
    assert answers[0].startswith("late: the disk under the disk did not answer")


async def test_an_undo_that_fails_is_owed_until_it_is_done(
    disk: Disk, writer: GroupWriter, mock_clock: MockClock
) -> None:
    """Late, its undo refused, and late again on the same row: in the end the row is what it was at first."""
    disk.rows = {("k", "a"): "first"}
    await _late(disk, writer, mock_clock, put("a", "late"))
    disk.pass_on()
    await disk.busy()  # the undo
    disk.broken = {"a"}
    disk.pass_on()
    await until(lambda: len(disk.transactions) == 2)
    disk.broken = set()
    assert disk.rows == {("k", "a"): "late"}
    await _late(disk, writer, mock_clock, put("a", "late again"))
    disk.pass_on(100)
    await writer.commit(put("b"))
    assert disk.rows == {("k", "a"): "first", ("k", "b"): "1"}


async def test_an_undo_that_fails_gets_a_last_chance(disk: Disk, writer: GroupWriter, mock_clock: MockClock) -> None:
    """What is still owed at the end is done before the thread ends."""
    await _late(disk, writer, mock_clock, put("a"))
    disk.pass_on()
    await disk.busy()  # the undo
    disk.broken = {"a"}
    disk.pass_on()
    await until(lambda: len(disk.transactions) == 2)
    disk.broken = set()
    disk.pass_on(100)
    await trio.to_thread.run_sync(writer.close)
    assert disk.rows == {}


async def test_late_in_a_group_that_fails_is_not_tried_again(
    disk: Disk, writer: GroupWriter, mock_clock: MockClock
) -> None:
    """Whoever was told that nothing happened is not written alone when the group as a whole was refused."""
    answers: list[str] = []
    disk.broken = {"bad"}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(answer, lambda: writer.commit(put("first")), answers, "first")
        await disk.busy()
        for key in ("a", "bad"):
            nursery.start_soon(answer, lambda key=key: writer.commit(put(key)), answers, key)
        await until(lambda: writer.statistics().queue == 2)
        disk.pass_on()
        await disk.busy()
        mock_clock.jump(6)
        await until(lambda: len(answers) == 3)
        disk.pass_on(100)
    await trio.to_thread.run_sync(writer.close)
    assert [sorted(keys) for keys in disk.transactions] == [["first"], ["a", "bad"]]
    assert disk.rows == {("k", "first"): "1"}


async def test_close_finishes_what_waits(disk: Disk, writer: GroupWriter) -> None:
    """At an end nobody who was let in is turned away, and nobody else is let in."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.commit, put("a"))
        await disk.busy()
        nursery.start_soon(writer.commit, put("b"))
        await until(lambda: writer.statistics().queue == 1)
        disk.pass_on(2)
        await trio.to_thread.run_sync(writer.close)
    with pytest.raises(Stopping, match="the disk is closed"):
        await writer.commit(put("c"))
    assert {"a", "b"} == {key for _, key in disk.rows}


def test_late_is_undone_though_nobody_is_left(disk: Disk, writer: GroupWriter) -> None:
    """A disk that answers when the caller's whole trio run is gone still ends with nothing written."""

    async def late(clock: MockClock) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(writer.commit, put("a"))
            await disk.busy()
            clock.jump(6)

    clock = MockClock()
    with pytest.raises(ExceptionGroup) as raised:
        trio.run(late, clock, clock=clock)
    assert raised.group_contains(Unavailable, match="did not answer")
    disk.pass_on(2)
    writer.close()
    assert (disk.transactions, disk.rows) == ([["a"], ["a"]], {})


async def _cancel_when(scope: trio.CancelScope, condition: Callable[[], bool]) -> None:
    await until(condition)
    scope.cancel()
