"""The vxlan driver: what Docker asks for and what the host gets for it, as a person would type it."""

from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from linkwright import sdk
from linkwright_vxlan import Options, Vxlan

DRIVER = Vxlan()
FOUR = sdk.Subnet(ip_network("10.9.0.0/24"), ip_interface("10.9.0.1/24"))
SIX = sdk.Subnet(ip_network("fd00:9::/64"), ip_interface("fd00:9::1/64"))
ADDRESSES = tuple(map(ip_interface, ("192.0.2.1/24", "192.0.2.101/24", "2001:db8::1/64", "fe80::1/64")))
HOST = sdk.HostFacts(uplink=sdk.LinkFact("eth0"), addresses=ADDRESSES, features=frozenset({"ipv6"}))
ENDPOINT = sdk.Endpoint(
    id="e0e1e2e3e4e5" + "0" * 52,
    network="d0d1d2d3d4d5" + "0" * 52,
    ipv4=ip_interface("10.9.0.9/24"),  # type: ignore[arg-type]
    ipv6=ip_interface("fd00:9::9/64"),  # type: ignore[arg-type]
    mac=sdk.Mac.parse("02:42:0a:09:00:09"),
)


def network(
    *subnets: sdk.Subnet, host: sdk.HostFacts = HOST, internal: bool = False, o: Mapping[str, str] | None = None
) -> sdk.Network[Options]:
    """Return a network with number 42, or another ``vni=``."""
    options = sdk.read(Options, {"vni": "42", **(o or {})}, driver="vxlan")
    return sdk.Network(ENDPOINT.network, "vxlan", options, subnets or (FOUR,), internal=internal, host=host)


def lines(text: str) -> list[str]:
    """Return the lines of *text* without their margin; a line may be continued after a backslash."""
    return [" ".join(line.split()) for line in text.strip().splitlines()]


STORIES: list[tuple[str, sdk.Network[Options], str]] = [
    (
        "both families over IPv4: what has no entry goes to every peer, but not to this host itself",
        network(FOUR, SIX, o={"peers": "192.0.2.1,192.0.2.2,192.0.2.3"}),
        """
        nft add element inet linkwright bridges { lwbd0d1d2d3d4d5 }
        nft add element inet linkwright siblings { lwbd0d1d2d3d4d5 . lwbd0d1d2d3d4d5 }
        nft add element inet linkwright outward { lwbd0d1d2d3d4d5 }
        nft add element inet linkwright masquerade4 { lwbd0d1d2d3d4d5 }
        nft add element inet linkwright masquerade6 { lwbd0d1d2d3d4d5 }
        ip link add lwbd0d1d2d3d4d5 mtu 1450 address ce:a7:a0:af:2f:20 type bridge
        ip link add lwvd0d1d2d3d4d5 mtu 1450 address 0e:b6:08:b6:18:25 master lwbd0d1d2d3d4d5 up \
            type vxlan id 42 dstport 4789 local 192.0.2.1 learning
        bridge link set dev lwvd0d1d2d3d4d5 neigh_suppress on
        sysctl -w net.ipv6.conf.lwbd0d1d2d3d4d5.accept_ra=0
        sysctl -w net.ipv6.conf.lwbd0d1d2d3d4d5.disable_ipv6=0
        ip addr add 10.9.0.1/24 dev lwbd0d1d2d3d4d5
        ip addr add fd00:9::1/64 dev lwbd0d1d2d3d4d5 nodad
        ip link set lwbd0d1d2d3d4d5 up
        bridge fdb append 00:00:00:00:00:00 dev lwvd0d1d2d3d4d5 dst 192.0.2.2 self
        bridge fdb append 00:00:00:00:00:00 dev lwvd0d1d2d3d4d5 dst 192.0.2.3 self
        """,
    ),
    (
        "internal, over IPv6, on another port: no gateway on any host, so nothing to suppress",
        network(internal=True, host=evolve(HOST, features=frozenset()), o={"peers": "2001:db8::2", "port": "8472"}),
        """
        nft add element inet linkwright bridges { lwbd0d1d2d3d4d5 }
        nft add element inet linkwright siblings { lwbd0d1d2d3d4d5 . lwbd0d1d2d3d4d5 }
        ip link add lwbd0d1d2d3d4d5 mtu 1430 address 76:8e:57:a1:5e:8e up type bridge
        ip link add lwvd0d1d2d3d4d5 mtu 1430 address 0e:b6:08:b6:18:25 master lwbd0d1d2d3d4d5 up \
            type vxlan id 42 dstport 8472 local 2001:db8::1 learning
        bridge link set dev lwvd0d1d2d3d4d5 neigh_suppress off
        bridge fdb append 00:00:00:00:00:00 dev lwvd0d1d2d3d4d5 dst 2001:db8::2 self
        """,
    ),
    (
        "without gateway (-o gateway=false) and without peers: a segment of this host alone that leads nowhere",
        network(evolve(FOUR, gateway=None), host=evolve(HOST, features=frozenset())),
        """
        nft add element inet linkwright bridges { lwbd0d1d2d3d4d5 }
        nft add element inet linkwright siblings { lwbd0d1d2d3d4d5 . lwbd0d1d2d3d4d5 }
        ip link add lwbd0d1d2d3d4d5 mtu 1450 address 76:8e:57:a1:5e:8e up type bridge
        ip link add lwvd0d1d2d3d4d5 mtu 1450 address 0e:b6:08:b6:18:25 master lwbd0d1d2d3d4d5 up \
            type vxlan id 42 dstport 4789 local 192.0.2.1 learning
        bridge link set dev lwvd0d1d2d3d4d5 neigh_suppress off
        """,
    ),
]


@pytest.mark.parametrize(("wanted", "text"), [s[1:] for s in STORIES], ids=[s[0] for s in STORIES])
def test_networks(wanted: sdk.Network[Options], text: str, ask: Callable[..., Any]) -> None:
    """A bridge, the vxlan link as its port, and an entry for each peer."""
    assert lines(text) == ask(DRIVER, wanted).network_text.splitlines()


def test_an_endpoint_is_one_pair(ask: Callable[..., Any]) -> None:
    """On the bridge, with the segment's MTU at both ends."""
    assert ask(DRIVER, network(), ENDPOINT).endpoint_text == (
        "ip link add lwhe0e1e2e3e4e5 mtu 1450 master lwbd0d1d2d3d4d5 up "
        "type veth peer name lwce0e1e2e3e4e5 mtu 1450 address 02:42:0a:09:00:09\n"
    )


UPLINKS = [(1500, 4, 1450), (9000, 4, 8950), (1450, 4, 1400), (1500, 6, 1430), (9000, 6, 8930), (1450, 6, 1380)]


@pytest.mark.parametrize(("uplink", "version", "mtu"), UPLINKS)
def test_v_06_the_mtu_is_what_the_encapsulation_leaves(
    uplink: int, version: int, mtu: int, ask: Callable[..., Any]
) -> None:
    """To the byte: one more would be cut or lost between the hosts."""
    peers = {4: "192.0.2.2", 6: "2001:db8::2"}[version]
    host = evolve(HOST, uplink=sdk.LinkFact("eth0", mtu=uplink))
    said = ask(DRIVER, network(host=host, o={"peers": peers}), ENDPOINT)
    links = [wish for wishes in (said.network, *said.endpoints) for wish in wishes if isinstance(wish, sdk.Link)]
    assert [link.mtu for link in links] == [mtu] * 3


LOCALS: list[tuple[dict[str, str], str, list[str]]] = [
    ({}, "192.0.2.1", []),
    ({"peers": "192.0.2.2"}, "192.0.2.1", ["192.0.2.2"]),
    ({"peers": "2001:db8::2"}, "2001:db8::1", ["2001:db8::2"]),
    ({"peers": "192.0.2.101,192.0.2.2"}, "192.0.2.101", ["192.0.2.2"]),  # the list names another one of ours
    ({"peers": "192.0.2.1, 192.0.2.101 ,192.0.2.2,192.0.2.2"}, "192.0.2.1", ["192.0.2.2"]),
    ({"local": "203.0.113.5", "peers": "203.0.113.5,203.0.113.6"}, "203.0.113.5", ["203.0.113.6"]),
    ({"local": "2001:db8::5"}, "2001:db8::5", []),
]


@pytest.mark.parametrize(("pairs", "local", "peers"), LOCALS)
def test_the_same_list_of_peers_can_be_given_to_every_host(
    pairs: dict[str, str], local: str, peers: list[str], ask: Callable[..., Any]
) -> None:
    """A host finds itself in it, and sends nothing to itself."""
    wishes = ask(DRIVER, network(o=pairs)).network
    (kind,) = (wish.kind for wish in wishes if isinstance(wish, sdk.Link) and isinstance(wish.kind, sdk.Vxlan))
    assert (ip_address(local), True) == (kind.local, kind.learning)
    assert list(map(ip_address, peers)) == [wish.remote for wish in wishes if isinstance(wish, sdk.FdbEntry)]


def test_the_gateway_is_the_same_on_every_host(ask: Callable[..., Any]) -> None:
    """One address and one hardware address, though each host's network has an id of its own; nothing else is equal."""
    here, there = (evolve(network(FOUR, SIX), id=id) for id in ("a" * 64, "b" * 64))  # noqa: A001 - the domain's word
    links = [
        {wish.kind.kind: wish for wish in ask(DRIVER, n).network if isinstance(wish, sdk.Link)} for n in (here, there)
    ]
    assert links[0]["bridge"].mac == links[1]["bridge"].mac
    assert links[0]["vxlan"].mac != links[1]["vxlan"].mac
    assert ask(DRIVER, here, ENDPOINT).joins[0].gateways == (ip_address("10.9.0.1"), ip_address("fd00:9::1"))


@pytest.mark.parametrize(
    "other",
    [
        network(o={"vni": "43"}),
        network(evolve(FOUR, gateway=ip_interface("10.9.0.2/24"))),
        evolve(network(internal=True), id="f" * 64),
    ],
)
def test_another_segment_or_gateway_has_another_hardware_address(
    other: sdk.Network[Options], ask: Callable[..., Any]
) -> None:
    """Hosts that were given different gateways must not answer for each other."""
    macs = [
        {wish.mac for wish in ask(DRIVER, n).network if getattr(wish, "kind", None) == sdk.Bridge()}
        for n in (network(), other)
    ]
    assert macs[0] != macs[1]


def test_p_14_an_internal_segment_has_no_gateway(ask: Callable[..., Any]) -> None:
    """Nor does Docker have to set an address aside for one."""
    assert ask(DRIVER, network(internal=True), ENDPOINT).joins == (sdk.Join("lwce0e1e2e3e4e5"),)
    assert [DRIVER.skip_gateway(Options(vni=1), internal=flag) for flag in (True, False)] == [
        (True, True),
        (False, False),
    ]


def test_v_05_a_number_that_is_taken_is_refused_with_its_holder(refusal: Callable[[Callable[[], object]], str]) -> None:
    """One VNI and port exist once on a host; the same network asked for again is itself."""
    mine, theirs = network(), evolve(network(o={"vni": "42"}), id="0123456789abcdef" * 4)
    assert refusal(lambda: DRIVER.admit(mine, (network(o={"vni": "43"}), theirs), HOST)) == (
        "VNI 42 on port 4789 is network 0123456789ab's on this host; take another VNI, or another port on all hosts of "
        "the segment"
    )
    DRIVER.admit(mine, (mine, evolve(network(o={"port": "8472"}), id="f" * 64)), HOST)


NOT_HAD: list[tuple[sdk.Network[Options], str]] = [
    (
        evolve(network(), options=Options()),
        "a vxlan network needs its segment's number, equal on all its hosts; add -o vni=NUMBER",
    ),
    (network(host=sdk.HostFacts()), "this host's uplink has no address for a vxlan network; add -o local=ADDRESS"),
    (
        network(host=evolve(HOST, addresses=ADDRESSES[3:])),
        "this host's uplink has no address for a vxlan network; add -o local=ADDRESS",
    ),
    (
        network(host=evolve(HOST, addresses=ADDRESSES[:2]), o={"peers": "2001:db8::2"}),
        "this host's uplink has no IPv6 address for a vxlan network",
    ),
    (
        network(o={"peers": "2001:db8::2", "local": "192.0.2.1"}),
        "local address 192.0.2.1 and the peers are of different IP versions",
    ),
    (
        network(o={"mtu": "1451"}),
        "MTU 1451 does not fit: the uplink carries 1500 bytes, and vxlan over IPv4 leaves 1450",
    ),
    (
        network(o={"mtu": "1431", "peers": "2001:db8::2"}),
        "MTU 1431 does not fit: the uplink carries 1500 bytes, and vxlan over IPv6 leaves 1430",
    ),
]


@pytest.mark.parametrize(("wanted", "text"), NOT_HAD)
def test_what_cannot_be_had_is_refused(
    wanted: sdk.Network[Options], text: str, refusal: Callable[[Callable[[], object]], str]
) -> None:
    """With what to do about it."""
    assert refusal(lambda: DRIVER.network(wanted)).startswith(text)


def test_of_a_link_that_is_not_the_uplink_the_user_knows_the_mtu(ask: Callable[..., Any]) -> None:
    """A storage network of 9000 bytes beside an uplink of 1500."""
    said = ask(DRIVER, network(o={"local": "203.0.113.5", "mtu": "8950"}), ENDPOINT)
    assert {wish.mtu for wish in said.network if isinstance(wish, sdk.Link)} == {8950}


OPTIONS = [
    ({"vni": "0"}, "option vni='0' of driver vxlan: write a whole number from 1 to 16777215"),
    ({"vni": "16777216"}, "option vni='16777216' of driver vxlan: write a whole number from 1 to 16777215"),
    ({"port": "0"}, "option port='0' of driver vxlan: write a whole number from 1 to 65535"),
    (
        {"peers": "192.0.2.2;192.0.2.3"},
        "option peers='192.0.2.2;192.0.2.3' of driver vxlan: '192.0.2.2;192.0.2.3' does not appear to be",
    ),
    (
        {"peers": "192.0.2.2,2001:db8::2"},
        "option peers='192.0.2.2,2001:db8::2' of driver vxlan: all of them are IPv4, or all IPv6",
    ),
    (
        {"peers": "239.1.1.1"},
        "option peers='239.1.1.1' of driver vxlan: 239.1.1.1 is no address that another host can be reached at",
    ),
    (
        {"peers": "127.0.0.1"},
        "option peers='127.0.0.1' of driver vxlan: 127.0.0.1 is no address that another host can be reached at",
    ),
    (
        {"local": "fe80::1"},
        "option local='fe80::1' of driver vxlan: fe80::1 is no address that another host can be reached at",
    ),
    ({"local": "eth0"}, "option local='eth0' of driver vxlan: 'eth0' does not appear to be"),
    ({"vnid": "7"}, "driver vxlan has no option 'vnid'; did you mean 'vni'?"),
    ({"encrypted": ""}, "driver vxlan has no option 'encrypted'; it knows "),
]


@pytest.mark.parametrize(("pairs", "text"), OPTIONS)
def test_p_22_options_are_read_or_refused_by_name(
    pairs: dict[str, str], text: str, refusal: Callable[[Callable[[], object]], str]
) -> None:
    """A typing error is not a default, and what this driver does not do is not accepted."""
    assert refusal(lambda: network(o=pairs)).startswith(text)


def test_docker_is_told_that_its_networks_reach_further_than_the_host() -> None:
    """They are one segment on several."""
    assert sdk.Capabilities(connectivity="global", takes_mac=True) == DRIVER.capabilities
    assert {name for name, power in sdk.POWERS.items() if isinstance(DRIVER, power)} == {"admits", "skips-gateway"}


PAIRS = {
    "peers": ["192.0.2.2", "192.0.2.1,192.0.2.2,192.0.2.3", "2001:db8::2,2001:db8::3"],
    "port": ["4789", "8472"],
    "mtu": ["0", "1400"],
    "stable_mac": ["true"],
}


@given(data=st.data(), vni=st.integers(1, (1 << 24) - 1))
def test_what_every_driver_promises(
    data: st.DataObject, vni: int, promises: Callable[..., Any], asked_for: Callable[..., Any]
) -> None:
    """Whatever Docker asks for: no I/O, the same answer again, wishes that the linter lets pass, names that fit."""
    network, endpoints = data.draw(asked_for(DRIVER, PAIRS, uplink=HOST.uplink, addresses=ADDRESSES))
    promises(DRIVER, network.with_options(evolve(network.options, vni=vni)), *endpoints)


def test_the_readme_says_what_the_code_does(hold_readme: Callable[..., None]) -> None:
    """Options, steps and examples are those of this version."""
    wanted = network(FOUR, SIX, o={"peers": "192.0.2.1,192.0.2.2,192.0.2.3"})
    hold_readme(Path(__file__).parents[1] / "README.md", DRIVER, wanted, ENDPOINT)
