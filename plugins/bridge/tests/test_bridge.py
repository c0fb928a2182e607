"""The bridge driver's networks: what Docker asks for and what the host gets for it, as a person would type it."""

from collections.abc import Callable
from ipaddress import ip_address, ip_interface
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from plugins.bridge.tests.asked import (
    DRIVER,
    ENDPOINT,
    FOUR,
    HOST,
    LAN,
    PLAIN,
    SIX,
    VLANS,
    endpoint,
    lines,
    made,
    network,
    published,
)

from linkwright import sdk
from linkwright_bridge import Options

STORIES: list[tuple[str, sdk.Network[Options], str]] = [
    (
        "as Docker's own: known to the firewall before it is there, deaf to routers before it is up",
        network(FOUR, SIX),
        """
        nft add element inet linkwright bridges { lwbb0b1b2b3b4b5 }
        nft add element inet linkwright siblings { lwbb0b1b2b3b4b5 . lwbb0b1b2b3b4b5 }
        nft add element inet linkwright outward { lwbb0b1b2b3b4b5 }
        nft add element inet linkwright masquerade4 { lwbb0b1b2b3b4b5 }
        nft add element inet linkwright masquerade6 { lwbb0b1b2b3b4b5 }
        nft add element inet linkwright hairpin { lwbb0b1b2b3b4b5 . lwbb0b1b2b3b4b5 }
        ip link add lwbb0b1b2b3b4b5 mtu 1500 address ae:6d:8d:ea:f0:76 type bridge
        sysctl -w net.ipv6.conf.lwbb0b1b2b3b4b5.accept_ra=0
        sysctl -w net.ipv6.conf.lwbb0b1b2b3b4b5.disable_ipv6=0
        ip addr add 10.1.0.1/24 dev lwbb0b1b2b3b4b5
        ip addr add fd00:1::1/64 dev lwbb0b1b2b3b4b5 nodad
        ip link set lwbb0b1b2b3b4b5 up
        """,
    ),
    (
        "internal: no way out, no port of the host, and no routing asked of the host, whatever else was said",
        network(internal=True, o={"gateway_mode_ipv4": "routed", "trusted_host_interfaces": "eth1"}),
        """
        nft add element inet linkwright bridges { lwbb0b1b2b3b4b5 }
        nft add element inet linkwright siblings { lwbb0b1b2b3b4b5 . lwbb0b1b2b3b4b5 }
        ip link add lwbb0b1b2b3b4b5 mtu 1500 address ae:6d:8d:ea:f0:76 type bridge
        sysctl -w net.ipv6.conf.lwbb0b1b2b3b4b5.accept_ra=0
        ip addr add 10.1.0.1/24 dev lwbb0b1b2b3b4b5
        ip link set lwbb0b1b2b3b4b5 up
        """,
    ),
    (
        "isolated: not even the host has an address there, nor a link-local one",
        network(FOUR, SIX, internal=True, o={"gateway_mode_ipv4": "isolated", "gateway_mode_ipv6": "isolated"}),
        """
        nft add element inet linkwright bridges { lwbb0b1b2b3b4b5 }
        nft add element inet linkwright siblings { lwbb0b1b2b3b4b5 . lwbb0b1b2b3b4b5 }
        ip link add lwbb0b1b2b3b4b5 mtu 1500 address ae:6d:8d:ea:f0:76 type bridge
        sysctl -w net.ipv6.conf.lwbb0b1b2b3b4b5.accept_ra=0
        sysctl -w net.ipv6.conf.lwbb0b1b2b3b4b5.disable_ipv6=1
        ip link set lwbb0b1b2b3b4b5 up
        """,
    ),
    (
        "one family isolated: the host is the gateway of the other",
        network(FOUR, SIX, internal=True, host=PLAIN, o={"gateway_mode_ipv4": "isolated"}),
        """
        nft add element inet linkwright bridges { lwbb0b1b2b3b4b5 }
        nft add element inet linkwright siblings { lwbb0b1b2b3b4b5 . lwbb0b1b2b3b4b5 }
        ip link add lwbb0b1b2b3b4b5 mtu 1500 address ae:6d:8d:ea:f0:76 type bridge
        sysctl -w net.ipv6.conf.lwbb0b1b2b3b4b5.disable_ipv6=0
        ip addr add fd00:1::1/64 dev lwbb0b1b2b3b4b5 nodad
        ip link set lwbb0b1b2b3b4b5 up
        """,
    ),
    (
        "without masquerade the containers' own addresses go out; what comes back to its own bridge is hidden still",
        network(host=PLAIN, o={"enable_ip_masquerade": "false"}),
        """
        nft add element inet linkwright bridges { lwbb0b1b2b3b4b5 }
        nft add element inet linkwright siblings { lwbb0b1b2b3b4b5 . lwbb0b1b2b3b4b5 }
        nft add element inet linkwright outward { lwbb0b1b2b3b4b5 }
        nft add element inet linkwright hairpin { lwbb0b1b2b3b4b5 . lwbb0b1b2b3b4b5 }
        ip link add lwbb0b1b2b3b4b5 mtu 1500 address ae:6d:8d:ea:f0:76 up type bridge
        ip addr add 10.1.0.1/24 dev lwbb0b1b2b3b4b5
        """,
    ),
    (
        "one address for the way out, of each family by itself",
        network(FOUR, SIX, host=PLAIN, o={"host_ipv4": "192.0.2.7"}),
        """
        nft add element inet linkwright bridges { lwbb0b1b2b3b4b5 }
        nft add element inet linkwright siblings { lwbb0b1b2b3b4b5 . lwbb0b1b2b3b4b5 }
        nft add element inet linkwright outward { lwbb0b1b2b3b4b5 }
        nft add element inet linkwright masquerade6 { lwbb0b1b2b3b4b5 }
        nft add element inet linkwright hairpin { lwbb0b1b2b3b4b5 . lwbb0b1b2b3b4b5 }
        nft add element inet linkwright source4 { lwbb0b1b2b3b4b5 : 192.0.2.7 }
        ip link add lwbb0b1b2b3b4b5 mtu 1500 address ae:6d:8d:ea:f0:76 type bridge
        sysctl -w net.ipv6.conf.lwbb0b1b2b3b4b5.disable_ipv6=0
        ip addr add 10.1.0.1/24 dev lwbb0b1b2b3b4b5
        ip addr add fd00:1::1/64 dev lwbb0b1b2b3b4b5 nodad
        ip link set lwbb0b1b2b3b4b5 up
        """,
    ),
    (
        "routed for IPv6: no masquerade, ICMP and opened ports pass in; IPv4 by the host's addresses",
        network(FOUR, SIX, host=PLAIN, o={"gateway_mode_ipv6": "routed", "host_ipv4": "192.0.2.7"}),
        """
        nft add element inet linkwright bridges { lwbb0b1b2b3b4b5 }
        nft add element inet linkwright siblings { lwbb0b1b2b3b4b5 . lwbb0b1b2b3b4b5 }
        nft add element inet linkwright outward { lwbb0b1b2b3b4b5 }
        nft add element inet linkwright hairpin { lwbb0b1b2b3b4b5 . lwbb0b1b2b3b4b5 }
        nft add element inet linkwright source4 { lwbb0b1b2b3b4b5 : 192.0.2.7 }
        nft add element inet linkwright routed6 { lwbb0b1b2b3b4b5 }
        ip link add lwbb0b1b2b3b4b5 mtu 1500 address ae:6d:8d:ea:f0:76 type bridge
        sysctl -w net.ipv6.conf.lwbb0b1b2b3b4b5.disable_ipv6=0
        ip addr add 10.1.0.1/24 dev lwbb0b1b2b3b4b5
        ip addr add fd00:1::1/64 dev lwbb0b1b2b3b4b5 nodad
        ip link set lwbb0b1b2b3b4b5 up
        """,
    ),
    (
        "nat without protection, and nat with two links from where containers are reached by their own addresses",
        network(host=PLAIN, o={"gateway_mode_ipv4": "nat-unprotected", "trusted_host_interfaces": "eth1:eth2"}),
        """
        nft add element inet linkwright bridges { lwbb0b1b2b3b4b5 }
        nft add element inet linkwright siblings { lwbb0b1b2b3b4b5 . lwbb0b1b2b3b4b5 }
        nft add element inet linkwright outward { lwbb0b1b2b3b4b5 }
        nft add element inet linkwright masquerade4 { lwbb0b1b2b3b4b5 }
        nft add element inet linkwright hairpin { lwbb0b1b2b3b4b5 . lwbb0b1b2b3b4b5 }
        nft add element inet linkwright unprotected4 { lwbb0b1b2b3b4b5 }
        nft add element inet linkwright trusted { eth1 . lwbb0b1b2b3b4b5 }
        nft add element inet linkwright trusted { eth2 . lwbb0b1b2b3b4b5 }
        ip link add lwbb0b1b2b3b4b5 mtu 1500 address ae:6d:8d:ea:f0:76 up type bridge
        ip addr add 10.1.0.1/24 dev lwbb0b1b2b3b4b5
        """,
    ),
    (
        "without icc the bridge is no sibling of itself",
        network(internal=True, host=PLAIN, o={"enable_icc": "0", "multicast_snooping": "0"}),
        """
        nft add element inet linkwright bridges { lwbb0b1b2b3b4b5 }
        ip link add lwbb0b1b2b3b4b5 mtu 1500 address ae:6d:8d:ea:f0:76 up type bridge mcast_snooping 0
        ip addr add 10.1.0.1/24 dev lwbb0b1b2b3b4b5
        """,
    ),
    (
        "somebody else is the gateway: only IPv4 is inhibited",
        network(FOUR, SIX, internal=True, host=PLAIN, o={"inhibit_ipv4": "true", "name": "lw0", "mtu": "1400"}),
        """
        nft add element inet linkwright bridges { lw0 }
        nft add element inet linkwright siblings { lw0 . lw0 }
        ip link add lw0 mtu 1400 address ae:6d:8d:ea:f0:76 type bridge
        sysctl -w net.ipv6.conf.lw0.disable_ipv6=0
        ip addr add fd00:1::1/64 dev lw0 nodad
        ip link set lw0 up
        """,
    ),
    (
        "adopted: nothing is put on it and nothing of it is set, only the firewall knows it",
        network(FOUR, SIX, host=evolve(LAN, features=HOST.features), o={"name": "br0", "adopt": "true"}),
        """
        nft add element inet linkwright bridges { br0 }
        nft add element inet linkwright siblings { br0 . br0 }
        nft add element inet linkwright outward { br0 }
        nft add element inet linkwright masquerade4 { br0 }
        nft add element inet linkwright masquerade6 { br0 }
        nft add element inet linkwright hairpin { br0 . br0 }
        """,
    ),
    (
        "adopted and isolated: not even whether it has IPv6",
        network(
            FOUR,
            SIX,
            internal=True,
            host=evolve(LAN, features=HOST.features),
            o={"name": "br0", "adopt": "true", "gateway_mode_ipv6": "isolated"},
        ),
        """
        nft add element inet linkwright bridges { br0 }
        nft add element inet linkwright siblings { br0 . br0 }
        """,
    ),
    (
        "VLANs: ports are members of what they are told, and the host of the default one",
        network(internal=True, host=VLANS, o={"vlan_filtering": "true"}),
        """
        nft add element inet linkwright bridges { lwbb0b1b2b3b4b5 }
        nft add element inet linkwright siblings { lwbb0b1b2b3b4b5 . lwbb0b1b2b3b4b5 }
        ip link add lwbb0b1b2b3b4b5 mtu 1500 address ae:6d:8d:ea:f0:76 up \
            type bridge vlan_filtering 1 vlan_default_pvid 0
        bridge vlan add dev lwbb0b1b2b3b4b5 vid 1 pvid untagged self
        ip addr add 10.1.0.1/24 dev lwbb0b1b2b3b4b5
        """,
    ),
]


@pytest.mark.parametrize(("wanted", "text"), [s[1:] for s in STORIES], ids=[s[0] for s in STORIES])
def test_networks(wanted: sdk.Network[Options], text: str, ask: Callable[..., Any]) -> None:
    """One bridge, its addresses, its settings, and what the firewall has to know of it."""
    assert lines(text) == ask(DRIVER, wanted).network_text.splitlines()


def test_b_08_an_adopted_bridge_is_borrowed_and_nothing_of_it_is_wished() -> None:
    """So nothing of it can be changed: neither MTU, address, master nor whether it is up."""
    (bridge,) = [
        wish
        for wish in DRIVER.network(network(host=LAN, o={"name": "br0", "adopt": "1"}))
        if not isinstance(wish, sdk.Element) and getattr(wish, "path", "") != "net/ipv4/ip_forward"
    ]
    assert bridge == sdk.Link("br0", sdk.Bridge(), up=None, hold=sdk.Hold.BORROW)


def test_a_bridge_that_is_to_be_adopted_is_looked_at() -> None:
    """Whether it is there and is a bridge, and its MTU. Of others the driver knows all it needs."""
    assert DRIVER.looks_at(network(host=LAN, o={"name": "br0", "adopt": "1"}).options) == ("br0",)
    assert DRIVER.looks_at(network(o={"name": "lw0"}).options) == ()


@pytest.mark.parametrize(("modes", "skips"), [("nat nat", (False, False)), ("isolated nat", (True, False))])
def test_a_family_that_is_isolated_needs_no_gateway(modes: str, skips: tuple[bool, bool]) -> None:
    """Engines that ask (28+) then leave the first address to a container."""
    four, six = modes.split()
    wanted = network(internal=True, o={"gateway_mode_ipv4": four, "gateway_mode_ipv6": six})
    assert skips == DRIVER.skip_gateway(wanted.options, internal=True)


# --- joining -----------------------------------------------------------------------------------------------------

ROUTER = evolve(FOUR, auxiliary={"DefaultGatewayIPv4": ip_address("10.1.0.254")})
GATEWAYS: list[tuple[str, sdk.Network[Options], dict[str, str], list[str]]] = [
    ("the bridge, for each family", network(FOUR, SIX), {}, ["10.1.0.1", "fd00:1::1"]),
    ("an auxiliary address named for it", network(ROUTER, SIX), {}, ["10.1.0.254", "fd00:1::1"]),
    ("somebody else, who has the address", network(o={"inhibit_ipv4": "1"}), {}, ["10.1.0.1"]),
    ("who has it on an adopted bridge", network(host=LAN, o={"name": "br0", "adopt": "1"}), {}, ["10.1.0.1"]),
    ("nobody on an internal network", network(FOUR, SIX, internal=True), {}, []),
    ("the bridge, in its own VLAN", network(host=VLANS, o={"vlan_filtering": "1"}), {"vlan": "1"}, ["10.1.0.1"]),
    ("not the bridge in another VLAN", network(host=VLANS, o={"vlan_filtering": "1"}), {"vlan": "7"}, []),
    ("nor on a trunk", network(host=VLANS, o={"vlan_filtering": "1"}), {"trunk": "1-9"}, []),
    ("a router there may be", network(ROUTER, host=VLANS, o={"vlan_filtering": "1"}), {"vlan": "7"}, ["10.1.0.254"]),
]


@pytest.mark.parametrize(("wanted", "opts", "texts"), [g[1:] for g in GATEWAYS], ids=[g[0] for g in GATEWAYS])
def test_gateways(wanted: sdk.Network[Options], opts: dict[str, str], texts: list[str]) -> None:
    """At most one a family, and one that the container can reach."""
    assert texts == [str(gateway) for gateway in DRIVER.join(wanted, endpoint(**opts)).gateways]


def test_a_container_gets_its_end_and_its_neighbours_are_told(ask: Callable[..., Any]) -> None:
    """No second network card of Docker's own; and who remembers another holder of the address learns better."""
    (join,) = ask(DRIVER, network(FOUR, SIX), ENDPOINT).joins
    assert join == sdk.Join("lwce0e1e2e3e4e5", (ip_address("10.1.0.1"), ip_address("fd00:1::1")), announce=True)
    assert join.gateway_service is False


def test_p_14_an_internal_network_has_no_gateway(ask: Callable[..., Any]) -> None:
    """The engine would set whatever it is told."""
    assert ask(DRIVER, network(internal=True), ENDPOINT).joins == (sdk.Join("lwce0e1e2e3e4e5", announce=True),)


# --- the bridge as a link ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "mtu"),
    [(HOST, 1500), (sdk.HostFacts(uplink=sdk.LinkFact("wg0", mtu=1420)), 1420), (sdk.HostFacts(), 1500)],
)
def test_b_07_the_mtu_is_the_uplinks_that_was_there_when_the_network_was_made(
    host: sdk.HostFacts, mtu: int, ask: Callable[..., Any]
) -> None:
    """Larger packets would be cut or lost behind it; a host without uplink is Ethernet."""
    links = [wish for wish in ask(DRIVER, network(host=host), ENDPOINT).network if isinstance(wish, sdk.Link)]
    assert [link.mtu for link in links] == [mtu]


def test_b_17_networks_have_hardware_addresses_of_their_own_that_do_not_change() -> None:
    """A bridge that took its lowest port's address would change it under its neighbours."""
    macs = [
        {wish.mac for wish in DRIVER.network(evolve(network(), id=id)) if isinstance(wish, sdk.Link)}
        for id in ("a" * 64, "a" * 64, "b" * 64)  # noqa: A001 - the domain's word
    ]
    assert macs[0] == macs[1] != macs[2]


# --- what every driver promises ----------------------------------------------------------------------------------

PAIRS = {
    "com.docker.network.bridge.name": ["lw0", "lwfoo"],
    "com.docker.network.bridge.gateway_mode_ipv4": ["nat", "routed", "nat-unprotected"],
    "com.docker.network.bridge.gateway_mode_ipv6": ["nat", "routed", "nat-unprotected"],
    "com.docker.network.bridge.enable_ip_masquerade": ["true", "0"],
    "com.docker.network.bridge.enable_icc": ["t", "False"],
    "com.docker.network.bridge.inhibit_ipv4": ["true"],
    "com.docker.network.bridge.trusted_host_interfaces": ["eth0:eth1"],
    "com.docker.network.driver.mtu": ["0", "1400"],
    "rate": ["0", "10mbit"],
    "rate_out": ["1gbit"],
    "hairpin": ["true", "false"],
    "spoof_check": ["1"],
    "port_isolation": ["1"],
}


@given(data=st.data())
def test_what_every_driver_promises(
    data: st.DataObject, promises: Callable[..., Any], asked_for: Callable[..., Any]
) -> None:
    """Whatever Docker asks for: no I/O, the same answer again, wishes that the linter lets pass, names that fit."""
    network, endpoints = data.draw(asked_for(DRIVER, PAIRS, uplink=HOST.uplink))
    promises(DRIVER, network, *endpoints)


README = Path(__file__).parents[1] / "README.md"


def test_the_readme_says_what_the_code_does(hold_readme: Callable[..., None]) -> None:
    """Options, steps and examples are those of this version; the host is one that has what an example adopts."""
    host = evolve(HOST, links=LAN.links, features=HOST.features | VLANS.features)
    hold_readme(README, DRIVER, network(FOUR, SIX, host=host), ENDPOINT)


def test_the_readme_says_what_endpoints_may_say_and_what_a_port_adds() -> None:
    """The other examples, and the elements of a published port."""
    text = README.read_text()
    examples = [line.split() for line in text.splitlines() if "--driver-opt" in line and line.startswith("docker")]
    wanted = network(host=VLANS, o={"vlan_filtering": "1"})
    for words in examples:
        key, _, value = words[words.index("--driver-opt") + 1].partition("=")
        DRIVER.endpoint(wanted, endpoint(**{key: value}))
    assert len(examples) == 3
    assert "\n".join(["```text", *published(network(FOUR, SIX), ENDPOINT, "8080:80"), "```"]) in text


def test_no_gateway_is_no_address_and_no_default_route() -> None:
    """``-o gateway=false``: the core leaves the gateways out, and then the host has no address there."""
    subnets = (evolve(FOUR, gateway=None), evolve(SIX, gateway=None))
    wanted = network(*subnets, internal=True, host=PLAIN)
    assert [line for line in made(DRIVER.network(wanted)) if line.startswith("ip addr")] == []
    assert DRIVER.join(wanted, ENDPOINT).gateways == ()


def test_several_subnets_of_one_family_are_several_gateways() -> None:
    """Docker's own bridge refuses that; here each container has its own subnet's."""
    second = sdk.Subnet(ip_interface("10.2.0.1/24").network, ip_interface("10.2.0.1/24"))
    wanted = network(FOUR, second, internal=True, host=PLAIN)
    assert [line for line in made(DRIVER.network(wanted)) if line.startswith("ip addr")] == [
        "ip addr add 10.1.0.1/24 dev lwbb0b1b2b3b4b5",
        "ip addr add 10.2.0.1/24 dev lwbb0b1b2b3b4b5",
    ]
