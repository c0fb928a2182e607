"""A host, its LAN and containers on it on the real kernel, made by typing what the plan shows."""

import json
import subprocess
from collections.abc import Callable
from ipaddress import ip_interface
from typing import Any

import pytest
from attrs import evolve, frozen
from plugins.macvlan.tests.asked import FOUR, FOUR_MORE, MACVLAN, SIX, SIX_MORE, host_in, macvlan

from linkwright import sdk

pytestmark = pytest.mark.netns

#: The router of the LAN has the first address of each subnet, the host the second of the first.
SUBNETS = (FOUR, FOUR_MORE, SIX, SIX_MORE)


#: The parent of a network that names none, and its other end.
ENDS = ("lwpa0a1a2a3a4a5", "lwqa0a1a2a3a4a5")


@frozen
class Lan:
    """A host with eth0, the router at the other end of the wire, and places for containers."""

    host: Any
    router: Any
    place: Callable[[], Any]
    ask: Callable[..., Any]

    def network(self, *subnets: sdk.Subnet, **o: str) -> sdk.Network[Any]:
        """A network on what the host has now."""
        facts = tuple(
            sdk.LinkFact(one["ifname"], mtu=one["mtu"], up="UP" in one["flags"])
            for one in json.loads(self.host.run("ip", "-j", "link"))
        )
        every = frozenset({"ipv6", "macvlan", "veth", "vlan"})
        return evolve(macvlan(*subnets, **o), host=sdk.HostFacts(links=facts, features=every))

    def make(self, network: sdk.Network[Any]) -> None:
        """Create the network."""
        self.host.carry_out(self.ask(MACVLAN, network).network_text)

    def start(self, network: sdk.Network[Any], digit: str, *addresses: str, beside: int = 0) -> Any:
        """Start a container; with *beside* others that run already, what they share with it is there."""
        interfaces = [ip_interface(one) for one in addresses]
        endpoint = sdk.Endpoint(
            digit * 64,
            network.id,
            ipv4=next((one for one in interfaces if one.version == 4), None),
            ipv6=next((one for one in interfaces if one.version == 6), None),
            mac=sdk.Mac.derive("endpoint", digit, self.host.name) if network.options.takes_mac else None,
        )
        said = self.ask(MACVLAN, network, endpoint)
        lines = said.endpoint_text.splitlines()
        mine = [line for line in lines if not beside or "lwm" in line or "route" in line]
        self.host.carry_out("\n".join(mine))
        container = self.place()
        container.take(said.joins[0].source, self.host, *addresses)
        for gateway in said.joins[0].gateways:
            container.ip(f"-{gateway.version} route add default via {gateway}")
        return container


@pytest.fixture
def lan(place: Callable[[], Any], ask: Callable[..., Any]) -> Lan:
    """A LAN of MTU 1400."""
    host, router = place(), place()
    host.ip(f"link add eth0 mtu 1400 type veth peer name lan0 mtu 1400 netns {router.name}")
    host.ip("addr add 192.0.2.2/24 dev eth0")
    host.ip("link set eth0 up")
    for subnet in SUBNETS:
        router.ip(f"addr add {subnet.gateway} dev lan0 {'nodad' if subnet.version == 6 else ''}")
    router.ip("link set lan0 up")
    return Lan(host, router, place, ask)


def cut_off(place: Any, address: str) -> bool:
    """Whether *place* has no answer from *address* within a second."""
    asked = subprocess.run(
        ["ip", "netns", "exec", place.name, "busybox", "ping", "-c", "1", "-W", "1", address],
        capture_output=True,
        check=False,
    )
    return asked.returncode != 0


def described(host: Any, link: str) -> dict[str, Any]:
    """Return what an administrator would see of a link, counters aside."""
    (seen,) = json.loads(host.run("ip", "-j", "addr", "show", "dev", link))
    return {key: seen[key] for key in ("flags", "mtu", "operstate", "address", "addr_info")}


def received(container: Any) -> int:
    """Return how many packets have come in by its link."""
    (seen,) = json.loads(container.run("ip", "-j", "-s", "link", "show", "dev", "eth0"))
    return int(seen["stats64"]["rx"]["packets"])


@pytest.mark.parametrize(("mode", "neighbours"), [("bridge", True), ("private", False), ("vepa", False)])
def test_m_01_containers_stand_on_the_lan(mode: str, *, neighbours: bool, lan: Lan) -> None:
    """They reach its router in every mode, and each other where the mode, or the switch, says so."""
    network = lan.network(macvlan_mode=mode)
    first, _second = lan.start(network, "3", "192.0.2.3/24"), lan.start(network, "4", "192.0.2.4/24")
    assert f"mode {mode} " in first.run("ip", "-d", "link", "show", "eth0")
    assert first.reaches("192.0.2.1")
    assert lan.router.reaches("192.0.2.3")
    assert first.reaches("192.0.2.4") if neighbours else cut_off(first, "192.0.2.4")
    assert cut_off(lan.host, "192.0.2.3")  # by design of the kernel, and in the manual


def test_m_01_m_04_a_passthru_link_has_the_parent_and_its_hardware_address_alone(lan: Lan) -> None:
    """It reaches the LAN as the parent would; a second link is refused by the kernel too; then all is as it was."""
    before = described(lan.host, "eth0")
    network = lan.network(macvlan_mode="passthru")
    container = lan.start(network, "3", "192.0.2.3/24")
    assert described(container, "eth0")["address"] == before["address"]
    assert container.reaches("192.0.2.1")
    with pytest.raises(subprocess.CalledProcessError):
        lan.start(network, "4", "192.0.2.4/24")
    container.ip("link del eth0")
    assert described(lan.host, "eth0") == before


def test_m_01_in_mode_source_a_container_hears_whom_it_was_told_to_and_nobody_else(lan: Lan) -> None:
    """Not its siblings, not other stations; but of those that it hears all that comes to the parent."""
    network = lan.network(macvlan_mode="source", macvlan_source_macs=described(lan.router, "lan0")["address"])
    first, _second = lan.start(network, "3", "192.0.2.3/24"), lan.start(network, "4", "192.0.2.4/24")
    assert first.reaches("192.0.2.1")
    assert lan.router.reaches("192.0.2.3")
    assert cut_off(first, "192.0.2.4")
    before = received(first)
    assert lan.router.reaches("192.0.2.2")
    assert received(first) > before
    lan.router.ip("link set lan0 address 02:00:00:00:00:77")
    assert cut_off(first, "192.0.2.1")


def test_m_02_m_07_the_parent_is_as_it_was_and_gives_its_mtu(lan: Lan) -> None:
    """While containers stand on it and when they have gone; its MTU is theirs, and lowered with it.

    The kernel does not raise it again: a container has the larger one after its next start.
    """
    before = described(lan.host, "eth0")
    network = lan.network()
    first, second = lan.start(network, "3", "192.0.2.3/24"), lan.start(network, "4", "192.0.2.4/24")
    assert before == described(lan.host, "eth0")
    assert described(first, "eth0")["mtu"] == 1400
    lan.host.ip("link set eth0 mtu 1300")
    assert described(first, "eth0")["mtu"] == 1300
    lan.host.ip("link set eth0 mtu 1400")
    assert described(first, "eth0")["mtu"] == 1300
    third = lan.start(network, "5", "192.0.2.5/24")
    assert described(third, "eth0")["mtu"] == 1400
    for container in (first, second, third):
        container.ip("link del eth0")
    assert before == described(lan.host, "eth0")


def test_m_05_without_a_parent_siblings_talk_and_nobody_else(lan: Lan) -> None:
    """Not the host, not the LAN."""
    network = lan.network(FOUR, SIX, parent="")
    lan.make(network)
    first = lan.start(network, "3", "192.0.2.3/24", "2001:db8::3/64")
    lan.start(network, "4", "192.0.2.4/24", "2001:db8::4/64")
    assert first.run("ip", "route", "show", "default") == ""
    assert first.reaches("192.0.2.4")
    assert first.reaches("2001:db8::4")
    assert cut_off(first, "192.0.2.2")
    assert cut_off(first, "192.0.2.1")
    assert cut_off(lan.host, "192.0.2.3")
    assert [described(lan.host, end)["addr_info"] for end in ENDS] == [[], []]


def test_m_05_without_a_parent_the_host_is_deaf_to_what_leaves_by_it(lan: Lan) -> None:
    """Though the other end of the pair is the host's: no ARP is answered, nothing taken in, and nothing forwarded.

    Not even for a container that knows where to send it.
    """
    lan.host.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    lan.host.ip("addr add 2001:db8::2/64 dev eth0 nodad")
    network = lan.network(FOUR, SIX, parent="")
    lan.make(network)
    first = lan.start(network, "3", "192.0.2.3/24", "2001:db8::3/64")
    probe = ["ip", "netns", "exec", first.name, "busybox", "arping", "-D", "-w", "1", "-I", "eth0", "192.0.2.2"]
    assert subprocess.run(probe, capture_output=True, check=False).returncode == 0, "somebody has that address"
    assert cut_off(first, "192.0.2.2")
    assert "lladdr" not in json.loads(first.run("ip", "-j", "neigh", "show", "192.0.2.2"))[0]
    before = [echoes(one) for one in (lan.host, lan.router)]
    for end in ENDS:
        mac = described(lan.host, end)["address"]
        for address in ("192.0.2.2", "192.0.2.1", "2001:db8::2", "2001:db8::1"):
            first.ip(f"neigh replace {address} lladdr {mac} dev eth0")
            assert cut_off(first, address)
    assert before == [echoes(one) for one in (lan.host, lan.router)]


def echoes(place: Any) -> list[int]:
    """How many pings have come in, of either family."""
    lines = [line.split() for line in place.run("cat", "/proc/net/snmp", "/proc/net/snmp6").splitlines()]
    four, counts = (line for line in lines if line[0] == "Icmp:")
    six = next(line[1] for line in lines if line[0] == "Icmp6InEchos")
    return [int(counts[four.index("InEchos")]), int(six)]


def test_m_06_each_subnet_has_its_gateway_and_its_peers(lan: Lan) -> None:
    """Two of each family on one parent; from one to the other it goes by the router, as long as that forwards."""
    network = lan.network(*SUBNETS)
    first = lan.start(network, "3", "192.0.2.3/24", "2001:db8::3/64")
    lan.start(network, "4", "192.0.2.4/24", "2001:db8::4/64")
    other = lan.start(network, "5", "198.51.100.5/24", "2001:db8:1::5/64")
    for container, near in (
        (first, ("192.0.2.1", "192.0.2.4", "2001:db8::1", "2001:db8::4")),
        (other, ("198.51.100.1", "2001:db8:1::1")),
    ):
        assert [address for address in near if not container.reaches(address)] == []
    assert cut_off(first, "198.51.100.5")
    lan.router.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    assert first.reaches("198.51.100.5")
    assert first.reaches("2001:db8:1::5")


def test_m_09_containers_recover_with_their_parent(lan: Lan) -> None:
    """Down and up again; one that is made meanwhile works afterwards."""
    network = lan.network()
    first = lan.start(network, "3", "192.0.2.3/24")
    assert first.reaches("192.0.2.1")
    lan.host.ip("link set eth0 down")
    assert cut_off(first, "192.0.2.1")
    second = lan.start(network, "4", "192.0.2.4/24")
    lan.host.ip("link set eth0 up")
    assert first.reaches("192.0.2.1")
    assert second.reaches("192.0.2.1")


def test_m_09_a_new_parent_of_that_name_serves_new_containers(lan: Lan) -> None:
    """The old ones went with the old parent, also inside; the new one has another index."""
    network = lan.network()
    first = lan.start(network, "3", "192.0.2.3/24")
    lan.host.ip("link del eth0")
    with pytest.raises(subprocess.CalledProcessError):
        described(first, "eth0")
    lan.host.ip(f"link add eth0 mtu 1400 type veth peer name lan0 mtu 1400 netns {lan.router.name}")
    lan.host.ip("link set eth0 up")
    lan.router.ip("addr add 192.0.2.1/24 dev lan0")
    lan.router.ip("link set lan0 up")
    assert lan.start(network, "4", "192.0.2.4/24").reaches("192.0.2.1")


#: The host's address in a subnet of each family, named by the user.
ACCESS = (host_in(FOUR, "192.0.2.200"), host_in(SIX, "2001:db8::200", "host6"))


def test_m_08_host_and_containers_reach_each_other(lan: Lan) -> None:
    """Both ways and in both families, by the host's link on the parent; the LAN hears of the host's address too."""
    network = lan.network(*ACCESS, host_access="true")
    first = lan.start(network, "3", "192.0.2.3/24", "2001:db8::3/64")
    second = lan.start(network, "4", "192.0.2.4/24", beside=1)
    for address in ("192.0.2.3", "192.0.2.4", "2001:db8::3"):
        assert lan.host.reaches(address), address
    assert first.reaches("192.0.2.200")
    assert first.reaches("2001:db8::200")
    assert second.reaches("192.0.2.200")
    assert first.reaches("192.0.2.4")
    assert first.reaches("192.0.2.1")


def test_m_08_the_hosts_link_answers_for_its_own_addresses_alone(lan: Lan) -> None:
    """The host's other addresses have one hardware address on the LAN, as before."""
    network = lan.network(ACCESS[0], host_access="true")
    lan.start(network, "3", "192.0.2.3/24")
    assert lan.router.reaches("192.0.2.2")
    shim = sdk.link_name("s", "eth0")
    heard = json.loads(lan.router.run("ip", "-j", "neigh", "show", "192.0.2.2"))
    assert [one["lladdr"] for one in heard] == [described(lan.host, "eth0")["address"]]
    assert described(lan.host, shim)["address"] != described(lan.host, "eth0")["address"]
