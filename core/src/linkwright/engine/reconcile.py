"""Putting the kernel right: at the start, when something changes under us, and by timer.

The difference between what is desired and what the kernel has (``drift``) is made under the network's lock, so
half-applied work is never seen. What nobody desires is swept (``leftovers``), what is dead is collected
(``collecting``), and whose driver could not be asked is frozen (``desiring``).
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping

import trio
from attrs import evolve, field, frozen

from linkwright.engine.collecting import Collecting
from linkwright.engine.desired import Desired, Scope
from linkwright.engine.desiring import Desiring
from linkwright.engine.drift import difference
from linkwright.engine.leftovers import Leftovers
from linkwright.engine.networks import Networks
from linkwright.engine.observation import Drift, Observer
from linkwright.engine.ports import Kernel, KernelEvent
from linkwright.engine.state import State
from linkwright.engine.vitality import Vitality
from linkwright.errors import KernelError, LinkwrightError
from linkwright.model import EndpointState
from linkwright.plan import Action, Hold, Key, Link, Plan, Resource, Snapshot, Step, Sysctl, diff, render

#: Seconds that events are gathered: deleting a bridge is one event for each of its ports.
SETTLE = 0.05

#: Seconds between looks at everything.
PERIOD = 30.0


@frozen
class Report:
    """What a look at everything found, by network: plans that were carried out, and what could not be."""

    plans: Mapping[str, Plan] = field(factory=dict)
    reported: tuple[str, ...] = ()
    frozen: Mapping[str, str] = field(factory=dict)  # network → why its driver could not be asked

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps of all networks."""
        return tuple(step for plan in self.plans.values() for step in plan.steps)


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
        vitality: Vitality,
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
        self._vitality = vitality
        self._collecting = collecting
        self._observer = observer
        self._clock = clock
        self._period = period
        self._leftovers = Leftovers(desired=desired, kernel=kernel, observer=observer, frozen=lambda: desiring.frozen)
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
        await self._collecting.collect()
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
        for network_id in tuple(self._state.networks):
            if network_id in self.frozen:
                continue
            wanted = self._desired.of_network(network_id)
            if difference(wanted, seen, self._handed_over):
                async with self._networks.lock(network_id):
                    plan, texts = await self._repair(network_id, set(wanted), repair=repair)
                plans |= {network_id: plan} if plan else {}
                reported += texts
            await trio.lowlevel.checkpoint()
        if leftovers := await self._leftovers.find(seen):
            plans[""] = await self._leftovers.sweep(leftovers) if repair else diff(leftovers, {})
        self._looked = self._clock()
        return Report(plans, tuple(reported), self.frozen)

    async def _seen(self) -> Snapshot:
        """A snapshot, and the settings that are wished for: those cannot be told apart from the host's by looking."""
        seen = await self._kernel.snapshot()
        settings = [key for key, wish in self._desired.all().items() if isinstance(wish, Sysctl)]
        if not settings:
            return seen
        return evolve(seen, resources={**seen.resources, **(await self._kernel.observe(settings)).resources})

    # --- one network ---------------------------------------------------------------------------------------------

    async def touched(self, keys: Iterable[Key]) -> None:
        """Somebody changed *keys*: look at the networks that wish for one of them."""
        keys = set(keys)
        for network_id in self._desired.networks_of(keys):
            async with self._networks.lock(network_id):
                near = keys | set(self._desired.of(Scope(network_id)))
                await self._repair(network_id, near, repair=True, tell_lost=False)

    async def _repair(
        self, network_id: str, keys: set[Key], *, repair: bool, tell_lost: bool = True
    ) -> tuple[Plan, list[str]]:
        """Bring *keys* of one network right, under its lock.

        A joined link that is gone is told by a look at everything and not by its event: cleaning up after a crash,
        engine 20.10 has an empty sandbox in the place of the old one for a moment.
        """
        wanted = {key: value for key, value in self._desired.of_network(network_id).items() if key in keys}
        seen = await self._kernel.observe(wanted)
        found = difference(wanted, seen, self._handed_over)
        lost = await self._missed(found.lost) if tell_lost else []
        plan = found.plan
        texts = [f"{' '.join(link.key)} of {self._desired.holder(link.key)} is gone from the host" for link in lost]
        texts += found.strangers
        texts += [problem.text for problem in plan.problems]
        texts += [f"pending: {render(step)}" for step in plan.pending]
        if repair:
            for link in lost:
                self._observer(Drift("joined", repaired=False, text=link.name, network=network_id))
            for text in found.strangers:
                self._observer(Drift("link", repaired=False, text=text, network=network_id))
            await self._carry_out(plan, network_id, wanted, seen)
            for step in plan.pending:
                self._observer(Drift(step.resource.key[0], repaired=False, text=render(step), network=network_id))
        return plan, texts

    async def _missed(self, links: Iterable[Link]) -> list[Link]:
        """Those whose sandbox is alive and misses them; the others went with it, and ``collect`` sees to those."""
        missed = []
        for link in links:
            scope = self._desired.holder(link.key)
            endpoint = self._state.endpoints.get(scope.endpoint) if scope else None
            if endpoint is not None and not await self._vitality.dead(endpoint):
                missed.append(link)
        return missed

    def _handed_over(self, link: Link) -> bool:
        """Whether the link's endpoint has joined: Docker has it, or the sandbox took it down with it."""
        scope = self._desired.holder(link.key)
        endpoint = self._state.endpoints.get(scope.endpoint) if scope and scope.endpoint else None
        joined = endpoint is not None and endpoint.state is not EndpointState.CREATING
        return joined and link.hold is Hold.OWN

    async def _carry_out(self, plan: Plan, network_id: str, wanted: Mapping[Key, Resource], seen: Snapshot) -> None:
        """Do *plan* whole; if the kernel refuses that, do the network's part and each endpoint's by itself."""
        error = await self._do(plan, network_id)
        if error is None:
            return
        parts = [
            {key: wanted[key] for key in self._desired.of(scope) if key in wanted}
            for scope in sorted(self._desired.scopes(network_id))
        ]
        plans = [part for part in (difference(keys, seen, self._handed_over).plan for keys in parts) if part.steps]
        if isinstance(error, KernelError) and len(plans) > 1:
            for part in plans:
                self._tell_failed(await self._do(part, network_id), network_id)
        else:
            self._tell_failed(error, network_id)

    async def _do(self, plan: Plan, network_id: str) -> LinkwrightError | None:
        """Do the steps of *plan* and tell of them; return what went wrong."""
        if plan.steps:
            try:
                await self._kernel.apply(plan.steps)
            except LinkwrightError as error:
                return error
        for step in plan.steps:
            self._observer(Drift(_kind_of(step), repaired=True, text=render(step), network=network_id))
        return None

    def _tell_failed(self, error: LinkwrightError | None, network_id: str) -> None:
        if error is not None:
            kind = "kernel" if isinstance(error, KernelError) else "unavailable"
            self._observer(Drift(kind, repaired=False, text=str(error), network=network_id))

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


def _kind_of(step: Step) -> str:
    """The label of a drift: the kind of resource, and "leftover" for what had to go."""
    return "leftover" if step.action is Action.DELETE else step.resource.key[0]
