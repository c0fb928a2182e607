"""Removing what Docker will never mention again. Docker forgets without saying so: after a crash, or while we are away.

====================================================  ==============================================================
an endpoint made under another boot                   at once: old endpoint ids never return
an endpoint whose deletion was not finished           at once
an endpoint that no later call named                  after ``UNNAMED`` seconds
an endpoint whose sandbox is gone                     at the second sighting: Docker may be between two calls
a network whose pools were given back                 after ``ORPHANED`` seconds
====================================================  ==============================================================
"""

from collections.abc import Callable

from linkwright.engine.endpoints import Endpoints
from linkwright.engine.networks import Networks
from linkwright.engine.ports import Kernel
from linkwright.engine.state import State
from linkwright.model import Endpoint, EndpointState

#: The age in seconds at which an endpoint that no later call has named is given up: its answer was lost.
UNNAMED = 60.0

#: Seconds that a network may be without its pools: Docker releases them before it sends DeleteNetwork.
ORPHANED = 60.0


class Collecting:
    """Remembers what it has seen dead once."""

    def __init__(
        self,
        *,
        state: State,
        networks: Networks,
        endpoints: Endpoints,
        kernel: Kernel,
        clock: Callable[[], float],
    ) -> None:
        """Take the parts. *clock* gives Unix time."""
        self._state = state
        self._networks = networks
        self._endpoints = endpoints
        self._kernel = kernel
        self._clock = clock
        self._gone_before: frozenset[str] = frozenset()
        self._released: dict[str, float] = {}

    async def collect(self) -> None:
        """Remove what Docker will never mention again: endpoints that died, that nobody named, half-deleted ones."""
        gone: set[str] = set()
        for network_id in tuple(self._state.networks):
            async with self._networks.lock(network_id):
                gone |= await self._collect_dead(network_id)
        self._gone_before = frozenset(gone)
        await self._collect_released()

    async def _collect_released(self) -> None:
        """Remove networks whose pools Docker gave back, or did not replay, and whose DeleteNetwork never came."""
        now = self._clock()
        released = {network.id for network in self._state.networks.values() if not self._networks.held(network)}
        self._released = {network: self._released.get(network, now) for network in released}
        for network_id, since in tuple(self._released.items()):
            if now - since > ORPHANED:
                await self._networks.collect(network_id, "its pools were given back, and no DeleteNetwork came")

    async def _collect_dead(self, network_id: str) -> set[str]:
        seen_gone: set[str] = set()
        for endpoint in self._state.endpoints_of(network_id):
            reason = await self._why_dead(endpoint)
            if reason is None:
                continue
            seen_gone.add(endpoint.id)
            # Docker may be between two calls about it: a second sighting is needed, except for another boot's.
            certain = endpoint.boot not in {"", self._kernel.boot_id()} or endpoint.state is EndpointState.DELETING
            if certain or endpoint.id in self._gone_before:
                await self._endpoints.collect(endpoint, reason)
        return seen_gone

    async def _why_dead(self, endpoint: Endpoint) -> str | None:
        if endpoint.state is EndpointState.DELETING:
            return "its deletion was not finished"
        old = self._clock() - endpoint.created > UNNAMED
        if endpoint.state is EndpointState.CREATING:
            if endpoint.boot not in {"", self._kernel.boot_id()}:
                return "it was made under another boot"
            return "no later call named it" if old else None
        return "its sandbox is gone" if await self._endpoints.dead(endpoint) else None
