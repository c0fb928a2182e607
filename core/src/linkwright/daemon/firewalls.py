"""Our own firewall table, and the one rule of ours in Docker's: kept together, because either alone is of no use.

Docker's chains may be rebuilt at any time by Docker or firewalld; ``prepare`` runs at each look at everything and
whenever the chain DOCKER-USER changes.
"""

from collections.abc import Sequence

import structlog
import trio

from linkwright.errors import LinkwrightError
from linkwright.kernel.docker_user import DockerUser, Found
from linkwright.kernel.nftables.firewall import Firewall
from linkwright.plan import Element, Step
from linkwright.plan.steps import KernelEvent

_log = structlog.get_logger(__name__)


class Firewalls:
    """The elements of our table (``kernel.linux.Elements``), with the rule in DOCKER-USER beside it."""

    def __init__(self, table: Firewall, rule: DockerUser) -> None:
        """Keep both."""
        self._table = table
        self._rule = rule
        self.rule_error = ""

    async def prepare(self) -> bool:
        """Put the table and the rule there; True if either had to be. A rule that cannot be is told and tried again."""
        made = await self._table.prepare()
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
        await self._table.run(events=events, task_status=task_status)

    async def apply(self, steps: Sequence[Step]) -> None:
        """Do element steps, all or none."""
        await self._table.apply(steps)

    async def elements(self) -> frozenset[Element]:
        """All elements there are."""
        return await self._table.elements()
