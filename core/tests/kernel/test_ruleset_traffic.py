"""What the fixed tables do to packets: siblings, networks apart, the way out, beside other firewalls."""

import socket
from collections.abc import Iterator

import pytest
from core.tests.kernel.laboratory import ELEMENTS, Fate, Laboratory, address, counted, creates, deletes, host_address

from linkwright.kernel.docker_user import DockerUser, Found, Outcome
from linkwright.kernel.nftables.firewall import Firewall
from linkwright.kernel.ruleset import MARK_BIT, ruleset
from linkwright.plan.resources import Element

pytestmark = pytest.mark.netns

BOTH = pytest.mark.parametrize("version", [4, 6])
#: Protocols with ports, and echo requests.
EACH = pytest.mark.parametrize("protocol", ["udp", "tcp", "sctp", "echo"])

#: What a firewall of another program does: drops what is forwarded unless our mark is on it.
DROPS_UNMARKED = f"""
table inet theirs {{
    chain forward {{
        type filter hook forward priority filter; policy drop;
        meta mark & {MARK_BIT:#x} == {MARK_BIT:#x} accept
    }}
}}
"""
#: A published port of Docker's: the host's own address leads to its container.
PUBLISHES = """
table ip theirs {
    chain prerouting {
        type nat hook prerouting priority dstnat
        ip daddr 192.0.2.1 udp dport 7000 dnat to 10.0.9.2
    }
}
"""


# --- siblings ------------------------------------------------------------------------------------------------


@EACH
@BOTH
async def test_b_02_siblings_talk_as_themselves(
    laboratory: Laboratory, firewall: Firewall, version: int, protocol: str
) -> None:
    """Two containers of one network reach each other, with br_netfilter on or off, under their own address."""
    for calls in (True, False):
        laboratory.set_calls(calls)
        for pair in (("a", "b"), ("internal", "sibling")):
            seen = laboratory.arrives(*pair, version, protocol=protocol)
            assert seen == address(pair[1] if protocol == "echo" else pair[0], version)


@BOTH
async def test_a_pair_opens_one_direction(laboratory: Laboratory, firewall: Firewall, version: int) -> None:
    """With (lw0, lw1) in siblings, lw0 may begin and gets answers; lw1 still may not begin."""
    await firewall.apply(creates(Element("siblings", ("lw0", "lw1"))))
    assert laboratory.is_dropped("other", "a", version)
    assert laboratory.arrives("a", "other", version) == address("a", version)


@EACH
@BOTH
async def test_b_04_without_its_pair_a_network_has_no_traffic_inside(
    laboratory: Laboratory, firewall: Firewall, version: int, protocol: str
) -> None:
    """Inter-container communication switched off: neighbours cannot talk, neither way; the way out stays open."""
    laboratory.arrives("a", "b", version)  # so that they know each other's hardware address
    await firewall.apply(deletes(Element("siblings", ("lw0", "lw0"))))
    laboratory.host.run("conntrack", "-F")
    assert laboratory.is_dropped("a", "b", version, protocol=protocol)
    assert laboratory.is_dropped("b", "a", version, protocol=protocol)
    assert laboratory.arrives("a", "outside", version) == host_address("up0", version)


@pytest.mark.parametrize("element", ["unprotected", "open", "routed"])
@BOTH
async def test_b_04_what_is_open_to_others_is_not_to_neighbours(
    laboratory: Laboratory, firewall: Firewall, version: int, element: str
) -> None:
    """Nor can they by way of the host's routing, in any gateway mode: a network without that talk is one for them."""
    opened = Element(f"{element}{version}", (address("b", version), "udp", "7000") if element == "open" else ("lw0",))
    await firewall.apply([*deletes(Element("siblings", ("lw0", "lw0"))), *creates(opened)])
    metric = ("metric", "1")  # before the connected route: neighbours, but by way of the host
    laboratory.machines["a"].run(
        "ip", "route", "add", address("b", version), "via", host_address("lw0", version), *metric
    )
    try:
        protocol = "echo" if element == "routed" else "udp"
        assert laboratory.is_dropped("a", "b", version, protocol=protocol)
    finally:
        laboratory.machines["a"].run("ip", "route", "del", address("b", version), *metric)


async def test_b_04_neighbour_discovery_goes_on_without_talk(laboratory: Laboratory, firewall: Firewall) -> None:
    """With br_netfilter on and no talk inside, containers can still be found: only that, and not across networks."""
    await firewall.apply(deletes(Element("siblings", ("lw0", "lw0"))))
    laboratory.machines["a"].run("ip", "-6", "neigh", "flush", "dev", "eth0")
    assert laboratory.is_dropped("a", "b", 6)
    neighbours = laboratory.machines["a"].run("ip", "-6", "neigh", "show", address("b", 6), "dev", "eth0")
    assert "lladdr" in neighbours


# --- apart ---------------------------------------------------------------------------------------------------


@EACH
@BOTH
async def test_b_03_networks_are_kept_apart(
    laboratory: Laboratory, firewall: Firewall, version: int, protocol: str
) -> None:
    """No way from one of our networks into another, whoever begins, nor from Docker's bridge, nor from outside."""
    strangers = [("a", "other"), ("other", "a"), ("docker", "a"), ("a", "docker"), ("outside", "a")]
    passed = [pair for pair in strangers if not laboratory.is_dropped(*pair, version, protocol=protocol)]
    assert passed == []
    assert (await firewall.drops())["isolation"] >= 2 * len(strangers)


@EACH
@BOTH
async def test_b_05_an_internal_network_has_no_outside(
    laboratory: Laboratory, firewall: Firewall, version: int, protocol: str
) -> None:
    """From an internal network nothing leaves the host, and nothing comes in from anywhere."""
    away = [("internal", name) for name in ("outside", "docker", "a")]
    pairs = [*away, *((there, here) for here, there in away)]
    passed = [pair for pair in pairs if not laboratory.is_dropped(*pair, version, protocol=protocol)]
    assert passed == []


@pytest.mark.parametrize("mode", ["unprotected", "routed", "open", "trusted"])
@BOTH
async def test_b_05_nothing_opens_an_internal_network(
    laboratory: Laboratory, firewall: Firewall, version: int, mode: str
) -> None:
    """Whatever a driver wishes beside it, a network that does not lead outside stays closed, both ways."""
    at = {
        "unprotected": Element(f"unprotected{version}", ("lw2",)),
        "routed": Element(f"routed{version}", ("lw2",)),
        "open": Element(f"open{version}", (address("internal", version), "udp", "7000")),
        "trusted": Element("trusted", ("up0", "lw2")),
    }
    await firewall.apply(creates(at[mode], Element(f"unprotected{version}", ("lw0",))))
    protocol = "echo" if mode == "routed" else "udp"
    pairs = [("outside", "internal"), ("a", "internal"), ("internal", "a"), ("internal", "outside")]
    assert [pair for pair in pairs if not laboratory.is_dropped(*pair, version, protocol=protocol)] == []


async def test_b_05_an_internal_container_cannot_ride_on_anothers_connection(
    laboratory: Laboratory, firewall: Firewall
) -> None:
    """With the addresses and ports of a connection that is established, forged by the byte, it gets no packet out."""
    outside = laboratory.machines["outside"].socket(socket.AF_INET, socket.SOCK_DGRAM)
    inside = laboratory.machines["a"].socket(socket.AF_INET, socket.SOCK_DGRAM)
    forged = laboratory.machines["internal"].socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    with outside, inside, forged:
        outside.bind((address("outside", 4), 7000))
        outside.settimeout(5)
        inside.bind((address("a", 4), 7001))
        inside.settimeout(5)
        inside.sendto(b"begin", outside.getsockname())
        _, source = outside.recvfrom(64)
        outside.sendto(b"go on", source)
        assert inside.recv(64) == b"go on"
        before = (await firewall.drops())["isolation"]
        for _ in range(3):
            forged.sendto(_datagram(inside.getsockname(), outside.getsockname(), b"forged"), (address("outside", 4), 0))
        inside.sendto(b"true", outside.getsockname())
        assert outside.recv(64) == b"true"
        assert await counted(firewall, "isolation", before + 3) == before + 3


def _datagram(source: tuple[str, int], target: tuple[str, int], data: bytes) -> bytes:
    """A whole IPv4 packet; the kernel fills in length and checksum of its header."""
    udp = b"".join(number.to_bytes(2, "big") for number in (source[1], target[1], 8 + len(data), 0)) + data
    addresses = socket.inet_aton(source[0]) + socket.inet_aton(target[0])
    return bytes([0x45, 0, 0, 0, 0, 0, 0, 0, 64, socket.IPPROTO_UDP, 0, 0]) + addresses + udp


@BOTH
async def test_the_host_talks_to_every_container_and_is_talked_to(
    laboratory: Laboratory, firewall: Firewall, version: int
) -> None:
    """What the host sends and what is for it is not judged: its services, at the gateway address of any network."""
    assert laboratory.arrives("host", "a", version)
    assert laboratory.arrives("host", "internal", version)
    for machine, link in (("a", "lw0"), ("internal", "lw2"), ("other", "lw0")):
        gateway = host_address(link, version)
        assert laboratory.fate(machine, gateway) is Fate.DELIVERED


# --- the way out ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["udp", "tcp", "sctp"])
@BOTH
async def test_b_02_the_way_out_is_masqueraded(
    laboratory: Laboratory, firewall: Firewall, version: int, protocol: str
) -> None:
    """Outside sees the host's address on the link it left by, and its answer finds the way back."""
    for calls in (True, False):
        laboratory.set_calls(calls)
        assert laboratory.arrives("a", "outside", version, protocol=protocol) == host_address("up0", version)
        assert laboratory.arrives("other", "beyond", version, protocol=protocol) == host_address("up1", version)


@BOTH
async def test_a_network_without_masquerade_keeps_its_addresses(
    laboratory: Laboratory, firewall: Firewall, version: int
) -> None:
    """Each family's masquerade is an element of its own: without it the container's address goes out, answers in."""
    await firewall.apply(deletes(Element(f"masquerade{version}", ("lw0",))))
    assert laboratory.arrives("a", "outside", version) == address("a", version)
    assert laboratory.arrives("other", "outside", version) == host_address("up0", version)


@pytest.mark.parametrize("masquerade", [True, False])
@BOTH
async def test_b_24_the_outgoing_address_is_the_one_that_was_chosen(
    laboratory: Laboratory, firewall: Firewall, version: int, masquerade: bool
) -> None:
    """A network with an outgoing address has it on every link, masquerade or not; nobody else has."""
    chosen = "192.0.2.2" if version == 4 else "2001:db8::2"
    await firewall.apply(creates(Element(f"source{version}", ("lw0",), (chosen,))))
    if not masquerade:
        await firewall.apply(deletes(Element(f"masquerade{version}", ("lw0",))))
    for protocol in ("udp", "tcp", "sctp"):
        assert laboratory.arrives("a", "outside", version, protocol=protocol) == chosen
    assert laboratory.arrives("other", "outside", version) == host_address("up0", version)
    assert laboratory.arrives("a", "b", version) == address("a", version)


# --- what is not ours ----------------------------------------------------------------------------------------


@BOTH
async def test_what_is_not_ours_passes_without_the_guard(
    laboratory: Laboratory, firewall: Firewall, version: int
) -> None:
    """A router stays a router, and other programs' bridges are judged by their own rules alone."""
    assert laboratory.arrives("outside", "beyond", version) == address("outside", version)
    assert laboratory.arrives("docker", "outside", version) == address("docker", version)
    assert laboratory.arrives("outside", "docker", version) == address("outside", version)
    assert not any((await firewall.drops()).values())


@BOTH
async def test_with_the_guard_the_host_is_no_router(laboratory: Laboratory, version: int) -> None:
    """A host that forwards only because of us forwards for bridges, ours and others', and for nobody else."""
    async with Firewall(ruleset(guard=True), netns=laboratory.host.path) as firewall:
        await firewall.prepare()
        await firewall.apply(creates(*ELEMENTS))
        assert laboratory.is_dropped("outside", "beyond", version)
        assert laboratory.is_dropped("outside", "docker", version)
        assert (await firewall.drops())["guard"] >= 4
        assert laboratory.arrives("docker", "outside", version) == address("docker", version)
        assert laboratory.arrives("a", "outside", version) == host_address("up0", version)


async def test_with_the_guard_published_ports_of_others_still_work(laboratory: Laboratory) -> None:
    """What a DNAT rule of the host invited passes: Docker's own published ports go on beside us."""
    async with Firewall(ruleset(guard=True), netns=laboratory.host.path) as firewall:
        await firewall.prepare()
        laboratory.host.run("nft", "-f", "-", stdin=PUBLISHES)
        source = laboratory.arrives("outside", "docker", 4, by=host_address("up0", 4))
        assert source == address("outside", 4)


@BOTH
async def test_the_mark_tells_other_tables_what_we_accepted(
    laboratory: Laboratory, firewall: Firewall, version: int
) -> None:
    """A table that drops all but our mark lets exactly our traffic pass: siblings, the way out, answers, published."""
    port = Element(f"wildcard{version}", ("udp", "8080"), (address("a", version), "80"))
    await firewall.apply(creates(port))
    laboratory.host.run("nft", "-f", "-", stdin=DROPS_UNMARKED)
    assert laboratory.arrives("a", "b", version)
    assert laboratory.arrives("a", "outside", version)
    assert laboratory.arrives("outside", "a", version, by=host_address("up0", version), port=8080, at=80)
    assert laboratory.is_dropped("docker", "outside", version)
    assert laboratory.is_dropped("a", "other", version)


@pytest.fixture(params=["nft", "legacy"])
def dropping(request: pytest.FixtureRequest, laboratory: Laboratory) -> Iterator[None]:
    """Docker's FORWARD policy DROP and its chain for others, by either back-end of iptables."""
    commands = (f"iptables-{request.param}", f"ip6tables-{request.param}")
    for command in commands:
        for arguments in ("-P FORWARD DROP", "-N DOCKER-USER", "-I FORWARD -j DOCKER-USER"):
            laboratory.host.run(command, *arguments.split())
    yield
    for command in commands:
        for arguments in ("-P FORWARD ACCEPT", "-F", "-X"):
            laboratory.host.run(command, *arguments.split())


@BOTH
async def test_docker_user_lets_our_traffic_through_dockers_drop(
    laboratory: Laboratory, firewall: Firewall, dropping: None, version: int
) -> None:
    """Beside Docker's FORWARD policy DROP nothing of ours works before the rule, and all of it after."""
    port = Element(f"wildcard{version}", ("tcp", "8080"), (address("a", version), "80"))
    await firewall.apply(creates(port))
    assert laboratory.is_dropped("a", "outside", version)
    outcome = await DockerUser(prefix=laboratory.host.enter).ensure()
    assert outcome == Outcome(Found.ADDED, Found.ADDED)
    assert laboratory.arrives("a", "b", version) == address("a", version)
    assert laboratory.arrives("a", "outside", version) == host_address("up0", version)
    seen = laboratory.arrives(
        "outside", "a", version, protocol="tcp", by=host_address("up0", version), port=8080, at=80
    )
    assert seen == address("outside", version)
    assert laboratory.is_dropped("docker", "outside", version)
    assert laboratory.is_dropped("a", "other", version)
