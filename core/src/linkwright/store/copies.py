"""The last good copy: ``linkwright.db.good``, what a damaged database is rebuilt from.

When it is made: at each start once the database has passed its check; while running one minute after the first
change that it lacks, so it lacks the last minute at most, and two seconds after one that nothing else could tell of
(a network: endpoints are known by the marks on their links as well); and at an orderly end. It is written beside,
checked row by row, flushed, and only then put in the place of the older one. A failure (no room, damage found) keeps
the older one, is counted, and is tried again a minute later.

The copy has a thread and a connection of its own, so that commits go on meanwhile.
"""

import math
import threading
import time
from collections.abc import Callable
from contextlib import closing

from linkwright.errors import Unavailable
from linkwright.store.damage import examine
from linkwright.store.database import Database, speaking
from linkwright.store.files import Files, has_room, told, whole
from linkwright.store.statistics import Statistics, Tally

#: Seconds from a change to the copy that has it. Copying 10 000 endpoints (6 MB) takes 0.05 s and holds up the loop
#: for 4 ms.
INTERVAL = 60.0

#: The same for what must not be lost. Networks made or removed in one go are one copy.
SOON = 2.0


def make_good_copy(files: Files) -> None:
    """Copy all that is committed to ``linkwright.db.good``. Unavailable where it cannot be, or would not be good."""
    with told(f"{files.database} cannot be copied"):
        if not has_room(files.directory, files.database.stat().st_size):
            raise Unavailable(f"no room for a copy of {files.database} on its disk; free some space")
    with speaking(f"copying {files.database}"), whole(files.good) as part:
        with closing(Database(files.database, read_only=True)) as source:
            source.copy_into(part)
        with closing(Database(part, read_only=True)) as copy:
            found = examine(copy)
        if found:
            raise Unavailable(
                f"{files.database} is damaged and was not copied: {found}. Restart the daemon, which rebuilds it from "
                f"the last good copy"
            )


class Copier:
    """Calls *make* on its own thread: at once, and *interval* seconds after the first change since it last did.

    After a change that is wanted *soon* (seconds as well) it waits no longer than that.
    """

    def __init__(self, make: Callable[[], None], *, interval: float = INTERVAL, soon: float = SOON) -> None:
        self._make = make
        self._interval = interval
        self._soon = soon
        self._event = threading.Condition()
        self._due = 0.0  # by the monotonic clock; infinity where nothing is lacking
        self._stopping = False
        self._tally = Tally()
        self._thread = threading.Thread(target=self._work, name="linkwright-copy", daemon=True)
        self._thread.start()

    def changed(self, *, soon: bool = False) -> None:
        """Something was committed that the copy does not have."""
        due = time.monotonic() + (min(self._soon, self._interval) if soon else self._interval)
        with self._event:
            if due < self._due:
                self._due = due
                self._event.notify()

    def statistics(self) -> Statistics:
        """Copies made and failed."""
        with self._event:
            return self._tally.now

    def close(self) -> None:
        """Make the last copy, if anything is lacking, and end the thread. Blocks."""
        with self._event:
            self._stopping = True
            self._event.notify()
        self._thread.join()

    def _work(self) -> None:
        while self._next():
            try:
                self._make()
            except Exception as error:  # noqa: BLE001 - a copy that fails, however it does, must not end the copies
                with self._event:
                    self._tally.failed(str(error), copy_failures=1)
                    if not self._stopping:
                        self._due = min(self._due, time.monotonic() + self._interval)
            else:
                with self._event:
                    self._tally.add(copies=1)

    def _next(self) -> bool:
        """Wait until a copy is due; False when there is none to be made any more."""
        with self._event:
            while not self._stopping and (wait := self._due - time.monotonic()) > 0:
                self._event.wait(None if wait == math.inf else wait)
            lacking, self._due = self._due < math.inf, math.inf
            return lacking
