"""The bridge driver's wishes and the kernel: made, found as wished, and unmade without a trace."""

from collections.abc import Callable
from ipaddress import ip_interface
from typing import Any

import pytest

from linkwright import sdk
from linkwright_bridge import Bridge, Options

FOUR: Any = ip_interface("10.1.0.9/24")
SIX: Any = ip_interface("fd00:1::9/64")

CASES: list[tuple[dict[str, str], list[str], bool]] = [
    ({}, ["10.1.0.1/24"], False),
    ({}, ["10.1.0.1/24", "10.2.0.1/24", "fd00:1::1/64"], False),
    ({"com.docker.network.bridge.enable_icc": "false", "mtu": "1400"}, ["10.1.0.1/24"], True),
    ({"com.docker.network.bridge.inhibit_ipv4": "true"}, ["10.1.0.1/24", "fd00:1::1/64"], False),
    ({"rate": "10mbit", "rate_out": "1gbit", "spoof_check": "true"}, ["10.1.0.1/24", "fd00:1::1/64"], False),
    ({"rate_in": "1234567", "burst": "100000"}, ["10.1.0.1/24"], True),
    ({"hairpin": "true", "port_isolation": "true", "multicast_snooping": "false"}, ["fd00:1::1/64"], False),
    (
        {
            "com.docker.network.host_ipv4": "192.0.2.7",
            "com.docker.network.bridge.gateway_mode_ipv6": "routed",
            "com.docker.network.bridge.trusted_host_interfaces": "eth0:eth1",
        },
        ["10.1.0.1/24", "fd00:1::1/64"],
        False,
    ),
    ({"com.docker.network.bridge.gateway_mode_ipv4": "nat-unprotected"}, ["10.1.0.1/24"], False),
    ({"com.docker.network.bridge.gateway_mode_ipv6": "isolated"}, ["10.1.0.1/24", "fd00:1::1/64"], True),
]


@pytest.mark.parametrize(("pairs", "gateways", "internal"), CASES)
async def test_the_kernel_has_what_was_wished(
    pairs: dict[str, str], gateways: list[str], *, internal: bool, host: Any, settles: Callable[..., Any]
) -> None:
    """Looking again finds nothing to do, and afterwards nothing is left."""
    subnets = tuple(sdk.Subnet(gateway.network, gateway) for gateway in map(ip_interface, gateways))
    options, facts = sdk.read(Options, pairs, driver="bridge"), sdk.HostFacts(features=frozenset({"ipv6"}))
    network = sdk.Network("a" * 64, "bridge", options, subnets, internal=internal, host=facts)
    endpoint = sdk.Endpoint("e" * 64, network.id, ipv4=FOUR, ipv6=SIX, mac=sdk.Mac.derive("e"))
    made = await settles(host, Bridge(), network, endpoint)
    assert made["link", sdk.link_name("h", endpoint.id)].master == sdk.link_name("b", network.id)
