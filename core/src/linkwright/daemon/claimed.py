"""What drivers claim, chosen from our own ledger: addresses for the host itself, each a lease of its own kind.

Docker knows nothing of them and never replays or releases one: they are held until the network is gone.
"""

from collections.abc import Mapping
from ipaddress import ip_interface

from linkwright.daemon.holdings import Holdings, ours
from linkwright.errors import Refused
from linkwright.ipam import AddressRequest
from linkwright.ipam.actor import Actor
from linkwright.model import LeaseKind, StoredNetwork
from linkwright.sdk import Claim


class Claimed:
    """The engine's ``Allocator`` over one ledger."""

    def __init__(self, holdings: Holdings, ipam: Actor) -> None:
        """Look for pools in *holdings*, and lease through *ipam*."""
        self._holdings = holdings
        self._ipam = ipam

    async def take(self, network: StoredNetwork, claim: Claim) -> str:
        """Lease an address of the claim's subnet for *network*; Refused where another IPAM gives those out."""
        pools = self._holdings.pools_of(claim.subnet) if ours(claim.subnet) else []
        if not pools:
            advice = f", or {claim.otherwise}" if claim.otherwise else ""
            raise Refused(
                f"no address of {claim.subnet.pool} can be chosen for the host: another IPAM driver than linkwright's "
                f"gives them out; create the network with --ipam-driver lw-ipam{advice}"
            )
        # Of several pools on one subnet Docker does not say which is the network's: the one that was asked for last.
        pool = max(pools, key=lambda pool: pool.created)
        address = await self._ipam.request_address(
            AddressRequest(pool.id, claim.address, LeaseKind.HOST, _owner(network), listener=pool.listener)
        )
        return str(address.ip)

    async def give_back(self, network: StoredNetwork, claims: Mapping[str, str]) -> None:
        """End those leases; what went with its pool, or has another holder by now, is none of *network*'s."""
        for text in claims.values():
            address = ip_interface(text)
            subnet = network.subnet_for(address)
            if subnet is None or not ours(subnet):
                continue
            lease = self._ipam.lease(subnet.space, address.ip)
            if lease is not None and (lease.kind, lease.owner) == (LeaseKind.HOST, _owner(network)):
                await self._ipam.reclaim(subnet.space, address.ip)


def _owner(network: StoredNetwork) -> str:
    return f"network {network.id[:12]}"
