"""What networks and endpoints hold in our own ledger: the one room where engine and IPAM meet.

A subnet of another IPAM driver is not ours to know of, and nothing is ever noted or ended there. Docker says of ours
only the space around the named ones, so a subnet may stand for pools of several; what cannot be told apart stays.
"""

from collections import Counter
from collections.abc import Callable, Iterable

from linkwright.ipam.actor import Actor
from linkwright.ipam.ledger import Ledger
from linkwright.ipam.spaces import LOCAL, said
from linkwright.model import Endpoint, Interface, LeaseKind, Pool, Prefix, StoredNetwork, Subnet


class Holdings:
    """The ledger, as networks and endpoints see it."""

    def __init__(self, ledger: Ledger, ipam: Actor) -> None:
        """Read *ledger*, and change it through *ipam*."""
        self._ledger = ledger
        self._ipam = ipam

    # --- pools ---------------------------------------------------------------------------------------------------

    def references(self) -> Callable[[Subnet], int | None]:
        """Take stock: the answer tells how many networks Docker holds a subnet for, None where we cannot know."""
        stock: Counter[tuple[str, Prefix]] = Counter()
        for pool in self._ledger.pools():
            stock[said(pool.space), pool.subnet] += pool.references
        return lambda subnet: stock[subnet.space, subnet.pool] if ours(subnet) else None

    async def release(self, network: StoredNetwork) -> None:
        """Give back one reference to each pool of a network that is gone.

        Of several pools on one subnet nobody can tell which, and Docker's next start will.
        """
        for subnet in network.subnets:
            fitting = self.pools_of(subnet) if ours(subnet) else []
            if len(fitting) == 1:
                await self._ipam.release_pool(fitting[0].id)

    def pools_of(self, subnet: Subnet) -> list[Pool]:
        """The pools that *subnet* may be: Docker says of ours neither the name of the space nor the range."""
        return [p for p in self._ledger.pools() if (said(p.space), p.subnet) == (subnet.space, subnet.pool)]

    # --- leases --------------------------------------------------------------------------------------------------

    async def give_back(self, network: StoredNetwork, endpoint: Endpoint) -> None:
        """End the leases of a dead endpoint, but for those that have a new holder since."""
        for address, subnet in _ours_of(network, endpoint.addresses):
            await self._ipam.reclaim(subnet.space, address.ip, until=endpoint.created)

    async def note_network(self, subnets: Iterable[Subnet]) -> None:
        """Note which held addresses are gateways, and which auxiliary and called what: IPAM is not told that."""
        for subnet in filter(ours, subnets):
            if subnet.gateway is not None:
                await self._ipam.annotate(subnet.space, subnet.gateway.ip, kind=LeaseKind.GATEWAY)
            for name, address in subnet.auxiliary.items():
                if subnet.gateway is None or address != subnet.gateway.ip:
                    await self._ipam.annotate(subnet.space, address, kind=LeaseKind.AUXILIARY, owner=name)

    def owner(self, network: StoredNetwork, addresses: Iterable[Interface]) -> str:
        """The endpoint's name, which newer engines tell IPAM and nobody tells a network driver (moby#52870)."""
        leases = (self._ipam.lease(subnet.space, one.ip) for one, subnet in _ours_of(network, addresses))
        return next((lease.owner for lease in leases if lease is not None and lease.owner), "")

    async def note_endpoint(self, network: StoredNetwork, addresses: Iterable[Interface], owner: str) -> None:
        """Note *owner* at those of its *addresses* that have none: one family's request may have come without."""
        for one, subnet in _ours_of(network, addresses) if owner else ():
            lease = self._ipam.lease(subnet.space, one.ip)
            if lease is not None and not lease.owner:
                await self._ipam.annotate(subnet.space, one.ip, owner=owner)


def ours(subnet: Subnet) -> bool:
    """Whether *subnet* is of one of our spaces."""
    return said(subnet.space) == LOCAL


def _ours_of(network: StoredNetwork, addresses: Iterable[Interface]) -> list[tuple[Interface, Subnet]]:
    pairs = ((address, network.subnet_for(address)) for address in addresses)
    return [(address, subnet) for address, subnet in pairs if subnet is not None and ours(subnet)]
