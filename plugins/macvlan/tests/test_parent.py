"""A host, its LAN and containers on it on the real kernel, made by typing what the plan shows."""

import json
from collections.abc import Callable
from ipaddress import ip_interface, ip_network
from typing import Any

import pytest

from linkwright import sdk
from linkwright_macvlan import Macvlan, Options

DRIVER = Macvlan()


@pytest.fixture
def lan(place: Callable[[], Any]) -> tuple[Any, Any]:
    """A host with eth0, and the router 192.0.2.1 at the other end of the wire."""
    host, router = place(), place()
    host.ip(f"link add eth0 mtu 1400 type veth peer name lan0 mtu 1400 netns {router.name}")
    host.ip("addr add 192.0.2.2/24 dev eth0")
    host.ip("link set eth0 up")
    router.ip("addr add 192.0.2.1/24 dev lan0")
    router.ip("link set lan0 up")
    return host, router


def containers(host: Any, place: Callable[[], Any], ask: Callable[..., Any], mode: str) -> list[Any]:
    """Put two containers on the LAN of *host*."""
    options = sdk.read(Options, {"parent": "eth0", "macvlan_mode": mode}, driver="macvlan")
    facts = sdk.HostFacts(links=(sdk.LinkFact("eth0", mtu=1400),))
    subnet = sdk.Subnet(ip_network("192.0.2.0/24"), ip_interface("192.0.2.1/24"))
    network = sdk.Network("a" * 64, "macvlan", options, (subnet,), host=facts)
    found = []
    for digit in "34":
        endpoint = sdk.Endpoint(digit * 64, network.id, mac=sdk.Mac.derive("endpoint", digit, host.name))
        said = ask(DRIVER, network, endpoint)
        host.carry_out(said.network_text + said.endpoint_text)
        container = place()
        container.take(said.joins[0].source, host, f"192.0.2.{digit}/24")
        found.append(container)
    return found


def described(host: Any, link: str) -> dict[str, Any]:
    """Return what an administrator would see of a link, counters aside."""
    (seen,) = json.loads(host.run("ip", "-j", "addr", "show", "dev", link))
    return {key: seen[key] for key in ("flags", "mtu", "operstate", "address", "addr_info")}


@pytest.mark.netns
@pytest.mark.parametrize(("mode", "neighbours"), [("bridge", True), ("private", False)])
def test_m_01_containers_stand_on_the_lan(
    mode: str, *, neighbours: bool, lan: tuple[Any, Any], place: Callable[[], Any], ask: Callable[..., Any]
) -> None:
    """They reach its router in every mode, and each other where the mode says so."""
    host, router = lan
    first, _second = containers(host, place, ask, mode)
    assert first.reaches("192.0.2.1")
    assert router.reaches("192.0.2.3")
    assert neighbours is first.reaches("192.0.2.4")
    assert not host.reaches("192.0.2.3")  # by design of the kernel, and in the manual


@pytest.mark.netns
def test_m_02_m_07_the_parent_is_as_it_was_and_gives_its_mtu(
    lan: tuple[Any, Any], place: Callable[[], Any], ask: Callable[..., Any]
) -> None:
    """While containers stand on it and when they have gone; its MTU is theirs, then and later."""
    host, _ = lan
    before = described(host, "eth0")
    first, second = containers(host, place, ask, "bridge")
    assert before == described(host, "eth0")
    assert described(first, "eth0")["mtu"] == 1400
    host.ip("link set eth0 mtu 1300")
    assert described(first, "eth0")["mtu"] == 1300
    host.ip("link set eth0 mtu 1400")
    for container in (first, second):
        container.ip("link del eth0")
    assert before == described(host, "eth0")


async def test_the_kernel_has_what_was_wished(host: Any, settles: Callable[..., Any]) -> None:
    """Looking again finds nothing to do, and afterwards the parent alone is there."""
    await host.create(sdk.Link("eth0", sdk.Veth("lan0"), mtu=1400))
    facts = sdk.HostFacts(links=(sdk.LinkFact("eth0", mtu=1400),))
    for mode in ("bridge", "private", "vepa"):
        options = sdk.read(Options, {"parent": "eth0", "macvlan_mode": mode}, driver="macvlan")
        network = sdk.Network("a" * 64, "macvlan", options, host=facts)
        made = await settles(host, DRIVER, network, sdk.Endpoint("e" * 64, network.id, mac=sdk.Mac.derive("e")))
        assert [thing.mtu for thing in made.values() if isinstance(thing, sdk.Link)] == [1400, 1400]
