"""Removing what Docker will never mention again. Docker forgets without saying so: after a crash, or while we are away.

====================================================  ==============================================================
an endpoint made under another boot                   at once: old endpoint ids never return
an endpoint or network whose deletion was not done    at once
an endpoint that no later call named                  at the second sighting when it is not young any more
an endpoint whose sandbox is gone                     likewise: Docker may be between two calls about it
an endpoint whose link came back and was not deleted  likewise: it left, or was cut off, while we were away
a network whose pools were given back                 after two looks, unless a container on it lives
====================================================  ==============================================================

Ports that an endpoint of a dead container publishes are closed before that, as soon as its link is gone as well: by the
event of the link (``follow``), or at the first sighting.

What is young and what is dead is ``vitality``'s to say. Looking asks the kernel about every endpoint and holds no lock;
who is suspected is looked at again under the lock.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from linkwright.engine.desired import Desired
from linkwright.engine.ending import Ending
from linkwright.engine.networks import Networks
from linkwright.engine.observation import Drift, Observer
from linkwright.engine.publishing import Publishing
from linkwright.engine.state import State
from linkwright.engine.vitality import Vitality
from linkwright.errors import LinkwrightError
from linkwright.model import Endpoint, EndpointState
from linkwright.plan import Key

#: States in which Docker has, or had, the endpoint's link.
_LENT: Final = frozenset({EndpointState.JOINED, EndpointState.LEFT})


class Collecting:
    """Remembers what it has seen dead once."""

    def __init__(
        self,
        *,
        state: State,
        desired: Desired,
        networks: Networks,
        ending: Ending,
        publishing: Publishing,
        vitality: Vitality,
        observer: Observer,
        clock: Callable[[], float],
        orphaned: float,
    ) -> None:
        """Take the parts. *clock* gives Unix time, which may be put back or forward.

        *orphaned* is how many seconds a network may be without its pools: Docker releases them before DeleteNetwork.
        """
        self._state = state
        self._desired = desired
        self._networks = networks
        self._ending = ending
        self._publishing = publishing
        self._vitality = vitality
        self._observer = observer
        self._clock = clock
        self._orphaned = orphaned
        self._gone_before: frozenset[str] = frozenset()
        self._released: dict[str, float] = {}

    async def start(self) -> None:
        """Remove what is known to be dead at a start, and hold again the ports of all others."""
        await self.collect()
        await self._publishing.restore()

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
        await self._reclaim_ports()

    async def follow(self, keys: Iterable[Key]) -> None:
        """Something happened to *keys*: if they are links that went with a container, close its ports."""
        scopes = {self._desired.holder(key) for key in keys if key[0] == "link"}
        for endpoint_id in sorted(scope.endpoint for scope in scopes if scope is not None):
            endpoint = self._state.endpoints.get(endpoint_id)
            if endpoint is not None and endpoint.external:
                await self._tolerated(endpoint.network, self._close_bereaved(endpoint))

    async def _close_bereaved(self, endpoint: Endpoint) -> None:
        async with self._networks.lock(endpoint.network):
            known = self._state.endpoints.get(endpoint.id)
            if known is not None and known.external and await self._vitality.bereaved(known):
                await self._ending.close(known, "its sandbox is gone")

    async def _reclaim_ports(self) -> None:
        """Hold again what was lost to another process, where that has ended."""
        lost = self._publishing.lost().keys()
        having = [one for one in self._state.endpoints.values() if not lost.isdisjoint(one.published)] if lost else []
        for endpoint in having:
            async with self._networks.lock(endpoint.network):
                known = self._state.endpoints.get(endpoint.id)
                if known is not None:
                    await self._publishing.reclaim(known)

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
                endpoint = endpoints[endpoint_id]
                if self._is_certain(endpoint) or endpoint_id in self._gone_before:
                    await self._ending.collect(endpoint, reason)
                elif endpoint.external and await self._vitality.bereaved(endpoint):
                    await self._ending.close(endpoint, reason)

    def _is_certain(self, endpoint: Endpoint) -> bool:
        """Whether one sighting is enough: else Docker may be between two calls about it."""
        return self._vitality.of_another_boot(endpoint) or self._ending.is_unfinished(endpoint)

    async def _reasons(self, endpoints: Iterable[Endpoint]) -> dict[str, str]:
        """Why those of *endpoints* that are dead are so, by id."""
        every = tuple(endpoints)
        lent = [one for one in every if one.state in _LENT and not self._vitality.young(one)]
        returned = await self._vitality.returned(lent)
        reasons = {one.id: await self._why_dead(one, returned=one.id in returned) for one in every}
        return {endpoint_id: reason for endpoint_id, reason in reasons.items() if reason}

    async def _why_dead(self, endpoint: Endpoint, *, returned: bool) -> str:
        if self._ending.is_unfinished(endpoint):
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
