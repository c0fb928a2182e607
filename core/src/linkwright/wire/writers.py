"""From each reply to the JSON object that Docker reads: its keys, and what is left out.

One function per reply, one table at the end. Go takes an absent key for its zero value, so what says nothing is not
written. Gateways are bare addresses and all others CIDR, as the replies' types already are.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from linkwright.model import PortBinding
from linkwright.wire import labels
from linkwright.wire.replies import (
    ActivateReply,
    AddressReply,
    AddressSpacesReply,
    AllocateReply,
    CapabilitiesReply,
    Empty,
    EndpointInfoReply,
    EndpointReply,
    GwAllocReply,
    IpamCapabilitiesReply,
    JoinReply,
    PoolReply,
    Reply,
    StaticRoute,
)

Document = Mapping[str, object]


# --- both --------------------------------------------------------------------------------------------------------


def _activate(reply: ActivateReply) -> Document:
    return {"Implements": [api.value for api in reply.implements]}


def _empty(_: Empty) -> Document:
    return {}


# --- NetworkDriver -----------------------------------------------------------------------------------------------


def _capabilities(reply: CapabilitiesReply) -> Document:
    return {
        "Scope": reply.scope.value,
        "ConnectivityScope": reply.connectivity.value,
        "GwAllocChecker": reply.checks_gateway,
    }


def _gw_alloc(reply: GwAllocReply) -> Document:
    return {"SkipIPv4": reply.skip_ipv4, "SkipIPv6": reply.skip_ipv6}


def _allocate(reply: AllocateReply) -> Document:
    return {"Options": dict(reply.options)}


def _endpoint(reply: EndpointReply) -> Document:
    news = {"Address": reply.ipv4_news, "AddressIPv6": reply.ipv6_news, "MacAddress": reply.mac_news}
    interface = {key: str(value) for key, value in news.items() if value is not None}
    return {"Interface": interface} if interface else {}


def _endpoint_info(reply: EndpointInfoReply) -> Document:
    ports = {} if reply.ports is None else {labels.PORT_MAP: [_port_binding(one, reply) for one in reply.ports]}
    return {"Value": {**reply.value, **ports}}


def _port_binding(binding: PortBinding, reply: EndpointInfoReply) -> Document:
    """As Docker's own bridge answers it (libnetwork's ``types.PortBinding``), the container's address first."""
    host = binding.host_address
    inside = [address for address in reply.addresses if host is None or address.version == host.version]
    return {
        "Proto": int(binding.protocol),
        "IP": str(next(iter(inside or reply.addresses), "")),
        "Port": binding.port,
        "HostIP": "" if host is None else str(host),
        "HostPort": binding.host_port,
        "HostPortEnd": binding.host_port_end or binding.host_port,
    }


def _join(reply: JoinReply) -> Document:
    document: dict[str, object] = {}
    if reply.source:
        names = {"SrcName": reply.source, "DstPrefix": reply.prefix}
        document["InterfaceName"] = names | ({"DstName": reply.name} if reply.name else {})
    if reply.gateway4 is not None:
        document["Gateway"] = str(reply.gateway4)
    if reply.gateway6 is not None:
        document["GatewayIPv6"] = str(reply.gateway6)
    if reply.routes:
        document["StaticRoutes"] = [_route(route) for route in reply.routes]
    if reply.disable_gateway_service:
        document["DisableGatewayService"] = True
    return document


def _route(route: StaticRoute) -> Document:
    if route.via is None:
        return {"Destination": str(route.destination), "RouteType": labels.ROUTE_ON_LINK}
    return {"Destination": str(route.destination), "RouteType": labels.ROUTE_VIA, "NextHop": str(route.via)}


# --- IpamDriver --------------------------------------------------------------------------------------------------


def _ipam_capabilities(reply: IpamCapabilitiesReply) -> Document:
    return {"RequiresMACAddress": reply.requires_mac, "RequiresRequestReplay": reply.requires_replay}


def _address_spaces(reply: AddressSpacesReply) -> Document:
    return {"LocalDefaultAddressSpace": reply.local, "GlobalDefaultAddressSpace": reply.global_}


def _pool(reply: PoolReply) -> Document:
    data = {} if reply.gateway is None else {labels.GATEWAY: str(reply.gateway)}
    return {"PoolID": reply.pool, "Pool": str(reply.subnet), "Data": data}


def _address(reply: AddressReply) -> Document:
    return {"Address": str(reply.address)}


WRITERS: Final[Mapping[type[Reply], Callable[[Any], Document]]] = MappingProxyType(
    {
        ActivateReply: _activate,
        CapabilitiesReply: _capabilities,
        GwAllocReply: _gw_alloc,
        AllocateReply: _allocate,
        EndpointReply: _endpoint,
        EndpointInfoReply: _endpoint_info,
        JoinReply: _join,
        IpamCapabilitiesReply: _ipam_capabilities,
        AddressSpacesReply: _address_spaces,
        PoolReply: _pool,
        AddressReply: _address,
        Empty: _empty,
    }
)
