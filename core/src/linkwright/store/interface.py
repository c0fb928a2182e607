"""What every store can do. The SQLite one and the in-memory one keep the same promises and pass the same tests."""

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Protocol, Self

from linkwright.model.change import Change, Record
from linkwright.store.contents import Contents
from linkwright.store.statistics import Statistics

#: How long a commit may take, waiting included, in seconds. Docker gives a plugin call 30 s to answer its headers.
PATIENCE = 10.0


class Store(Protocol):
    """The durable state: records, and facts about the daemon that wrote them.

    ``commit`` (and ``remember``, ``adopt``) ends in one of three ways. It returns: all of it is durable. It raises
    Unavailable, Refused or Stopping: none of it happened. It is cancelled: none of it happened either, because
    what waits is withdrawn, and what has begun is seen through before the caller goes on (then the call returns,
    and the cancellation meets the caller at the next checkpoint).
    """

    async def commit(self, changes: Sequence[Change], /) -> None:
        """Make *changes* durable, all or none (``model.change.Commit``)."""

    async def load(self) -> Contents:
        """All records, as the last commit left them."""

    async def remember(self, facts: Mapping[str, str], /) -> None:
        """Make *facts* durable, each instead of the one of that name: instance, build, the boot id last seen."""

    def facts(self) -> Mapping[str, str]:
        """What was remembered."""

    async def adopt(self, records: Iterable[Record], /) -> None:
        """Put *records* that were found elsewhere (the kernel's marks), and so close a recovery.

        A `RecoveryReport` is given again by every start until this is called, perhaps with nothing.
        """

    def statistics(self) -> Statistics:
        """What was done since it was opened."""

    async def aclose(self) -> None:
        """Finish what waits, take no more (Stopping), leave everything in order."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
