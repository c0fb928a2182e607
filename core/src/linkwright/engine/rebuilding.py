"""Joined links that were deleted, in their sandbox or on the host, made anew: on an operator's word alone.

The container's interface went with them. Nobody does this unasked: it may have been disconnected by somebody who had a
reason to, and what the interface was called there only its engine knows. It is called as Docker would call a new one.
"""

from linkwright.engine.applying import Applied, Applying, refuse_problems
from linkwright.engine.desired import Scope, Transition
from linkwright.engine.drift import difference
from linkwright.engine.endpoints import Endpoints, Joined
from linkwright.engine.networks import Networks
from linkwright.engine.observation import Drift, Observer
from linkwright.engine.ports import Kernel
from linkwright.engine.state import State
from linkwright.errors import Conflict, LinkwrightError
from linkwright.model import Endpoint, EndpointState, Handover
from linkwright.plan import Hold, Link


class Rebuilding:
    """Finds endpoints whose sandbox lives and misses their link, and gives it one."""

    def __init__(
        self,
        *,
        state: State,
        applying: Applying,
        networks: Networks,
        endpoints: Endpoints,
        kernel: Kernel,
        observer: Observer,
    ) -> None:
        """Take the parts."""
        self._state = state
        self._applying = applying
        self._networks = networks
        self._endpoints = endpoints
        self._kernel = kernel
        self._observer = observer

    async def rebuild(self) -> None:
        """Make anew what is missing, and tell of it; what cannot be made is told as well, and is no obstacle."""
        for endpoint in tuple(self._state.endpoints.values()):
            try:
                if text := await self._rebuild(endpoint):
                    self._observer(Drift("joined", repaired=True, text=text, network=endpoint.network))
            except LinkwrightError as error:
                text = f"the link of endpoint {endpoint.id[:12]} cannot be made anew: {error}"
                self._observer(Drift.unrepaired(error, endpoint.network, text))

    async def _rebuild(self, endpoint: Endpoint) -> str:
        """Return what was made, in words; "" where nothing is missing."""
        sandbox = endpoint.sandbox.key if endpoint.sandbox else ""
        if not await self._misses(endpoint, sandbox):
            return ""
        joined = await self._endpoints.join(endpoint.network, endpoint.id, sandbox, ())  # a repeat: it changes nothing
        async with self._networks.lock(endpoint.network):
            if self._state.endpoints.get(endpoint.id) != endpoint or not await self._misses(endpoint, sandbox):
                return ""
            made = await self._make(endpoint)
            try:
                name = await self._kernel.hand_over(_handover(endpoint, joined, sandbox))
            except BaseException:
                await self._applying.take_back(made)
                raise
        return f"the link of endpoint {endpoint.id[:12]} was made anew, and is {name} in {sandbox}"

    async def _misses(self, endpoint: Endpoint, sandbox: str) -> bool:
        """Whether the sandbox lives without the link: its other end is on the host, or it is known by its address."""
        links = [wish for wish in self._applying.desired.of(Scope.of(endpoint)).values() if isinstance(wish, Link)]
        own = {link.key: link for link in links if link.hold is Hold.OWN and not link.shared}
        if endpoint.state is not EndpointState.JOINED or not own or not await self._kernel.sandbox_alive(sandbox):
            return False
        here = (await self._kernel.observe(own)).resources
        staying = {key for key, link in own.items() if not link.lent}
        if staying or here:
            return not staying <= here.keys()
        inside = await self._kernel.addresses_inside(sandbox)
        return inside.isdisjoint({endpoint.mac, *(address.ip for address in endpoint.addresses)})

    async def _make(self, endpoint: Endpoint) -> Applied:
        """Make on the host what *endpoint* wishes for and is not there."""
        scope = Scope.of(endpoint)
        wishes = self._applying.desired.of(scope)
        found = difference(wishes, await self._kernel.observe(wishes), lambda _: False)
        if found.strangers:
            raise Conflict("; ".join(found.strangers))
        refuse_problems(found.plan)
        await self._kernel.apply(found.plan.steps)
        return Applied(Transition(scope, wishes), found.plan.steps)


def _handover(endpoint: Endpoint, joined: Joined, sandbox: str) -> Handover:
    return Handover(
        joined.join.source,
        sandbox,
        prefix=joined.prefix,
        name=joined.name,
        mac=endpoint.mac,
        addresses=endpoint.addresses,
        gateways=joined.join.gateways,
        routes=tuple((route.destination, route.via) for route in joined.join.routes),
    )
