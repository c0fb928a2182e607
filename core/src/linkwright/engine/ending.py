"""How endpoints end: deleted by Docker, or found dead; whole, or only the ports that they publish.

Docker never asks again after a failed DeleteEndpoint, so that succeeds once the wish to delete is durable; a deletion
that could not even be noted is **owed**, and the reconciler goes on with it. An engine that was killed never tells of
its old endpoints: what they have is taken from them when it is asked for again.
"""

from collections.abc import Awaitable, Callable, Collection

from attrs import evolve

from linkwright.engine.applying import Applying
from linkwright.engine.desired import Scope
from linkwright.engine.desiring import Desiring
from linkwright.engine.networks import Networks
from linkwright.engine.observation import Collected, Drift, Observer
from linkwright.engine.publishing import Publishing
from linkwright.engine.state import State
from linkwright.engine.vitality import Vitality
from linkwright.errors import Conflict, KernelError, Unavailable
from linkwright.model import Address, Endpoint, EndpointState, Interface, Prefix, StoredNetwork
from linkwright.model.change import Drop, Put

#: Ends the leases of a dead endpoint, if they are ours to end.
GiveBack = Callable[[StoredNetwork, Endpoint], Awaitable[None]]


class Ending:
    """Takes endpoints, or their ports, from the kernel and the store."""

    def __init__(
        self,
        *,
        state: State,
        applying: Applying,
        desiring: Desiring,
        networks: Networks,
        publishing: Publishing,
        vitality: Vitality,
        observer: Observer,
        give_back: GiveBack,
    ) -> None:
        """Take the parts."""
        self._state = state
        self._applying = applying
        self._desiring = desiring
        self._networks = networks
        self._publishing = publishing
        self._vitality = vitality
        self._observer = observer
        self._give_back = give_back
        self.owed: set[str] = set()  # endpoints whose deletion was asked for and neither done nor noted

    # --- under the lock of the endpoint's network, which the caller holds ------------------------------------------

    async def remove(self, endpoint: Endpoint) -> bool:
        """Take it from the kernel and the store; False if the kernel would not, and that is noted."""
        if endpoint.external:
            endpoint = await self._publishing.withdraw(endpoint, evolve(endpoint, state=EndpointState.DELETING))
        try:
            await self._desiring.ensure(endpoint.network)  # of a frozen network nobody knows what the kernel has
            await self._applying.remove([Scope.of(endpoint)])
        except (KernelError, Unavailable) as error:
            self._observer(Drift("kernel", repaired=False, text=str(error), network=endpoint.network))
            noted = evolve(endpoint, state=EndpointState.DELETING)
            if noted != endpoint:
                await self._state.commit(Put(noted))
            self.owed.discard(endpoint.id)
            return False  # the reconciler goes on; Docker would not ask again
        await self._state.commit(Drop(endpoint))
        self.owed.discard(endpoint.id)
        return True

    def is_unfinished(self, endpoint: Endpoint) -> bool:
        """Whether its deletion was begun."""
        return endpoint.state is EndpointState.DELETING or endpoint.id in self.owed

    async def finish(self, endpoint: Endpoint) -> None:
        """Finish the deletion of one that is asked for again; Unavailable if that cannot be."""
        if not await self.remove(endpoint):
            raise Unavailable(
                f"endpoint {endpoint.id[:12]} is still being deleted, which the kernel refuses; try again"
            )

    async def collect(self, endpoint: Endpoint, reason: str, *, kept: Collection[Interface] = ()) -> bool:
        """Remove a dead endpoint and end its leases; True if it went.

        Docker's ReleaseAddress may have been lost with the rest. The leases go first: should that fail, the endpoint
        is still there to be collected. *kept* are addresses that have another holder already.
        """
        network = self._state.network(endpoint.network)
        four = None if endpoint.ipv4 in kept else endpoint.ipv4
        six = None if endpoint.ipv6 in kept else endpoint.ipv6
        await self._give_back(network, evolve(endpoint, ipv4=four, ipv6=six))
        if not await self.remove(endpoint):
            return False
        self._observer(Collected("endpoint", reason, endpoint.id))
        return True

    async def close(self, endpoint: Endpoint, reason: str) -> None:
        """Close the ports of an endpoint whose container is gone."""
        await self._publishing.withdraw(endpoint)
        self._observer(Collected("ports", reason, endpoint.id))

    async def evict_holders(self, endpoint: Endpoint) -> None:
        """Collect dead holders of *endpoint*'s addresses; Conflict if one lives."""
        for other in self._state.holders_of(endpoint.network, endpoint.addresses):
            if await self._vitality.in_use(other):
                raise Conflict(
                    f"address {', '.join(str(a.ip) for a in other.addresses)} is in use by endpoint {other.id[:12]}"
                    f"{f' ({other.name})' if other.name else ''}, whose sandbox is alive"
                )
            await self.collect(other, "its address was given to another endpoint", kept=endpoint.addresses)

    # --- what is asked for again; these take the lock ---------------------------------------------------------------

    async def evict(self, space: str, subnet: Prefix, address: Address) -> bool:
        """Collect the dead holder of *address* in *subnet*, so that it can be given anew; True if there was one.

        One that Docker may still be at is not dead: it is young, or was not joined yet.
        """
        for endpoint in tuple(self._state.endpoints.values()):
            if address not in {held.ip for held in endpoint.addresses} or endpoint.state is EndpointState.CREATING:
                continue
            async with self._networks.lock(endpoint.network):
                network, known = self._state.networks.get(endpoint.network), self._known(endpoint)
                if network is None or known is None or not _lies_in(network, space, subnet, address):
                    continue
                if not self._vitality.young(known) and await self._vitality.dead(known):
                    return await self.collect(known, "its address was asked for again")
        return False

    async def close_dead(self, endpoint_id: str) -> bool:
        """Close the ports, which are asked for again, of an endpoint whose container is gone; True if they are."""
        endpoint = self._state.endpoints.get(endpoint_id)
        if endpoint is None:
            return True
        async with self._networks.lock(endpoint.network):
            known = self._known(endpoint)
            if known is None or not known.external:
                return True
            if not await self._vitality.bereaved(known) and (
                self._vitality.young(known) or not await self._vitality.dead(known)
            ):
                return False
            await self.close(known, "the ports were asked for again")
        return True

    def _known(self, endpoint: Endpoint) -> Endpoint | None:
        """*endpoint* as it is now, in the network whose lock is held."""
        known = self._state.endpoints.get(endpoint.id)
        return known if known is not None and known.network == endpoint.network else None


def _lies_in(network: StoredNetwork, space: str, subnet: Prefix, address: Address) -> bool:
    return any((one.space, one.pool) == (space, subnet) and address in one.pool for one in network.subnets)
