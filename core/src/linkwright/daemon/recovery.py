"""After a damaged state file: what the marks on the host's own ends still tell. Values in, values out.

The store rebuilds itself from its last good copy; endpoints that were made since then are known only by the alias of
their link on the host, which names network, endpoint, hardware address and addresses (``plan.mark``). What they have is
held for them again, or the next container would be given it.
"""

from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Interface, IPv6Interface
from pathlib import Path

from linkwright.errors import Refused
from linkwright.ipam.spaces import said
from linkwright.model import Endpoint, EndpointState, Interface, Lease, LeaseState, Pool, StoredNetwork
from linkwright.plan import Link, Snapshot
from linkwright.store import Contents


def refuse_to_forget(contents: Contents, seen: Snapshot, *, instance: str, state_dir: Path) -> None:
    """Refuse to start with an empty state where links of ours in *seen* serve containers: they would all be swept.

    A mistyped ``--state-dir``, or a state that was lost with its copy, must not cut living containers off.
    """
    if len(contents):
        return
    names = [
        resource.name
        for key, resource in sorted(seen.resources.items())
        if key in seen.ours and isinstance(resource, Link) and resource.mark and resource.mark.endpoint
    ]
    if names:
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")  # noqa: PLR2004
        raise Refused(
            f"the state in {state_dir} is empty, but this host has links of instance {instance!r} that serve "
            f"containers ({shown}); started like this, linkwright would remove them. Is --state-dir the right one? "
            "A backup is restored with `linkwright import`; leftover links are removed with `ip link del`"
        )


def with_marks(contents: Contents, seen: Snapshot, *, instance: str, boot: str, now: float) -> Contents:
    """Return *contents* and what marks in *seen* tell beyond them: endpoints of networks that are known, and leases.

    A lease of that address that stands there is kept if it is held, and replaced if it is not.
    """
    networks = {network.id: network for network in contents.networks}
    known = {endpoint.id for endpoint in contents.endpoints}
    found = endpoints_by_marks(seen, instance=instance, networks=networks, known=known, boot=boot, now=now)
    before = {(lease.pool, lease.address): lease for lease in contents.leases}
    held = {key for key, lease in before.items() if lease.state is LeaseState.HELD}
    leases = {
        (lease.pool, lease.address): lease
        for endpoint in found
        for lease in _leases(endpoint, networks[endpoint.network], contents.pools, now)
    }
    after = {**before, **{key: lease for key, lease in leases.items() if key not in held}}
    return Contents.of((*contents.networks, *contents.endpoints, *found, *contents.pools, *after.values()))


def _leases(endpoint: Endpoint, network: StoredNetwork, pools: Iterable[Pool], now: float) -> Iterator[Lease]:
    for address in endpoint.addresses:
        subnet = network.subnet_for(address)
        if subnet is None:
            continue
        fitting = [pool for pool in pools if (said(pool.space), pool.subnet) == (subnet.space, subnet.pool)]
        # Of several pools on one subnet the range tells; where it does not, the whole subnet is one of them.
        fitting.sort(key=lambda pool: not _in_range(pool, address))
        for pool in fitting[:1]:
            yield Lease(pool.id, address.ip, mac=str(endpoint.mac or ""), since=now, epoch=pool.seen)


def _in_range(pool: Pool, address: Interface) -> bool:
    return pool.range is not None and address.ip in pool.range


def endpoints_by_marks(
    seen: Snapshot, *, instance: str, networks: Collection[str], known: Collection[str], boot: str, now: float
) -> tuple[Endpoint, ...]:
    """Return the endpoints that marks in *seen* tell of and *known* lacks, of *networks* that are still known.

    They count as joined: if their container is gone, Docker's deletion, or their address given anew, removes them.
    """
    marks = [
        resource.mark
        for key, resource in sorted(seen.resources.items())
        if key in seen.ours and isinstance(resource, Link) and resource.mark and resource.mark.endpoint
    ]
    return tuple(
        Endpoint(
            id=mark.endpoint,
            network=mark.network,
            ipv4=next((address for address in mark.addresses if isinstance(address, IPv4Interface)), None),
            ipv6=next((address for address in mark.addresses if isinstance(address, IPv6Interface)), None),
            mac=mark.mac,
            state=EndpointState.JOINED,
            boot=boot,
            created=now,
        )
        for mark in marks
        if mark.instance == instance and mark.network in networks and mark.endpoint not in known
    )
