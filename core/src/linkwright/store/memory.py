"""The store for tests: no disk and no thread, the same promises, and trouble on request."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self

import trio

from linkwright.errors import Stopping, Unavailable
from linkwright.model.change import Change, Put, Record
from linkwright.store.contents import Contents
from linkwright.store.interface import PATIENCE
from linkwright.store.records import decode_all, write_of
from linkwright.store.rows import FACT, Name, Write, after, remembering
from linkwright.store.statistics import Statistics, Tally


class MemoryStore:
    """A `Store` in memory.

    *contents* and *facts* are what it starts with, so "the daemon restarts" is ``MemoryStore(await store.load())``.
    *fail_on* names the calls that raise Unavailable and change nothing, counted from 1; ``fail_next`` does the same
    later on. *delay* is how long each call waits for "the disk" before it happens, in seconds of trio's clock; a
    caller cancelled meanwhile is withdrawn, and one that would wait longer than *patience* gets Unavailable.

    Records go through the codec, so what the disk would refuse is refused here, and nobody shares a dict.
    """

    def __init__(
        self,
        contents: Iterable[Record] = (),
        *,
        facts: Mapping[str, str] | None = None,
        fail_on: Collection[int] = (),
        delay: float = 0.0,
        patience: float = PATIENCE,
    ) -> None:
        self._rows: dict[Name, str] = after(
            {}, [*(write_of(Put(record)) for record in contents), *remembering(facts or {})]
        )
        self._fail_on = set(fail_on)
        self._delay = delay
        self._patience = patience
        self._calls = 0
        self._closed = False
        self._disk = trio.StrictFIFOLock()
        self._tally = Tally()

    def fail_next(self, *, count: int = 1) -> None:
        """Let the next *count* calls raise Unavailable."""
        self._fail_on.update(range(self._calls + 1, self._calls + 1 + count))

    async def commit(self, changes: Sequence[Change], /) -> None:
        """Make *changes* as durable as memory is, all or none (see `Store`)."""
        await self._commit([write_of(change) for change in changes])

    async def load(self) -> Contents:
        """All records."""
        await trio.lowlevel.checkpoint()
        return decode_all((kind, key, text) for (kind, key), text in self._rows.items())

    async def remember(self, facts: Mapping[str, str], /) -> None:
        """Keep *facts*; Refused for the names that a store uses itself."""
        await self._commit(remembering(facts))

    def facts(self) -> Mapping[str, str]:
        """What was remembered."""
        return {key: text for (kind, key), text in self._rows.items() if kind == FACT}

    async def adopt(self, records: Iterable[Record], /) -> None:
        """Put *records*."""
        await self.commit([Put(record) for record in records])

    def statistics(self) -> Statistics:
        """What was done since it was made. Each call is a transaction of its own here."""
        return self._tally.now

    async def aclose(self) -> None:
        """Take no more."""
        await trio.lowlevel.checkpoint()
        self._closed = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True

    async def _commit(self, writes: Sequence[Write]) -> None:
        if self._closed:
            raise Stopping("the store is closed: the daemon is going down; try again when it is back")
        self._calls += 1
        failing = self._calls in self._fail_on
        self._tally.add(queue=1)
        try:
            with trio.move_on_after(self._patience) as patience:
                async with self._disk:
                    await trio.sleep(self._delay)
        except trio.Cancelled:
            self._tally.add(withdrawn=1)
            raise
        finally:
            self._tally.add(queue=-1)
        if patience.cancelled_caught:
            self._tally.add(withdrawn=1)
        if failing or patience.cancelled_caught:
            reason = "the disk is full" if failing else f"it was not reached within {self._patience:g} s"
            text = f"writing to the store in memory failed: {reason}; nothing was written; try again"
            self._tally.failed(text, failures=1)
            raise Unavailable(text)
        self._rows = after(self._rows, writes)
        size = sum(len(write.text) for write in writes if write.text is not None)
        self._tally.committed(group=1, changes=len(writes), size=size)
