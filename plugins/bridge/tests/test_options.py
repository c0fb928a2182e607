"""What ``-o`` says to the bridge driver: read or refused, and what contradicts itself."""

from collections.abc import Callable
from ipaddress import ip_address

import pytest
from plugins.bridge.tests.asked import network, options

from linkwright import sdk
from linkwright_bridge import Options


@pytest.mark.parametrize(
    ("pairs", "text"),
    [
        ({"name": "much-too-long-for-a-link"}, "option com.docker.network.bridge.name='much-too-long-for-a-link'"),
        (
            {"enable_icc": "perhaps"},
            "option com.docker.network.bridge.enable_icc='perhaps' of driver bridge: write true",
        ),
        (
            {"enable_ic": "1"},
            "driver bridge has no option 'enable_ic'; did you mean 'com.docker.network.bridge.enable_icc'?",
        ),
        ({"parent": "eth0"}, "driver bridge has no option 'parent'; it knows "),
        (
            {"default_bridge": "true"},
            (
                "option com.docker.network.bridge.default_bridge='true' of driver bridge: the default bridge is "
                "docker0, which Docker's own driver makes; leave this out"
            ),
        ),
        (
            {"gateway_mode_ipv4": "bridged"},
            (
                "option com.docker.network.bridge.gateway_mode_ipv4='bridged' of driver bridge: "
                "write nat, routed, nat-unprotected or isolated"
            ),
        ),
        (
            {"host_binding_ipv4": "ff02::1"},
            (
                "option com.docker.network.bridge.host_binding_ipv4='ff02::1' of driver bridge: "
                "write an IPv4 or IPv6 address of this host"
            ),
        ),
        (
            {"host_ipv4": "fd00::1"},
            "option com.docker.network.host_ipv4='fd00::1' of driver bridge: write an IPv4 address of this host",
        ),
        (
            {"host_ipv4": "127.0.0.1"},
            "option com.docker.network.host_ipv4='127.0.0.1' of driver bridge: nobody outside could answer to",
        ),
        (
            {"host_ipv6": "fe80::1"},
            "option com.docker.network.host_ipv6='fe80::1' of driver bridge: write an IPv6 address of this host",
        ),
        ({"host_ipv6": "x"}, "option com.docker.network.host_ipv6='x' of driver bridge: 'x' does not appear to be an"),
        (
            {"trusted_host_interfaces": "eth0::eth1"},
            (
                "option com.docker.network.bridge.trusted_host_interfaces='eth0::eth1' of driver bridge: "
                "'' is no interface name"
            ),
        ),
        ({"rate": "10mbps "}, "option rate='10mbps ' of driver bridge: write a rate like 512kbit, 10mbit or 1gbit"),
        ({"burst": "lots"}, "option burst='lots' of driver bridge: write a size like 16000, 64kb or 1mb"),
        (
            {"adopt": "1"},
            "options of driver bridge: adopt takes the bridge that com.docker.network.bridge.name says; name it",
        ),
        (
            {"adopt": "1", "name": "br0", "multicast_snooping": "0"},
            "options of driver bridge: an adopted bridge is left as it is; leave multicast_snooping out",
        ),
        (
            {"adopt": "1", "name": "br0", "vlan_filtering": "1"},
            "options of driver bridge: the VLANs of an adopted bridge are its owner's; leave vlan_filtering out",
        ),
        (
            {"host_ipv4": "192.0.2.1", "enable_ip_masquerade": "0"},
            "options of driver bridge: host_ipv4 and host_ipv6 are for masquerade, which enable_ip_masquerade or",
        ),
        (
            {"host_ipv6": "2001:db8::1", "gateway_mode_ipv6": "routed"},
            "options of driver bridge: host_ipv4 and host_ipv6 are for masquerade",
        ),
        (
            {"enable_icc": "0", "port_isolation": "0"},
            "options of driver bridge: enable_icc=false keeps containers apart by isolating their ports",
        ),
        ({"burst": "64kb"}, "options of driver bridge: burst is for a limit, and there is none; add rate,"),
        ({"burst": "64kb", "rate": "0"}, "options of driver bridge: burst is for a limit, and there is none"),
    ],
)
def test_p_22_options_are_read_or_refused_by_name(
    pairs: dict[str, str], text: str, refusal: Callable[[Callable[[], object]], str]
) -> None:
    """A typing error is not a default, and what could not be meant is asked about."""
    assert refusal(lambda: network(o=pairs)).startswith(text)


def test_options_go_by_dockers_labels() -> None:
    """So what was written for Docker's own bridge works unchanged."""
    said = {
        "com.docker.network.bridge.name": "lw0",
        "com.docker.network.bridge.enable_ip_masquerade": "true",
        "com.docker.network.bridge.enable_icc": "false",
        "com.docker.network.bridge.host_binding_ipv4": "::1",
        "com.docker.network.bridge.inhibit_ipv4": "1",
        "com.docker.network.bridge.default_bridge": "false",
        "com.docker.network.bridge.gateway_mode_ipv4": "nat-unprotected",
        "com.docker.network.bridge.gateway_mode_ipv6": "routed",
        "com.docker.network.bridge.trusted_host_interfaces": "eth0:wg0:eth0",
        "com.docker.network.driver.mtu": "1400",
        "com.docker.network.container_iface_prefix": "net",
        "com.docker.network.host_ipv4": "192.0.2.1",
        "com.docker.network.enable_ipv4": "true",
        "com.docker.network.enable_ipv6": "false",
        "com.docker.network.advertise_addr_ms": "100",
    }
    read = sdk.read(Options, said, driver="bridge")
    assert (read.bridge_name, read.icc, read.host_binding, read.inhibit_ipv4) == ("lw0", False, ip_address("::1"), True)
    assert (read.mode(4).value, read.mode(6).value) == ("nat-unprotected", "routed")
    assert (read.trusted, read.mtu, read.interface_prefix) == (("eth0", "wg0"), 1400, "net")
    assert (read.source(4), read.source(6)) == (ip_address("192.0.2.1"), None)


@pytest.mark.parametrize(
    ("pairs", "isolated"),
    [({}, False), ({"enable_icc": "0"}, True), ({"port_isolation": "1"}, True), ({"port_isolation": "0"}, False)],
)
def test_ports_are_kept_apart_where_containers_are(pairs: dict[str, str], *, isolated: bool) -> None:
    """By the bridge: what it forwards itself does not pass the firewall on most hosts."""
    assert options(**pairs).isolates_ports is isolated
