"""Forgetting connections on the real kernel: what clients see of it, and that nothing else goes."""

import contextlib
import errno
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from ipaddress import ip_address

import pytest
from attrs import frozen
from pyroute2.netlink.nfnetlink.nfctsocket import nfct_msg

from linkwright.errors import Unavailable
from linkwright.kernel import ctnetlink
from linkwright.kernel.conntrack import Conntrack
from linkwright.kernel.netlink import Message, attributes, frame, messages
from linkwright.kernel.netns import run_inside
from linkwright.kernel.nftables.numbers import NETLINK_NETFILTER
from linkwright.kernel.transport import Rtnetlink
from linkwright.model import Flows, Protocol
from linkwright.testkit.namespaces import Namespace

PORT, OTHER = 5353, 5354
TRIES = 50  # of a tenth of a second each
BOTH = pytest.mark.parametrize("version", [4, 6])
ANY = {4: "0.0.0.0", 6: "::"}
HOST = {4: "192.0.2.1", 6: "2001:db8::1"}
#: Machine → its link's end on the host, its address and the host's there.
MACHINES = {
    "client": ("up0", {4: ("192.0.2.9", "192.0.2.1", 24), 6: ("2001:db8::9", "2001:db8::1", 64)}),
    "old": ("lw0", {4: ("10.0.0.2", "10.0.0.1", 24), 6: ("fd00:0::2", "fd00:0::1", 64)}),
    "new": ("lw1", {4: ("10.0.1.2", "10.0.1.1", 24), 6: ("fd00:1::2", "fd00:1::1", 64)}),
    "beyond": ("up1", {4: ("198.51.100.9", "198.51.100.1", 24), 6: ("2001:db8:1::9", "2001:db8:1::1", 64)}),
}
#: Publishing as the fixed table does it: a map that leads what comes to any address of the host.
PUBLISHING = """
table inet publishing {
    map ports4 { type inet_proto . inet_service : ipv4_addr . inet_service; }
    map ports6 { type inet_proto . inet_service : ipv6_addr . inet_service; }
    chain prerouting {
        type nat hook prerouting priority dstnat
        meta nfproto ipv4 meta l4proto { tcp, udp } fib daddr type local dnat ip to meta l4proto . th dport map @ports4
        meta nfproto ipv6 meta l4proto { tcp, udp } fib daddr type local dnat ip6 to meta l4proto . th dport map @ports6
    }
}
"""


def address(machine: str, version: int) -> str:
    """A machine's address."""
    return MACHINES[machine][1][version][0]


def flow(protocol: Protocol, version: int = 4, port: int = PORT, at: str = "") -> Flows:
    """The flows to *port* of every address of the host, or of *at*."""
    return Flows(protocol, ip_address(at or ANY[version]), port)


@frozen
class Laboratory:
    """A host that forwards and publishes, and the machines on its links."""

    host: Namespace
    machines: dict[str, Namespace]

    def publish(self, machine: str, version: int, protocol: str = "udp") -> None:
        """Lead PORT to *machine*, and nowhere else."""
        to = address(machine, version)
        self.host.run("nft", "flush", "map", "inet", "publishing", f"ports{version}")
        self.host.run(
            *("nft", "add", "element", "inet", "publishing", f"ports{version}"),
            f"{{ {protocol} . {PORT} : {to} . {PORT} }}",
        )

    def unpublish(self, version: int) -> None:
        """Lead nothing anywhere."""
        self.host.run("nft", "flush", "map", "inet", "publishing", f"ports{version}")

    def socket(self, machine: str, version: int, kind: socket.SocketKind, port: int = 0) -> socket.socket:
        """A socket of *machine*'s, bound."""
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        opened = self.machines[machine].socket(family, kind)
        opened.bind((address(machine, version), port))
        opened.settimeout(0.1)
        return opened


@pytest.fixture
def laboratory(new_namespace: Callable[[], Namespace]) -> Laboratory:
    """All of it, with routes everywhere and nothing published yet."""
    host, machines = new_namespace(), {name: new_namespace() for name in MACHINES}
    host.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    for name, (link, addresses) in MACHINES.items():
        outside = [f"link add {link} type veth peer name eth0 netns {machines[name].name}", f"link set {link} up"]
        inside = ["link set eth0 up"]
        for own, gateway, length in addresses.values():
            outside.append(f"addr add {gateway}/{length} dev {link} nodad")
            inside += [f"addr add {own}/{length} dev eth0 nodad", f"route add default via {gateway}"]
        host.run("ip", "-batch", "-", stdin="\n".join(outside) + "\n")
        machines[name].run("ip", "-batch", "-", stdin="\n".join(inside) + "\n")
    host.run("nft", "-f", "-", stdin=PUBLISHING)
    return Laboratory(host, machines)


@pytest.fixture
async def conntrack(laboratory: Laboratory) -> AsyncIterator[Conntrack]:
    """The host's connections."""
    async with Conntrack(netns=laboratory.host.path) as opened:
        yield opened


class Asking:
    """A client that asks PORT of the host from one source port for ever, and those that may answer."""

    def __init__(self, laboratory: Laboratory, version: int) -> None:
        self.client = laboratory.socket("client", version, socket.SOCK_DGRAM)
        self.target = (HOST[version], PORT)
        self.asked = 0
        self.heard: list[bytes] = []
        self.servers = {name: laboratory.socket(name, version, socket.SOCK_DGRAM, PORT) for name in ("old", "new")}

    def answered_by(self, *, source: socket.socket | None = None) -> str:
        """Send until somebody has it, and answer; return who it was. What is left of earlier ones does not count."""
        client = source or self.client
        self.asked += 1
        question = f"question {self.asked}".encode()
        for _ in range(TRIES):
            client.sendto(question, self.target)
            for name, server in self.servers.items():
                for heard, peer in _queued(server):
                    self.heard.append(heard)
                    if heard == question:
                        server.sendto(question, peer)
                        assert any(heard == question for heard, _ in _queued(client))
                        return name
        raise AssertionError("nobody had the question")

    def close(self) -> None:
        """Close all sockets."""
        for opened in (self.client, *self.servers.values()):
            opened.close()


def _queued(opened: socket.socket) -> Iterator[tuple[bytes, tuple[str, int]]]:
    """What comes in, until nothing does for a moment."""
    with contextlib.suppress(TimeoutError):
        while True:
            yield opened.recvfrom(64)


@pytest.fixture
def asking(laboratory: Laboratory, version: int) -> Iterator[Asking]:
    """The client and the servers."""
    opened = Asking(laboratory, version)
    yield opened
    opened.close()


# --- what clients see ----------------------------------------------------------------------------------------


@BOTH
@pytest.mark.netns
async def test_a_client_that_keeps_its_source_port_is_led_to_the_new_container(
    laboratory: Laboratory, conntrack: Conntrack, asking: Asking, version: int
) -> None:
    """moby#8795: when the port leads elsewhere it still asks the old one; its next packet the new, once forgotten."""
    laboratory.publish("old", version)
    assert asking.answered_by() == "old"
    laboratory.publish("new", version)
    assert asking.answered_by() == "old"
    assert await conntrack.forget([flow(Protocol.UDP, version)]) == 1
    assert asking.answered_by() == "new"


@BOTH
@pytest.mark.netns
async def test_a_client_that_asked_before_the_port_was_published_is_answered(
    laboratory: Laboratory, conntrack: Conntrack, asking: Asking, version: int
) -> None:
    """moby#53384: it went on asking a closed port; another client is answered, but it never is until forgotten."""
    family = "ipv4" if version == 4 else "ipv6"
    for _ in range(TRIES):
        asking.client.sendto(b"early", asking.target)
        assert not list(_queued(asking.client))
        if f"dport={PORT}" in laboratory.host.run("conntrack", "-L", "-f", family):
            break
    laboratory.publish("new", version)
    asking.client.sendto(b"late", asking.target)
    with laboratory.socket("client", version, socket.SOCK_DGRAM) as another:
        assert asking.answered_by(source=another) == "new"
    assert b"late" not in asking.heard
    assert await conntrack.forget([flow(Protocol.UDP, version)]) == 2
    assert asking.answered_by() == "new"


@BOTH
@pytest.mark.netns
async def test_an_established_connection_to_an_unpublished_port_ends(
    laboratory: Laboratory, conntrack: Conntrack, version: int
) -> None:
    """Nothing listens on the host's port, and the client is told so; without forgetting it talks on for days."""
    laboratory.publish("old", version, "tcp")
    with (
        laboratory.socket("old", version, socket.SOCK_STREAM, PORT) as listening,
        laboratory.socket("client", version, socket.SOCK_STREAM) as client,
    ):
        listening.listen()
        client.settimeout(10)
        client.connect((HOST[version], PORT))
        server, _ = listening.accept()
        with server:
            server.settimeout(10)
            laboratory.unpublish(version)
            client.send(b"still there?")
            assert server.recv(64) == b"still there?"
            assert await conntrack.forget([flow(Protocol.TCP, version)]) == 1
            with pytest.raises(ConnectionResetError):
                _talk(client)


def _talk(client: socket.socket) -> None:
    """Go on for ten seconds a word."""
    while True:
        client.send(b"and now?")
        assert client.recv(64)


@BOTH
@pytest.mark.netns
async def test_what_passes_through_to_the_same_port_of_another_machine_is_untouched(
    laboratory: Laboratory, conntrack: Conntrack, version: int
) -> None:
    """A router that publishes a port does not cut its clients off from the rest of the world."""
    laboratory.publish("old", version)
    with (
        laboratory.socket("beyond", version, socket.SOCK_DGRAM, PORT) as listening,
        laboratory.socket("client", version, socket.SOCK_DGRAM) as client,
    ):
        for _ in range(TRIES):
            client.sendto(b"question", (address("beyond", version), PORT))
            try:
                listening.recv(64)
                break
            except TimeoutError:
                continue
    before = laboratory.host.run("conntrack", "-L", "-f", "ipv4" if version == 4 else "ipv6", "-o", "id")
    assert f"dst={address('beyond', version)} " in before
    assert await conntrack.forget([flow(Protocol.UDP, version)]) == 0
    assert re.findall(r"id=\d+", before) == re.findall(
        r"id=\d+", laboratory.host.run("conntrack", "-L", "-f", "ipv4" if version == 4 else "ipv6", "-o", "id")
    )


# --- exactly those, over a table filled by conntrack(8) ------------------------------------------------------

#: Name → what conntrack(8) is told to remember. 192.0.2.1, .2 and 203.0.113.0/24 are the host's.
ENTRIES: dict[str, str] = {
    "udp": f"-p udp -s 192.0.2.9 -d 192.0.2.1 --sport 1001 --dport {PORT}",
    "udp-led": f"-p udp -s 192.0.2.9 -d 192.0.2.1 --sport 1002 --dport {PORT} --dst-nat 10.0.0.2",
    "udp-second": f"-p udp -s 192.0.2.9 -d 192.0.2.2 --sport 1003 --dport {PORT}",
    "udp-range": f"-p udp -s 192.0.2.9 -d 203.0.113.7 --sport 1004 --dport {PORT}",
    "udp-other": f"-p udp -s 192.0.2.9 -d 192.0.2.1 --sport 1005 --dport {OTHER}",
    "udp-from": f"-p udp -s 192.0.2.9 -d 192.0.2.1 --sport {PORT} --dport {OTHER}",
    "udp-out": f"-p udp -s 192.0.2.1 -d 198.51.100.9 --sport 1006 --dport {PORT}",
    "udp-through": f"-p udp -s 192.0.2.9 -d 198.51.100.9 --sport 1007 --dport {PORT}",
    "udp-service": f"-p udp -s 192.0.2.9 -d 10.96.0.1 --sport 1008 --dport {PORT} --dst-nat 10.0.0.2",
    "udp-zone": f"-p udp -s 192.0.2.9 -d 192.0.2.1 --sport 1001 --dport {PORT} -w 7",
    "udp6": f"-p udp -s 2001:db8::9 -d 2001:db8::1 --sport 1009 --dport {PORT}",
    "udp6-through": f"-p udp -s 2001:db8::9 -d 2001:db8:1::9 --sport 1010 --dport {PORT}",
    "tcp": f"-p tcp -s 192.0.2.9 -d 192.0.2.1 --sport 1011 --dport {PORT} --state ESTABLISHED -u ASSURED",
    "tcp6": f"-p tcp -s 2001:db8::9 -d 2001:db8::1 --sport 1012 --dport {PORT} --state SYN_SENT",
    "sctp": f"-p sctp -s 192.0.2.9 -d 192.0.2.1 --sport 1013 --dport {PORT} --state ESTABLISHED"
    " --orig-vtag 1 --reply-vtag 2",
    "icmp": "-p icmp -s 192.0.2.9 -d 192.0.2.1 --icmp-type 8 --icmp-code 0 --icmp-id 1014",
}
UDP = {"udp", "udp-led", "udp-second", "udp-range", "udp-zone"}
#: What is asked to be forgotten → what is.
FORGOTTEN: list[tuple[list[Flows], set[str]]] = [
    ([flow(Protocol.UDP)], UDP),
    ([flow(Protocol.UDP, at="192.0.2.1")], {"udp", "udp-led", "udp-zone"}),
    ([flow(Protocol.UDP, at="192.0.2.2"), flow(Protocol.TCP)], {"udp-second", "tcp"}),
    ([flow(Protocol.UDP, at="10.96.0.1")], {"udp-service"}),  # the host's until a moment ago
    ([flow(Protocol.UDP, at="198.51.100.9")], set()),
    ([flow(Protocol.UDP, 6)], {"udp6"}),
    ([flow(Protocol.TCP, 6), flow(Protocol.TCP)], {"tcp", "tcp6"}),
    ([flow(Protocol.SCTP)], {"sctp"}),
    ([flow(Protocol.UDP, port=OTHER)], {"udp-other", "udp-from"}),
    ([flow(Protocol.TCP, port=OTHER)], set()),
    ([flow(Protocol.UDP, port=port) for port in range(PORT - 999, PORT + 1)], UDP),
    ([flow(Protocol.UDP, version, port) for port in range(PORT - 20, PORT + 1) for version in (4, 6)], UDP | {"udp6"}),
]


class Counting(Rtnetlink):
    """A conversation that counts the tables it read."""

    walks = 0

    def walk(self, kind: int, body: bytes) -> Iterator[Message]:
        """Count, and read."""
        self.walks += 1
        return super().walk(kind, body)


class WithoutCount(Rtnetlink):
    """A conversation with a kernel that does not say how much it tracks: each thing is asked for by itself."""

    def get(self, *_: object) -> None:
        """Find nothing."""


class WithoutFilters(WithoutCount):
    """A conversation with a kernel before 5.8: the attribute that says how to filter means nothing to it."""

    def walk(self, kind: int, body: bytes) -> Iterator[Message]:
        """Read all of the family."""
        return super().walk(kind, body[:4])


class Late(Rtnetlink):
    """A conversation whose connections end by themselves before they can be deleted."""

    def walk(self, kind: int, body: bytes) -> Iterator[Message]:
        """Read them, and then end them."""
        read = list(super().walk(kind, body))
        super().execute([ctnetlink.tracked(message, ctnetlink.Goal(2, 17, b"", PORT)).deletion for message in read])
        yield from read


def netfilter(kind: type[Rtnetlink]) -> Callable[[], Rtnetlink]:
    """Open a conversation of that kind with netfilter."""
    return lambda: kind(NETLINK_NETFILTER)


@pytest.fixture
def filled(namespace: Namespace) -> Namespace:
    """A host that remembers ENTRIES, each marked with its number."""
    for place in ("192.0.2.1/24", "192.0.2.2/24", "2001:db8::1/64"):
        namespace.run("ip", "addr", "add", place, "dev", "lo")
    namespace.run("ip", "link", "set", "lo", "up")
    namespace.run("ip", "route", "add", "local", "203.0.113.0/24", "dev", "lo")
    for number, entry in enumerate(ENTRIES.values(), 1):
        namespace.run("conntrack", "-I", *entry.split(), "-t", "300", "-m", str(number))
    assert left(namespace) == set(ENTRIES)
    return namespace


def left(namespace: Namespace) -> set[str]:
    """The names of the entries that are there, as conntrack(8) lists them."""
    listed = "".join(namespace.run("conntrack", "-L", "-f", family) for family in ("ipv4", "ipv6"))
    names = [*ENTRIES]
    return {names[int(number) - 1] for number in re.findall(r"mark=(\d+)", listed)}


@pytest.mark.parametrize("kind", [Rtnetlink, WithoutCount, WithoutFilters])
@pytest.mark.parametrize(("flows", "gone"), FORGOTTEN)
@pytest.mark.netns
async def test_exactly_what_is_asked_for_is_forgotten(
    filled: Namespace, flows: list[Flows], gone: set[str], kind: type[Rtnetlink]
) -> None:
    """Other ports, protocols, families and machines stay as they are, whether the kernel or we look through them."""
    async with Conntrack(netns=filled.path, opened=netfilter(kind)) as conntrack:
        assert await conntrack.forget(flows) == len(gone)
        assert left(filled) == set(ENTRIES) - gone
        assert await conntrack.forget(flows) == 0


@pytest.mark.netns
async def test_the_kernel_looks_through_the_table_for_us(filled: Namespace) -> None:
    """It tells what went to the port; without filters it tells all of the family."""
    told: dict[type[Rtnetlink], int] = {}

    def count(kind: type[Rtnetlink]) -> None:
        opened = netfilter(kind)()
        told[kind] = sum(1 for _ in opened.walk(*ctnetlink.question(2, Protocol.TCP, PORT)))
        opened.close()

    for kind in (Rtnetlink, WithoutFilters):
        await run_inside(filled.path, lambda kind=kind: count(kind))
    assert told == {Rtnetlink: 1, WithoutFilters: sum("2001:" not in entry for entry in ENTRIES.values())}


#: Published at all addresses of the host, as Docker asks for it.
PUBLISHED = [flow(Protocol.UDP, version, 80) for version in (4, 6)]


async def looks(namespace: Namespace, flows: list[Flows]) -> int:
    """How often a table is looked through to forget *flows*, of which there are none."""
    opened: list[Counting] = []

    def counting() -> Rtnetlink:
        opened.append(Counting(NETLINK_NETFILTER))
        return opened[-1]

    async with Conntrack(netns=namespace.path, opened=counting) as conntrack:
        assert await conntrack.forget(flows) == 0
    (one,) = opened
    return one.walks


@pytest.mark.netns
async def test_a_table_that_is_empty_is_not_looked_through(namespace: Namespace) -> None:
    """The kernel says how many entries there are, and has a hundred thousand buckets all the same."""
    assert await looks(namespace, PUBLISHED) == 0


@pytest.mark.netns
async def test_a_small_table_is_looked_through_once(filled: Namespace) -> None:
    """Whatever is asked for."""
    assert await looks(filled, []) == 0
    assert await looks(filled, PUBLISHED) == 1
    assert await looks(filled, PUBLISHED[:1]) == 1
    assert await looks(filled, [flow(protocol, port=port) for port in range(1, 9) for protocol in Protocol]) == 1


@pytest.mark.netns
async def test_of_a_large_table_only_what_is_asked_for_is_told(filled: Namespace) -> None:
    """It is looked through for each port, or for each family and protocol: a container may publish a whole range."""
    lines = (f"-I -p udp -s 192.0.2.9 -d 192.0.2.1 --sport {port} --dport 9 -t 300\n" for port in range(1000, 2000))
    filled.run("conntrack", "-R", "-", stdin="".join(lines))
    assert await looks(filled, PUBLISHED) == 2
    both = (Protocol.TCP, Protocol.UDP)
    assert await looks(filled, [flow(protocol, port=port) for port in range(20, 23) for protocol in both]) == 1
    assert await looks(filled, [flow(protocol, port=port) for port in range(20, 1020) for protocol in both]) == 2


@pytest.mark.netns
async def test_how_much_is_tracked_reads_as_meant(filled: Namespace) -> None:
    """In this namespace, of whatever family."""

    def count() -> int:
        opened = netfilter(Rtnetlink)()
        said = opened.get(*ctnetlink.COUNT)
        opened.close()
        assert said is not None
        return ctnetlink.count(said)

    assert await run_inside(filled.path, count) == len(ENTRIES) == int(filled.run("conntrack", "-C"))


@pytest.mark.netns
async def test_what_ends_by_itself_meanwhile_is_fine(filled: Namespace) -> None:
    """It is not there any more, and not ours to count."""
    async with Conntrack(netns=filled.path, opened=netfilter(Late)) as conntrack:
        assert await conntrack.forget([flow(Protocol.UDP)]) == 0
    assert left(filled).isdisjoint(UDP)


@pytest.mark.netns
async def test_an_entry_is_deleted_by_its_id_as_well(filled: Namespace) -> None:
    """What has taken the place of an entry between the same ends since it was read stays, if it has another id."""

    def renewed() -> list[int]:
        opened = netfilter(Rtnetlink)()
        (message,) = opened.walk(*ctnetlink.question(2, Protocol.TCP, PORT))
        went = ctnetlink.goal(message, {PORT})
        assert went is not None
        deletion = ctnetlink.tracked(message, went).deletion
        own = attributes(message.data, message.start + 4, message.end)[12]  # CTA_ID
        assert deletion.body.count(own) == 1
        failures = opened.execute([deletion._replace(body=deletion.body.replace(own, bytes(4)))])
        opened.close()
        return [failed.code for failed in failures.values()]

    assert await run_inside(filled.path, renewed) == [errno.ENOENT]
    assert left(filled) == set(ENTRIES)


@pytest.mark.netns
async def test_a_kernel_that_tells_nobody_of_its_connections_is_told_of_once(namespace: Namespace) -> None:
    """Rtnetlink knows nothing of connections, as netfilter does not without its module: publishing goes on without."""
    async with Conntrack(netns=namespace.path, opened=Rtnetlink) as conntrack:
        with pytest.raises(Unavailable, match=r"conntrack -D -f ipv4 -p udp --dport 5353.* no nf_conntrack_netlink"):
            await conntrack.forget([flow(Protocol.UDP)])
        assert await conntrack.forget([flow(Protocol.UDP)]) == 0


# --- bytes, with pyroute2 as the judge -----------------------------------------------------------------------


@pytest.mark.parametrize("family", [2, 10])
@pytest.mark.parametrize("port", [PORT, None])
def test_the_question_reads_as_meant(family: int, port: int | None) -> None:
    """Protocol and port of the original direction, and flags that say which of them count."""
    kind, body = ctnetlink.question(family, Protocol.UDP, port)
    message = nfct_msg(frame(ctnetlink.Request(kind, 0, body), 1))
    message.decode()
    assert message["nfgen_family"] == family
    proto = message.get_attr("CTA_TUPLE_ORIG").get_attr("CTA_TUPLE_PROTO")
    assert proto.get_attr("CTA_PROTO_NUM") == Protocol.UDP
    assert proto.get_attr("CTA_PROTO_DST_PORT") == port
    flags = 8 | (32 if port else 0)  # CTA_PROTO_NUM, CTA_PROTO_DST_PORT
    assert message.get_attr("CTA_FILTER").get_attr("CTA_FILTER_ORIG_FLAGS") == flags


def plain(attribute: object) -> object:
    """An attribute of pyroute2's as names and values, which can be compared."""
    return (
        [(name, plain(value)) for name, value, *_ in attribute["attrs"]] if isinstance(attribute, dict) else attribute
    )


@pytest.mark.netns
async def test_entries_read_as_meant(filled: Namespace) -> None:
    """Where each went and whether it was led elsewhere; and its deletion names tuple, id and zone."""

    def read() -> list[bytes]:
        opened = netfilter(WithoutFilters)()
        told = [opened.walk(*ctnetlink.question(family, 0)) for family in (2, 10)]
        raw = [message.data[message.start - 16 : message.end] for some in told for message in some]
        opened.close()
        return raw

    seen = 0
    for raw in await run_inside(filled.path, read):
        (message,) = messages(raw)
        judge = nfct_msg(raw)
        judge.decode()
        original = judge.get_attr("CTA_TUPLE_ORIG")
        ip, proto = original.get_attr("CTA_TUPLE_IP"), original.get_attr("CTA_TUPLE_PROTO")
        went = ctnetlink.goal(message, range(1 << 16))
        port = proto.get_attr("CTA_PROTO_DST_PORT")
        if port is None:
            assert went is None
            continue
        assert went is not None
        to = ip.get_attr("CTA_IP_V4_DST") or ip.get_attr("CTA_IP_V6_DST")
        expected = (judge["nfgen_family"], proto.get_attr("CTA_PROTO_NUM"), to, port)
        assert (went.family, went.protocol, str(ip_address(went.address)), went.port) == expected
        assert ctnetlink.goal(message, {port + 1}) is None
        tracked = ctnetlink.tracked(message, went)
        assert tracked.translated == bool(judge.get_attr("CTA_STATUS") & 32)
        deletion = nfct_msg(frame(tracked.deletion, 1))
        deletion.decode()
        assert deletion.get_attr("CTA_ID") == judge.get_attr("CTA_ID")
        assert deletion.get_attr("CTA_ZONE") == judge.get_attr("CTA_ZONE")
        assert plain(deletion.get_attr("CTA_TUPLE_ORIG")) == plain(original)
        seen += 1
    assert seen == len(ENTRIES) - 1
