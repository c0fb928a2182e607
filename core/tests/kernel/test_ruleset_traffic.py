"""What the fixed table does to packets: a host with bridges, containers on them, and machines outside.

Each probe is a datagram of its own port. Two counters in the host's forward hook, one before everybody's chains and one
behind, tell a packet that was dropped from one that is merely late.
"""

import re
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from ipaddress import ip_address, ip_interface

import pytest
from attrs import frozen

from linkwright.kernel.docker_user import DockerUser, Found, Outcome
from linkwright.kernel.nftables.firewall import Firewall
from linkwright.kernel.ruleset import MARK_BIT, ruleset
from linkwright.plan.resources import Element
from linkwright.plan.steps import Action, Step
from linkwright.testkit.namespaces import Namespace

pytestmark = pytest.mark.netns

PORT = 7000
TRIES = 50  # of a tenth of a second each
#: Link of the host → its addresses. lw0 and lw1 are networks of ours, lw2 an internal one; br9 is somebody else's.
LINKS = {
    "lw0": ("10.0.0.1/24", "fd00:0::1/64"),
    "lw1": ("10.0.1.1/24", "fd00:1::1/64"),
    "lw2": ("10.0.2.1/24", "fd00:2::1/64"),
    "br9": ("10.0.9.1/24", "fd00:9::1/64"),
    "up0": ("192.0.2.1/24", "2001:db8:0::1/64"),
    "up1": ("198.51.100.1/24", "2001:db8:1::1/64"),
}
#: Machine → the link it hangs on, and its addresses there.
MACHINES = {
    "a": ("lw0", "10.0.0.2", "fd00:0::2"),
    "b": ("lw0", "10.0.0.3", "fd00:0::3"),
    "other": ("lw1", "10.0.1.2", "fd00:1::2"),
    "internal": ("lw2", "10.0.2.2", "fd00:2::2"),
    "sibling": ("lw2", "10.0.2.3", "fd00:2::3"),
    "docker": ("br9", "10.0.9.2", "fd00:9::2"),
    "outside": ("up0", "192.0.2.9", "2001:db8:0::9"),
    "beyond": ("up1", "198.51.100.9", "2001:db8:1::9"),
}
ELEMENTS = [
    *(Element("bridges", (name,)) for name in ("lw0", "lw1", "lw2")),
    *(Element("siblings", (name, name)) for name in ("lw0", "lw1", "lw2")),
    *(Element(set_name, (name,)) for name in ("lw0", "lw1") for set_name in ("outward", "masquerade4", "masquerade6")),
]
BOTH = pytest.mark.parametrize("version", [4, 6])


PROBE = f"""
table inet probe
delete table inet probe
table inet probe {{
    chain came {{
        type filter hook forward priority -200
        udp dport {PORT} counter
    }}
    chain passed {{
        type filter hook forward priority 200
        udp dport {PORT} counter
    }}
}}
"""
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
PUBLISHES = f"""
table ip theirs {{
    chain prerouting {{
        type nat hook prerouting priority dstnat
        ip daddr 192.0.2.1 udp dport {PORT} dnat to 10.0.9.2
    }}
}}
"""


@frozen
class Laboratory:
    """The host, and the machines on its links."""

    host: Namespace
    machines: Mapping[str, Namespace]

    def arrives(self, sender: str, receiver: str, version: int, *, by: str = "", reply: bool = False) -> str:
        """Send from one machine to another (*by* another address of its) until it arrives; return its source there.

        With *reply* an answer is sent to that source, and has to arrive too.
        """
        target = (by or address(receiver, version), PORT)
        with self._socket(sender, version) as out, self._socket(receiver, version) as listening:
            listening.bind((address(receiver, version), PORT))
            for waiting in (out, listening):
                waiting.settimeout(0.1)
            for _ in range(TRIES):
                out.sendto(b"probe", target)
                try:
                    source = listening.recvfrom(64)[1]
                    if reply:
                        listening.sendto(b"reply", source)
                        assert out.recv(64) == b"reply"
                except TimeoutError:
                    continue
                return str(source[0])
        raise AssertionError(f"nothing from {sender} arrived at {receiver}: {self.host.run('nft', 'list', 'ruleset')}")

    def is_dropped(self, sender: str, receiver: str, version: int) -> bool:
        """Send from one machine to another until the host has two to forward; whether it let neither pass."""
        self.host.run("nft", "-f", "-", stdin=PROBE)
        with self._socket(sender, version) as out:
            for _ in range(TRIES):
                out.sendto(b"probe", (address(receiver, version), PORT))
                counted = re.findall(r"packets (\d+)", self.host.run("nft", "list", "table", "inet", "probe"))
                came, passed = map(int, counted)
                if came > 1:
                    return passed == 0
        raise AssertionError(f"nothing from {sender} to {receiver} came to the host")

    def _socket(self, machine: str, version: int) -> socket.socket:
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        return self.machines[machine].socket(family, socket.SOCK_DGRAM)


def address(machine: str, version: int) -> str:
    """A machine's address."""
    return str(ip_address(MACHINES[machine][1 if version == 4 else 2]))


def host_address(link: str, version: int) -> str:
    """The host's address on a link."""
    return str(ip_interface(LINKS[link][0 if version == 4 else 1]).ip)


@pytest.fixture
def laboratory(new_namespace: Callable[[], Namespace]) -> Laboratory:
    """All of it, forwarding on and with routes to the containers everywhere: nothing is safe for lack of a route."""
    host, machines = new_namespace(), {name: new_namespace() for name in MACHINES}
    host.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    lines = [f"link add {link} type bridge mcast_snooping 0" for link in LINKS if not link.startswith("up")]
    for name, (link, _, _) in MACHINES.items():
        end = link if link.startswith("up") else f"v-{name}"
        lines.append(f"link add {end} type veth peer name eth0 netns {machines[name].name}")
        lines += [f"link set {end} master {link}", f"link set {end} up"] if end != link else []
    for link, addresses in LINKS.items():
        lines += [f"link set {link} up", *(f"addr add {text} dev {link} nodad" for text in addresses)]
    host.run("ip", "-batch", "-", stdin="\n".join(lines) + "\n")
    for name, (link, _, _) in MACHINES.items():
        inside = ["link set eth0 up"]
        for version, length in ((4, 24), (6, 64)):
            inside.append(f"addr add {address(name, version)}/{length} dev eth0 nodad")
            inside.append(f"route add default via {host_address(link, version)}")
        machines[name].run("ip", "-batch", "-", stdin="\n".join(inside) + "\n")
    return Laboratory(host, machines)


@pytest.fixture
async def firewall(laboratory: Laboratory) -> AsyncIterator[Firewall]:
    """The host's firewall as drivers would have it: the table, and the elements of three networks."""
    async with Firewall(ruleset(), netns=laboratory.host.path) as opened:
        await opened.prepare()
        await opened.apply([Step(Action.CREATE, element) for element in ELEMENTS])
        yield opened


@BOTH
async def test_b_02_siblings_talk_as_themselves(laboratory: Laboratory, firewall: Firewall, version: int) -> None:
    """Two containers of one network reach each other, with br_netfilter on, and see each other's own address."""
    assert laboratory.arrives("a", "b", version, reply=True) == address("a", version)
    assert laboratory.arrives("internal", "sibling", version, reply=True) == address("internal", version)


@BOTH
async def test_b_02_the_way_out_is_masqueraded(laboratory: Laboratory, firewall: Firewall, version: int) -> None:
    """Outside sees the host's address on the link it left by, and its answer finds the way back."""
    assert laboratory.arrives("a", "outside", version, reply=True) == host_address("up0", version)
    assert laboratory.arrives("other", "beyond", version, reply=True) == host_address("up1", version)


@BOTH
async def test_a_network_without_masquerade_keeps_its_addresses(
    laboratory: Laboratory, firewall: Firewall, version: int
) -> None:
    """Each family's masquerade is an element of its own: without it the container's address goes out."""
    await firewall.apply([Step(Action.DELETE, Element(f"masquerade{version}", ("lw0",)))])
    assert laboratory.arrives("a", "outside", version, reply=True) == address("a", version)
    assert laboratory.arrives("other", "outside", version) == host_address("up0", version)


@BOTH
async def test_b_03_networks_are_kept_apart(laboratory: Laboratory, firewall: Firewall, version: int) -> None:
    """No way from one of our networks into another, whoever begins, nor from somebody else's bridge or outside."""
    strangers = [("a", "other"), ("other", "a"), ("a", "internal"), ("docker", "a"), ("outside", "a")]
    passed = [pair for pair in strangers if not laboratory.is_dropped(*pair, version)]
    assert passed == []


@BOTH
async def test_a_pair_opens_one_direction(laboratory: Laboratory, firewall: Firewall, version: int) -> None:
    """With (lw0, lw1) in siblings, lw0 may begin and gets answers; lw1 still may not begin."""
    await firewall.apply([Step(Action.CREATE, Element("siblings", ("lw0", "lw1")))])
    assert laboratory.is_dropped("other", "a", version)
    assert laboratory.arrives("a", "other", version, reply=True) == address("a", version)


@BOTH
async def test_b_04_without_its_pair_a_network_has_no_traffic_inside(
    laboratory: Laboratory, firewall: Firewall, version: int
) -> None:
    """Inter-container communication switched off: the neighbours cannot talk, the way out stays open."""
    assert laboratory.arrives("a", "b", version)  # so that they know each other's hardware address
    await firewall.apply([Step(Action.DELETE, Element("siblings", ("lw0", "lw0")))])
    laboratory.host.run("conntrack", "-F")
    assert laboratory.is_dropped("a", "b", version)
    assert laboratory.arrives("a", "outside", version) == host_address("up0", version)


@BOTH
async def test_b_05_an_internal_network_has_no_outside(
    laboratory: Laboratory, firewall: Firewall, version: int
) -> None:
    """From an internal network nothing leaves the host, and nothing from outside comes in."""
    pairs = [("internal", "outside"), ("internal", "docker"), ("internal", "a"), ("outside", "internal")]
    passed = [pair for pair in pairs if not laboratory.is_dropped(*pair, version)]
    assert passed == []


@BOTH
async def test_what_is_not_ours_passes_without_the_guard(
    laboratory: Laboratory, firewall: Firewall, version: int
) -> None:
    """A router stays a router, and other programs' bridges are judged by their own rules alone."""
    assert laboratory.arrives("outside", "beyond", version) == address("outside", version)
    assert laboratory.arrives("docker", "outside", version, reply=True) == address("docker", version)
    assert laboratory.arrives("outside", "docker", version) == address("outside", version)


@BOTH
async def test_with_the_guard_the_host_is_no_router(laboratory: Laboratory, version: int) -> None:
    """A host that forwards only because of us forwards for bridges, ours and others', and for nobody else."""
    async with Firewall(ruleset(guard=True), netns=laboratory.host.path) as firewall:
        await firewall.prepare()
        await firewall.apply([Step(Action.CREATE, element) for element in ELEMENTS])
        assert laboratory.is_dropped("outside", "beyond", version)
        assert laboratory.is_dropped("outside", "docker", version)
        assert laboratory.arrives("docker", "outside", version, reply=True) == address("docker", version)
        assert laboratory.arrives("a", "outside", version, reply=True) == host_address("up0", version)


async def test_with_the_guard_published_ports_of_others_still_work(laboratory: Laboratory) -> None:
    """What a DNAT rule of the host invited passes: Docker's own published ports go on beside us."""
    async with Firewall(ruleset(guard=True), netns=laboratory.host.path) as firewall:
        await firewall.prepare()
        laboratory.host.run("nft", "-f", "-", stdin=PUBLISHES)
        source = laboratory.arrives("outside", "docker", 4, by=host_address("up0", 4), reply=True)
        assert source == address("outside", 4)


@BOTH
async def test_the_mark_tells_other_tables_what_we_accepted(
    laboratory: Laboratory, firewall: Firewall, version: int
) -> None:
    """A table that drops all but our mark lets exactly our traffic pass: siblings, the way out, and the answers."""
    laboratory.host.run("nft", "-f", "-", stdin=DROPS_UNMARKED)
    assert laboratory.arrives("a", "b", version, reply=True)
    assert laboratory.arrives("a", "outside", version, reply=True)
    assert laboratory.is_dropped("docker", "outside", version)
    assert laboratory.is_dropped("a", "other", version)


@pytest.mark.parametrize("backend", ["nft", "legacy"])
@BOTH
async def test_docker_user_lets_our_traffic_through_dockers_drop(
    laboratory: Laboratory, firewall: Firewall, version: int, backend: str
) -> None:
    """Beside Docker's FORWARD policy DROP nothing of ours works before the rule, and all of it after."""
    for command in (f"iptables-{backend}", f"ip6tables-{backend}"):
        for arguments in ("-P FORWARD DROP", "-N DOCKER-USER", "-I FORWARD -j DOCKER-USER"):
            laboratory.host.run(command, *arguments.split())
    assert laboratory.is_dropped("a", "outside", version)
    outcome = await DockerUser(prefix=laboratory.host.enter).ensure()
    assert outcome == Outcome(Found.ADDED, Found.ADDED)
    assert laboratory.arrives("a", "b", version, reply=True) == address("a", version)
    assert laboratory.arrives("a", "outside", version, reply=True) == host_address("up0", version)
    assert laboratory.is_dropped("docker", "outside", version)
    assert laboratory.is_dropped("a", "other", version)
