"""What a value looks like in JSON: the stable keys of ``--json``. Values in, documents out; nothing is looked up here.

Rule 1: a key is never renamed and never changes its type; new ones may come. Rule 2: times are ISO 8601 in UTC, null
where there was none; addresses, prefixes and MACs are text.
"""

import enum
from collections.abc import Container, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import attrs

from linkwright.engine.registry import Registered
from linkwright.ipam.block import PoolStatistics
from linkwright.ipam.reclaim import Unconfirmed
from linkwright.model import Endpoint, HostFacts, Lease, LinkFact, Pool, PortBinding, StoredNetwork, Subnet
from linkwright.plan import Action, Resource, Step, render
from linkwright.sdk import specs

Document = dict[str, Any]


def moment(seconds: float | None) -> str | None:
    """Return a time, given in seconds since the Unix epoch, as text; None for 0 and None."""
    if not seconds:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


# --- drivers -------------------------------------------------------------------------------------------------


def driver(registered: Registered, *, suspended: bool = False) -> Document:
    """A driver: where it comes from, what it can do, and its options."""
    capabilities = registered.driver.capabilities
    return {
        "name": registered.name,
        "distribution": registered.origin.distribution,
        "version": registered.origin.version,
        "powers": list(registered.powers),
        "suspended": suspended,
        "capabilities": {**attrs.asdict(capabilities), "beside": sorted(capabilities.beside)},
        "options": _options(registered.driver.options),
    }


def _options(options: type) -> list[Document]:
    fields = {field.name: field for field in attrs.fields(options)}
    return [
        {"keys": list(spec.keys), "default": _plain(fields[name].default), "help": spec.help}
        for name, spec in specs(options).items()
    ]


def _plain(default: object) -> str | None:
    """A default as ``-o`` would have it; None where nothing stands for "not given"."""
    if default is None or default == ():
        return None
    if isinstance(default, enum.Enum):
        return str(default.value)
    return str(default).lower() if isinstance(default, bool) else str(default)


# --- networks and endpoints ----------------------------------------------------------------------------------


def network_line(network: StoredNetwork, *, endpoints: int, frozen: str | None, unconfirmed: str | None) -> Document:
    """A network in a list. *frozen* and *unconfirmed* are reasons."""
    return {
        "id": network.id,
        "driver": network.driver,
        "subnets": [str(subnet.pool) for subnet in network.subnets],
        "internal": network.internal,
        "endpoints": endpoints,
        "created": moment(network.created),
        "frozen": frozen,
        "unconfirmed": unconfirmed,
    }


def network_page(line: Document, network: StoredNetwork, *, endpoints: list[Document], wishes: list[str]) -> Document:
    """Everything about a network; *line* is what ``network_line`` made of it."""
    return {
        **line,
        "subnets": [_subnet(subnet) for subnet in network.subnets],
        "ipv4": network.ipv4,
        "ipv6": network.ipv6,
        "options": dict(network.options),
        "claims": dict(network.claims),
        "host": _host(network.host),
        "endpoints": endpoints,
        "wishes": wishes,
    }


def _subnet(subnet: Subnet) -> Document:
    return {
        "pool": str(subnet.pool),
        "gateway": None if subnet.gateway is None else str(subnet.gateway.ip),
        "auxiliary": {name: str(address) for name, address in subnet.auxiliary.items()},
        "space": subnet.space,
    }


def _host(host: HostFacts) -> Document:
    return {
        "uplink": None if host.uplink is None else _link(host.uplink),
        "addresses": [str(address) for address in host.addresses],
        "links": [_link(link) for link in host.links],
        "features": sorted(host.features),
    }


def _link(link: LinkFact) -> Document:
    return attrs.asdict(link)


def endpoint_line(endpoint: Endpoint, *, lost: Container[PortBinding]) -> Document:
    """An endpoint in a list; *lost* are published ports of any that no socket holds."""
    return {
        "id": endpoint.id,
        "network": endpoint.network,
        "name": endpoint.name,
        "state": endpoint.state.value,
        "addresses": [str(address) for address in endpoint.addresses],
        "mac": None if endpoint.mac is None else str(endpoint.mac),
        "ports": [str(port) for port in endpoint.ports],
        "published": [str(port) for port in endpoint.published],
        "lost": [str(port) for port in endpoint.published if port in lost],
        "sandbox": None if endpoint.sandbox is None else endpoint.sandbox.key,
        "created": moment(endpoint.created),
    }


def endpoint_page(endpoint: Endpoint, *, dead: bool, lost: Mapping[PortBinding, str], wishes: list[str]) -> Document:
    """Everything about an endpoint; *dead* means that its sandbox is gone, or it is another boot's.

    *lost* are published ports of any that no socket holds, and why.
    """
    return {
        **endpoint_line(endpoint, lost=lost),
        "bindings": [_binding(binding, lost.get(binding)) for binding in endpoint.published],
        "dead": dead,
        "mac_given": endpoint.mac_given,
        "external": endpoint.external,
        "options": dict(endpoint.options),
        "claims": dict(endpoint.claims),
        "boot": endpoint.boot,
        "wishes": wishes,
    }


def _binding(binding: PortBinding, lost: str | None) -> Document:
    return {
        "protocol": str(binding.protocol),
        "port": binding.port,
        "host_address": None if binding.host_address is None else str(binding.host_address),
        "host_port": binding.host_port,
        "held": lost is None,
        "lost": lost,
    }


def wishes(resources: Iterable[Resource], table: str) -> list[str]:
    """Resources as the commands that would make them; *table* is the name of the firewall's tables."""
    return [line for resource in resources for line in render(Step(Action.CREATE, resource), table).splitlines()]


# --- pools ---------------------------------------------------------------------------------------------------


def pool_line(pool: Pool, statistics: PoolStatistics, unconfirmed: Unconfirmed | None) -> Document:
    """A pool in a list: how full it is, and what Docker has not confirmed since it started."""
    return {
        "id": pool.id,
        "space": pool.space,
        "subnet": str(pool.subnet),
        "range": None if pool.range is None else str(pool.range),
        "capacity": statistics.capacity,
        "allocated": statistics.allocated,
        "reserved": statistics.reserved,
        "quarantined": statistics.quarantined,
        "free": statistics.free,
        "references": pool.references,
        "automatic": pool.automatic,
        "listener": pool.listener,
        "created": moment(pool.created),
        "confirmed": unconfirmed is None or unconfirmed.asked,
        "unconfirmed_leases": 0 if unconfirmed is None else len(unconfirmed.leases),
    }


def pool_page(
    line: Document, pool: Pool, leases: Iterable[Lease], endpoints: Mapping[str, Endpoint], unconfirmed: frozenset[str]
) -> Document:
    """Everything about a pool; *endpoints* are those of its subnet by address, *unconfirmed* are addresses."""
    return {
        **line,
        "options": dict(pool.options),
        "leases": [_lease(lease, endpoints.get(str(lease.address)), unconfirmed) for lease in leases],
    }


def _lease(lease: Lease, endpoint: Endpoint | None, unconfirmed: frozenset[str]) -> Document:
    return {
        "address": str(lease.address),
        "kind": lease.kind.value,
        "state": lease.state.value,
        "owner": lease.owner or (endpoint.name if endpoint else ""),
        "endpoint": endpoint.id if endpoint else None,
        "mac": lease.mac or (str(endpoint.mac or "") if endpoint else ""),
        "since": moment(lease.since),
        "confirmed": str(lease.address) not in unconfirmed,
    }
