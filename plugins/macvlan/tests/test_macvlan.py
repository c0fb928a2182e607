"""The macvlan driver: what Docker asks for and what the host gets for it, as a person would type it."""

from collections.abc import Callable
from ipaddress import IPv4Interface, ip_address
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from plugins.macvlan.tests.asked import (
    ENDPOINT,
    FOUR,
    FOUR_MORE,
    HOST,
    LINKS,
    MACVLAN,
    SIX,
    host_in,
    macvlan,
    own_parent,
)

from linkwright import sdk
from linkwright_macvlan import Options

ADD = "ip link add lwme0e1e2e3e4e5 link"
MAC = "address 02:42:0a:01:00:09 type macvlan"
ROUTER = "02:00:00:00:00:fe"


@pytest.mark.parametrize(
    ("pairs", "text"),
    [
        ({}, f"{ADD} eth0 {MAC} mode bridge\n"),
        ({"parent": "eth0.50"}, f"{ADD} eth0.50 {MAC} mode bridge\n"),
        ({"parent": "eth1", "mtu": "4000"}, f"{ADD} eth1 mtu 4000 {MAC} mode bridge\n"),
        ({"macvlan_mode": "private"}, f"{ADD} eth0 {MAC} mode private\n"),
        ({"macvlan_mode": "vepa"}, f"{ADD} eth0 {MAC} mode vepa\n"),
        ({"macvlan_mode": "passthru"}, f"{ADD} eth0 {MAC} mode passthru\n"),
        (
            {"macvlan_mode": "source", "macvlan_source_macs": f"{ROUTER}, 02-00-00-00-00-01,{ROUTER}"},
            f"{ADD} eth0 {MAC} mode source macaddr set 02:00:00:00:00:01 {ROUTER}\n",
        ),
        ({"bc_queue_len": "5000"}, f"{ADD} eth0 {MAC} mode bridge bcqueuelen 5000\n"),
    ],
)
def test_m_01_an_endpoint_is_one_link_on_the_parent_in_the_mode_asked_for(
    pairs: dict[str, str], text: str, ask: Callable[..., Any]
) -> None:
    """Made down: up, it would take addresses from the LAN's routers for the host."""
    assert text == ask(MACVLAN, macvlan(**pairs), ENDPOINT).endpoint_text


def test_m_01_a_passthru_link_keeps_its_parents_hardware_address(ask: Callable[..., Any]) -> None:
    """To give it another one would give it to the parent: the core is told to choose none."""
    network = macvlan(macvlan_mode="passthru")
    assert (network.options.takes_mac, macvlan().options.takes_mac) == (False, True)
    ((link,),) = ask(MACVLAN, network, evolve(ENDPOINT, mac=None)).endpoints
    assert link.mac is None


TOGETHER = "options of driver macvlan: macvlan_mode=source and macvlan_source_macs go together"
OPTIONS = [
    (
        {"macvlan_mode": "bad"},
        "option macvlan_mode='bad' of driver macvlan: write private, vepa, bridge, passthru or source",
    ),
    ({"macvlan_mode": "source"}, TOGETHER),
    ({"macvlan_source_macs": ROUTER}, TOGETHER),
    (
        {"macvlan_mode": "source", "macvlan_source_macs": "ff:ff:ff:ff:ff:ff"},
        "option macvlan_source_macs='ff:ff:ff:ff:ff:ff' of driver macvlan: nobody sends from ff:ff:ff:ff:ff:ff",
    ),
    (
        {"macvlan_mode": "source", "macvlan_source_macs": f"{ROUTER},"},
        f"option macvlan_source_macs='{ROUTER},' of driver macvlan: '' is not a hardware address",
    ),
    ({"parent": "eth0/50"}, "option parent='eth0/50' of driver macvlan: 'eth0/50' is no interface name"),
    ({"bc_queue_len": "0"}, "option bc_queue_len='0' of driver macvlan: write a whole number from 1 to 4294967295"),
    ({"macvlan_mod": "vepa"}, "driver macvlan has no option 'macvlan_mod'; did you mean 'macvlan_mode'?"),
    ({"ipvlan_mode": "l2"}, "driver macvlan has no option 'ipvlan_mode'; did you mean 'macvlan_mode'?"),
    (
        {"host_access": "true", "macvlan_mode": "private"},
        "options of driver macvlan: host_access=true goes with macvlan_mode=bridge only: in mode private nobody",
    ),
    (
        {"stable_mac": "true", "macvlan_mode": "passthru"},
        "options of driver macvlan: stable_mac=true has nothing to keep: with macvlan_mode=passthru containers have",
    ),
]


@pytest.mark.parametrize(("pairs", "text"), OPTIONS)
def test_m_01_what_this_driver_does_not_offer_is_refused_by_name(
    pairs: dict[str, str], text: str, refusal: Callable[[Callable[[], object]], str]
) -> None:
    """Nothing is accepted and then not done."""
    assert refusal(lambda: macvlan(**pairs)).startswith(text)


def test_m_05_an_internal_network_has_no_gateway(ask: Callable[..., Any]) -> None:
    """No default route; the LAN itself stays in reach, which the manual says."""
    assert ask(MACVLAN, macvlan(internal=True), ENDPOINT).joins == (sdk.Join("lwme0e1e2e3e4e5", announce=True),)


@pytest.mark.parametrize("internal", [True, False])
def test_m_05_without_a_parent_nothing_leads_outside(*, internal: bool, ask: Callable[..., Any]) -> None:
    """The network has a pair of its own, up, at whose other end nobody listens; no gateway whatever Docker chose."""
    said = ask(MACVLAN, macvlan(FOUR, SIX, parent="", mtu="9000", internal=internal), ENDPOINT)
    assert said.network_text == own_parent(mtu=9000)
    assert said.endpoint_text == f"{ADD} lwpa0a1a2a3a4a5 mtu 9000 {MAC} mode bridge\n"
    assert said.joins == (sdk.Join("lwme0e1e2e3e4e5", announce=True),)


def test_m_05_the_host_has_no_ipv6_on_the_parent_where_it_has_any(ask: Callable[..., Any]) -> None:
    """Where it has none there is nothing to be switched off, and no such setting."""
    known = evolve(HOST, features=frozenset({"ipv6", "macvlan", "veth"}))
    assert ask(MACVLAN, evolve(macvlan(parent=""), host=known)).network_text == own_parent(ipv6=True)


def test_m_06_the_gateway_is_that_of_the_addresss_own_subnet(ask: Callable[..., Any]) -> None:
    """Several subnets of a family stand side by side."""
    second = evolve(ENDPOINT, id="f" * 64, ipv4=IPv4Interface("198.51.100.9/24"), ipv6=None)
    joins = ask(MACVLAN, macvlan(FOUR, FOUR_MORE, SIX), ENDPOINT, second).joins
    assert [join.gateways for join in joins] == [
        (ip_address("192.0.2.1"), ip_address("2001:db8::1")),
        (ip_address("198.51.100.1"),),
    ]


@pytest.mark.parametrize(("of", "values"), [(ENDPOINT, ["0"]), (evolve(ENDPOINT, ipv6=None), [])])
def test_m_08_the_hosts_link_has_ipv6_where_a_container_has(of: sdk.Endpoint, values: list[str]) -> None:
    """For one of IPv4 alone nobody switches it on."""
    network = macvlan(host_in(FOUR, "192.0.2.2"), host_in(SIX, "2001:db8::2"), host_access="true")
    wishes = MACVLAN.endpoint(evolve(network, host=evolve(HOST, features=frozenset({"ipv6"}))), of)
    settings = [one for one in wishes if isinstance(one, sdk.Sysctl)]
    assert values == [one.value for one in settings if one.path.endswith("disable_ipv6")]


@pytest.mark.parametrize("internal", [True, False])
def test_docker_chooses_no_gateway_by_itself(*, internal: bool) -> None:
    """The router of the LAN is where it is. What the user names with --gateway is asked for all the same."""
    assert MACVLAN.skip_gateway(Options(parent="eth0"), internal=internal) == (True, True)
    unnamed = macvlan(evolve(FOUR, gateway=None))
    assert MACVLAN.join(unnamed, evolve(ENDPOINT, ipv6=None)).gateways == ()


def test_m_07_without_the_option_the_kernel_keeps_the_mtu_at_the_parents(ask: Callable[..., Any]) -> None:
    """Then and later: what is not wished is not drift, and the kernel lowers it together with the parent's."""
    ((link,),) = ask(MACVLAN, macvlan(parent="eth1"), ENDPOINT).endpoints
    assert link.mtu is None


@pytest.mark.parametrize(
    ("pairs", "text"),
    [
        ({}, "MTU 1501 is more than the 1500 of parent eth0; take a smaller one, or raise the parent's first"),
        ({"parent": "eth0.70"}, "MTU 1501 is more than the 1500 of parent eth0.70; take a smaller one, or raise"),
        ({"parent": "eth0.60"}, "MTU 1501 is more than the 1400 of parent eth0.60; take a smaller one, or raise"),
    ],
)
def test_m_07_an_mtu_above_the_parents_is_refused(
    pairs: dict[str, str], text: str, refusal: Callable[[Callable[[], object]], str]
) -> None:
    """A VLAN that is to be made has the MTU of what it is made on; one of ours that is there has its own."""
    assert refusal(lambda: MACVLAN.network(macvlan(mtu="1501", **pairs))).startswith(text)


def test_a_joined_link_is_lent(ask: Callable[..., Any]) -> None:
    """Docker moves it into the sandbox; its absence from the host is then no drift."""
    ((link,),) = ask(MACVLAN, macvlan(), ENDPOINT).endpoints
    assert (link.lent, link.up) == (True, False)


def test_docker_is_told_that_its_networks_reach_further_than_the_host() -> None:
    """As Docker's own macvlan driver tells it."""
    wanted = sdk.Capabilities(connectivity="global", takes_mac=True, beside=frozenset({"ipvlan"}))
    assert wanted == MACVLAN.capabilities
    powers = {name for name, power in sdk.POWERS.items() if isinstance(MACVLAN, power)}
    assert powers == {"admits", "claims", "looks-at", "skips-gateway"}  # no "publishes": -p is refused (M-10)


PAIRS = {
    "macvlan_mode": ["bridge", "private", "vepa", "passthru"],
    "mtu": ["0", "1400"],
    "bc_queue_len": ["1", "4000"],
}


@given(data=st.data(), parent=st.sampled_from(["", "eth0", "eth1", "eth0.50", "eth0.60", "eth0.70"]))
def test_what_every_driver_promises(
    data: st.DataObject, parent: str, promises: Callable[..., Any], asked_for: Callable[..., Any]
) -> None:
    """Whatever Docker asks for: no I/O, the same answer again, wishes that the linter lets pass, names that fit."""
    network, endpoints = data.draw(asked_for(MACVLAN, PAIRS, links=LINKS))
    every = {"macvlan", "veth", "vlan"} if network.host.features else set()
    known = evolve(HOST, features=network.host.features | every)
    promises(MACVLAN, evolve(network, options=evolve(network.options, parent=parent), host=known), *endpoints)
