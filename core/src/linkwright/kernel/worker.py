"""A dedicated thread that does kernel work for trio tasks, in order, one job at a time.

Rule 1: a job that has not started is withdrawn when its caller is cancelled. One that has started cannot be stopped:
its caller leaves at once, and when the result comes, the job's ``regret`` takes it back before anything else is done.
Rule 2: the thread may live in another network namespace; it enters it first and never leaves it.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

import outcome
import trio

from linkwright.errors import Stopping, Unavailable
from linkwright.kernel.netns import enter

T = TypeVar("T")


class _Job(Generic[T]):
    """One piece of work and who waits for it."""

    def __init__(
        self, work: Callable[[], T], keep: Callable[[T], object] | None, regret: Callable[[T], object] | None
    ) -> None:
        self._work = work
        self._keep = keep
        self._regret = regret
        self._lock = threading.Lock()
        self._given_up = False
        self._settled = False
        self._task = trio.lowlevel.current_task()
        self._token = trio.lowlevel.current_trio_token()

    def give_up(self) -> bool:
        """Let the caller go; False if the result is on its way already."""
        with self._lock:
            self._given_up = not self._settled
            return self._given_up

    def do(self) -> None:
        """Do the work and tell the caller, or take it back; in the thread."""
        if self._given_up:
            return
        result = outcome.capture(self._work)
        with self._lock:
            self._settled = not self._given_up
        if self._settled:
            if self._keep is not None and isinstance(result, outcome.Value):
                kept = outcome.capture(self._keep, result.value)
                result = kept if isinstance(kept, outcome.Error) else result
            self._tell(result)
        elif self._regret is not None and isinstance(result, outcome.Value):
            regretted = outcome.capture(self._regret, result.value)
            if isinstance(regretted, outcome.Error):  # a fault of ours, of which nobody is left to be told
                error = regretted.error
                args = (type(error), error, error.__traceback__, threading.current_thread())
                threading.excepthook(threading.ExceptHookArgs(args))

    def refuse(self, error: Exception) -> None:
        """Tell the caller that it will not be done."""
        with self._lock:
            if self._given_up:
                return
            self._settled = True
        self._tell(outcome.Error(error))

    def _tell(self, result: "outcome.Outcome[T]") -> None:
        with suppress(trio.RunFinishedError):  # nobody is left to be told
            self._token.run_sync_soon(trio.lowlevel.reschedule, self._task, result)


class Worker:
    """The thread. ``open`` starts it, ``close`` ends it after the jobs it has."""

    def __init__(self, name: str, *, netns: str | None = None) -> None:
        self._name = name
        self._netns = netns
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)

    def open(self) -> None:
        """Start the thread."""
        self._thread.start()

    async def close(self, seconds: float) -> bool:
        """Refuse new jobs, finish those that wait, and end; False if that takes longer than *seconds*."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        await trio.to_thread.run_sync(self._thread.join, seconds)
        return not self._thread.is_alive()

    async def do(
        self,
        work: Callable[[], T],
        *,
        keep: Callable[[T], object] | None = None,
        regret: Callable[[T], object] | None = None,
    ) -> T:
        """Do *work* in the thread and return what it returns.

        Cancelled before it started, it is never done; cancelled later, *regret* is called with the result, in the
        thread, before the next job. Otherwise *keep* is, before the caller is told. Stopping if the worker is closed.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        job = _Job(work, keep, regret)
        with self._lock:
            if self._closed:
                raise Stopping(f"the thread {self._name} has ended: linkwright is going down")
            self._jobs.put(job)

        def abort(_: object) -> trio.lowlevel.Abort:
            return trio.lowlevel.Abort.SUCCEEDED if job.give_up() else trio.lowlevel.Abort.FAILED

        result: T = await trio.lowlevel.wait_task_rescheduled(abort)
        return result

    def _main(self) -> None:
        try:
            if self._netns is not None:
                enter(self._netns)
        except OSError as error:
            reason = f"the thread {self._name} could not enter the network namespace {self._netns}: {error}"
            while (job := self._jobs.get()) is not None:
                job.refuse(Unavailable(reason))
            return
        while (job := self._jobs.get()) is not None:
            job.do()
