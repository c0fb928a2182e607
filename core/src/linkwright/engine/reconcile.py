"""Putting the kernel right: at the start, when something changes under us, and by timer.

The difference between what is desired and what the kernel has is made under the network's lock, so half-applied work
is never seen. What is repaired by itself and what is only reported:

===============================================  ==================================================================
a bridge, vxlan or un-joined link deleted        made again
an attribute, address, route, entry changed      put back
an element of our firewall table, or the table   put back
a joined veth or macvlan deleted                 reported: the container's interface went with it
something of ours that nobody wishes for         removed
a fixed attribute changed                        reported ("pending")
===============================================  ==================================================================
"""

from collections.abc import Awaitable, Iterable, Mapping

import trio
from attrs import evolve, field, frozen

from linkwright.engine.applying import Applying
from linkwright.engine.asking import Asking
from linkwright.engine.collecting import Collecting
from linkwright.engine.desired import Scope
from linkwright.engine.endpoints import Endpoints
from linkwright.engine.networks import Networks
from linkwright.engine.observation import Drift, Observer
from linkwright.engine.ports import Kernel, KernelEvent
from linkwright.engine.state import State
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
        asking: Asking,
        applying: Applying,
        networks: Networks,
        endpoints: Endpoints,
        kernel: Kernel,
        collecting: Collecting,
        observer: Observer,
    ) -> None:
        """Take the parts."""
        self._state = state
        self._asking = asking
        self._applying = applying
        self._networks = networks
        self._endpoints = endpoints
        self._kernel = kernel
        self._collecting = collecting
        self._observer = observer
        self._frozen: dict[str, str] = {}

    @property
    def frozen(self) -> Mapping[str, str]:
        """The networks that are left as they are, and why."""
        return dict(self._frozen)

    # --- the start -----------------------------------------------------------------------------------------------

    async def start(self) -> Report:
        """Ask the drivers about everything that is stored, collect what another boot left, and heal."""
        await self._kernel.prepare()
        await self._collecting.collect()
        for network_id in tuple(self._state.networks):
            async with self._networks.lock(network_id):
                await self._desire(network_id)
            await trio.lowlevel.checkpoint()
        return await self.heal()

    async def _desire(self, network_id: str) -> None:
        network, endpoints = self._state.networks[network_id], self._state.endpoints_of(network_id)
        try:
            own = await self._networks.wishes(network)
            theirs = (await self._asking.wishes(network, endpoints))[1:]
        except LinkwrightError as error:
            self._frozen[network_id] = str(error)
            return
        self._frozen.pop(network_id, None)
        desired = self._applying.desired
        desired.settle(desired.propose(Scope(network_id), own))
        for endpoint, wishes in zip(endpoints, theirs, strict=True):
            desired.settle(desired.propose(Scope(network_id, endpoint.id), wishes))

    # --- everything ----------------------------------------------------------------------------------------------

    async def heal(self) -> Report:
        """Look at everything and put it right. Goes on after a failure; what failed is in the report."""
        if await self._kernel.prepare():
            self._observer(Drift("ruleset", repaired=True, text="the firewall's fixed rules were put back"))
        return await self._look(repair=True)

    async def plan(self) -> Report:
        """Look at everything and say what ``heal`` would do. Nothing is done."""
        return await self._look(repair=False)

    async def _look(self, *, repair: bool) -> Report:
        seen = await self._seen()
        plans: dict[str, Plan] = {}
        reported: list[str] = []
        for network_id in tuple(self._state.networks):
            if network_id in self._frozen:
                continue
            wanted = self._applying.desired.of_network(network_id)
            if self._difference(wanted, seen):
                async with self._networks.lock(network_id):
                    plan, texts = await self._repair(network_id, set(wanted), repair=repair)
                plans |= {network_id: plan} if plan else {}
                reported += texts
            await trio.lowlevel.checkpoint()
        leftovers = self._leftovers(seen)
        if leftovers:
            plans[""] = await self._sweep(leftovers, repair=repair)
        return Report(plans, tuple(reported), self.frozen)

    async def _seen(self) -> Snapshot:
        """A snapshot, and the settings that are wished for: those cannot be told apart from the host's by looking."""
        seen = await self._kernel.snapshot()
        settings = [key for key, wish in self._applying.desired.all().items() if isinstance(wish, Sysctl)]
        if not settings:
            return seen
        return evolve(seen, resources={**seen.resources, **(await self._kernel.observe(settings)).resources})

    def _leftovers(self, seen: Snapshot) -> dict[Key, Resource]:
        """What is marked as ours and nobody wishes for; what a frozen network owns is nobody's to judge."""
        wanted = self._applying.desired.all()
        found = {key: resource for key, resource in seen.owned().items() if key not in wanted}
        if self._frozen:
            found = {
                key: resource
                for key, resource in found.items()
                if isinstance(resource, Link) and resource.mark and resource.mark.network not in self._frozen
            }
        return found

    async def _sweep(self, leftovers: Mapping[Key, Resource], *, repair: bool) -> Plan:
        # A request may have made one of these since the snapshot: look again, and leave what is now wished for.
        again = await self._kernel.observe(leftovers)
        found = {key: value for key, value in again.owned().items() if self._applying.desired.holder(key) is None}
        if any(self._networks.lock(_network_of(value)).locked() for value in found.values() if _network_of(value)):
            return Plan()  # somebody is at work there: the next look will tell
        plan = diff(found, {})
        if repair:
            await self._carry_out(plan, "")
        return plan

    # --- one network ---------------------------------------------------------------------------------------------

    async def touched(self, keys: Iterable[Key]) -> None:
        """Somebody changed *keys*: look at the networks that wish for one of them."""
        keys = set(keys)
        desired = self._applying.desired
        for network_id in desired.networks_of(keys):
            async with self._networks.lock(network_id):
                near = keys | set(desired.of(Scope(network_id)))
                await self._repair(network_id, near & set(desired.of_network(network_id)), repair=True)

    async def _repair(self, network_id: str, keys: set[Key], *, repair: bool) -> tuple[Plan, list[str]]:
        """Bring *keys* of one network right, under its lock."""
        wanted = {key: value for key, value in self._applying.desired.of_network(network_id).items() if key in keys}
        plan, gone = self._difference_and_lost(wanted, await self._kernel.observe(wanted))
        lost = await self._alive(gone)
        texts = [
            f"{' '.join(link.key)} of {self._applying.desired.holder(link.key)} is gone from the host" for link in lost
        ]
        texts += [problem.text for problem in plan.problems]
        texts += [f"pending: {render(step)}" for step in plan.pending]
        if repair:
            for link in lost:
                self._observer(Drift("joined", repaired=False, text=link.name, network=network_id))
            await self._carry_out(plan, network_id)
        return plan, texts

    async def _alive(self, links: Iterable[Link]) -> list[Link]:
        """Those whose sandbox is alive and misses them; the others went with it, and ``collect`` sees to those."""
        alive = []
        for link in links:
            scope = self._applying.desired.holder(link.key)
            endpoint = self._state.endpoints.get(scope.endpoint) if scope else None
            if endpoint is not None and not await self._endpoints.dead(endpoint):
                alive.append(link)
        return alive

    def _difference(self, wanted: Mapping[Key, Resource], seen: Snapshot) -> bool:
        plan, lost = self._difference_and_lost(wanted, seen)
        return bool(plan or lost)

    def _difference_and_lost(self, wanted: Mapping[Key, Resource], seen: Snapshot) -> tuple[Plan, list[Link]]:
        present = {key: seen.resources[key] for key in wanted if key in seen.resources}
        absent = [value for key, value in wanted.items() if key not in present and isinstance(value, Link)]
        handed_over = [link for link in absent if self._handed_over(link)]
        lost = [link for link in handed_over if not link.lent]
        names = {link.name for link in handed_over}
        here = {
            key: value
            for key, value in wanted.items()
            if not (isinstance(value, Link) and value.name in names) and getattr(value, "link", None) not in names
        }
        return diff(present, here), lost

    def _handed_over(self, link: Link) -> bool:
        """Whether the link's endpoint has joined: Docker has it, or the sandbox took it down with it."""
        scope = self._applying.desired.holder(link.key)
        endpoint = self._state.endpoints.get(scope.endpoint) if scope and scope.endpoint else None
        joined = endpoint is not None and endpoint.state is not EndpointState.CREATING
        return joined and link.hold is Hold.OWN

    async def _carry_out(self, plan: Plan, network_id: str) -> None:
        if plan.steps:
            try:
                await self._kernel.apply(plan.steps)
            except LinkwrightError as error:
                kind = "kernel" if isinstance(error, KernelError) else "unavailable"
                self._observer(Drift(kind, repaired=False, text=str(error), network=network_id))
                return
        for step in plan.steps:
            self._observer(Drift(_kind_of(step), repaired=True, text=render(step), network=network_id))
        for step in plan.pending:
            self._observer(Drift(_kind_of(step), repaired=False, text=render(step), network=network_id))

    # --- the service ---------------------------------------------------------------------------------------------

    async def run(
        self,
        events: trio.MemoryReceiveChannel[KernelEvent],
        *,
        period: float = PERIOD,
    ) -> None:
        """Follow *events* until their channel closes; look at everything each *period* seconds and after an overrun."""
        deadline = trio.current_time() + period
        while True:
            gathered: list[KernelEvent] | None = []
            with trio.move_on_at(deadline):
                gathered = await _next_events(events)
            if gathered is None:
                return
            if trio.current_time() >= deadline:
                deadline = trio.current_time() + period
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


def _network_of(resource: Resource) -> str:
    return resource.mark.network if isinstance(resource, Link) and resource.mark else ""


def _kind_of(step: Step) -> str:
    """The label of a drift: the kind of resource, and "leftover" for what had to go."""
    return "leftover" if step.action is Action.DELETE else step.resource.key[0]
