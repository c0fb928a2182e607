"""Networks that Docker may have forgotten without saying so, each with what speaks for it. Looking only."""

from linkwright.daemon.admin.insides import Insides
from linkwright.ipam.spaces import said


def doubts(insides: Insides) -> dict[str, str]:
    """Return the networks that nobody has confirmed, by id, with the reason."""
    by_pools = {
        (said(unsure.pool.space), unsure.pool.subnet): unsure.pool.id
        for unsure in insides.ipam.unconfirmed()
        if not unsure.asked
    }
    found = {}
    for network in insides.engine.state.networks.values():
        pools = [by_pools.get((subnet.space, subnet.pool)) for subnet in network.subnets]
        if pools and all(pools):
            found[network.id] = f"Docker has not asked for {', '.join(str(pool) for pool in pools)} since it started"
    if insides.witness is not None:
        found |= dict.fromkeys(insides.witness.unconfirmed, "Docker did not know it when it was last asked")
    return {network: reason for network, reason in found.items() if network in insides.engine.state.networks}
