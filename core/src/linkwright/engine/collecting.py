"""Removing what Docker will never mention again. Docker forgets without saying so: after a crash, or while we are away.

====================================================  ==============================================================
an endpoint made under another boot                   at once: old endpoint ids never return
an endpoint or network whose deletion was not done    at once
an endpoint that no later call named                  at the second sighting when it is not young any more
an endpoint whose sandbox is gone                     likewise: Docker may be between two calls about it
an endpoint whose link came back and was not deleted  likewise: it left, or was cut off, while we were away
a network whose pools were given back                 after two looks, unless a container on it lives
====================================================  ==============================================================

What is young and what is dead is ``vitality``'s to say. Looking asks the kernel about every endpoint and holds no lock;
who is suspected is looked at again under the lock.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from linkwright.engine.endpoints import Endpoints
from linkwright.engine.networks import Networks
from linkwright.engine.observation import Drift, Observer
from linkwright.engine.state import State
from linkwright.engine.vitality import Vitality
from linkwright.errors import LinkwrightError
from linkwright.model import Endpoint, EndpointState

#: States in which Docker has, or had, the endpoint's link.
_LENT: Final = frozenset({EndpointState.JOINED, EndpointState.LEFT})


class Collecting:
    """Remembers what it has seen dead once."""

    def __init__(
        self,
        *,
        state: State,
        networks: Networks,
        endpoints: Endpoints,
        vitality: Vitality,
        observer: Observer,
        clock: Callable[[], float],
        orphaned: float,
    ) -> None:
        """Take the parts. *clock* gives Unix time, which may be put back or forward.

        *orphaned* is how many seconds a network may be without its pools: Docker releases them before DeleteNetwork.
        """
        self._state = state
        self._networks = networks
        self._endpoints = endpoints
        self._vitality = vitality
        self._observer = observer
        self._clock = clock
        self._orphaned = orphaned
        self._gone_before: frozenset[str] = frozenset()
        self._released: dict[str, float] = {}

    async def collect(self) -> None:
        """Remove what Docker will never mention again. What fails is told, keeps nothing else, and is tried again."""
        gone: set[str] = set()
        for network_id in tuple(self._state.networks):
            if network_id in self._networks.owed:
                await self._tolerated(network_id, self._networks.delete(network_id))
            else:
                await self._tolerated(network_id, self._collect_dead(network_id, gone))
        self._gone_before = frozenset(gone)
        await self._collect_released()

    async def _collect_released(self) -> None:
        """Remove networks whose pools Docker gave back, or did not replay, and whose DeleteNetwork never came."""
        now = self._clock()
        self._released = {network: min(self._released.get(network, now), now) for network in self._networks.released()}
        for network_id, since in tuple(self._released.items()):
            if now - since > self._orphaned:
                reason = "its pools were given back, and no DeleteNetwork came"
                await self._tolerated(network_id, self._networks.collect(network_id, reason, released=True))

    async def _collect_dead(self, network_id: str, gone: set[str]) -> None:
        """Collect the dead endpoints of one network that are to go now; add the ids of all of them to *gone*."""
        suspects = set(await self._reasons(self._state.endpoints_of(network_id)))
        if not suspects:
            return
        async with self._networks.lock(network_id):
            endpoints = {one.id: one for one in self._state.endpoints_of(network_id) if one.id in suspects}
            reasons = await self._reasons(endpoints.values())
            gone.update(reasons)
            for endpoint_id, reason in reasons.items():
                if self._is_certain(endpoints[endpoint_id]) or endpoint_id in self._gone_before:
                    await self._endpoints.collect(endpoints[endpoint_id], reason)

    def _is_certain(self, endpoint: Endpoint) -> bool:
        """Whether one sighting is enough: else Docker may be between two calls about it."""
        return self._vitality.of_another_boot(endpoint) or self._is_unfinished(endpoint)

    def _is_unfinished(self, endpoint: Endpoint) -> bool:
        return endpoint.state is EndpointState.DELETING or endpoint.id in self._endpoints.owed

    async def _reasons(self, endpoints: Iterable[Endpoint]) -> dict[str, str]:
        """Why those of *endpoints* that are dead are so, by id."""
        every = tuple(endpoints)
        lent = [one for one in every if one.state in _LENT and not self._vitality.young(one)]
        returned = await self._vitality.returned(lent)
        reasons = {one.id: await self._why_dead(one, returned=one.id in returned) for one in every}
        return {endpoint_id: reason for endpoint_id, reason in reasons.items() if reason}

    async def _why_dead(self, endpoint: Endpoint, *, returned: bool) -> str:
        if self._is_unfinished(endpoint):
            return "its deletion was not finished"
        if self._vitality.of_another_boot(endpoint):
            return "it was made under another boot"
        if self._vitality.young(endpoint):
            return ""
        if endpoint.state is EndpointState.CREATING:
            return "no later call named it"
        if await self._vitality.dead(endpoint):
            return "its sandbox is gone"
        return "its link came back, and no DeleteEndpoint came" if returned else ""

    async def _tolerated(self, network_id: str, work: Awaitable[object]) -> None:
        try:
            await work
        except LinkwrightError as error:
            self._observer(Drift("unavailable", repaired=False, text=str(error), network=network_id))
