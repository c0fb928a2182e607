"""After a damaged state file: what the marks on the host's own ends still tell. Values in, values out.

The store rebuilds itself from its last good copy; endpoints that were made since then are known only by the alias of
their link on the host, which names network, endpoint, hardware address and addresses (``plan.mark``). What they have is
held for them again, or the next container would be given it.

A network that was made since then is **lost**: marks tell that there was one, and nothing tells what it wished for. So
nothing of it is touched until somebody says that it has gone (``engine.desiring``). The same holds where an older state
was put in place by hand: no crash of ours leaves the link of an endpoint without the record of its network.
"""

from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Interface, IPv6Interface
from pathlib import Path
from typing import Final

from linkwright.errors import Refused
from linkwright.ipam.spaces import said
from linkwright.model import Endpoint, EndpointState, Interface, Lease, LeaseState, Pool, StoredNetwork
from linkwright.plan import SHARED, Link, Mark, Snapshot
from linkwright.store import Contents, Opened

#: The fact by which the store remembers them: the next start finds no damage any more.
LOST: Final = "lost-networks"


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


async def recovered(
    opened: Opened, seen: Snapshot, *, instance: str, boot: str, now: float
) -> tuple[Contents, frozenset[str]]:
    """Return what is to be started with, and the networks that are lost; both are durable by then.

    That is what the store has, and after a damage what the marks in *seen* add to it. *now* is Unix time.
    """
    store, contents = opened.store, opened.contents
    told = frozenset(store.facts().get(LOST, "").split())
    lost = lost_networks(contents, seen, instance=instance, told=told, rebuilt=opened.recovered is not None)
    if lost != told:
        await store.remember({LOST: " ".join(sorted(lost))})
    if opened.recovered is not None:
        contents = with_marks(contents, seen, instance=instance, boot=boot, now=now)
        await store.adopt(contents)  # last: until then every start finds the damage again
    return contents, lost


def lost_networks(
    contents: Contents, seen: Snapshot, *, instance: str, told: Collection[str], rebuilt: bool
) -> frozenset[str]:
    """Return the networks that marks in *seen* tell of and *contents* should have had.

    Those are the ones *told* before, all others that have endpoints and, where the state was *rebuilt*, all others.
    """
    marks = [mark for mark in _marks(seen) if mark.instance == instance and mark.network != SHARED]
    known = {network.id for network in contents.networks}
    return frozenset({mark.network for mark in marks if rebuilt or mark.endpoint or mark.network in told} - known)


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
        for mark in _marks(seen)
        if mark.endpoint and mark.instance == instance and mark.network in networks and mark.endpoint not in known
    )


def _marks(seen: Snapshot) -> Iterator[Mark]:
    """The marks on links of ours, in the order of the links' names."""
    for _, resource in sorted(seen.owned().items()):
        if isinstance(resource, Link) and resource.mark is not None:
            yield resource.mark
