"""The thread that does kernel work for trio: order, withdrawal, regret. No kernel needed."""

import threading

import pytest
import trio
import trio.testing

from linkwright.errors import Stopping, Unavailable
from linkwright.kernel.worker import Worker


class Gate:
    """Work that waits in the thread until it is let go, so that a test decides when."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.release = threading.Event()

    def work(self) -> str:
        """Wait, then return."""
        self.entered.set()
        assert self.release.wait(10)
        return "done"


async def entered(gate: Gate) -> None:
    """Wait until the thread is at work."""
    assert await trio.to_thread.run_sync(gate.entered.wait, 10)


@pytest.fixture
async def worker() -> Worker:
    """A worker that runs."""
    opened = Worker("test")
    opened.open()
    return opened


async def test_work_is_done_in_one_other_thread_in_order(worker: Worker) -> None:
    """What was asked for first is done first, never in trio's thread."""
    done: list[int] = []
    threads: set[int] = set()

    def note(place: int) -> None:
        done.append(place)
        threads.add(threading.get_ident())

    async with trio.open_nursery() as nursery:
        for place in range(20):
            nursery.start_soon(worker.do, lambda place=place: note(place))
            await trio.testing.wait_all_tasks_blocked()
    assert list(range(20)) == done
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    assert await worker.close(5)


async def test_an_error_goes_to_the_one_who_asked(worker: Worker) -> None:
    """The thread outlives what its work raises."""

    def fail() -> None:
        raise OSError(19, "no such device")

    with pytest.raises(OSError, match="no such device"):
        await worker.do(fail)
    assert await worker.do(lambda: 7) == 7
    assert await worker.close(5)


async def test_what_has_not_started_is_withdrawn(worker: Worker) -> None:
    """A caller cancelled while its job waits behind another is gone at once, and the job is never done."""
    gate = Gate()
    done: list[str] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.do, gate.work)
        await entered(gate)
        with trio.CancelScope() as scope:
            nursery.start_soon(_cancel_when_blocked, scope)
            await worker.do(lambda: done.append("work"), regret=lambda _: done.append("regret"))
        assert scope.cancelled_caught
        gate.release.set()
    await worker.do(lambda: None)
    assert done == []
    assert await worker.close(5)


async def test_what_has_started_is_regretted_before_anything_else_is_done(worker: Worker) -> None:
    """A caller cancelled in the middle leaves at once; when the result comes it is taken back, before the next job."""
    gate = Gate()
    done: list[str] = []
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            nursery.start_soon(_cancel_when_entered, gate, scope)
            await worker.do(gate.work, keep=lambda _: done.append("keep"), regret=lambda r: done.append(f"regret {r}"))
        assert scope.cancelled_caught
        assert done == []
        nursery.start_soon(worker.do, lambda: done.append("next"))
        await trio.testing.wait_all_tasks_blocked()
        gate.release.set()
    assert done == ["regret done", "next"]
    assert await worker.close(5)


async def test_what_comes_out_in_time_is_kept_before_the_caller_knows(worker: Worker) -> None:
    """Keep is called in the thread, with the result."""
    kept: list[str] = []
    assert await worker.do(lambda: "result", keep=kept.append, regret=lambda _: kept.append("regret")) == "result"
    assert kept == ["result"]
    assert await worker.close(5)


async def test_a_fault_in_keeping_or_regretting_does_not_end_the_thread(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keeping's fault goes to the caller, regretting's to the hook for threads; both leave the thread to the others."""
    reported: list[BaseException | None] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: reported.append(args.exc_value))

    def fail(_: object) -> None:
        raise RuntimeError("fault")

    with pytest.raises(RuntimeError, match="fault"):
        await worker.do(lambda: 1, keep=fail)
    gate = Gate()
    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as scope:
            nursery.start_soon(_cancel_when_entered, gate, scope)
            await worker.do(gate.work, regret=fail)
        gate.release.set()
    assert await worker.do(lambda: 7) == 7
    assert [str(error) for error in reported] == ["fault"]
    assert await worker.close(5)


async def test_a_closed_worker_finishes_what_it_has_and_takes_no_more(worker: Worker) -> None:
    """Closing loses nothing that was asked for before."""
    done: list[int] = []
    await worker.do(lambda: done.append(1))
    assert await worker.close(5)
    with pytest.raises(Stopping):
        await worker.do(lambda: done.append(2))
    assert done == [1]


async def test_closing_does_not_wait_for_ever(worker: Worker) -> None:
    """A job that hangs is left behind, and that is said."""
    gate = Gate()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker.do, gate.work)
        await entered(gate)
        assert await worker.close(0.01) is False
        gate.release.set()
    assert await worker.close(5)


async def test_a_worker_that_cannot_enter_its_namespace_says_so_to_everybody() -> None:
    """Nothing is ever done in the wrong namespace."""
    lost = Worker("test", netns="/nonexistent")
    lost.open()
    done: list[int] = []
    for _ in range(2):
        with pytest.raises(Unavailable, match="/nonexistent"):
            await lost.do(lambda: done.append(1))
    assert done == []
    assert await lost.close(5)


async def _cancel_when_blocked(scope: trio.CancelScope) -> None:
    await trio.testing.wait_all_tasks_blocked()
    scope.cancel()


async def _cancel_when_entered(gate: Gate, scope: trio.CancelScope) -> None:
    await entered(gate)
    scope.cancel()
