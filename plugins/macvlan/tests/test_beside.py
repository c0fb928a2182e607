"""Networks of both drivers beside each other on one host: what excludes what, in both orders."""

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from plugins.macvlan.tests.asked import FOUR, FOUR_MORE, HOST, IPVLAN, MACVLAN, SIX, ipvlan, macvlan

from linkwright import sdk

OTHER = "b0b1b2b3b4b5" + "0" * 52
DRIVERS: dict[str, Any] = {"macvlan": MACVLAN, "ipvlan": IPVLAN}


def admitted(network: sdk.Network[Any], beside: sdk.Network[Any]) -> None:
    """Ask *network*'s driver for it beside another one."""
    DRIVERS[network.driver].admit(network, (evolve(beside, id=OTHER),), HOST)


GOOD = [
    (macvlan(), macvlan(FOUR_MORE, macvlan_mode="private")),
    (macvlan(), macvlan()),
    (macvlan(macvlan_mode="passthru"), macvlan(FOUR_MORE, parent="eth1", macvlan_mode="passthru")),
    (macvlan(macvlan_mode="passthru"), macvlan(parent="")),
    (macvlan(parent="", macvlan_mode="passthru"), macvlan(parent="", macvlan_mode="passthru")),
    (ipvlan(), ipvlan(FOUR_MORE)),
    (ipvlan(ipvlan_mode="l3"), ipvlan(FOUR_MORE, parent="eth1")),
    (ipvlan(), macvlan(FOUR_MORE, parent="eth0.50")),
    (macvlan(), macvlan(parent="")),
    (macvlan(overlap="true"), macvlan(parent="eth1")),
    (macvlan(), macvlan(evolve(FOUR, space="another"), parent="eth1")),
    (macvlan(), macvlan(SIX, parent="eth1")),
]


@pytest.mark.parametrize(("one", "other"), GOOD)
def test_m_04_m_12_n_01_what_does_not_exclude_each_other_may_stand_together(
    one: sdk.Network[Any], other: sdk.Network[Any]
) -> None:
    """Parents are shared, whatever the modes but passthru; two LANs that are numbered alike take an option."""
    admitted(one, other)
    admitted(other, one)


@pytest.mark.parametrize("mode", ["bridge", "passthru"])
def test_m_04_passthru_has_its_parent_alone(mode: str, refusal: Callable[[Callable[[], object]], str]) -> None:
    """Passthru first, and passthru second: the second one is refused, naming the first."""
    passthru, second = macvlan(macvlan_mode="passthru"), macvlan(FOUR_MORE, macvlan_mode=mode)
    holder = "parent eth0 carries macvlan network b0b1b2b3b4b5"
    first = refusal(lambda: admitted(second, passthru))
    assert first == f"{holder}, which has it alone (passthru); name another parent, or remove that network"
    if mode != "passthru":
        assert refusal(lambda: admitted(passthru, second)).startswith(f"{holder}, and passthru would need it alone;")


def test_m_04_a_network_is_not_in_its_own_way() -> None:
    """Docker asks again for one that it has."""
    MACVLAN.admit(macvlan(macvlan_mode="passthru"), (macvlan(macvlan_mode="passthru"),), HOST)


@pytest.mark.parametrize(("one", "other"), [(macvlan(), ipvlan(FOUR_MORE)), (ipvlan(), macvlan(FOUR_MORE))])
def test_n_03_a_parent_carries_macvlan_or_ipvlan(
    one: sdk.Network[Any], other: sdk.Network[Any], refusal: Callable[[Callable[[], object]], str]
) -> None:
    """The kernel would say EBUSY to the first container; this says it to who makes the network, and what to do."""
    assert refusal(lambda: admitted(one, other)) == (
        f"parent eth0 carries {other.driver} network b0b1b2b3b4b5, and the kernel lets a link carry macvlan or ipvlan, "
        f"not both; name another parent, a VLAN on it (eth0.50, say), or use {other.driver} here too"
    )


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        (ipvlan(ipvlan_mode="l3"), ipvlan(FOUR_MORE), "l2 bridge"),
        (ipvlan(), ipvlan(FOUR_MORE, ipvlan_mode="l3s", ipvlan_flag="vepa"), "l3s vepa"),
        (ipvlan(ipvlan_flag="private"), ipvlan(FOUR_MORE), "l2 bridge"),
    ],
)
def test_n_01_all_ipvlan_links_on_a_parent_have_one_mode_and_flag(
    one: sdk.Network[Any], other: sdk.Network[Any], what: str, refusal: Callable[[Callable[[], object]], str]
) -> None:
    """A second network of another mode would change that of containers that run."""
    text = refusal(lambda: admitted(one, other))
    assert text.startswith(f"parent eth0 carries ipvlan network b0b1b2b3b4b5 in mode {what}, and all ipvlan links on")


@pytest.mark.parametrize("other", [macvlan(parent="eth1"), ipvlan(parent="eth0.50")])
def test_m_12_one_subnet_on_two_parents_is_refused_and_the_way_out_told(
    other: sdk.Network[Any], refusal: Callable[[Callable[[], object]], str]
) -> None:
    """Most often a parent was mistyped; where it was not, an option says so."""
    text = refusal(lambda: admitted(macvlan(SIX, FOUR), other))
    assert text.startswith(
        f"subnet 192.0.2.0/24 overlaps 192.0.2.0/24 of {other.driver} network b0b1b2b3b4b5 on parent "
        f"{other.options.parent}, and this one's is eth0. If these are two LANs that are numbered alike, add -o overlap"
    )
