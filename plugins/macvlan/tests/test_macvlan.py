"""The macvlan driver: what Docker asks for and what the host gets for it, as a person would type it."""

from collections.abc import Callable, Mapping
from ipaddress import IPv4Interface, ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from linkwright import sdk
from linkwright_macvlan import Macvlan, Options

DRIVER = Macvlan()
FOUR = sdk.Subnet(ip_network("192.0.2.0/24"), ip_interface("192.0.2.1/24"))
SIX = sdk.Subnet(ip_network("2001:db8::/64"), ip_interface("2001:db8::1/64"))
HOST = sdk.HostFacts(
    uplink=sdk.LinkFact("eth0"),
    links=(
        sdk.LinkFact("eth0"),
        sdk.LinkFact("eth1", mtu=9000, up=False),
        sdk.LinkFact("eth0.50", kind="vlan"),
        sdk.LinkFact("mac0", kind="macvlan"),
        sdk.LinkFact("lo", mtu=65536),
        sdk.LinkFact("lwb000000000000", kind="bridge"),
    ),
)
ENDPOINT = sdk.Endpoint(
    id="e0e1e2e3e4e5" + "0" * 52,
    network="a0a1a2a3a4a5" + "0" * 52,
    ipv4=ip_interface("192.0.2.9/24"),  # type: ignore[arg-type]
    ipv6=ip_interface("2001:db8::9/64"),  # type: ignore[arg-type]
    mac=sdk.Mac.parse("02:42:0a:01:00:09"),
)


def network(*subnets: sdk.Subnet, internal: bool = False, o: Mapping[str, str] | None = None) -> sdk.Network[Options]:
    """Return a network on eth0, or on another ``parent=``."""
    options = sdk.read(Options, {"parent": "eth0", **(o or {})}, driver="macvlan")
    return sdk.Network(ENDPOINT.network, "macvlan", options, subnets or (FOUR,), internal=internal, host=HOST)


@pytest.mark.parametrize(
    ("pairs", "text"),
    [
        ({}, "ip link add lwme0e1e2e3e4e5 link eth0 address 02:42:0a:01:00:09 type macvlan mode bridge\n"),
        (
            {"parent": "eth0.50"},
            "ip link add lwme0e1e2e3e4e5 link eth0.50 address 02:42:0a:01:00:09 type macvlan mode bridge\n",
        ),
        (
            {"parent": "eth1", "mtu": "4000"},
            "ip link add lwme0e1e2e3e4e5 link eth1 mtu 4000 address 02:42:0a:01:00:09 type macvlan mode bridge\n",
        ),
        (
            {"macvlan_mode": "private"},
            "ip link add lwme0e1e2e3e4e5 link eth0 address 02:42:0a:01:00:09 type macvlan mode private\n",
        ),
        (
            {"macvlan_mode": "vepa"},
            "ip link add lwme0e1e2e3e4e5 link eth0 address 02:42:0a:01:00:09 type macvlan mode vepa\n",
        ),
    ],
)
def test_m_01_an_endpoint_is_one_link_on_the_parent_in_the_mode_asked_for(
    pairs: dict[str, str], text: str, ask: Callable[..., Any]
) -> None:
    """Made down: up, it would take addresses from the LAN's routers for the host."""
    assert text == ask(DRIVER, network(o=pairs), ENDPOINT).endpoint_text


@pytest.mark.parametrize("parent", ["eth0", "eth1"])
def test_m_02_the_parent_is_borrowed_and_nothing_of_it_is_changed(parent: str, ask: Callable[..., Any]) -> None:
    """A network makes nothing; a parent that is down stays down; nobody's link is removed with it."""
    said = ask(DRIVER, network(o={"parent": parent}))
    assert said.network == sdk.Wishes.of(sdk.Link(parent, up=None, hold=sdk.Hold.BORROW))
    assert said.network_text == ""


REFUSED = [
    (
        {"parent": "eth7"},
        "parent 'eth7' is no link of this host, and this driver makes none, nor VLAN sub-interfaces; see `ip link`",
    ),
    (
        {"parent": "eth0.51"},
        "parent 'eth0.51' is no link of this host, and this driver makes none, nor VLAN sub-interfaces; see `ip link`",
    ),
    ({"parent": "lo"}, "lo cannot be the parent of a macvlan network: there is no LAN behind it; name another link"),
    ({"parent": "mac0"}, "parent 'mac0' is a macvlan itself; name the link that it stands on"),
    (
        {"parent": "lwb000000000000"},
        "lwb000000000000 is a link of linkwright's own and comes and goes with its network; name another one",
    ),
    ({"mtu": "1501"}, "MTU 1501 is more than the 1500 of parent eth0; take a smaller one, or raise the parent's first"),
]


@pytest.mark.parametrize(("pairs", "text"), REFUSED)
def test_m_02_m_07_a_parent_that_will_not_do_is_refused_by_name(
    pairs: dict[str, str], text: str, refusal: Callable[[Callable[[], object]], str]
) -> None:
    """Absent, without a LAN, a macvlan itself, ours, or with too small an MTU."""
    assert text == refusal(lambda: DRIVER.network(network(o=pairs)))


def test_m_02_without_a_parent_the_refusal_says_how_to_name_one(
    refusal: Callable[[Callable[[], object]], str],
) -> None:
    """And which driver makes a network without a LAN."""
    nowhere = evolve(network(), options=Options())
    assert refusal(lambda: DRIVER.network(nowhere)).startswith(
        "a macvlan network needs the link of the host that it stands on, and none was named; add -o parent=LINK"
    )
    assert DRIVER.looks_at(Options()) == ()


OPTIONS = [
    (
        {"macvlan_mode": "passthru"},
        "option macvlan_mode='passthru' of driver macvlan: write bridge, private or vepa, other modes are not offered",
    ),
    (
        {"macvlan_mode": "source"},
        "option macvlan_mode='source' of driver macvlan: write bridge, private or vepa, other modes are not offered",
    ),
    (
        {"macvlan_mode": "bad"},
        "option macvlan_mode='bad' of driver macvlan: write bridge, private or vepa, other modes are not offered",
    ),
    ({"parent": "eth0/50"}, "option parent='eth0/50' of driver macvlan: 'eth0/50' is no interface name"),
    ({"macvlan_mod": "vepa"}, "driver macvlan has no option 'macvlan_mod'; did you mean 'macvlan_mode'?"),
    ({"ipvlan_mode": "l2"}, "driver macvlan has no option 'ipvlan_mode'; did you mean 'macvlan_mode'?"),
    ({"host_access": "true"}, "driver macvlan has no option 'host_access'; it knows "),
]


@pytest.mark.parametrize(("pairs", "text"), OPTIONS)
def test_m_01_what_this_driver_does_not_offer_is_refused_by_name(
    pairs: dict[str, str], text: str, refusal: Callable[[Callable[[], object]], str]
) -> None:
    """Nothing is accepted and then not done."""
    assert refusal(lambda: network(o=pairs)).startswith(text)


def test_m_05_an_internal_network_has_no_gateway(ask: Callable[..., Any]) -> None:
    """No default route; the LAN itself stays in reach, which the manual says."""
    assert ask(DRIVER, network(internal=True), ENDPOINT).joins == (sdk.Join("lwme0e1e2e3e4e5"),)


def test_m_06_the_gateway_is_that_of_the_addresss_own_subnet(ask: Callable[..., Any]) -> None:
    """Several subnets of a family stand side by side."""
    other = sdk.Subnet(ip_network("198.51.100.0/24"), ip_interface("198.51.100.1/24"))
    second = evolve(ENDPOINT, id="f" * 64, ipv4=IPv4Interface("198.51.100.9/24"), ipv6=None)
    joins = ask(DRIVER, network(FOUR, other, SIX), ENDPOINT, second).joins
    assert [join.gateways for join in joins] == [
        (ip_address("192.0.2.1"), ip_address("2001:db8::1")),
        (ip_address("198.51.100.1"),),
    ]


@pytest.mark.parametrize("internal", [True, False])
def test_docker_chooses_no_gateway_by_itself(*, internal: bool) -> None:
    """The router of the LAN is where it is. What the user names with --gateway is asked for all the same."""
    assert DRIVER.skip_gateway(Options(parent="eth0"), internal=internal) == (True, True)
    unnamed = network(evolve(FOUR, gateway=None))
    assert DRIVER.join(unnamed, evolve(ENDPOINT, ipv6=None)).gateways == ()


def test_m_07_without_the_option_the_kernel_keeps_the_mtu_at_the_parents(ask: Callable[..., Any]) -> None:
    """Then and later: what is not wished is not drift, and the kernel lowers it together with the parent's."""
    ((link,),) = ask(DRIVER, network(o={"parent": "eth1"}), ENDPOINT).endpoints
    assert link.mtu is None
    assert DRIVER.looks_at(Options(parent="eth1")) == ("eth1",)


def test_a_joined_link_is_lent(ask: Callable[..., Any]) -> None:
    """Docker moves it into the sandbox; its absence from the host is then no drift."""
    ((link,),) = ask(DRIVER, network(), ENDPOINT).endpoints
    assert (link.lent, link.up) == (True, False)


def test_docker_is_told_that_its_networks_reach_further_than_the_host() -> None:
    """As Docker's own macvlan driver tells it."""
    assert sdk.Capabilities(connectivity="global", takes_mac=True) == DRIVER.capabilities
    assert {name for name, power in sdk.POWERS.items() if isinstance(DRIVER, power)} == {"looks-at", "skips-gateway"}


PAIRS = {"macvlan_mode": ["bridge", "private", "vepa"], "mtu": ["0", "1400"], "stable_mac": ["true"]}


@given(data=st.data(), parent=st.sampled_from(["eth0", "eth1", "eth0.50"]))
def test_what_every_driver_promises(
    data: st.DataObject, parent: str, promises: Callable[..., Any], asked_for: Callable[..., Any]
) -> None:
    """Whatever Docker asks for: no I/O, the same answer again, wishes that the linter lets pass, names that fit."""
    network, endpoints = data.draw(asked_for(DRIVER, PAIRS, links=HOST.links))
    promises(DRIVER, network.with_options(evolve(network.options, parent=parent)), *endpoints)


def test_the_readme_says_what_the_code_does(hold_readme: Callable[..., None]) -> None:
    """Options, steps and examples are those of this version."""
    hold_readme(Path(__file__).parents[1] / "README.md", DRIVER, network(FOUR, SIX), ENDPOINT)
