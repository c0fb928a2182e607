"""The ipvlan driver: what Docker asks for and what the host gets for it, as a person would type it."""

from collections.abc import Callable
from ipaddress import IPv4Interface, ip_address, ip_interface, ip_network
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
    IPVLAN,
    LINKS,
    SIX,
    SIX_MORE,
    ipvlan,
    own_parent,
)

from linkwright import sdk

SHARED = evolve(ENDPOINT, mac=None)
ADD = "ip link add lwie0e1e2e3e4e5 link"


@pytest.mark.parametrize("mode", ["l2", "l3", "l3s"])
@pytest.mark.parametrize("flag", ["bridge", "private", "vepa"])
def test_n_01_an_endpoint_is_one_link_on_the_parent_in_the_mode_asked_for(
    mode: str, flag: str, ask: Callable[..., Any]
) -> None:
    """Without a hardware address of its own, whatever Docker says, and made down."""
    said = ask(IPVLAN, ipvlan(ipvlan_mode=mode, ipvlan_flag=flag), SHARED)
    assert said.endpoint_text == f"{ADD} eth0 type ipvlan mode {mode} {flag}\n"
    ((link,),) = said.endpoints
    assert (link.mac, link.lent, link.up) == (None, True, False)


@pytest.mark.parametrize(
    ("pairs", "text"),
    [
        ({"ipvlan_mode": "l4"}, "option ipvlan_mode='l4' of driver ipvlan: write l2, l3 or l3s ("),
        ({"ipvlan_flag": "bad"}, "option ipvlan_flag='bad' of driver ipvlan: write bridge, private or vepa ("),
        ({"macvlan_mode": "bridge"}, "driver ipvlan has no option 'macvlan_mode'; did you mean 'ipvlan_mode'?"),
        ({"host_access": "true"}, "driver ipvlan has no option 'host_access'"),
        (
            {"stable_mac": "true"},
            "options of driver ipvlan: stable_mac=true has nothing to keep: with ipvlan containers",
        ),
    ],
)
def test_n_01_what_this_driver_does_not_offer_is_refused_by_name(
    pairs: dict[str, str], text: str, refusal: Callable[[Callable[[], object]], str]
) -> None:
    """Nothing is accepted and then not done."""
    assert refusal(lambda: ipvlan(**pairs)).startswith(text)


def test_n_01_in_mode_l2_the_gateway_is_a_router_of_the_lan(ask: Callable[..., Any]) -> None:
    """As with macvlan, and neighbours are told whose the addresses are now."""
    (join,) = ask(IPVLAN, ipvlan(FOUR, FOUR_MORE, SIX), SHARED).joins
    assert join == sdk.Join("lwie0e1e2e3e4e5", (ip_address("192.0.2.1"), ip_address("2001:db8::1")), announce=True)


def routes(*destinations: str) -> tuple[sdk.StaticRoute, ...]:
    """On-link routes."""
    return tuple(sdk.StaticRoute(ip_network(destination)) for destination in destinations)


@pytest.mark.parametrize("mode", ["l3", "l3s"])
def test_n_02_at_layer_3_everything_is_on_link(mode: str, ask: Callable[..., Any]) -> None:
    """No gateway, a default route of each family that the container has, and nobody to announce to."""
    second = evolve(SHARED, id="f" * 64, ipv4=IPv4Interface("198.51.100.9/24"), ipv6=None)
    network = ipvlan(FOUR, FOUR_MORE, SIX, ipvlan_mode=mode)
    first, other = ask(IPVLAN, network, SHARED, second).joins
    assert first == sdk.Join("lwie0e1e2e3e4e5", routes=routes("0.0.0.0/0", "::/0"))
    assert other == sdk.Join("lwi" + "f" * 12, routes=routes("0.0.0.0/0"))


@pytest.mark.parametrize(
    "network",
    [
        ipvlan(FOUR, FOUR_MORE, SIX, SIX_MORE, ipvlan_mode="l3", internal=True),
        ipvlan(FOUR, FOUR_MORE, SIX, SIX_MORE, ipvlan_mode="l3s", parent=""),
        ipvlan(FOUR, FOUR_MORE, SIX, SIX_MORE, ipvlan_mode="l3", gateway="false"),
    ],
)
def test_n_02_where_nothing_leads_outside_the_other_subnets_are_on_link(
    network: sdk.Network[Any], ask: Callable[..., Any]
) -> None:
    """No default route, and siblings of the other subnets all the same."""
    (join,) = ask(IPVLAN, network, SHARED).joins
    assert join == sdk.Join("lwie0e1e2e3e4e5", routes=routes("198.51.100.0/24", "2001:db8:1::/64"))


def test_n_02_without_a_parent_the_network_has_one_of_its_own(ask: Callable[..., Any]) -> None:
    """Behind which there is nothing."""
    said = ask(IPVLAN, ipvlan(parent="", ipvlan_mode="l3"), SHARED)
    assert said.network_text == own_parent()
    assert said.endpoint_text == f"{ADD} lwpa0a1a2a3a4a5 type ipvlan mode l3 bridge\n"


def test_n_04_endpoints_have_no_hardware_address_of_their_own() -> None:
    """The core refuses one that is given and chooses none."""
    wanted = sdk.Capabilities(connectivity="global", takes_mac=False, beside=frozenset({"macvlan"}))
    assert wanted == IPVLAN.capabilities
    assert {name for name, power in sdk.POWERS.items() if isinstance(IPVLAN, power)} == {
        "admits",
        "looks-at",
        "skips-gateway",
    }


def test_n_05_both_ends_of_a_31_are_containers(ask: Callable[..., Any]) -> None:
    """A point-to-point pair (RFC 3021) at layer 3 needs no third address."""
    pair = sdk.Subnet(ip_network("192.0.2.0/31"))
    ends = [
        evolve(SHARED, id=digit * 64, ipv4=ip_interface(f"192.0.2.{digit}/31"), ipv6=None)  # type: ignore[arg-type]
        for digit in "01"
    ]
    said = ask(IPVLAN, ipvlan(pair, ipvlan_mode="l3"), *ends)
    assert [join.routes for join in said.joins] == [routes("0.0.0.0/0")] * 2
    assert said.endpoint_text.count("type ipvlan mode l3 bridge") == 2


PAIRS = {
    "ipvlan_mode": ["l2", "l3", "l3s"],
    "ipvlan_flag": ["bridge", "private", "vepa"],
    "mtu": ["0", "1400"],
    "gateway": ["false"],
}


@given(data=st.data(), parent=st.sampled_from(["", "eth0", "eth1", "eth0.50", "eth0.60", "eth0.70"]))
def test_what_every_driver_promises(
    data: st.DataObject, parent: str, promises: Callable[..., Any], asked_for: Callable[..., Any]
) -> None:
    """Whatever Docker asks for: no I/O, the same answer again, wishes that the linter lets pass, names that fit."""
    network, endpoints = data.draw(asked_for(IPVLAN, PAIRS, links=LINKS))
    every = {"ipvlan", "veth", "vlan"} if network.host.features else set()
    known = evolve(HOST, features=network.host.features | every)
    network = evolve(network, options=evolve(network.options, parent=parent), host=known)
    promises(IPVLAN, network, *(evolve(endpoint, mac=None) for endpoint in endpoints))
