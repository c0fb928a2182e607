"""From the JSON object of each call to its request: which fields Docker sends, and what they mean here.

One function per call, one table at the end. Checks of single values are in ``kinds``. *Required* is what every engine
sends; *optional* what some leave out, or could by Go's ``omitempty``; *nullable* the maps and slices that Docker
really sends as nil.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from linkwright.model import PortBinding, Subnet
from linkwright.wire import kinds, labels
from linkwright.wire.fields import Fields, Kind, malformed
from linkwright.wire.kinds import list_of, map_of, nullable, unless_empty
from linkwright.wire.requests import (
    Activate,
    AddressSpaces,
    AllocateNetwork,
    CreateEndpoint,
    CreateNetwork,
    DeleteEndpoint,
    DeleteNetwork,
    DiscoverDelete,
    DiscoverNew,
    EndpointInfo,
    FreeNetwork,
    GwAllocCheck,
    IpamCapabilities,
    Join,
    Leave,
    NetworkCapabilities,
    Node,
    ProgramExternal,
    ReleaseAddress,
    ReleasePool,
    Request,
    RequestAddress,
    RequestPool,
    RevokeExternal,
)

_port = kinds.number(0, 65535)
_no_fields = Fields({})

# --- networks ----------------------------------------------------------------------------------------------------


def _gw_alloc_check(body: Fields) -> GwAllocCheck:
    options = _options(body)
    return GwAllocCheck(
        ipv4=options.optional(labels.ENABLE_IPV4, kinds.flag, default=True),
        ipv6=options.optional(labels.ENABLE_IPV6, kinds.flag, default=False),
        internal=options.optional(labels.INTERNAL, kinds.flag, default=False),
        options=options.optional(labels.GENERIC, map_of(kinds.text), {}),
    )


def _allocate_network(body: Fields) -> AllocateNetwork:
    """Unlike in CreateNetwork, ``Options`` are the ``-o`` pairs themselves."""
    return AllocateNetwork(
        network_id=body.required("NetworkID", kinds.identifier),
        subnets=(
            *body.optional("IPv4Data", nullable(list_of(_subnet(4)), ()), ()),
            *body.optional("IPv6Data", nullable(list_of(_subnet(6)), ()), ()),
        ),
        options=body.optional("Options", nullable(map_of(kinds.text), {}), {}),
    )


def _free_network(body: Fields) -> FreeNetwork:
    return FreeNetwork(body.required("NetworkID", kinds.identifier))


def _create_network(body: Fields) -> CreateNetwork:
    options = _options(body)
    return CreateNetwork(
        network_id=body.required("NetworkID", kinds.identifier),
        subnets=(
            *body.required("IPv4Data", list_of(_subnet(4))),
            *body.required("IPv6Data", list_of(_subnet(6))),
        ),
        ipv4=options.optional(labels.ENABLE_IPV4, kinds.flag, default=True),
        ipv6=options.optional(labels.ENABLE_IPV6, kinds.flag, default=False),
        internal=options.optional(labels.INTERNAL, kinds.flag, default=False),
        options=options.optional(labels.GENERIC, map_of(kinds.text), {}),
    )


def _delete_network(body: Fields) -> DeleteNetwork:
    return DeleteNetwork(body.required("NetworkID", kinds.identifier))


# --- endpoints ---------------------------------------------------------------------------------------------------


def _create_endpoint(body: Fields) -> CreateEndpoint:
    """Of its options, Docker's own are lists (and one base64 text), the user's are strings."""
    network_id, endpoint_id = _ids(body)
    interface = body.required("Interface", kinds.json_object)
    options = _options(body)
    given = {
        key: value for key, value in options.values.items() if isinstance(value, str) and key != labels.ENDPOINT_MAC
    }
    return CreateEndpoint(
        network_id,
        endpoint_id,
        ipv4=interface.optional("Address", unless_empty(kinds.cidr4), None),
        ipv6=interface.optional("AddressIPv6", unless_empty(kinds.cidr6), None),
        mac=interface.optional("MacAddress", unless_empty(kinds.mac), None),
        ports=_ports(options),
        options=map_of(kinds.text)(given, options.where),
    )


def _endpoint_info(body: Fields) -> EndpointInfo:
    return EndpointInfo(*_ids(body))


def _delete_endpoint(body: Fields) -> DeleteEndpoint:
    return DeleteEndpoint(*_ids(body))


def _join(body: Fields) -> Join:
    """Its options are the sandbox's: everything besides the ports is legacy links or private to Docker."""
    return Join(*_ids(body), body.required("SandboxKey", kinds.filled), _ports(_options(body)))


def _leave(body: Fields) -> Leave:
    return Leave(*_ids(body))


def _program_external(body: Fields) -> ProgramExternal:
    """Private to Docker as the label is, nothing else says that the host's IPv6 ports are another endpoint's."""
    options = _options(body)
    elsewhere = options.optional(labels.NO_PROXY_6TO4, kinds.flag, default=False)
    return ProgramExternal(*_ids(body), _ports(options), ipv6=not elsewhere)


def _revoke_external(body: Fields) -> RevokeExternal:
    return RevokeExternal(*_ids(body))


# --- discovery ---------------------------------------------------------------------------------------------------


def _discover_new(body: Fields) -> DiscoverNew:
    return DiscoverNew(_node(body))


def _discover_delete(body: Fields) -> DiscoverDelete:
    return DiscoverDelete(_node(body))


# --- IPAM --------------------------------------------------------------------------------------------------------


def _request_pool(body: Fields) -> RequestPool:
    """RequestPool's docstring tells what the special forms of ``Pool`` become."""
    version = 6 if body.optional("V6", kinds.flag, default=False) else 4
    pool = body.optional("Pool", unless_empty(kinds.CIDR[version]), None)
    any_of_size = pool is not None and pool.ip.is_unspecified
    return RequestPool(
        space=body.required("AddressSpace", kinds.text),
        version=version,
        subnet=None if pool is None or any_of_size else pool.network,
        prefix_length=pool.network.prefixlen if pool is not None and any_of_size else None,
        sub_range=body.optional("SubPool", unless_empty(kinds.prefix(version)), None),
        options=body.optional("Options", nullable(map_of(kinds.text), {}), {}),
    )


def _release_pool(body: Fields) -> ReleasePool:
    return ReleasePool(body.required("PoolID", kinds.text))


def _request_address(body: Fields) -> RequestAddress:
    options = body.optional("Options", nullable(kinds.json_object, _no_fields), _no_fields)
    is_gateway = options.values.get(labels.ADDRESS_TYPE) == labels.GATEWAY
    understood = {labels.ENDPOINT_NAME, labels.ENDPOINT_MAC} | ({labels.ADDRESS_TYPE} if is_gateway else set())
    rest = {key: value for key, value in options.values.items() if key not in understood}
    return RequestAddress(
        pool=body.required("PoolID", kinds.text),
        address=body.optional("Address", unless_empty(kinds.address), None),
        is_gateway=is_gateway,
        owner=options.optional(labels.ENDPOINT_NAME, kinds.text, ""),
        mac=options.optional(labels.ENDPOINT_MAC, unless_empty(kinds.mac), None),
        options=map_of(kinds.text)(rest, options.where),
    )


def _release_address(body: Fields) -> ReleaseAddress:
    return ReleaseAddress(body.required("PoolID", kinds.text), body.required("Address", kinds.address))


# --- parts that several calls share ------------------------------------------------------------------------------


def _ids(body: Fields) -> tuple[str, str]:
    return body.required("NetworkID", kinds.identifier), body.required("EndpointID", kinds.identifier)


def _options(body: Fields) -> Fields:
    return body.optional("Options", kinds.json_object, _no_fields)


def _subnet(version: int) -> Kind[Subnet]:
    cidr = kinds.CIDR[version]

    def read(value: object, where: str) -> Subnet:
        data = kinds.json_object(value, where)
        auxiliary = data.optional("AuxAddresses", map_of(cidr), {})
        return Subnet(
            pool=data.required("Pool", kinds.prefix(version)),
            gateway=data.optional("Gateway", cidr, None),
            auxiliary={name: interface.ip for name, interface in auxiliary.items()},
            space=data.optional("AddressSpace", kinds.text, ""),
        )

    return read


def _ports(options: Fields) -> tuple[PortBinding, ...]:
    return options.optional(labels.PORT_MAP, list_of(_port_binding), ())


def _port_binding(value: object, where: str) -> PortBinding:
    """One ``-p``. ``HostPort`` equal to ``HostPortEnd`` is how Docker writes a single port."""
    data = kinds.json_object(value, where)
    first = data.optional("HostPort", _port, 0)
    last = data.optional("HostPortEnd", _port, 0)
    if 0 < last < first:
        raise malformed(f"{where}.HostPortEnd", last, f"0 or not less than HostPort, which is {first}")
    return PortBinding(
        protocol=data.required("Proto", kinds.protocol),
        port=data.required("Port", kinds.number(1, 65535)),
        host_address=data.optional("HostIP", unless_empty(kinds.address), None),
        host_port=first,
        host_port_end=last,
    )


def _node(body: Fields) -> Node | None:
    if body.required("DiscoveryType", kinds.number(0, 2**31 - 1)) != labels.NODE_DISCOVERY:
        return None
    data = body.required("DiscoveryData", kinds.json_object)
    return Node(
        address=data.optional("Address", kinds.text, ""),
        bind_address=data.optional("BindAddress", kinds.text, ""),
        itself=data.optional("Self", kinds.flag, default=False),
    )


READERS: Final[Mapping[type[Request], Callable[[Fields], Request]]] = MappingProxyType(
    {
        Activate: lambda _: Activate(),
        NetworkCapabilities: lambda _: NetworkCapabilities(),
        GwAllocCheck: _gw_alloc_check,
        AllocateNetwork: _allocate_network,
        FreeNetwork: _free_network,
        CreateNetwork: _create_network,
        DeleteNetwork: _delete_network,
        CreateEndpoint: _create_endpoint,
        EndpointInfo: _endpoint_info,
        DeleteEndpoint: _delete_endpoint,
        Join: _join,
        Leave: _leave,
        ProgramExternal: _program_external,
        RevokeExternal: _revoke_external,
        DiscoverNew: _discover_new,
        DiscoverDelete: _discover_delete,
        IpamCapabilities: lambda _: IpamCapabilities(),
        AddressSpaces: lambda _: AddressSpaces(),
        RequestPool: _request_pool,
        ReleasePool: _release_pool,
        RequestAddress: _request_address,
        ReleaseAddress: _release_address,
    }
)
