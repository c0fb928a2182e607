"""When the host is looked at and put right: at the start, when something changes under us, and by timer.

The difference between what is desired and what the kernel has is made under the network's lock (``repairing``), so
half-applied work is never seen. What nobody desires is swept (``leftovers``), what is dead is collected
(``collecting``), whose driver could not be asked is frozen (``desiring``), and what was borrowed is put back
(``borrowing``).
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping

import trio
from attrs import evolve, field, frozen

from linkwright.engine.borrowing import Borrowing
from linkwright.engine.collecting import Collecting
from linkwright.engine.desired import Desired, Scope
from linkwright.engine.desiring import Desiring
from linkwright.engine.leftovers import Leftovers
from linkwright.engine.networks import Networks
from linkwright.engine.observation import Drift, Observer
from linkwright.engine.others import Others
from linkwright.engine.parents import Parents
from linkwright.engine.ports import Kernel, KernelEvent
from linkwright.engine.publishing import Publishing
from linkwright.engine.repairing import Repairing
from linkwright.engine.state import State
from linkwright.errors import LinkwrightError
from linkwright.plan import Key, Link, Plan, Snapshot, Step, Sysctl, diff

#: Seconds that events are gathered: deleting a bridge is one event for each of its ports.
SETTLE = 0.05

#: Seconds between looks at everything.
PERIOD = 30.0


@frozen
class Report:
    """What a look at everything found: plans that were carried out, and what could not be."""

    plans: Mapping[str, Plan] = field(factory=dict)  # by network
    host: Plan = field(factory=Plan)  # what no network wishes for, and the host needs (``others``)
    leftovers: Plan = field(factory=Plan)
    reported: tuple[str, ...] = ()
    frozen: Mapping[str, str] = field(factory=dict)  # network → why its driver could not be asked

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps of all networks, and of none."""
        return tuple(step for plan in (self.host, *self.plans.values(), self.leftovers) for step in plan.steps)


class Reconcile:
    """Keeps the kernel as it is desired."""

    def __init__(
        self,
        *,
        state: State,
        desired: Desired,
        desiring: Desiring,
        networks: Networks,
        kernel: Kernel,
        repairing: Repairing,
        leftovers: Leftovers,
        others: Others,
        borrowing: Borrowing,
        parents: Parents,
        publishing: Publishing,
        collecting: Collecting,
        observer: Observer,
        clock: Callable[[], float],
        period: float,
    ) -> None:
        """Take the parts. *clock* gives Unix time, *period* is the time in seconds between looks at everything."""
        self._state = state
        self._desired = desired
        self._desiring = desiring
        self._networks = networks
        self._kernel = kernel
        self._repairing = repairing
        self._leftovers = leftovers
        self._others = others
        self._borrowing = borrowing
        self._parents = parents
        self._publishing = publishing
        self._collecting = collecting
        self._observer = observer
        self._clock = clock
        self._period = period
        self._looked: float | None = None

    @property
    def frozen(self) -> Mapping[str, str]:
        """The networks that are left as they are, and why."""
        return self._desiring.frozen

    @property
    def looked(self) -> float | None:
        """When everything was last looked at, in Unix time; None before the first time."""
        return self._looked

    # --- the start -----------------------------------------------------------------------------------------------

    async def start(self) -> Report:
        """Ask the drivers about everything that is stored, collect what another boot left, and heal."""
        await self._kernel.prepare()
        for network_id in tuple(self._state.networks):
            async with self._networks.lock(network_id):
                await self._desiring.desire(network_id)
            await trio.lowlevel.checkpoint()
        await self._collecting.start()
        return await self.heal()

    # --- everything ----------------------------------------------------------------------------------------------

    async def heal(self) -> Report:
        """Look at everything and put it right. Goes on after a failure; what failed is in the report."""
        if await self._kernel.prepare():
            self._observer(Drift("ruleset", repaired=True, text="the firewall's fixed rules were put back"))
        for network_id in self.frozen:
            async with self._networks.lock(network_id):
                await self._desiring.desire(network_id)
        return await self._look(repair=True)

    async def plan(self) -> Report:
        """Look at everything and say what ``heal`` would do. Nothing is done."""
        return await self._look(repair=False)

    async def _look(self, *, repair: bool) -> Report:
        seen = await self._seen()
        plans: dict[str, Plan] = {}
        reported: list[str] = []
        if repair:
            self._find_again(seen)
        host = await self._others.look(seen, repair=repair)
        for network_id in tuple(self._state.networks):
            if network_id in self.frozen:
                continue
            if self._repairing.differs(network_id, seen):
                async with self._networks.lock(network_id):
                    wanted = self._desired.of_network(network_id)
                    plan, texts = await self._repairing.repair(network_id, wanted, repair=repair)
                plans |= {network_id: plan} if plan else {}
                reported += texts
            await trio.lowlevel.checkpoint()
        reported += await self._parents.look(seen, repair=repair)
        left, texts = await self._leftovers.find(seen)
        leftovers = await self._leftovers.sweep(left) if repair else diff(left, {})
        if repair:
            for text in texts:
                self._observer(Drift("leftover", repaired=False, text=text))
            await self._borrowing.put_back()
            await self._publishing.catch_up()
        self._looked = self._clock()
        return Report(plans, host, leftovers, (*reported, *texts), self.frozen)

    def _find_again(self, seen: Snapshot) -> None:
        """Of the networks that only marks tell of those are left that still do."""
        marks = (link.mark for link in seen.owned().values() if isinstance(link, Link) and link.mark)
        self._state.lost &= {mark.network for mark in marks}

    async def _seen(self) -> Snapshot:
        """A snapshot, and the settings that are wished for: those cannot be told apart from the host's by looking."""
        seen = await self._kernel.snapshot()
        settings = [key for key, wish in self._desired.all().items() if isinstance(wish, Sysctl)]
        if not settings:
            return seen
        return evolve(seen, resources={**seen.resources, **(await self._kernel.observe(settings)).resources})

    # --- what somebody changed -----------------------------------------------------------------------------------

    async def touched(self, keys: Iterable[Key]) -> None:
        """Somebody changed *keys*: look at the networks that wish for one of them."""
        keys = set(keys)
        await self._others.follow(keys)
        for network_id in self._desired.networks_of(keys) & self._state.networks.keys():
            async with self._networks.lock(network_id):
                near = keys | set(self._desired.of(Scope(network_id)))
                # Of what goes with a link the kernel tells little: nothing of settings, qdiscs, IPv4 routes.
                wanted = self._desired.of_network(network_id)
                near |= {key for key, wish in wanted.items() if not keys.isdisjoint(wish.requires)}
                await self._repairing.repair(network_id, near, repair=True, tell_lost=False)
        await self._collecting.follow(keys)
        await self._parents.follow(keys)

    # --- the service ---------------------------------------------------------------------------------------------

    async def run(self, events: trio.MemoryReceiveChannel[KernelEvent]) -> None:
        """Follow *events* until their channel closes; look at everything each period and after an overrun."""
        deadline = trio.current_time() + self._period
        while True:
            gathered: list[KernelEvent] | None = []
            with trio.move_on_at(deadline):
                gathered = await _next_events(events)
            if gathered is None:
                return
            if trio.current_time() >= deadline:
                deadline = trio.current_time() + self._period
                await self._tolerated(self._collecting.collect())
                await self._tolerated(self.heal())
            elif any(not event.keys for event in gathered):
                await self._tolerated(self.heal())
            else:
                await self._tolerated(self.touched(key for event in gathered for key in event.keys))

    async def _tolerated(self, work: Awaitable[object]) -> None:
        """A look that failed is reported and made again later; only a bug ends the service."""
        try:
            await work
        except LinkwrightError as error:
            self._observer(Drift("unavailable", repaired=False, text=str(error)))


async def _next_events(events: trio.MemoryReceiveChannel[KernelEvent]) -> list[KernelEvent] | None:
    """Wait for an event and those that follow on its heels; None when there will be none."""
    try:
        gathered = [await events.receive()]
    except trio.EndOfChannel:
        return None
    await trio.sleep(SETTLE)
    while True:
        try:
            gathered.append(events.receive_nowait())
        except (trio.WouldBlock, trio.EndOfChannel):
            return gathered
