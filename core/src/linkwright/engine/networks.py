"""Networks: made, removed, and told apart from those that Docker has forgotten. One lock for each network."""

from collections.abc import Callable, Mapping
from contextlib import suppress

import trio
from attrs import evolve

from linkwright.engine.applying import Applied, Applying
from linkwright.engine.asking import Asking
from linkwright.engine.desired import Scope
from linkwright.engine.observation import Collected, Observer, UnknownId
from linkwright.engine.ports import Kernel
from linkwright.engine.state import State
from linkwright.errors import Conflict, LinkwrightError
from linkwright.model import StoredNetwork, Subnet
from linkwright.model.change import Drop, Put, Record
from linkwright.plan import Hold, Key, Plan, Resource, Sysctl


class Networks:
    """What Docker's CreateNetwork and DeleteNetwork mean."""

    def __init__(
        self,
        *,
        state: State,
        asking: Asking,
        applying: Applying,
        kernel: Kernel,
        observer: Observer,
        clock: Callable[[], float],
        manage_forwarding: bool = False,
        pool_held: Callable[[Subnet], bool] = lambda _: True,
    ) -> None:
        """Take the parts. *pool_held* says whether a subnet of ours is still requested (True where we cannot know)."""
        self._state = state
        self._asking = asking
        self._applying = applying
        self._kernel = kernel
        self._observer = observer
        self._clock = clock
        self._manage_forwarding = manage_forwarding
        self._pool_held = pool_held
        self._locks: dict[str, trio.Lock] = {}

    def lock(self, network: str) -> trio.Lock:
        """The lock that everything about *network* and its endpoints is done under."""
        return self._locks.setdefault(network, trio.Lock())

    async def wishes(self, network: StoredNetwork) -> dict[Key, Resource]:
        """What *network* itself needs."""
        return self._forwarding((await self._asking.wishes(network))[0])

    def _forwarding(self, wishes: Mapping[Key, Resource]) -> dict[Key, Resource]:
        """Where the operator lets us, a required host-wide setting is one that we make."""
        if not self._manage_forwarding:
            return dict(wishes)
        return {key: evolve(wish, hold=Hold.OWN) if isinstance(wish, Sysctl) else wish for key, wish in wishes.items()}

    async def described(
        self,
        driver: str,
        network_id: str,
        *,
        subnets: tuple[Subnet, ...],
        ipv4: bool,
        ipv6: bool,
        internal: bool,
        options: Mapping[str, str],
    ) -> StoredNetwork:
        """Return the network as it would be stored, with what is known of the host now; Refused for wrong options."""
        looks_at = await self._asking.looks_at(driver, self._asking.options(driver, options))
        return StoredNetwork(
            id=network_id,
            driver=driver,
            options=dict(options),
            subnets=subnets,
            ipv4=ipv4,
            ipv6=ipv6,
            internal=internal,
            host=await self._kernel.host_facts(looks_at),
            created=self._clock(),
        )

    async def plan(self, network: StoredNetwork) -> Plan:
        """Return what ``create`` would do, and do nothing."""
        return (await self._applying.plan(Scope(network.id), await self.wishes(network)))[1]

    async def create(self, network: StoredNetwork) -> None:
        """Make *network*. The same again is success; the same id with other data is Conflict."""
        async with self.lock(network.id):
            known = self._state.networks.get(network.id)
            if known is not None:
                if _asked(known) != _asked(network):
                    raise Conflict(f"network {network.id[:12]} exists already with other properties")
                return
            await self._evict_released(network)
            beside = (other for other in self._state.networks.values() if other.driver == network.driver)
            await self._asking.admit(network, beside)
            applied = await self._applying.apply(Scope(network.id), await self.wishes(network), look=True)
            await store_or_take_back(self._state, self._applying, applied, network)

    async def delete(self, network_id: str) -> None:
        """Remove the network and every endpoint it still has. What is not known is gone already."""
        async with self.lock(network_id):
            network = self._state.networks.get(network_id)
            if network is None:
                self._observer(UnknownId("DeleteNetwork"))
                return
            await self._remove(network)
        self._locks.pop(network_id, None)

    async def _remove(self, network: StoredNetwork) -> None:
        endpoints = self._state.endpoints_of(network.id)
        scopes = [*(Scope(network.id, endpoint.id) for endpoint in endpoints), Scope(network.id)]
        for scope in scopes:
            self._applying.settle(await self._applying.apply(scope, {}, look=False))
        await self._state.commit(*(Drop(endpoint) for endpoint in endpoints), Drop(network))
        self._asking.forget(network.id)

    async def collect(self, network_id: str, reason: str) -> None:
        """Remove a network that Docker has forgotten."""
        if network_id in self._state.networks:
            await self.delete(network_id)
            self._observer(Collected("network", reason, network_id))

    async def _evict_released(self, network: StoredNetwork) -> None:
        """Remove networks in the way whose pool Docker has given back: their DeleteNetwork is on its way, or lost."""
        for other in tuple(self._state.networks.values()):
            overlaps = any(
                mine.space == theirs.space and mine.version == theirs.version and mine.pool.overlaps(theirs.pool)
                for mine in network.subnets
                for theirs in other.subnets
            )
            if overlaps and not self.held(other):
                with suppress(LinkwrightError):
                    await self.collect(other.id, "its pool was released and another network has the subnet now")

    def held(self, network: StoredNetwork) -> bool:
        """Whether any of its pools is still requested (or not ours to know)."""
        return not network.subnets or any(self._pool_held(subnet) for subnet in network.subnets)


async def store_or_take_back(state: State, applying: Applying, applied: Applied, record: Record) -> None:
    """Make *record* durable and let *applied* stand; if that fails, for whatever reason, leave nothing of either."""
    try:
        await state.commit(Put(record))
    except BaseException:
        await applying.take_back(applied)
        raise
    applying.settle(applied)


def _asked(network: StoredNetwork) -> tuple[object, ...]:
    """What Docker said, without what we noted."""
    return (
        network.driver,
        dict(network.options),
        [(s.pool, s.gateway, dict(s.auxiliary), s.space) for s in network.subnets],
        network.ipv4,
        network.ipv6,
        network.internal,
    )
