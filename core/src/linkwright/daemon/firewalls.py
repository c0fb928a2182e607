"""Our own firewall tables, the one rule of ours in Docker's, and firewalld's zones: none is of use without the others.

Docker's chains may be rebuilt at any time by Docker or firewalld; ``prepare`` runs at each look at everything and
whenever the chain DOCKER-USER changes. firewalld is told beside all that (``zones``), and never waited for.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import structlog
import trio
from attrs import evolve

from linkwright.daemon.firewalld import Zones
from linkwright.engine.observation import Observer, nobody
from linkwright.errors import LinkwrightError
from linkwright.kernel.docker_user import DockerUser, Found
from linkwright.kernel.linux import KernelStatistics
from linkwright.kernel.nftables.firewall import Firewall
from linkwright.plan import Action, Element, Step
from linkwright.plan.resources import Key
from linkwright.plan.steps import KernelEvent

#: Seconds between two readings of the counters: less than Prometheus' usual 15.
_COUNTS_EVERY = 5.0

#: The set of our networks' bridges (``kernel.ruleset``).
_BRIDGES = "bridges"

_log = structlog.get_logger(__name__)


class Firewalls:
    """The elements of our tables (``kernel.linux.Elements``), with what others' firewalls have to know beside it."""

    def __init__(self, tables: Firewall, rule: DockerUser, observer: Observer = nobody) -> None:
        """Keep them; *observer* is told of what had to be put right with firewalld."""
        self._tables = tables
        self._rule = rule
        self.zones = Zones(self.bridges, observer)
        self._named: set[str] = set()  # bridges that may be in the set
        self._read = False  # whether those are in it that were there before us
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
        self.zones.look_again()
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
        if self._note(steps):
            self.zones.look_again()

    async def elements(self) -> frozenset[Element]:
        """All elements there are."""
        return await self._tables.elements()

    async def elements_of(self, keys: Iterable[Key]) -> frozenset[Element]:
        """The elements under *keys* that are there."""
        return await self._tables.elements_of(keys)

    async def bridges(self) -> frozenset[str]:
        """The bridges of our networks, as the set of that name has them; no other element is read but once."""
        if not self._read:
            self._named |= {one.parts[0] for one in await self._tables.elements() if one.set == _BRIDGES}
            self._read = True
        found = await self._tables.elements_of([("element", _BRIDGES, name) for name in self._named])
        return frozenset(element.parts[0] for element in found)

    def _note(self, steps: Sequence[Step]) -> bool:
        """Remember the bridges that come and go by *steps*; whether there are any."""
        changed = [step for step in steps if step.resource.key[:2] == ("element", _BRIDGES)]
        for step in changed:
            (self._named.discard if step.action is Action.DELETE else self._named.add)(step.resource.key[2])
        return bool(changed)
