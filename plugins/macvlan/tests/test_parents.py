"""What networks of both drivers stand on: borrowed, made, their own; and what will not do, by name."""

from collections.abc import Callable
from typing import Any

import pytest
from attrs import evolve
from plugins.macvlan.tests.asked import ENDPOINT, HOST, IPVLAN, MACVLAN, ipvlan, macvlan

from linkwright import sdk


def borrowed(name: str) -> sdk.Link:
    """A link of which nothing is changed."""
    return sdk.Link(name, up=None, hold=sdk.Hold.BORROW)


@pytest.mark.parametrize("parent", ["eth0", "eth1", "eth0.50", "br0"])
def test_m_02_a_parent_that_is_there_is_borrowed_and_nothing_of_it_is_changed(
    parent: str, ask: Callable[..., Any]
) -> None:
    """A parent that is down stays down; a VLAN that an administrator made is nobody's to remove."""
    for driver, network in ((MACVLAN, macvlan(parent=parent)), (IPVLAN, ipvlan(parent=parent))):
        said = ask(driver, network)
        assert said.network == sdk.Wishes.of(borrowed(parent))
        assert said.network_text == ""


@pytest.mark.parametrize(
    ("parent", "vid"), [("eth0.70", 70), ("eth0.1", 1), ("eth0.4094", 4094), ("eth0.60", 60), ("eth2.7", 7)]
)
def test_m_03_a_vlan_that_is_not_there_is_made_and_shared(parent: str, vid: int, ask: Callable[..., Any]) -> None:
    """And so is one that linkwright made for another network: it goes with the last that has it."""
    below = parent.partition(".")[0]
    for driver, network in ((MACVLAN, macvlan(parent=parent)), (IPVLAN, ipvlan(parent=parent))):
        said = ask(driver, network, ENDPOINT)
        made = sdk.Link(parent, sdk.Vlan(below, vid), shared=True)
        assert said.network == sdk.Wishes.of(borrowed(below), made)
        assert said.network_text == f"ip link add {parent} link {below} up type vlan id {vid}\n"
        assert f" link {parent} " in said.endpoint_text


def test_m_03_what_decides_that_is_looked_at() -> None:
    """The parent, and what a VLAN would be made on."""
    assert MACVLAN.looks_at(macvlan(parent="eth0.70").options) == ("eth0.70", "eth0")
    assert IPVLAN.looks_at(ipvlan(parent="eth1").options) == ("eth1",)
    assert MACVLAN.looks_at(macvlan(parent="").options) == ()
    assert MACVLAN.looks_at(macvlan(parent=".70").options) == (".70",)


NO_LINK = "is no link of this host"
REFUSED = [
    ("eth7", f"parent 'eth7' {NO_LINK}; `ip link` lists them, and eth0.50 would be VLAN 50 of eth0"),
    ("eth7.50", f"parent 'eth7.50' cannot be made: 'eth7' {NO_LINK}; `ip link` lists them"),
    ("eth1.50", "parent 'eth1.50' cannot be made: eth1 is down, and no VLAN is up on a link that is not; `ip link set"),
    ("eth0.50.6", f"parent 'eth0.50.6' {NO_LINK}, and a VLAN within a VLAN is not made; make it with `ip link add"),
    *(
        (
            f"eth0.{vid}",
            f"parent 'eth0.{vid}' {NO_LINK}, and '{vid}' is no VLAN of 'eth0': that is a number from 1 to 4094",
        )
        for vid in ("0", "4095", "99999", "070", "7a", "", "+7", "\u0667")
    ),
    (".70", f"parent '.70' {NO_LINK}, and '70' is no VLAN of ''"),
    ("lo", "lo cannot be a parent: there is no LAN behind it; name another link, or none for no LAN"),
    ("lo.5", "lo cannot be a parent"),
    ("mac0", "parent 'mac0' is a macvlan link itself; name the link that it stands on"),
    ("mac0.5", "parent 'mac0' is a macvlan link itself"),
    ("eth2", "parent 'eth2' is a port of br0, which takes all its packets; name br0"),
    ("lwb000000000000", "lwb000000000000 is a link of linkwright's own and comes and goes with its network; name ano"),
    ("lwb00000000.50", "lwb00000000.50 is a link of linkwright's own"),
]


@pytest.mark.parametrize(("parent", "text"), REFUSED)
def test_m_02_m_03_a_parent_that_will_not_do_is_refused_by_name(
    parent: str, text: str, refusal: Callable[[Callable[[], object]], str]
) -> None:
    """Absent, no VLAN, within a VLAN, without a LAN, a child or a port itself, or ours."""
    assert refusal(lambda: MACVLAN.network(macvlan(parent=parent))).startswith(text)
    assert refusal(lambda: IPVLAN.network(ipvlan(parent=parent))).startswith(text)


@pytest.mark.parametrize(
    ("driver", "network", "text"),
    [
        (MACVLAN, macvlan(), "the kernel has no macvlan: modprobe macvlan, or CONFIG_MACVLAN"),
        (IPVLAN, ipvlan(), "the kernel has no ipvlan: modprobe ipvlan, or CONFIG_IPVLAN"),
        (MACVLAN, macvlan(parent="eth0.70"), "the kernel has no vlan: modprobe 8021q, or CONFIG_VLAN_8021Q"),
        (MACVLAN, macvlan(parent=""), "the kernel has no veth: modprobe veth, or CONFIG_VETH"),
    ],
)
def test_m_03_n_01_what_the_kernel_lacks_is_named_before_anything_is_made(
    driver: Any, network: sdk.Network[Any], text: str, refusal: Callable[[Callable[[], object]], str]
) -> None:
    """Of a kernel that told what it has; one that did not is asked, and refuses in its own words."""
    lacking = {text.split()[4].rstrip(":")}
    known = evolve(HOST, features=frozenset({"veth", "macvlan", "ipvlan", "vlan"} - lacking))
    assert refusal(lambda: driver.network(evolve(network, host=known))) == text
