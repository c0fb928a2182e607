"""One network's part of the host, looked at and put right, under the network's lock that the caller holds.

How the host differs, and what of that may be put right, is ``drift``; when to look is ``reconcile``.
"""

from collections.abc import Callable, Collection, Iterable, Mapping

from linkwright.engine.borrowing import Borrowing
from linkwright.engine.desired import Desired
from linkwright.engine.drift import Difference, difference
from linkwright.engine.observation import Drift, Observer
from linkwright.engine.ports import Kernel
from linkwright.engine.state import State
from linkwright.engine.vitality import Vitality
from linkwright.errors import KernelError, LinkwrightError, Unavailable
from linkwright.model import EndpointState
from linkwright.plan import Action, Hold, Key, Link, Mark, Plan, Resource, Snapshot, Step


class Repairing:
    """Compares what is wanted with what there is, and does the difference or says it."""

    def __init__(
        self,
        *,
        state: State,
        desired: Desired,
        borrowing: Borrowing,
        kernel: Kernel,
        vitality: Vitality,
        observer: Observer,
        render: Callable[[Step], str],
    ) -> None:
        """Take the parts. *render* puts a step in words, the firewall's tables called as this instance calls them."""
        self._state = state
        self._desired = desired
        self._borrowing = borrowing
        self._kernel = kernel
        self._vitality = vitality
        self._observer = observer
        self._render = render

    def differs(self, network_id: str, seen: Snapshot) -> bool:
        """Whether there is anything to do or to say, by what was *seen* a while ago."""
        return bool(self._difference(self._desired.of_network(network_id), seen))

    async def repair(
        self, network_id: str, keys: Collection[Key], *, repair: bool, tell_lost: bool = True
    ) -> tuple[Plan, list[str]]:
        """Bring *keys* of one network right; return what was planned, and what stays as it is, in words.

        A joined link that is gone is told by a look at everything and not by its event: cleaning up after a crash,
        engine 20.10 has an empty sandbox in the place of the old one for a moment.
        """
        wanted = {key: value for key, value in self._desired.of_network(network_id).items() if key in keys}
        try:
            seen = await (self._borrowing.look(wanted) if repair else self._kernel.observe(wanted))
        except Unavailable as error:  # the disk, maybe: nothing is changed that was not noted
            self._tell_failed(error, network_id)
            return Plan(), []
        found = self._difference(wanted, seen)
        lost = await self.missed(found.lost) if tell_lost else []
        plan = found.plan
        texts = [f"{' '.join(link.key)} of {self._desired.holder(link.key)} is gone from the host" for link in lost]
        texts += found.strangers
        texts += [problem.text for problem in plan.problems]
        texts += [f"pending: {self._render(step)}" for step in plan.pending]
        if repair:
            for link in lost:
                self._observer(Drift("joined", repaired=False, text=link.name, network=network_id))
            for text in found.strangers:
                self._observer(Drift("link", repaired=False, text=text, network=network_id))
            await self._carry_out(plan, network_id, wanted, seen)
            for step in plan.pending:
                self._observer(Drift(step.resource.key[0], repaired=False, text=self._render(step), network=network_id))
        return plan, texts

    def _difference(self, wanted: Mapping[Key, Resource], seen: Snapshot) -> Difference:
        return difference(wanted, seen, self.handed_over, self._borrowing.found)

    async def missed(self, links: Iterable[Link]) -> list[Link]:
        """Those whose sandbox is alive and misses them; the others went with it, and ``collect`` sees to those."""
        missed = []
        for link in links:
            scope = self._desired.holder(link.key)
            endpoint = self._state.endpoints.get(scope.endpoint) if scope else None
            if endpoint is not None and not await self._vitality.dead(endpoint):
                missed.append(link)
        return missed

    def handed_over(self, link: Link) -> bool:
        """Whether the link's endpoint has joined: Docker has it, or the sandbox took it down with it."""
        scope = self._desired.holder(link.key)
        endpoint = self._state.endpoints.get(scope.endpoint) if scope and scope.endpoint else None
        joined = endpoint is not None and endpoint.state is not EndpointState.CREATING
        return joined and link.hold is Hold.OWN and not link.shared

    def serves(self, mark: Mark) -> bool:
        """Whether a container has the endpoint that *mark* names, or runs on the network that it does."""
        endpoints = self._state.endpoints_of(mark.network)
        of_mark = (endpoint for endpoint in endpoints if mark.endpoint in {"", endpoint.id})
        return any(endpoint.state is EndpointState.JOINED for endpoint in of_mark)

    async def _carry_out(self, plan: Plan, network_id: str, wanted: Mapping[Key, Resource], seen: Snapshot) -> None:
        """Do *plan* whole; if the kernel refuses that, do the network's part and each endpoint's by itself."""
        error = await self._do(plan, network_id)
        if error is None:
            return
        parts = [
            {key: wanted[key] for key in self._desired.of(scope) if key in wanted}
            for scope in sorted(self._desired.scopes(network_id))
        ]
        plans = [part for part in (self._difference(keys, seen).plan for keys in parts) if part.steps]
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
            self._observer(Drift(_kind_of(step), repaired=True, text=self._render(step), network=network_id))
        return None

    def _tell_failed(self, error: LinkwrightError | None, network_id: str) -> None:
        if error is not None:
            self._observer(Drift.unrepaired(error, network_id))


def _kind_of(step: Step) -> str:
    """The label of a drift: the kind of resource, and "leftover" for what had to go."""
    return "leftover" if step.action is Action.DELETE else step.resource.key[0]
