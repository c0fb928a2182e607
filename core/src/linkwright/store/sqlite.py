"""The store on disk: ``<state-dir>/linkwright.db``. The parts are joined here; each has a module of its own.

=============  =============================================================
``opening``    what a start does, in order
``damage``     is the file whole; ``recovery`` what is done if not
``schema``     formats and the way from one to the next
``copies``     the last good copy: when it is made, and how
``group``      the writing thread
``database``   SQL
=============  =============================================================
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Self

import trio
from attrs import evolve, frozen

from linkwright.model.change import Change, Put, Record
from linkwright.store.contents import Contents
from linkwright.store.copies import INTERVAL, Copier, make_good_copy
from linkwright.store.database import Database, speaking
from linkwright.store.files import Files
from linkwright.store.group import GroupWriter
from linkwright.store.interface import PATIENCE
from linkwright.store.opening import Ready, leave, make_ready
from linkwright.store.records import decode_all, write_of
from linkwright.store.recovery import RecoveryReport, revision_of
from linkwright.store.rows import FACT, OWN_FACTS, RECOVERY, REVISION, Name, Write, remembering
from linkwright.store.schema import SCHEMA, Schema
from linkwright.store.statistics import Statistics

#: Kinds of records that nothing but the file tells of: Docker does not say them twice, and no mark names them.
_NOT_TO_BE_LOST = frozenset({"network", "found"})


@frozen
class Opened:
    """What a start found. ``recovered`` is None in ordinary times; else see `SqliteStore.adopt`."""

    store: "SqliteStore"
    contents: Contents
    recovered: RecoveryReport | None


class SqliteStore:
    """A `Store` in a SQLite file. Used from one trio run; its own threads write and copy.

    ``patience`` bounds each commit, in seconds of trio's clock: under an autojump clock, which does not see
    threads work, use `MemoryStore`.
    """

    def __init__(self, files: Files, ready: Ready, *, patience: float, copy_interval: float) -> None:
        """Take over what `make_ready` opened; `open` is the way to get one."""
        self._files = files
        self._ready = ready
        self._revision = revision_of(ready.facts.get(REVISION, ""))
        self._facts = {name: text for name, text in ready.facts.items() if name not in OWN_FACTS}
        self._copier = Copier(lambda: make_good_copy(files), interval=copy_interval)
        self._writer = GroupWriter(self._transact, patience=patience, place=str(files.database))
        self._closed = False

    @classmethod
    async def open(
        cls,
        directory: Path,
        *,
        schema: Schema = SCHEMA,
        patience: float = PATIENCE,
        copy_interval: float = INTERVAL,
    ) -> Opened:
        """Open the state *directory*, made if it is not there, and read everything.

        Raises Conflict (in use by another process), Refused (a newer linkwright wrote it), Unavailable (disk,
        permissions). A damaged database is set aside and rebuilt, and ``recovered`` says so.
        """
        files = Files(directory)
        ready = await trio.to_thread.run_sync(lambda: make_ready(files, schema=schema, now=time.time()))
        store = cls(files, ready, patience=patience, copy_interval=copy_interval)
        return Opened(store, ready.contents, ready.recovered)

    async def commit(self, changes: Sequence[Change], /) -> None:
        """Make *changes* durable, all or none (see `Store`)."""
        await self._writer.commit([write_of(change) for change in changes])

    async def load(self) -> Contents:
        """All records, read on a connection of its own: no commit waits for it."""
        return await trio.to_thread.run_sync(self._load)

    async def remember(self, facts: Mapping[str, str], /) -> None:
        """Make *facts* durable; Refused for the names that the store uses itself."""
        await self._writer.commit(remembering(facts))
        self._facts.update(facts)

    def facts(self) -> Mapping[str, str]:
        """What was remembered."""
        return dict(self._facts)

    async def adopt(self, records: Iterable[Record], /) -> None:
        """Put *records* and let the recovery be over, in one transaction."""
        await self._writer.commit([*(write_of(Put(record)) for record in records), Write(FACT, RECOVERY, None)])

    def statistics(self) -> Statistics:
        """What was done since it was opened."""
        copies, commits = self._copier.statistics(), self._writer.statistics()
        return evolve(
            commits,
            copies=copies.copies,
            copy_failures=copies.copy_failures,
            last_failure=commits.last_failure or copies.last_failure,
        )

    async def aclose(self) -> None:
        """Finish what waits, make the last copy, close the file, give up the directory. A second time does nothing.

        Waits for at most `PATIENCE` seconds; a disk that hangs longer is left alone, and the next start finds
        what a crash would have left.
        """
        if self._closed:
            return
        self._closed = True
        with trio.CancelScope(shield=True, deadline=trio.current_time() + PATIENCE):
            await trio.to_thread.run_sync(self._close, abandon_on_cancel=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    # On the store's threads.

    def _transact(self, writes: Sequence[Write]) -> Mapping[Name, str | None]:
        # Not with what is only written: that may be in the good copy and lost here, which is no damage.
        revision = self._revision + any(write.flushed for write in writes)
        counted = [Write(FACT, REVISION, str(revision))] if revision > self._revision else []
        before = self._ready.database.transact([*writes, *counted])
        self._revision = revision
        self._copier.changed(soon=any(write.kind in _NOT_TO_BE_LOST for write in writes))
        return before

    def _load(self) -> Contents:
        path = self._files.database
        with speaking(f"reading {path}"), closing(Database(path, read_only=True)) as database:
            return decode_all(database.rows())

    def _close(self) -> None:
        self._writer.close()
        self._copier.close()
        leave(self._ready.database, self._ready.lock)
