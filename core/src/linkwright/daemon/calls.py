"""What each of Docker's calls means: from a request to the engine or the ledger and back. One table at the end.

Which calls there are is ``wire.routes``; bytes, deadlines and errors are ``plugin``'s. A call here may take as long as
its route allows, may be cancelled at any await, and may come twice.
"""

from collections.abc import Awaitable, Callable, Mapping
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType
from typing import Any, Final

from attrs import frozen

from linkwright import wire
from linkwright.daemon.holdings import Holdings
from linkwright.engine.engine import Engine
from linkwright.errors import Conflict
from linkwright.ipam import GLOBAL, LOCAL, AddressRequest, PoolName, PoolRequest
from linkwright.ipam.actor import Actor
from linkwright.ipam.spaces import said
from linkwright.model import LeaseKind
from linkwright.wire import replies, requests
from linkwright.wire.replies import Api, Empty


@frozen(kw_only=True)
class Listener:
    """One plugin socket: its name, its driver's ("" for the one that is for addresses alone), and what is behind it.

    The driver may not be there: then what Docker deletes is deleted all the same, and the rest is refused.
    """

    name: str
    engine: Engine
    ipam: Actor
    holdings: Holdings
    driver: str = ""

    @property
    def implements(self) -> tuple[Api, ...]:
        """The interfaces served here."""
        return (Api.NETWORK_DRIVER, Api.IPAM_DRIVER) if self.driver else (Api.IPAM_DRIVER,)


async def _activate(listener: Listener, _: requests.Activate) -> wire.Reply:
    if listener.driver:
        listener.engine.asking.drivers.named(listener.driver)
    return replies.ActivateReply(listener.implements)


# --- networks ----------------------------------------------------------------------------------------------------


async def _capabilities(listener: Listener, _: requests.NetworkCapabilities) -> wire.Reply:
    connectivity = replies.Scope(listener.engine.asking.drivers.named(listener.driver).driver.capabilities.connectivity)
    return replies.CapabilitiesReply(replies.Scope.LOCAL, connectivity, checks_gateway=True)


async def _gateway_check(listener: Listener, call: requests.GwAllocCheck) -> wire.Reply:
    four, six = await listener.engine.asking.skip_gateway(listener.driver, call.options, internal=call.internal)
    return replies.GwAllocReply(four, six)


async def _allocate(listener: Listener, call: requests.AllocateNetwork) -> wire.Reply:
    listener.engine.asking.options(listener.driver, call.options)
    return replies.AllocateReply(call.options)


async def _create_network(listener: Listener, call: requests.CreateNetwork) -> wire.Reply:
    networks = listener.engine.networks
    network = await networks.described(
        listener.driver,
        call.network_id,
        subnets=call.subnets,
        ipv4=call.ipv4,
        ipv6=call.ipv6,
        internal=call.internal,
        options=call.options,
    )
    await listener.holdings.note_network(call.subnets)
    await networks.create(network)
    return Empty()


async def _delete_network(listener: Listener, call: requests.DeleteNetwork) -> wire.Reply:
    await listener.engine.networks.delete(call.network_id)
    return Empty()


# --- endpoints ---------------------------------------------------------------------------------------------------


async def _create_endpoint(listener: Listener, call: requests.CreateEndpoint) -> wire.Reply:
    endpoints, holdings = listener.engine.endpoints, listener.holdings
    network = listener.engine.state.network(call.network_id)
    addresses = tuple(address for address in (call.ipv4, call.ipv6) if address is not None)
    name = holdings.owner(network, addresses)
    endpoint = endpoints.described(
        call.network_id,
        call.endpoint_id,
        ipv4=call.ipv4,
        ipv6=call.ipv6,
        mac=call.mac,
        ports=call.ports,
        options=call.options,
        name=name,
    )
    await holdings.note_endpoint(network, addresses, name)
    made = await endpoints.create(endpoint)
    return replies.EndpointReply(call, mac=made.mac, ipv4=made.ipv4, ipv6=made.ipv6)


async def _operational_info(listener: Listener, call: requests.EndpointInfo) -> wire.Reply:
    endpoint = listener.engine.state.endpoint(call.network_id, call.endpoint_id)
    facts = {
        "linkwright.state": endpoint.state.value,
        "linkwright.mac": str(endpoint.mac or ""),
        "linkwright.addresses": " ".join(str(address) for address in endpoint.addresses),
        "linkwright.ports": " ".join(str(port) for port in endpoint.published),
    }
    return replies.EndpointInfoReply(
        facts,
        ports=endpoint.published if endpoint.external else None,
        addresses=tuple(address.ip for address in endpoint.addresses),
    )


async def _delete_endpoint(listener: Listener, call: requests.DeleteEndpoint) -> wire.Reply:
    await listener.engine.endpoints.delete(call.network_id, call.endpoint_id)
    return Empty()


async def _join(listener: Listener, call: requests.Join) -> wire.Reply:
    joined = await listener.engine.endpoints.join(call.network_id, call.endpoint_id, call.sandbox_key, call.ports)
    four = next((gateway for gateway in joined.join.gateways if isinstance(gateway, IPv4Address)), None)
    six = next((gateway for gateway in joined.join.gateways if isinstance(gateway, IPv6Address)), None)
    return replies.JoinReply(
        source=joined.join.source,
        prefix=joined.prefix,
        name=joined.name,
        gateway4=four,
        gateway6=six,
        routes=tuple(replies.StaticRoute(route.destination, route.via) for route in joined.join.routes),
        disable_gateway_service=not joined.join.gateway_service,
    )


async def _leave(listener: Listener, call: requests.Leave) -> wire.Reply:
    await listener.engine.endpoints.leave(call.network_id, call.endpoint_id)
    return Empty()


async def _program(listener: Listener, call: requests.ProgramExternal) -> wire.Reply:
    await listener.engine.endpoints.external(call.network_id, call.endpoint_id, call.ports, ipv6=call.ipv6)
    return Empty()


async def _revoke(listener: Listener, call: requests.RevokeExternal) -> wire.Reply:
    await listener.engine.endpoints.revoke(call.network_id, call.endpoint_id)
    return Empty()


async def _nothing(_: Listener, __: object) -> wire.Reply:
    return Empty()


# --- addresses ---------------------------------------------------------------------------------------------------


async def _ipam_capabilities(_: Listener, __: requests.IpamCapabilities) -> wire.Reply:
    # Durable state alone would do; the replay is the one time Docker says what it still holds.
    return replies.IpamCapabilitiesReply(requires_mac=False, requires_replay=True)


async def _spaces(_: Listener, __: requests.AddressSpaces) -> wire.Reply:
    return replies.AddressSpacesReply(LOCAL, GLOBAL)


async def _request_pool(listener: Listener, call: requests.RequestPool) -> wire.Reply:
    wanted = PoolRequest(
        call.space, call.version, call.subnet, call.prefix_length, call.sub_range, call.options, listener.name
    )
    pool = await listener.ipam.request_pool(wanted)
    return replies.PoolReply(pool.id, pool.subnet)


async def _release_pool(listener: Listener, call: requests.ReleasePool) -> wire.Reply:
    await listener.ipam.release_pool(call.pool)
    return Empty()


async def _request_address(listener: Listener, call: requests.RequestAddress) -> wire.Reply:
    kind = LeaseKind.GATEWAY if call.is_gateway else LeaseKind.ENDPOINT
    wanted = AddressRequest(call.pool, call.address, kind, call.owner, str(call.mac or ""), listener.name)
    try:
        address = await listener.ipam.request_address(wanted)
    except Conflict:
        if call.address is None or call.is_gateway:
            raise
        pool = PoolName.parse(call.pool)
        if not await listener.engine.ending.evict(said(pool.space), pool.subnet, call.address):
            raise
        address = await listener.ipam.request_address(wanted)
    return replies.AddressReply(address)


async def _release_address(listener: Listener, call: requests.ReleaseAddress) -> wire.Reply:
    await listener.ipam.release_address(call.pool, call.address)
    return Empty()


#: Answers a request of its type. Raises LinkwrightError for a call that failed.
Call = Callable[[Listener, Any], Awaitable[wire.Reply]]

CALLS: Final[Mapping[type, Call]] = MappingProxyType(
    {
        requests.Activate: _activate,
        requests.NetworkCapabilities: _capabilities,
        requests.GwAllocCheck: _gateway_check,
        requests.AllocateNetwork: _allocate,
        requests.FreeNetwork: _nothing,
        requests.CreateNetwork: _create_network,
        requests.DeleteNetwork: _delete_network,
        requests.CreateEndpoint: _create_endpoint,
        requests.EndpointInfo: _operational_info,
        requests.DeleteEndpoint: _delete_endpoint,
        requests.Join: _join,
        requests.Leave: _leave,
        requests.ProgramExternal: _program,
        requests.RevokeExternal: _revoke,
        requests.DiscoverNew: _nothing,
        requests.DiscoverDelete: _nothing,
        requests.IpamCapabilities: _ipam_capabilities,
        requests.AddressSpaces: _spaces,
        requests.RequestPool: _request_pool,
        requests.ReleasePool: _release_pool,
        requests.RequestAddress: _request_address,
        requests.ReleaseAddress: _release_address,
    }
)
