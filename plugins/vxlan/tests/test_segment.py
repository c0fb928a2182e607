"""Two hosts and a segment between them on the real kernel, made by typing what the plan shows."""

from collections.abc import Callable
from ipaddress import ip_interface, ip_network
from typing import Any

import pytest
from attrs import evolve, frozen

from linkwright import sdk
from linkwright_vxlan import Options, Vxlan

DRIVER = Vxlan()
PEERS = {4: ("192.0.2.1", "192.0.2.2"), 6: ("2001:db8::1", "2001:db8::2")}
OVERHEAD = {4: 50, 6: 70}


@frozen
class Side:
    """One host with one container on the segment."""

    host: Any
    container: Any
    network: sdk.Network[Options]
    mac: sdk.Mac


@pytest.fixture
def segment(place: Callable[[], Any], ask: Callable[..., Any]) -> Callable[..., tuple[Side, Side]]:
    """``segment(4)``: two hosts on an IPv4 underlay; *gateways* are the containers' gateways on each."""

    def make(version: int, gateways: tuple[str, str] = ("10.9.0.1", "10.9.0.1")) -> tuple[Side, Side]:
        hosts = place(), place()
        hosts[0].ip(f"link add up0 type veth peer name up0 netns {hosts[1].name}")
        return one(0, hosts[0], version, gateways[0]), one(1, hosts[1], version, gateways[1])

    def one(index: int, host: Any, version: int, gateway: str) -> Side:
        underlay = [f"{PEERS[4][index]}/24", f"{PEERS[6][index]}/64"]
        for address in underlay:
            host.ip(f"addr add {address} dev up0 {'nodad' if ':' in address else ''}")
        host.ip("link set up0 up")
        facts = sdk.HostFacts(sdk.LinkFact("up0"), tuple(map(ip_interface, underlay)), features=frozenset({"ipv6"}))
        options = sdk.read(Options, {"vni": "42", "peers": ",".join(PEERS[version])}, driver="vxlan")
        four = sdk.Subnet(ip_network("10.9.0.0/24"), ip_interface(f"{gateway}/24"))
        six = sdk.Subnet(ip_network("fd00:9::/64"), ip_interface("fd00:9::1/64"))
        network = sdk.Network("ab"[index] * 64, "vxlan", options, (four, six), host=facts)
        mac = sdk.Mac.derive("endpoint", host.name)
        endpoint = sdk.Endpoint("cd"[index] * 64, network.id, mac=mac)
        said = ask(DRIVER, network, endpoint)
        host.carry_out(said.network_text + said.endpoint_text)
        container = place()
        container.take(said.joins[0].source, host, f"10.9.0.1{index}/24", f"fd00:9::1{index}/64")
        return Side(host, container, network, mac)

    return make


@pytest.mark.netns
@pytest.mark.parametrize("version", [4, 6])
def test_v_01_v_06_v_07_containers_of_two_hosts_are_neighbours(
    version: int, segment: Callable[..., tuple[Side, Side]]
) -> None:
    """Both families over either underlay, at the MTU to the byte, each with the gateway of its own host."""
    here, there = segment(version)
    assert here.container.reaches("10.9.0.11")
    assert here.container.reaches("fd00:9::11")
    most = 1500 - OVERHEAD[version] - 20 - 8
    assert here.container.reaches("10.9.0.11", most)
    assert not here.container.reaches("10.9.0.11", most + 1)
    for side in (here, there):
        assert side.container.reaches("10.9.0.1")
        assert side.container.reaches("fd00:9::1")


@pytest.mark.netns
def test_the_gateway_is_found_on_the_host_itself(segment: Callable[..., tuple[Side, Side]]) -> None:
    """Nobody else hears the question. A container's question for a neighbour does go to the other host."""
    here, there = segment(4)
    here.container.run("sysctl", "-q", "-w", "net.ipv6.conf.eth0.disable_ipv6=1")
    learnt = f"{here.mac} dst {PEERS[4][0]} self"
    vtep = sdk.link_name("v", there.network.id)
    there.host.run("bridge", "fdb", "flush", "dev", vtep, "dynamic", "self")
    assert here.container.reaches("10.9.0.1")
    assert learnt not in there.host.run("bridge", "fdb", "show", "dev", vtep)
    assert here.container.reaches("10.9.0.11")
    assert learnt in there.host.run("bridge", "fdb", "show", "dev", vtep)


@pytest.mark.netns
def test_hosts_with_gateways_of_their_own_reach_each_others_containers(
    segment: Callable[..., tuple[Side, Side]],
) -> None:
    """With one gateway for all a host reaches its own containers only: the answer goes to the gateway next to them."""
    here, there = segment(4, gateways=("10.9.0.1", "10.9.0.2"))
    assert here.host.reaches("10.9.0.10")
    assert here.host.reaches("10.9.0.11")
    assert there.container.reaches("10.9.0.1")


@pytest.mark.netns
def test_what_is_deleted_leaves_nothing(segment: Callable[..., tuple[Side, Side]], ask: Callable[..., Any]) -> None:
    """Deleting the links is enough; the segment's number can be used again at once."""
    here, _ = segment(4)
    for link in ask(DRIVER, here.network).network:
        if isinstance(link, sdk.Link):
            here.host.ip(f"link del {link.name}")
    here.host.carry_out(ask(DRIVER, here.network).network_text)
    assert here.container.reaches("10.9.0.10")


@pytest.mark.parametrize("version", [4, 6])
async def test_the_kernel_has_what_was_wished(version: int, host: Any, settles: Callable[..., Any]) -> None:
    """Looking again finds nothing to do, and afterwards nothing is left."""
    facts = sdk.HostFacts(sdk.LinkFact("up0"), tuple(map(ip_interface, ("192.0.2.1/24", "2001:db8::1/64"))))
    options = sdk.read(Options, {"vni": "42", "peers": ",".join(PEERS[version])}, driver="vxlan")
    for subnets in ([], ["10.9.0.1/24"], ["10.9.0.1/24", "fd00:9::1/64"]):
        given = tuple(sdk.Subnet(gateway.network, gateway) for gateway in map(ip_interface, subnets))
        network = sdk.Network("a" * 64, "vxlan", options, given, host=evolve(facts, features=frozenset({"ipv6"})))
        await settles(host, DRIVER, network, sdk.Endpoint("e" * 64, network.id, mac=sdk.Mac.derive("e")))
