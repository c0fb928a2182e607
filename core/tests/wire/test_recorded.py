"""What real engines sent, read and told again: nothing of it may be lost that has a meaning."""

import json
from collections.abc import Callable
from ipaddress import ip_interface
from typing import Any

import pytest

from linkwright.model import PortBinding, Subnet
from linkwright.wire import ROUTES, Undecodable, decode, find, requests

IGNORED_OPTIONS = {
    "com.docker.network.endpoint.exposedports",  # what could be published
    "com.docker.network.endpoint.dnsservers",  # the engine's resolver's business
    "com.docker.network.endpoint.macaddress",  # a copy in base64
}


def test_every_recorded_request_is_read(recording: Any) -> None:
    """What a real engine sent becomes the request of its path; only a repetition without its body is refused."""
    route = find(recording.path)
    if recording.document is None and route.takes_arguments:
        with pytest.raises(Undecodable, match="no body") as refusal:
            decode(recording.path, recording.body)
        assert refusal.value.status == 400
    else:
        assert type(decode(recording.path, recording.body)) is route.request


def test_every_recorded_request_can_be_told_again(recording: Any) -> None:
    """From the request alone the recorded document can be written again, save what has no meaning for a driver."""
    if recording.document is None:
        return
    request = decode(recording.path, recording.body)
    assert _with_meaning(recording) == json.loads(json.dumps(RETOLD[type(request)](request)))


def test_the_recordings_cover_the_protocol(recordings: Any) -> None:
    """Each engine's file holds every call that this engine makes outside a swarm of managed plugins."""
    never_recorded = {
        "/NetworkDriver.AllocateNetwork",
        "/NetworkDriver.FreeNetwork",
        "/NetworkDriver.DiscoverDelete",
    }
    not_in = {"20.10.24": {"/NetworkDriver.GwAllocCheck"}, "29": {"/NetworkDriver.DiscoverNew"}}
    for engine, missing in not_in.items():
        calls = {recording.path for recording in recordings if recording.engine == engine}
        assert calls == set(ROUTES) - never_recorded - missing


# --- the way back, written apart from the code under test --------------------------------------------------------


def _with_meaning(recording: Any) -> dict[str, Any]:
    """The recorded document less what a driver does not need, and with Docker's ways of saying nothing made one."""
    document: dict[str, Any] = json.loads(json.dumps(recording.document))
    options = document.get("Options", {}) or {}
    if recording.path in {"/NetworkDriver.Join", "/NetworkDriver.ProgramExternalConnectivity"}:
        options.pop("com.docker.network.generic", None)  # legacy links
    if recording.path in {"/NetworkDriver.CreateNetwork", "/NetworkDriver.GwAllocCheck"}:
        options.setdefault("com.docker.network.enable_ipv4", True)
        options.setdefault("com.docker.network.internal", False)
    if "EndpointID" in document and "Options" in document:
        options = {key: value for key, value in options.items() if key not in IGNORED_OPTIONS}
        options.setdefault("com.docker.network.portmap", [])
    if "Options" in document:
        document["Options"] = options
    for data in document.get("IPv4Data", []) + document.get("IPv6Data", []):
        data.setdefault("AuxAddresses", {})
    if document.get("Pool"):
        document["Pool"] = str(ip_interface(document["Pool"]).network)
    return document


def _retell_subnet(subnet: Subnet) -> dict[str, Any]:
    told: dict[str, Any] = {"AddressSpace": subnet.space, "Pool": str(subnet.pool)}
    if subnet.gateway is not None:
        told["Gateway"] = str(subnet.gateway)
    told["AuxAddresses"] = {name: f"{address}/{subnet.pool.prefixlen}" for name, address in subnet.auxiliary.items()}
    return told


def _retell_port(port: PortBinding) -> dict[str, Any]:
    return {
        "Proto": {"tcp": 6, "udp": 17, "sctp": 132}[str(port.protocol)],
        "IP": "",
        "Port": port.port,
        "HostIP": str(port.host_address or ""),
        "HostPort": port.host_port,
        "HostPortEnd": port.host_port_end,
    }


def _retell_network_options(request: requests.CreateNetwork | requests.GwAllocCheck) -> dict[str, Any]:
    return {
        "com.docker.network.enable_ipv4": request.ipv4,
        "com.docker.network.enable_ipv6": request.ipv6,
        "com.docker.network.internal": request.internal,
        "com.docker.network.generic": request.options,
    }


def _retell_network(request: requests.CreateNetwork) -> dict[str, Any]:
    return {
        "NetworkID": request.network_id,
        "Options": _retell_network_options(request),
        "IPv4Data": [_retell_subnet(subnet) for subnet in request.subnets if subnet.version == 4],
        "IPv6Data": [_retell_subnet(subnet) for subnet in request.subnets if subnet.version == 6],
    }


def _retell_ids(request: Any) -> dict[str, Any]:
    return {"NetworkID": request.network_id, "EndpointID": request.endpoint_id}


def _retell_ports(request: Any) -> dict[str, Any]:
    return {"com.docker.network.portmap": [_retell_port(port) for port in request.ports]}


def _retell_endpoint(request: requests.CreateEndpoint) -> dict[str, Any]:
    return _retell_ids(request) | {
        "Interface": {
            "Address": str(request.ipv4 or ""),
            "AddressIPv6": str(request.ipv6 or ""),
            "MacAddress": str(request.mac or ""),
        },
        "Options": _retell_ports(request) | dict(request.options),
    }


def _retell_pool(request: requests.RequestPool) -> dict[str, Any]:
    any_of_size = f"{'::' if request.version == 6 else '0.0.0.0'}/{request.prefix_length}"
    return {
        "AddressSpace": request.space,
        "Pool": any_of_size if request.prefix_length is not None else str(request.subnet or ""),
        "SubPool": str(request.sub_range or ""),
        "Options": request.options,
        "V6": request.version == 6,
    }


def _retell_address(request: requests.RequestAddress) -> dict[str, Any]:
    options = dict(request.options)
    if request.is_gateway:
        options["RequestAddressType"] = "com.docker.network.gateway"
    if request.owner:
        options["com.docker.network.endpoint.name"] = request.owner
    if request.mac is not None:
        options["com.docker.network.endpoint.macaddress"] = str(request.mac)
    return {"PoolID": request.pool, "Address": str(request.address or ""), "Options": options}


def _retell_node(request: requests.DiscoverNew) -> dict[str, Any]:
    assert request.node is not None
    data = {
        "Address": request.node.address,
        "BindAddress": request.node.bind_address,
        "Self": request.node.itself,
    }
    return {"DiscoveryType": 1, "DiscoveryData": data}


RETOLD: dict[type, Callable[[Any], dict[str, Any]]] = {
    requests.GwAllocCheck: lambda request: {"Options": _retell_network_options(request)},
    requests.CreateNetwork: _retell_network,
    requests.DeleteNetwork: lambda request: {"NetworkID": request.network_id},
    requests.CreateEndpoint: _retell_endpoint,
    requests.EndpointInfo: _retell_ids,
    requests.DeleteEndpoint: _retell_ids,
    requests.Join: lambda request: (
        _retell_ids(request) | {"SandboxKey": request.sandbox_key, "Options": _retell_ports(request)}
    ),
    requests.Leave: _retell_ids,
    requests.ProgramExternal: lambda request: _retell_ids(request) | {"Options": _retell_ports(request)},
    requests.RevokeExternal: _retell_ids,
    requests.DiscoverNew: _retell_node,
    requests.RequestPool: _retell_pool,
    requests.ReleasePool: lambda request: {"PoolID": request.pool},
    requests.RequestAddress: _retell_address,
    requests.ReleaseAddress: lambda request: {"PoolID": request.pool, "Address": str(request.address)},
}
