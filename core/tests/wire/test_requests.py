"""What the calls mean, where a recording alone does not show it."""

import json
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any

import pytest

from linkwright.model import Mac, PortBinding, Protocol, Subnet
from linkwright.wire import Request, decode
from linkwright.wire.fields import Undecodable
from linkwright.wire.requests import (
    Activate,
    AllocateNetwork,
    CreateEndpoint,
    CreateNetwork,
    DiscoverDelete,
    DiscoverNew,
    FreeNetwork,
    GwAllocCheck,
    Join,
    Node,
    ProgramExternal,
    ReleaseAddress,
    RequestAddress,
    RequestPool,
)


def _read(call: str, **document: Any) -> Request:
    return decode(f"/{call}", json.dumps(document).encode())


# --- networks ----------------------------------------------------------------------------------------------------


def test_a_network_has_its_subnets_in_order_and_its_flags_as_booleans() -> None:
    """IPv4 pools come first, each with gateway and bare auxiliary addresses; the ``-o`` pairs pass untouched."""
    request = _read(
        "NetworkDriver.CreateNetwork",
        NetworkID="n1",
        Options={
            "com.docker.network.enable_ipv4": True,
            "com.docker.network.enable_ipv6": True,
            "com.docker.network.internal": True,
            "com.docker.network.generic": {"mtu": "1400", "com.docker.network.bridge.name": "br7"},
        },
        IPv6Data=[{"AddressSpace": "local", "Pool": "fd00:60::/64", "Gateway": "fd00:60::1/64"}],
        IPv4Data=[
            {
                "AddressSpace": "local",
                "Pool": "10.60.0.0/16",
                "Gateway": "10.60.5.254/16",
                "AuxAddresses": {"router": "10.60.5.5/16"},
            },
            {"AddressSpace": "local", "Pool": "10.61.0.0/24"},
        ],
    )
    assert request == CreateNetwork(
        "n1",
        subnets=(
            Subnet(
                IPv4Network("10.60.0.0/16"),
                IPv4Interface("10.60.5.254/16"),
                {"router": IPv4Address("10.60.5.5")},
                "local",
            ),
            Subnet(IPv4Network("10.61.0.0/24"), None, {}, "local"),
            Subnet(IPv6Network("fd00:60::/64"), IPv6Interface("fd00:60::1/64"), {}, "local"),
        ),
        ipv4=True,
        ipv6=True,
        internal=True,
        options={"mtu": "1400", "com.docker.network.bridge.name": "br7"},
    )


def test_a_network_of_an_old_engine_has_ipv4() -> None:
    """Engines before 28 do not send ``enable_ipv4``, and mean it."""
    request = _read("NetworkDriver.CreateNetwork", NetworkID="n1", Options={}, IPv4Data=[], IPv6Data=[])
    assert request == CreateNetwork("n1", subnets=(), ipv4=True, ipv6=False, internal=False, options={})


def test_ipv4_can_be_switched_off() -> None:
    """Engines from 28 on say ``--ipv4=false``."""
    request = _read(
        "NetworkDriver.CreateNetwork",
        NetworkID="n1",
        Options={"com.docker.network.enable_ipv4": False},
        IPv4Data=[],
        IPv6Data=[],
    )
    assert request == CreateNetwork("n1", subnets=(), ipv4=False)


def test_the_null_ipam_has_a_pool_of_everything() -> None:
    """``--ipam-driver null`` is read; whether a driver can live with it is not for the codec to say."""
    null = [{"AddressSpace": "null", "Pool": "0.0.0.0/0"}]
    request = _read("NetworkDriver.CreateNetwork", NetworkID="n1", Options={}, IPv4Data=null, IPv6Data=[])
    assert request == CreateNetwork("n1", subnets=(Subnet(IPv4Network("0.0.0.0/0"), space="null"),))


def test_a_pool_of_another_ipam_driver_may_have_host_bits() -> None:
    """Docker passes on whatever the IPAM driver answered; the range is what counts."""
    data = [{"AddressSpace": "x", "Pool": "10.9.0.7/24"}]
    request = _read("NetworkDriver.CreateNetwork", NetworkID="n1", Options={}, IPv4Data=data, IPv6Data=[])
    assert request == CreateNetwork("n1", subnets=(Subnet(IPv4Network("10.9.0.0/24"), space="x"),))


def test_the_gateway_question_has_the_options_of_its_network() -> None:
    """GwAllocCheck comes before the network has an id, and says the rest."""
    request = _read(
        "NetworkDriver.GwAllocCheck",
        Options={
            "com.docker.network.enable_ipv4": False,
            "com.docker.network.enable_ipv6": True,
            "com.docker.network.internal": True,
            "com.docker.network.generic": {"k": "v"},
        },
    )
    assert request == GwAllocCheck(ipv4=False, ipv6=True, internal=True, options={"k": "v"})
    assert _read("NetworkDriver.GwAllocCheck", Options={}) == GwAllocCheck(ipv4=True, ipv6=False, internal=False)


def test_swarm_allocates_with_plain_options_and_null_for_nothing() -> None:
    """AllocateNetwork's options are the ``-o`` pairs themselves; Go's nil slices and maps are ``null``."""
    pool = [{"AddressSpace": "g", "Pool": "10.0.1.0/24", "Gateway": "10.0.1.1/24"}]
    request = _read(
        "NetworkDriver.AllocateNetwork",
        NetworkID="y6vqxqnzf8y0q2b1qk5xj1c4d",
        Options=None,
        IPv4Data=pool,
        IPv6Data=None,
    )
    subnet = Subnet(IPv4Network("10.0.1.0/24"), IPv4Interface("10.0.1.1/24"), space="g")
    assert request == AllocateNetwork("y6vqxqnzf8y0q2b1qk5xj1c4d", (subnet,), {})
    assert _read("NetworkDriver.AllocateNetwork", NetworkID="n1", Options={"k": "v"}) == AllocateNetwork(
        "n1", (), {"k": "v"}
    )
    assert _read("NetworkDriver.FreeNetwork", NetworkID="n1") == FreeNetwork("n1")


# --- endpoints ---------------------------------------------------------------------------------------------------


def test_an_endpoint_carries_addresses_ports_and_only_the_users_options() -> None:
    """Docker's own options (lists, and the base64 copy of the hardware address) are no options of the user."""
    request = _read(
        "NetworkDriver.CreateEndpoint",
        NetworkID="n1",
        EndpointID="e1",
        Interface={"Address": "10.60.7.7/16", "AddressIPv6": "fd00:60::77/64", "MacAddress": "02:AA:bb:cc:dd:01"},
        Options={
            "com.docker.network.endpoint.exposedports": [{"Proto": 6, "Port": 80}, {"Proto": 1, "Port": 0}],
            "com.docker.network.portmap": [
                {"Proto": 6, "IP": "", "Port": 80, "HostIP": "", "HostPort": 8080, "HostPortEnd": 8080},
                {"Proto": 17, "IP": "", "Port": 53, "HostIP": "127.0.0.1", "HostPort": 0, "HostPortEnd": 0},
                {"Proto": 132, "IP": "", "Port": 5, "HostIP": "::1", "HostPort": 8000, "HostPortEnd": 8010},
            ],
            "com.docker.network.endpoint.macaddress": "Aqq7zN0B",
            "com.docker.network.endpoint.dnsservers": ["9.9.9.9"],
            "com.docker.network.endpoint.ifname": "foo0",
            "com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1",
            "com.docker.network.something.new": True,
            "com.example.k": "v",
        },
    )
    assert request == CreateEndpoint(
        "n1",
        "e1",
        ipv4=IPv4Interface("10.60.7.7/16"),
        ipv6=IPv6Interface("fd00:60::77/64"),
        mac=Mac.parse("02:aa:bb:cc:dd:01"),
        ports=(
            PortBinding(Protocol.TCP, 80, None, 8080, 8080),
            PortBinding(Protocol.UDP, 53, IPv4Address("127.0.0.1")),
            PortBinding(Protocol.SCTP, 5, IPv6Address("::1"), 8000, 8010),
        ),
        options={
            "com.docker.network.endpoint.ifname": "foo0",
            "com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1",
            "com.example.k": "v",
        },
    )


def test_empty_text_leaves_an_address_open() -> None:
    """The null IPAM gives no addresses, and a user seldom gives a MAC: Docker writes ``""`` for both."""
    interface = {"Address": "", "AddressIPv6": "", "MacAddress": ""}
    request = _read("NetworkDriver.CreateEndpoint", NetworkID="n1", EndpointID="e1", Interface=interface, Options={})
    assert request == CreateEndpoint("n1", "e1", ipv4=None, ipv6=None, mac=None)


def test_a_port_may_come_without_the_end_of_a_range() -> None:
    """Then it is that one port, as where Docker writes the same number twice."""
    options = {"com.docker.network.portmap": [{"Proto": 6, "Port": 80, "HostPort": 8080, "HostPortEnd": 0}]}
    request = _read("NetworkDriver.ProgramExternalConnectivity", NetworkID="n1", EndpointID="e1", Options=options)
    assert request == ProgramExternal("n1", "e1", (PortBinding(Protocol.TCP, 80, None, 8080, 0),))


@pytest.mark.parametrize("call", ["Join", "ProgramExternalConnectivity"])
def test_legacy_links_do_not_disturb_a_join(call: str) -> None:
    """``com.docker.network.generic`` has another shape here than in CreateNetwork, and is none of our business."""
    request = _read(
        f"NetworkDriver.{call}",
        NetworkID="n1",
        EndpointID="e1",
        SandboxKey="/run/docker/netns/8d518a6495ae",
        Options={
            "com.docker.network.endpoint.exposedports": [],
            "com.docker.network.generic": {"ChildEndpoints": ["0e2a"], "ParentEndpoints": None},
            "com.docker.network.driver.private.no_proxy_6to4": True,
            "com.docker.network.portmap": [{"Proto": 6, "Port": 90, "HostPort": 8090, "HostPortEnd": 8090}],
        },
    )
    ports = (PortBinding(Protocol.TCP, 90, None, 8090, 8090),)
    assert request in (
        Join("n1", "e1", "/run/docker/netns/8d518a6495ae", ports),
        ProgramExternal("n1", "e1", ports, ipv6=False),
    )


def test_what_the_private_label_of_a_second_way_outside_means() -> None:
    """From 28 on: the container's way outside by IPv6 is another endpoint. Anything but a truth value is refused."""
    label = "com.docker.network.driver.private.no_proxy_6to4"
    requests = [
        _read("NetworkDriver.ProgramExternalConnectivity", NetworkID="n1", EndpointID="e1", Options=options)
        for options in ({}, {label: False}, {label: True})
    ]
    assert requests == [ProgramExternal("n1", "e1", (), ipv6=ipv6) for ipv6 in (True, True, False)]
    with pytest.raises(Undecodable, match="no_proxy_6to4"):
        _read("NetworkDriver.ProgramExternalConnectivity", NetworkID="n1", EndpointID="e1", Options={label: "true"})


@pytest.mark.parametrize("identifier", ["f" * 64, "y6vqxqnzf8y0q2b1qk5xj1c4d", "A_b.c-9", "x" * 128])
def test_ids_of_all_kinds_are_taken(identifier: str) -> None:
    """Docker's, swarm's, and those of other callers, up to 128 characters."""
    assert _read("NetworkDriver.FreeNetwork", NetworkID=identifier) == FreeNetwork(identifier)


# --- discovery ---------------------------------------------------------------------------------------------------


def test_p_17_discovery_of_hosts_and_of_anything_else_is_read() -> None:
    """A peer, ourselves, and a kind of discovery that nobody knows yet: none of them is an error."""
    itself = {"Address": "192.0.2.10", "BindAddress": "192.0.2.10", "Self": True}
    peer = {"Address": "192.0.2.11", "BindAddress": "", "Self": False}
    assert [
        _read("NetworkDriver.DiscoverNew", DiscoveryType=1, DiscoveryData=itself),
        _read("NetworkDriver.DiscoverDelete", DiscoveryType=1, DiscoveryData=peer),
        _read("NetworkDriver.DiscoverNew", DiscoveryType=2, DiscoveryData=["whatever"]),
    ] == [
        DiscoverNew(Node("192.0.2.10", "192.0.2.10", itself=True)),
        DiscoverDelete(Node("192.0.2.11", "", itself=False)),
        DiscoverNew(None),
    ]


# --- addresses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pool", "v6", "expected"),
    [
        ("10.80.0.0/24", False, RequestPool("s", 4, subnet=IPv4Network("10.80.0.0/24"))),
        ("10.93.0.5/24", False, RequestPool("s", 4, subnet=IPv4Network("10.93.0.0/24"))),
        ("fd00:80::/64", True, RequestPool("s", 6, subnet=IPv6Network("fd00:80::/64"))),
        ("", False, RequestPool("s", 4)),
        ("", True, RequestPool("s", 6)),
        ("0.0.0.0/24", False, RequestPool("s", 4, prefix_length=24)),
        ("::/64", True, RequestPool("s", 6, prefix_length=64)),
        ("0.0.0.0/0", False, RequestPool("s", 4, prefix_length=0)),
        ("0.0.0.5/24", False, RequestPool("s", 4, subnet=IPv4Network("0.0.0.0/24"))),
    ],
)
def test_a_pool_is_a_subnet_or_a_size_or_open(pool: str, v6: bool, expected: RequestPool) -> None:
    """The four forms of ``Pool``: host bits are dropped, zero means "any of that size", nothing means "any"."""
    request = _read("IpamDriver.RequestPool", AddressSpace="s", Pool=pool, SubPool="", Options={}, V6=v6)
    assert expected == request


def test_a_pool_has_a_range_and_options() -> None:
    """``--ip-range`` (its host bits dropped as well) and ``--ipam-opt``; the raw API may leave options ``null``."""
    base = {"AddressSpace": "s", "Pool": "10.80.0.0/24", "SubPool": "10.80.0.130/25", "V6": False}
    expected = RequestPool("s", 4, IPv4Network("10.80.0.0/24"), None, IPv4Network("10.80.0.128/25"), {"o": "1"})
    assert _read("IpamDriver.RequestPool", **base, Options={"o": "1"}) == expected
    expected = RequestPool("s", 4, IPv4Network("10.80.0.0/24"), None, IPv4Network("10.80.0.128/25"), {})
    assert _read("IpamDriver.RequestPool", **base, Options=None) == expected


@pytest.mark.parametrize(
    ("address", "options", "expected"),
    [
        ("10.80.0.5", None, RequestAddress("p", IPv4Address("10.80.0.5"))),
        ("", None, RequestAddress("p")),
        ("fd00::5", {}, RequestAddress("p", IPv6Address("fd00::5"))),
        ("", {"RequestAddressType": "com.docker.network.gateway"}, RequestAddress("p", is_gateway=True)),
        ("", {"RequestAddressType": "other"}, RequestAddress("p", options={"RequestAddressType": "other"})),
        (
            "",
            {
                "com.docker.network.endpoint.name": "web",
                "com.docker.network.endpoint.macaddress": "02:42:a5:ee:cd:e6",
                "com.docker.network.ipam.serial": "true",
            },
            RequestAddress(
                "p",
                owner="web",
                mac=Mac.parse("02:42:a5:ee:cd:e6"),
                options={"com.docker.network.ipam.serial": "true"},
            ),
        ),
    ],
)
def test_an_address_is_asked_for_with_what_is_known_of_its_holder(
    address: str, options: dict[str, str] | None, expected: RequestAddress
) -> None:
    """The gateway's role, the container's name and its MAC are understood; every other option passes."""
    assert _read("IpamDriver.RequestAddress", PoolID="p", Address=address, Options=options) == expected


def test_an_address_without_a_pool_can_be_released() -> None:
    """Docker sends an empty PoolID for addresses that a network driver invented."""
    assert _read("IpamDriver.ReleaseAddress", PoolID="", Address="fd00::5") == ReleaseAddress(
        "", IPv6Address("fd00::5")
    )


# --- bodies ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [b"", b"\n", b"{}", b'{"Unknown": [1]}\n'])
def test_calls_without_arguments_need_no_body(body: bytes) -> None:
    """Docker sends none; ``{}`` is the same, and what we do not know is ignored."""
    assert decode("/Plugin.Activate", body) == Activate()


def test_unknown_fields_are_ignored() -> None:
    """A newer engine may say more than we understand."""
    assert _read("NetworkDriver.FreeNetwork", NetworkID="n1", Since=1.5, networkid="other") == FreeNetwork("n1")


def test_text_is_utf_8() -> None:
    """An option's value keeps its characters, however Go escaped them."""
    body = '{"NetworkID": "n1", "Options": {"k": "größe \\u2192 \U0001f600"}}'.encode()
    assert decode("/NetworkDriver.AllocateNetwork", body) == AllocateNetwork("n1", (), {"k": "größe → \U0001f600"})
