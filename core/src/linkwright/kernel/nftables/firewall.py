"""The firewall as a service: keeps fixed tables there, and their elements as the steps of a plan say.

What the tables are, ``kernel.ruleset`` says; the bytes are ``messages``, the socket ``transport``, the order of things
``keeper``. All kernel work is done in one thread, in the order asked for. Changes by others are told by ``watch``.
"""

import socket
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Self

import trio

from linkwright.errors import Unavailable
from linkwright.kernel.nftables.keeper import Keeper
from linkwright.kernel.nftables.table import Table
from linkwright.kernel.nftables.transport import Transport, open_events
from linkwright.kernel.nftables.watch import watch
from linkwright.kernel.worker import Worker
from linkwright.plan.resources import Element, Key
from linkwright.plan.steps import KernelEvent, Step

#: Seconds that ending waits for the jobs under way.
_CLOSE_SECONDS = 5.0


class Firewall:
    """Some tables in one network namespace. Enter it (``async with``) before use."""

    def __init__(self, tables: Sequence[Table], *, netns: str | None = None) -> None:
        """Keep *tables* (``ruleset.ruleset`` says which); *netns* is the path of another network namespace for them."""
        self.tables = tuple(tables)
        self.told: Counter[str] = Counter()  # changes by others, by the name of their event
        self._worker = Worker("linkwright-nft", netns=netns)

    async def __aenter__(self) -> Self:
        """Start the thread and open its socket. Unavailable if it has no nf_tables, or the namespace is gone."""
        self._worker.open()
        try:
            self._transport = await self._worker.do(Transport, regret=Transport.close)
        except BaseException as error:
            await self._close()
            if isinstance(error, OSError):
                raise Unavailable(f"could not open a netfilter socket; has this kernel nf_tables? {error}") from error
            raise
        self._keeper = Keeper(self._transport, self.tables)
        return self

    async def __aexit__(self, *_: object) -> None:
        """End. The tables stay: traffic goes on without us."""
        await self._close()
        self._transport.close()

    async def _close(self) -> None:
        with trio.move_on_after(2 * _CLOSE_SECONDS, shield=True):
            await self._worker.close(_CLOSE_SECONDS)

    async def prepare(self) -> bool:
        """Put each table there that is missing or not as it should be; True if there was one.

        A wrong one is replaced in one transaction that keeps the elements of its sets, so that isolation has no gap.
        One that a kernel may lack the family for is left out there, until an element of it is wished.
        """
        return await self._worker.do(self._keeper.prepare)

    async def apply(self, steps: Sequence[Step]) -> None:
        """Do the element *steps* in one transaction: all or none.

        Adding what is there and deleting what is not are fine. KernelError names the first step that cannot be. When
        a table is gone it is made again first. ValueError, before anything is done, for a step that is none of ours.
        Cancelled once it has begun, the inverse steps are done when it ends.
        """
        if steps:
            await self._worker.do(partial(self._keeper.apply, steps), regret=lambda _: self._keeper.take_back(steps))

    async def elements(self) -> frozenset[Element]:
        """All elements of the tables; none of one that is not there."""
        return await self._worker.do(self._keeper.elements)

    async def elements_of(self, keys: Iterable[Key]) -> frozenset[Element]:
        """The elements under *keys* that are there, at a cost that does not depend on how many others there are."""
        return await self._worker.do(partial(self._keeper.elements_of, tuple(keys)))

    async def drops(self) -> Mapping[str, int]:
        """How many packets each named counter has counted: for what reason they were dropped.

        Counted since the table was made, so from zero again when it had to be replaced.
        """
        return await self._worker.do(self._keeper.drops)

    async def remove(self) -> None:
        """Delete the tables with all in them; fine if there are none."""
        await self._worker.do(self._keeper.remove)

    async def run(
        self,
        *,
        events: trio.MemorySendChannel[KernelEvent],
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Tell *events* of changes that others made, until cancelled; started when none can be missed any more."""
        with await self._worker.do(open_events, regret=socket.socket.close) as listening:
            task_status.started()
            await watch(listening, self.tables, self._transport.port, events, self.told)
