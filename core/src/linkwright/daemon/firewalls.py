"""Our own firewall tables, and the one rule of ours in Docker's: kept together, because either alone is of no use.

Docker's chains may be rebuilt at any time by Docker or firewalld; ``prepare`` runs at each look at everything and
whenever the chain DOCKER-USER changes.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import structlog
import trio
from attrs import evolve

from linkwright.errors import LinkwrightError
from linkwright.kernel.docker_user import DockerUser, Found
from linkwright.kernel.linux import KernelStatistics
from linkwright.kernel.nftables.firewall import Firewall
from linkwright.plan import Element, Step
from linkwright.plan.resources import Key
from linkwright.plan.steps import KernelEvent

#: Seconds between two readings of the counters: less than Prometheus' usual 15.
_COUNTS_EVERY = 5.0

_log = structlog.get_logger(__name__)


class Firewalls:
    """The elements of our tables (``kernel.linux.Elements``), with the rule in DOCKER-USER beside it."""

    def __init__(self, tables: Firewall, rule: DockerUser) -> None:
        """Keep both."""
        self._tables = tables
        self._rule = rule
        self.rule_error = ""
        self.dropped: Mapping[str, int] = {}  # packets, by reason, as they were counted last

    def counted(self, kernel: KernelStatistics) -> KernelStatistics:
        """Add to what *kernel* was told by rtnetlink what the firewall was."""
        told = dict(self._tables.told)
        overruns = kernel.overruns + told.pop("overrun", 0)
        return evolve(kernel, events={**kernel.events, **told}, overruns=overruns)

    async def prepare(self) -> bool:
        """Put the tables and the rule there; True if any had to be. A rule that cannot be is told and tried again."""
        made = await self._tables.prepare()
        try:
            outcome = await self._rule.ensure()
        except LinkwrightError as error:
            if str(error) != self.rule_error:
                _log.warning("the rule in DOCKER-USER could not be kept", error=str(error))
            self.rule_error = str(error)
            return made
        self.rule_error = ""
        return made or Found.ADDED in {outcome.ipv4, outcome.ipv6}

    async def run(
        self,
        *,
        events: trio.MemorySendChannel[KernelEvent],
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Tell *events* of changes that others made to either, where the kernel tells of them."""
        await self._tables.run(events=events, task_status=task_status)

    async def count(self) -> None:
        """Read what was dropped, every few seconds for ever, so that a scrape need not wait for the kernel."""
        while True:
            with suppress(LinkwrightError):  # the tables are gone for a moment, and put back by others than us
                self.dropped = await self._tables.drops()
            await trio.sleep(_COUNTS_EVERY)

    async def apply(self, steps: Sequence[Step]) -> None:
        """Do element steps, all or none."""
        await self._tables.apply(steps)

    async def elements(self) -> frozenset[Element]:
        """All elements there are."""
        return await self._tables.elements()

    async def elements_of(self, keys: Iterable[Key]) -> frozenset[Element]:
        """The elements under *keys* that are there."""
        return await self._tables.elements_of(keys)
