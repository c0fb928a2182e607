"""The bridge driver's wishes and the kernel: made, found as wished, and unmade without a trace."""

from collections.abc import Callable
from ipaddress import ip_interface
from typing import Any

import pytest

from linkwright import sdk
from linkwright_bridge import Bridge, Options

CASES: list[tuple[dict[str, str], list[str], bool]] = [
    ({}, ["10.1.0.1/24"], False),
    ({}, ["10.1.0.1/24", "10.2.0.1/24", "fd00:1::1/64"], False),
    ({"com.docker.network.bridge.enable_icc": "false", "mtu": "1400"}, ["10.1.0.1/24"], True),
    ({"com.docker.network.bridge.inhibit_ipv4": "true"}, ["10.1.0.1/24", "fd00:1::1/64"], False),
]


@pytest.mark.parametrize(("pairs", "gateways", "internal"), CASES)
async def test_the_kernel_has_what_was_wished(
    pairs: dict[str, str], gateways: list[str], *, internal: bool, host: Any, settles: Callable[..., Any]
) -> None:
    """Looking again finds nothing to do, and afterwards nothing is left."""
    subnets = tuple(sdk.Subnet(gateway.network, gateway) for gateway in map(ip_interface, gateways))
    options, facts = sdk.read(Options, pairs, driver="bridge"), sdk.HostFacts(features=frozenset({"ipv6"}))
    network = sdk.Network("a" * 64, "bridge", options, subnets, internal=internal, host=facts)
    endpoint = sdk.Endpoint("e" * 64, network.id, mac=sdk.Mac.derive("e"))
    made = await settles(host, Bridge(), network, endpoint)
    assert made["link", sdk.link_name("h", endpoint.id)].master == sdk.link_name("b", network.id)
