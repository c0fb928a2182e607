"""After a damaged state file: what the marks on the host's own ends still tell. Values in, values out.

The store rebuilds itself from its last good copy; endpoints that were made since then are known only by the alias of
their link on the host, which names network, endpoint, hardware address and addresses (``plan.mark``).
"""

from collections.abc import Collection
from ipaddress import IPv4Interface, IPv6Interface

from linkwright.model import Endpoint, EndpointState
from linkwright.plan import Link, Snapshot


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
