"""Pools and the leases in them, and why Docker's word on some of them is still missing."""

from linkwright.daemon.admin import views
from linkwright.daemon.admin.asked import Asked, Work, meant
from linkwright.daemon.admin.insides import Insides
from linkwright.daemon.admin.views import Document
from linkwright.ipam.reclaim import Unconfirmed
from linkwright.ipam.spaces import said
from linkwright.model import Lease, Pool, StoredNetwork


async def pools(insides: Insides, _: Asked) -> Work:
    """All pools, by PoolID."""
    every, unsure = _pools(insides), _unconfirmed(insides)
    statistics = {one.pool: one for one in insides.ipam.statistics().pools}
    return lambda: [views.pool_line(pool, statistics[pool.id], unsure.get(pool.id)) for pool in every.values()]


async def pool(insides: Insides, asked: Asked) -> Work:
    """One pool with its leases, by the beginning of its PoolID or by its subnet."""
    every = _pools(insides)
    found = every[meant(asked.parts["id"], {key: (str(one.subnet),) for key, one in every.items()}, what="pool")]
    statistics = next(one for one in insides.ipam.statistics().pools if one.pool == found.id)
    leases = [one for one in insides.ipam.records() if isinstance(one, Lease) and one.pool == found.id]
    unsure = _unconfirmed(insides).get(found.id)
    endpoints = tuple(insides.engine.state.endpoints.values())
    networks = [one for one in insides.engine.state.networks.values() if _uses(one, found)]

    def work() -> Document:
        # Docker does not say in which named space a network lies: of two on one subnet nobody can tell which.
        here = [one for one in endpoints if len(networks) == 1 and one.network == networks[0].id]
        by_address = {str(address.ip): one for one in here for address in one.addresses}
        addresses = frozenset(str(lease.address) for lease in (unsure.leases if unsure else ()))
        line = views.pool_line(found, statistics, unsure)
        return views.pool_page(line, found, leases, by_address, addresses)

    return work


def _uses(network: StoredNetwork, pool: Pool) -> bool:
    return any(subnet.pool == pool.subnet and subnet.space == said(pool.space) for subnet in network.subnets)


def _pools(insides: Insides) -> dict[str, Pool]:
    return {one.id: one for one in insides.ipam.records() if isinstance(one, Pool)}


def _unconfirmed(insides: Insides) -> dict[str, Unconfirmed]:
    return {one.pool.id: one for one in insides.ipam.unconfirmed()}
