"""Published ports in the fixed tables: who reaches them, under which address, and what is never led to a container."""

import socket
from ipaddress import ip_address

import pytest
from core.tests.kernel.laboratory import MACHINES, SECOND, Fate, Laboratory, address, creates, deletes, host_address

from linkwright.kernel.nftables.firewall import Firewall
from linkwright.plan.resources import Element

pytestmark = pytest.mark.netns

BOTH = pytest.mark.parametrize("version", [4, 6])
EACH = pytest.mark.parametrize("protocol", ["udp", "tcp", "sctp"])
#: With br_netfilter, what a container of the same bridge sends is translated before it is routed.
CALLS = pytest.mark.parametrize("calls", [False, True], ids=["alone", "br_netfilter"])


def everywhere(machine: str, version: int, protocol: str = "udp", port: int = 8080) -> Element:
    """*port* of every address of the host leads to port 80 of *machine*."""
    return Element(f"wildcard{version}", (protocol, str(port)), (address(machine, version), "80"))


def somewhere(by: str, machine: str, version: int, protocol: str = "udp", port: int = 8080) -> Element:
    """*port* of the host's address *by* leads to port 80 of *machine*."""
    return Element(f"published{version}", (by, protocol, str(port)), (address(machine, version), "80"))


@pytest.fixture
def laboratory(laboratory: Laboratory) -> Laboratory:
    """As the driver has it: 127.0.0.1 may leave by the bridges, and a port may send back to where it came from."""
    laboratory.host.run("sysctl", "-q", "-w", *(f"net.ipv4.conf.{link}.route_localnet=1" for link in ("lw0", "lw1")))
    for port in ("v-a", "v-b"):
        laboratory.host.run("bridge", "link", "set", "dev", port, "hairpin", "on")
    return laboratory


def led(laboratory: Laboratory, sender: str, by: str, to: str = "a", *, protocol: str = "udp", port: int = 8080) -> str:
    """Send to *port* of the host's address *by*, until *to* has answered at its port 80; the source that it saw."""
    return laboratory.arrives(sender, to, ip_address(by).version, protocol=protocol, by=by, port=port, at=80)


def link_local(laboratory: Laboratory, machine: str) -> str:
    """The host's link-local address on the link that *machine* hangs on, as that one names it."""
    link = MACHINES[machine][0]
    shown = laboratory.host.run("ip", "-6", "-o", "addr", "show", "dev", link, "scope", "link")
    scope = laboratory.machines[machine].run("ip", "-o", "link", "show", "eth0").split(":")[0]
    return f"{shown.split('inet6 ')[1].split('/')[0]}%{scope}"


# --- who reaches it ------------------------------------------------------------------------------------------


@EACH
@BOTH
async def test_b_09_outside_reaches_a_published_port_as_itself(
    laboratory: Laboratory, firewall: Firewall, version: int, protocol: str
) -> None:
    """Row 3: at any address of the host, and the container sees who it is."""
    await firewall.apply(creates(everywhere("a", version, protocol)))
    for by in (host_address("up0", version), SECOND[0 if version == 4 else 1], host_address("lw1", version)):
        seen = led(laboratory, "outside", by, protocol=protocol)
        assert seen == address("outside", version)


@CALLS
@EACH
@BOTH
async def test_b_12_a_container_reaches_itself_and_its_sibling(
    laboratory: Laboratory, firewall: Firewall, version: int, protocol: str, calls: bool
) -> None:
    """Rows 8 and 11: by the published port at any address of the host; who is asked sees the bridge's address."""
    laboratory.set_calls(calls)
    await firewall.apply(creates(everywhere("a", version, protocol)))
    for by in (host_address("up0", version), host_address("lw0", version)):
        for sender in ("a", "b"):
            seen = led(laboratory, sender, by, protocol=protocol)
            assert seen == host_address("lw0", version)


@CALLS
@EACH
@BOTH
async def test_b_13_another_network_reaches_a_published_port(
    laboratory: Laboratory, firewall: Firewall, version: int, protocol: str, calls: bool
) -> None:
    """Row 10: at any address of the host, the gateway of its own network among them, and nothing but that port."""
    laboratory.set_calls(calls)
    await firewall.apply(creates(everywhere("a", version, protocol)))
    for by in (host_address("up0", version), host_address("lw1", version), host_address("lw0", version)):
        seen = led(laboratory, "other", by, protocol=protocol)
        assert seen == address("other", version)
    assert laboratory.is_dropped("other", "a", version, protocol=protocol, port=80)


@EACH
@BOTH
async def test_b_09_the_host_reaches_a_published_port(
    laboratory: Laboratory, firewall: Firewall, version: int, protocol: str
) -> None:
    """Row 12: at its own addresses, and at 127.0.0.1; the container sees its gateway."""
    await firewall.apply(creates(everywhere("a", version, protocol)))
    for by in (host_address("up0", version), host_address("lw0", version), *(["127.0.0.1"] if version == 4 else [])):
        seen = led(laboratory, "host", by, protocol=protocol)
        assert seen == host_address("lw0", version)


@EACH
@BOTH
async def test_b_26_a_container_in_two_networks_answers_by_either(
    laboratory: Laboratory, firewall: Firewall, version: int, protocol: str
) -> None:
    """Asked by a port of its second network, it answers by its first, where its way out is: an answer all the same."""
    own, length = ("10.0.1.9", 24) if version == 4 else ("fd00:1::9", 64)
    a = laboratory.machines["a"]
    peer = ("peer", "name", "eth1", "address", "02:00:0a:00:01:09", "netns", a.name)  # as the last one had it
    laboratory.host.run("ip", "link", "add", "v-a2", "type", "veth", *peer)
    try:
        laboratory.host.run("ip", "link", "set", "v-a2", "master", "lw1", "up")
        a.run("ip", "addr", "add", f"{own}/{length}", "dev", "eth1", *(["nodad"] if version == 6 else []))
        a.run("ip", "link", "set", "eth1", "up")
        await firewall.apply(creates(Element(f"wildcard{version}", (protocol, "8080"), (own, "80"))))
        by = host_address("up0", version)
        seen = laboratory.arrives("outside", "a", version, protocol=protocol, by=by, port=8080, on=own, at=80)
        assert seen == address("outside", version)
    finally:
        laboratory.host.run("ip", "link", "del", "v-a2")


@CALLS
@EACH
@BOTH
async def test_without_talk_inside_a_published_port_is_still_reached(
    laboratory: Laboratory, firewall: Firewall, version: int, protocol: str, calls: bool
) -> None:
    """Published is published: where neighbours may not talk, this is how one reaches the other, and only so."""
    laboratory.set_calls(calls)
    await firewall.apply([*deletes(Element("siblings", ("lw0", "lw0"))), *creates(everywhere("a", version, protocol))])
    by = host_address("lw0", version)
    assert led(laboratory, "b", by, protocol=protocol)


@BOTH
async def test_docker_and_we_reach_each_others_published_ports(
    laboratory: Laboratory, firewall: Firewall, version: int
) -> None:
    """By the host's address, both ways; not by the container's (B-03)."""
    family = "ip" if version == 4 else "ip6"
    target = address("docker", version) if version == 4 else f"[{address('docker', version)}]"
    laboratory.host.run(
        "nft",
        f"add table {family} theirs; add chain {family} theirs pre {{ type nat hook prerouting priority dstnat; }};"
        f"add rule {family} theirs pre fib daddr type local udp dport 9090 dnat to {target}:80",
    )
    await firewall.apply(creates(everywhere("a", version)))
    by = host_address("up0", version)
    assert led(laboratory, "docker", by) == address("docker", version)
    assert led(laboratory, "a", by, "docker", port=9090)
    assert laboratory.is_dropped("a", "docker", version, port=80)
    assert laboratory.is_dropped("docker", "a", version, port=80)


# --- and who does not ----------------------------------------------------------------------------------------


@EACH
@BOTH
async def test_b_10_a_port_of_one_address_is_not_published_at_another(
    laboratory: Laboratory, firewall: Firewall, version: int, protocol: str
) -> None:
    """Row 17: what comes to the host's other addresses is the host's own; another may be published there."""
    first, second = host_address("up0", version), SECOND[0 if version == 4 else 1]
    await firewall.apply(creates(somewhere(first, "a", version, protocol)))
    assert led(laboratory, "outside", first, protocol=protocol)
    assert laboratory.fate("outside", second, protocol=protocol, port=8080) is Fate.DELIVERED
    assert laboratory.fate("outside", first, protocol=protocol, port=8081) is Fate.DELIVERED
    await firewall.apply(creates(somewhere(second, "other", version, protocol)))
    seen = led(laboratory, "outside", second, "other", protocol=protocol)
    assert seen == address("outside", version)


@BOTH
async def test_a_port_of_one_address_stands_before_that_of_all(
    laboratory: Laboratory, firewall: Firewall, version: int
) -> None:
    """Where both are there, the one that names the address decides."""
    first, second = host_address("up0", version), SECOND[0 if version == 4 else 1]
    await firewall.apply(creates(everywhere("a", version), somewhere(second, "other", version)))
    assert led(laboratory, "outside", first)
    assert led(laboratory, "outside", second, "other")


@EACH
@BOTH
async def test_b_05_an_internal_network_does_not_reach_published_ports(
    laboratory: Laboratory, firewall: Firewall, version: int, protocol: str
) -> None:
    """Rows 8 and 10: not even at its own gateway address, where the host's services are."""
    await firewall.apply(creates(everywhere("a", version, protocol)))
    for link in ("up0", "lw2"):
        assert laboratory.fate("internal", host_address(link, version), protocol=protocol, port=8080) is Fate.DROPPED


@CALLS
@pytest.mark.parametrize("protocol", ["udp", "tcp"])
async def test_b_05_an_internal_network_does_not_reach_what_is_relayed(
    laboratory: Laboratory, firewall: Firewall, protocol: str, calls: bool
) -> None:
    """At no address of the host, the link-local one too; it is counted. Others reach it, and siblings each other."""
    laboratory.set_calls(calls)
    await firewall.apply(creates(Element("relayed_wildcard6", (protocol, "8080"))))
    addresses = (host_address("up0", 6), host_address("lw2", 6), link_local(laboratory, "internal"))
    for by in addresses:
        assert laboratory.fate("internal", by, protocol=protocol, port=8080) is Fate.DROPPED
        assert laboratory.fate("internal", by, protocol=protocol, port=8081) is Fate.DELIVERED
    assert (await firewall.drops())["isolation"] >= 2 * len(addresses)
    for machine in ("outside", "a", "docker"):
        assert laboratory.fate(machine, host_address("up0", 6), protocol=protocol, port=8080) is Fate.DELIVERED
    assert laboratory.arrives("internal", "sibling", 6, protocol=protocol, port=8080)


@EACH
async def test_a_service_of_the_host_may_have_a_relayed_ports_number(
    laboratory: Laboratory, firewall: Firewall, protocol: str
) -> None:
    """In IPv4, by another protocol, or at another address than the one that the port is relayed from."""
    other = {"udp": "tcp"}.get(protocol, "udp")
    first, second = host_address("up0", 6), SECOND[1]
    await firewall.apply(
        creates(Element("relayed6", (first, other, "8080")), Element("relayed6", (first, protocol, "8081")))
    )
    await firewall.apply(creates(Element("relayed_wildcard6", (other, "8082"))))
    assert laboratory.fate("internal", first, protocol=protocol, port=8081) is Fate.DROPPED
    for by, port in ((second, 8081), (host_address("lw2", 6), 8081), (host_address("lw2", 4), 8081), (first, 8080)):
        assert laboratory.fate("internal", by, protocol=protocol, port=port) is Fate.DELIVERED
    for version in (4, 6):
        by = host_address("lw2", version)
        assert laboratory.fate("internal", by, protocol=protocol, port=8082) is Fate.DELIVERED


@EACH
@BOTH
async def test_b_05_an_internal_network_publishes_nothing(
    laboratory: Laboratory, firewall: Firewall, version: int, protocol: str
) -> None:
    """Row 3: were there an element for it, nobody would get through."""
    await firewall.apply(creates(everywhere("internal", version, protocol)))
    for sender in ("outside", "a", "docker"):
        by = host_address("up0", version)
        assert laboratory.fate(sender, by, protocol=protocol, port=8080) is Fate.DROPPED


@pytest.mark.parametrize("uplink", ["0", "1"])
@EACH
async def test_b_14_a_neighbour_does_not_reach_what_is_published_on_loopback(
    laboratory: Laboratory, firewall: Firewall, protocol: str, uplink: str
) -> None:
    """Row 16: a machine outside routes 127/8 to the host, even to a host that lets such packets in by that link."""
    laboratory.host.run("sysctl", "-q", "-w", f"net.ipv4.conf.up0.route_localnet={uplink}")
    laboratory.machines["outside"].run("sysctl", "-q", "-w", "net.ipv4.conf.all.route_localnet=1")
    outside = laboratory.machines["outside"]
    outside.run("ip", "route", "add", "table", "9", "127.0.0.0/8", "via", host_address("up0", 4))
    outside.run("ip", "rule", "add", "pref", "0", "to", "127.0.0.0/8", "lookup", "9")
    outside.run("ip", "rule", "add", "pref", "1", "lookup", "local")
    outside.run("ip", "rule", "del", "pref", "0", "lookup", "local")
    try:
        await firewall.apply(creates(everywhere("a", 4, protocol), somewhere("127.0.0.1", "b", 4, protocol, 8081)))
        for port, machine in ((8080, "a"), (8081, "b")):
            fate = laboratory.fate("outside", "127.0.0.1", protocol=protocol, port=port)
            assert fate is (Fate.DELIVERED if uplink == "1" else Fate.DROPPED)
            seen = led(laboratory, "host", "127.0.0.1", machine, protocol=protocol, port=port)
            assert seen == host_address("lw0", 4)
    finally:
        outside.run("ip", "rule", "add", "pref", "0", "lookup", "local")
        outside.run("ip", "rule", "del", "pref", "0", "to", "127.0.0.0/8")
        outside.run("ip", "rule", "del", "pref", "1", "lookup", "local")
        outside.run("ip", "route", "flush", "table", "9")
        laboratory.host.run("sysctl", "-q", "-w", "net.ipv4.conf.up0.route_localnet=0")


@EACH
async def test_b_14_a_container_does_not_reach_the_hosts_loopback(
    laboratory: Laboratory, firewall: Firewall, protocol: str
) -> None:
    """Letting 127.0.0.1 leave by a bridge lets it in too, if nobody drops it (CVE-2020-8558); and it is counted."""
    container = laboratory.machines["a"]
    container.run("sysctl", "-q", "-w", "net.ipv4.conf.all.route_localnet=1")
    container.run("ip", "route", "add", "table", "9", "127.0.0.0/8", "via", host_address("lw0", 4), "dev", "eth0")
    container.run("ip", "rule", "add", "pref", "0", "to", "127.0.0.9", "lookup", "9")
    container.run("ip", "rule", "add", "pref", "1", "lookup", "local")
    container.run("ip", "rule", "del", "pref", "0", "lookup", "local")
    try:
        assert laboratory.fate("a", "127.0.0.9", protocol=protocol) is Fate.DROPPED
        assert (await firewall.drops())["loopback"] >= 2
        laboratory.host.run("nft", "delete rule inet linkwright loopback handle", _handle(laboratory))
        assert laboratory.fate("a", "127.0.0.9", protocol=protocol) is Fate.DELIVERED
    finally:
        container.run("ip", "rule", "add", "pref", "0", "lookup", "local")
        container.run("ip", "rule", "del", "pref", "0", "to", "127.0.0.9")
        container.run("ip", "rule", "del", "pref", "1", "lookup", "local")
        container.run("ip", "route", "flush", "table", "9")


def _handle(laboratory: Laboratory) -> str:
    listing = laboratory.host.run("nft", "-a", "list", "chain", "inet", "linkwright", "loopback")
    return listing.split("drop # handle ")[1].split()[0]


# --- what stays with the host --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
async def test_the_hosts_own_ipv6_loopback_stays_its_own(
    laboratory: Laboratory, firewall: Firewall, kind: socket.SocketKind
) -> None:
    """Row 13: ::1 cannot be routed, so what is sent there comes to whoever listens on the host: the relay."""
    await firewall.apply(creates(everywhere("a", 6, "tcp"), everywhere("a", 6, "udp")))
    with laboratory.host.socket(socket.AF_INET6, kind) as held, laboratory.host.socket(socket.AF_INET6, kind) as client:
        held.bind(("::1", 8080))
        client.settimeout(5)
        held.settimeout(5)
        if kind == socket.SOCK_STREAM:
            held.listen()
            client.connect(("::1", 8080))
            held.accept()[0].close()
        else:
            client.sendto(b"probe", ("::1", 8080))
            assert held.recv(64) == b"probe"


@EACH
async def test_link_local_senders_are_left_to_the_host(
    laboratory: Laboratory, firewall: Firewall, protocol: str
) -> None:
    """What comes from a link-local address cannot be answered from another link: it is delivered, not led on."""
    await firewall.apply(creates(everywhere("a", 6, protocol)))
    for machine in ("outside", "a", "other"):
        by = link_local(laboratory, machine)
        assert laboratory.fate(machine, by, protocol=protocol, port=8080) is Fate.DELIVERED


@EACH
@BOTH
async def test_what_is_published_no_more_is_the_hosts_again(
    laboratory: Laboratory, firewall: Firewall, version: int, protocol: str
) -> None:
    """Row 19: a new connection is not led to the container once the element is gone."""
    port, by = everywhere("a", version, protocol), host_address("up0", version)
    await firewall.apply(creates(port))
    assert led(laboratory, "outside", by, protocol=protocol)
    await firewall.apply(deletes(port))
    assert laboratory.fate("outside", by, protocol=protocol, port=8080) is Fate.DELIVERED


@EACH
@BOTH
async def test_a_container_publishes_in_two_networks(
    laboratory: Laboratory, firewall: Firewall, version: int, protocol: str
) -> None:
    """The same port of different protocols leads to different containers; one container has any number of ports."""
    others = {"udp", "tcp", "sctp"} - {protocol}
    ports = [everywhere("other", version, protocol), *(everywhere("a", version, one) for one in others)]
    await firewall.apply(creates(*ports, everywhere("a", version, protocol, 8081)))
    by = host_address("up0", version)
    assert led(laboratory, "outside", by, "other", protocol=protocol)
    assert led(laboratory, "outside", by, protocol=protocol, port=8081)
