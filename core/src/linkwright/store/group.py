"""Group commit: one thread that writes, and callers in trio that wait for it. No SQL and no records here.

Everything that gathers while a transaction runs becomes the next one, so a hundred callers cost two or three
flushes of the disk and not a hundred. The thread is our own and not one of trio's pool: it costs half as much per
call, and a disk that hangs then holds up nobody else's work.

Rule 1: a caller is told "durable" or "none of it happened", and either stays true. What is late (the disk did not
answer in time, so its caller was told Unavailable) is undone as soon as the disk answers, before anything else.
Rule 2: the loop's side never waits for the disk; the lock is held for list operations only.
"""

import enum
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from queue import SimpleQueue

import trio
from attrs import define, field

from linkwright.errors import Stopping, Unavailable
from linkwright.store.rows import Name, Write, undo
from linkwright.store.statistics import Statistics, Tally

#: Make the writes durable, all or none, and return the texts that were there before, by name. Raises Unavailable.
Transact = Callable[[Sequence[Write]], Mapping[Name, str | None]]


class _Stage(enum.Enum):
    WAITING = enum.auto()  # may be withdrawn
    BEGUN = enum.auto()  # in the transaction that runs now
    LATE = enum.auto()  # begun, and its caller was told that nothing happened
    OVER = enum.auto()


@define(eq=False)
class _Call:
    writes: Sequence[Write]
    loop: trio.lowlevel.TrioToken
    stage: _Stage = _Stage.WAITING  # guarded by the writer's lock
    error: Exception | None = None
    finished: trio.Event = field(factory=trio.Event)


class GroupWriter:
    """Commits what callers hand in, in order, from its own thread.

    *patience* bounds a call in seconds. *place* is what messages call the store.
    """

    def __init__(self, transact: Transact, *, patience: float, place: str) -> None:
        self._transact = transact
        self._patience = patience
        self._place = place
        self._lock = threading.Lock()  # of the stages, the tally, and whether we stop
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()  # None comes last
        self._stopping = False
        self._owed: tuple[Write, ...] = ()  # what undoes late calls; only the thread touches it
        self._tally = Tally()
        self._thread = threading.Thread(target=self._work, name="linkwright-store", daemon=True)
        self._thread.start()

    async def commit(self, writes: Sequence[Write]) -> None:
        """Return when *writes* are durable. Raises Unavailable or Stopping; none of them happened then."""
        deadline = trio.current_time() + self._patience
        call = self._hand_in(writes)
        with trio.CancelScope(deadline=deadline):
            try:
                await call.finished.wait()
            except trio.Cancelled:
                if self._withdraw(call):
                    raise
                # Begun: a caller that went away now could not know which it was, so it stays. Nothing is
                # swallowed: trio delivers the cancellation again at the caller's next checkpoint.
                with trio.CancelScope(deadline=deadline, shield=True):
                    await call.finished.wait()
        self._settle(call)

    def statistics(self) -> Statistics:
        """Counts so far."""
        with self._lock:
            return self._tally.now

    def close(self) -> None:
        """Finish what waits and end the thread. Blocks; further calls are refused with Stopping."""
        with self._lock:
            self._stopping = True
            self._calls.put(None)
        self._thread.join()

    # The loop's side.

    def _hand_in(self, writes: Sequence[Write]) -> _Call:
        call = _Call(writes, trio.lowlevel.current_trio_token())
        with self._lock:
            if self._stopping:
                raise Stopping(f"{self._place} is closed: the daemon is going down; try again when it is back")
            self._tally.add(queue=1)
            self._calls.put(call)
        return call

    def _withdraw(self, call: _Call) -> bool:
        with self._lock:
            if call.stage is not _Stage.WAITING:
                return False
            self._tally.add(queue=-1, withdrawn=1)
            call.stage = _Stage.OVER
            call.writes = ()  # it stays in the queue until the disk answers
            call.error = Unavailable(
                f"{self._place} was not reached within {self._patience:g} s behind other changes; nothing was "
                "written; try again, and look at the disk if it goes on"
            )
            return True

    def _settle(self, call: _Call) -> None:
        with self._lock:
            if call.stage is _Stage.BEGUN:
                call.stage = _Stage.LATE
                call.error = Unavailable(
                    f"the disk under {self._place} did not answer within {self._patience:g} s; the change is taken "
                    "back when it does; look at the disk, then try again"
                )
            if call.error is None:
                return
            if isinstance(call.error, Unavailable):
                self._tally.failed(str(call.error), failures=1)
            raise call.error

    # The thread's side.

    def _work(self) -> None:
        last = False
        while not last:
            gathered = self._gathered()
            last = gathered[-1] is None
            if group := self._begun(call for call in gathered if call is not None):
                self._write(group)
            if self._owed:
                self._write([])

    def _gathered(self) -> list[_Call | None]:
        gathered = [self._calls.get()]
        while not self._calls.empty():
            gathered.append(self._calls.get())
        return gathered

    def _begun(self, gathered: Iterable[_Call]) -> list[_Call]:
        """Those of *gathered* that were not withdrawn."""
        with self._lock:
            group = [call for call in gathered if call.stage is _Stage.WAITING]
            for call in group:
                call.stage = _Stage.BEGUN
            self._tally.add(queue=-len(group))
        return group

    def _write(self, group: Sequence[_Call]) -> None:
        writes = (*self._owed, *(write for call in group for write in call.writes))
        try:
            before = self._transact(writes)
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the callers, and the thread lives on
            self._failed(group, error)
            return
        late = self._succeeded(group)
        self._owed = undo(before, [(self._owed, False), *((call.writes, call in late) for call in group)])

    def _succeeded(self, group: Sequence[_Call]) -> Sequence[_Call]:
        with self._lock:
            late = [call for call in group if call.stage is _Stage.LATE]
            kept = [call for call in group if call not in late]
            if kept:
                writes = [write for call in kept for write in call.writes]
                size = sum(len(write.text) for write in writes if write.text is not None)
                self._tally.committed(group=len(kept), changes=len(writes), size=size)
            _end(kept, None)
        return late

    def _failed(self, group: Sequence[_Call], error: Exception) -> None:
        if len(group) <= 1:
            with self._lock:
                _end([call for call in group if call.stage is not _Stage.LATE], error)
            return
        for call in group:  # one that cannot be written must not take the others with it
            with self._lock:
                late = call.stage is _Stage.LATE
            if not late:
                self._write([call])


def _end(calls: Sequence[_Call], error: Exception | None) -> None:
    for call in calls:
        call.stage, call.error = _Stage.OVER, error
    for loop in {call.loop for call in calls}:
        try:
            loop.run_sync_soon(_wake, [call for call in calls if call.loop is loop])
        except trio.RunFinishedError:  # nobody is left to hear it
            continue


def _wake(calls: Sequence[_Call]) -> None:
    for call in calls:
        call.finished.set()
