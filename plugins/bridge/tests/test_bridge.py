"""The bridge driver: what Docker asks for and what the host gets for it, as a person would type it."""

from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from linkwright import sdk
from linkwright_bridge import Bridge, Options

DRIVER = Bridge()
FOUR = sdk.Subnet(ip_network("10.1.0.0/24"), ip_interface("10.1.0.1/24"))
SIX = sdk.Subnet(ip_network("fd00:1::/64"), ip_interface("fd00:1::1/64"))
HOST = sdk.HostFacts(uplink=sdk.LinkFact("eth0", mtu=1500), features=frozenset({"ipv6"}))
ENDPOINT = sdk.Endpoint(
    id="e0e1e2e3e4e5" + "0" * 52,
    network="b0b1b2b3b4b5" + "0" * 52,
    ipv4=ip_interface("10.1.0.9/24"),  # type: ignore[arg-type]
    ipv6=ip_interface("fd00:1::9/64"),  # type: ignore[arg-type]
    mac=sdk.Mac.parse("02:42:0a:01:00:09"),
)


def network(
    *subnets: sdk.Subnet, host: sdk.HostFacts = HOST, internal: bool = False, o: Mapping[str, str] | None = None
) -> sdk.Network[Options]:
    """Return a network with *pairs* as ``-o``; short names stand for Docker's labels."""
    labels = {_LABELS.get(key, key): value for key, value in (o or {}).items()}
    options = sdk.read(Options, labels, driver="bridge")
    return sdk.Network(ENDPOINT.network, "bridge", options, subnets or (FOUR,), internal=internal, host=host)


_LABELS = {
    key: f"com.docker.network.bridge.{key}" for key in ("name", "enable_ip_masquerade", "enable_icc", "inhibit_ipv4")
}


def lines(text: str) -> list[str]:
    """Return the lines of *text* without their margin; a line may be continued after a backslash."""
    return [" ".join(line.split()) for line in text.strip().splitlines()]


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
        ip link add lwbb0b1b2b3b4b5 mtu 1500 address ae:6d:8d:ea:f0:76 type bridge
        sysctl -w net.ipv6.conf.lwbb0b1b2b3b4b5.accept_ra=0
        sysctl -w net.ipv6.conf.lwbb0b1b2b3b4b5.disable_ipv6=0
        ip addr add 10.1.0.1/24 dev lwbb0b1b2b3b4b5
        ip addr add fd00:1::1/64 dev lwbb0b1b2b3b4b5 nodad
        ip link set lwbb0b1b2b3b4b5 up
        """,
    ),
    (
        "internal: no way out, and no routing asked of the host",
        network(internal=True),
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
        "without masquerade the containers' own addresses go out",
        network(host=sdk.HostFacts(), o={"enable_ip_masquerade": "false"}),
        """
        nft add element inet linkwright bridges { lwbb0b1b2b3b4b5 }
        nft add element inet linkwright siblings { lwbb0b1b2b3b4b5 . lwbb0b1b2b3b4b5 }
        nft add element inet linkwright outward { lwbb0b1b2b3b4b5 }
        ip link add lwbb0b1b2b3b4b5 mtu 1500 address ae:6d:8d:ea:f0:76 up type bridge
        ip addr add 10.1.0.1/24 dev lwbb0b1b2b3b4b5
        """,
    ),
    (
        "without icc the bridge is no sibling of itself",
        network(internal=True, host=sdk.HostFacts(), o={"enable_icc": "0"}),
        """
        nft add element inet linkwright bridges { lwbb0b1b2b3b4b5 }
        ip link add lwbb0b1b2b3b4b5 mtu 1500 address ae:6d:8d:ea:f0:76 up type bridge
        ip addr add 10.1.0.1/24 dev lwbb0b1b2b3b4b5
        """,
    ),
    (
        "somebody else is the gateway: only IPv4 is inhibited",
        network(
            FOUR, SIX, internal=True, host=sdk.HostFacts(), o={"inhibit_ipv4": "true", "name": "lw0", "mtu": "1400"}
        ),
        """
        nft add element inet linkwright bridges { lw0 }
        nft add element inet linkwright siblings { lw0 . lw0 }
        ip link add lw0 mtu 1400 address ae:6d:8d:ea:f0:76 type bridge
        sysctl -w net.ipv6.conf.lw0.disable_ipv6=0
        ip addr add fd00:1::1/64 dev lw0 nodad
        ip link set lw0 up
        """,
    ),
]


@pytest.mark.parametrize(("wanted", "text"), [s[1:] for s in STORIES], ids=[s[0] for s in STORIES])
def test_networks(wanted: sdk.Network[Options], text: str, ask: Callable[..., Any]) -> None:
    """One bridge, its addresses, its settings, and what the firewall has to know of it."""
    assert lines(text) == ask(DRIVER, wanted).network_text.splitlines()


@pytest.mark.parametrize(
    ("pairs", "text"),
    [
        (
            {},
            (
                "ip link add lwhe0e1e2e3e4e5 mtu 1500 master lwbb0b1b2b3b4b5 up "
                "type veth peer name lwce0e1e2e3e4e5 mtu 1500 address 02:42:0a:01:00:09\n"
            ),
        ),
        (
            {"enable_icc": "false", "mtu": "1400", "name": "lw0"},
            (
                "ip link add lwhe0e1e2e3e4e5 mtu 1400 master lw0 up "
                "type veth peer name lwce0e1e2e3e4e5 mtu 1400 address 02:42:0a:01:00:09\n"
                "bridge link set dev lwhe0e1e2e3e4e5 isolated on\n"
            ),
        ),
    ],
)
def test_an_endpoint_is_one_pair(pairs: dict[str, str], text: str, ask: Callable[..., Any]) -> None:
    """The container's end has the hardware address that Docker was told, and the network's MTU."""
    assert text == ask(DRIVER, network(o=pairs), ENDPOINT).endpoint_text


def test_a_container_gets_its_end_and_the_bridge_as_gateway(ask: Callable[..., Any]) -> None:
    """One gateway for each family that it has an address of, and no second network card of Docker's own."""
    (join,) = ask(DRIVER, network(FOUR, SIX), ENDPOINT).joins
    assert join == sdk.Join("lwce0e1e2e3e4e5", (ip_address("10.1.0.1"), ip_address("fd00:1::1")))
    assert join.gateway_service is False


def test_p_14_an_internal_network_has_no_gateway(ask: Callable[..., Any]) -> None:
    """The engine would set whatever it is told."""
    assert ask(DRIVER, network(internal=True), ENDPOINT).joins == (sdk.Join("lwce0e1e2e3e4e5"),)


@pytest.mark.parametrize(
    ("host", "mtu"),
    [(HOST, 1500), (sdk.HostFacts(uplink=sdk.LinkFact("wg0", mtu=1420)), 1420), (sdk.HostFacts(), 1500)],
)
def test_the_mtu_is_the_uplinks_that_was_there_when_the_network_was_made(
    host: sdk.HostFacts, mtu: int, ask: Callable[..., Any]
) -> None:
    """Larger packets would be cut or lost behind it; a host without uplink is Ethernet."""
    links = [wish for wish in ask(DRIVER, network(host=host), ENDPOINT).network if isinstance(wish, sdk.Link)]
    assert [link.mtu for link in links] == [mtu]


def test_networks_have_hardware_addresses_of_their_own_that_do_not_change() -> None:
    """A bridge that took its lowest port's address would change it under its neighbours."""
    macs = [
        {wish.mac for wish in DRIVER.network(evolve(network(), id=id)) if isinstance(wish, sdk.Link)}
        for id in ("a" * 64, "a" * 64, "b" * 64)  # noqa: A001 - the domain's word
    ]
    assert macs[0] == macs[1] != macs[2]


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (evolve(network(), subnets=()), "a bridge network needs addresses, and the null IPAM gives none"),
        (
            network(sdk.Subnet(ip_network("0.0.0.0/0"))),
            "a bridge network needs addresses, and the null IPAM gives none",
        ),
        (network(o={"name": "br0"}), "'br0' cannot be the name of a bridge that linkwright makes: those begin with lw"),
    ],
)
def test_what_cannot_be_had_is_refused(
    wanted: sdk.Network[Options], text: str, refusal: Callable[[Callable[[], object]], str]
) -> None:
    """With what to do about it."""
    assert refusal(lambda: DRIVER.network(wanted)).startswith(text)


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
    ],
)
def test_p_22_options_are_read_or_refused_by_name(
    pairs: dict[str, str], text: str, refusal: Callable[[Callable[[], object]], str]
) -> None:
    """A typing error is not a default."""
    assert refusal(lambda: network(o=pairs)).startswith(text)


PAIRS = {
    "com.docker.network.bridge.name": ["lw0", "lwfoo"],
    "com.docker.network.bridge.enable_ip_masquerade": ["true", "0"],
    "com.docker.network.bridge.enable_icc": ["t", "False"],
    "com.docker.network.bridge.inhibit_ipv4": ["true"],
    "com.docker.network.driver.mtu": ["0", "1400"],
    "com.docker.network.enable_ipv6": ["true"],
}


@given(data=st.data())
def test_what_every_driver_promises(
    data: st.DataObject, promises: Callable[..., Any], asked_for: Callable[..., Any]
) -> None:
    """Whatever Docker asks for: no I/O, the same answer again, wishes that the linter lets pass, names that fit."""
    network, endpoints = data.draw(asked_for(DRIVER, PAIRS, uplink=HOST.uplink))
    promises(DRIVER, network, *endpoints)


def test_the_readme_says_what_the_code_does(hold_readme: Callable[..., None]) -> None:
    """Options, steps and examples are those of this version."""
    hold_readme(Path(__file__).parents[1] / "README.md", DRIVER, network(FOUR, SIX), ENDPOINT)
