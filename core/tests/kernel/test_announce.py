"""Telling neighbours where an address is now: the frames, when they are sent, and who believes them."""

import socket
import threading
from collections.abc import Callable, Iterator
from ipaddress import ip_address, ip_interface
from pathlib import Path

import pytest
import trio
import trio.testing
from attrs import evolve, frozen

from linkwright.errors import KernelError
from linkwright.kernel import gratuitous
from linkwright.kernel.announce import Announcer
from linkwright.kernel.neighbours import forget_holders
from linkwright.kernel.netns import run_inside
from linkwright.kernel.transport import Rtnetlink
from linkwright.model import Announcement, Mac
from linkwright.testkit.hosts import real_host
from linkwright.testkit.namespaces import Namespace

OLD, NEW = Mac.parse("02:42:0a:09:00:0f"), Mac.parse("02:42:0a:09:00:02")
PORT = 7000
BOTH = pytest.mark.parametrize("version", [4, 6])
ADDRESS = {4: ip_interface("10.9.0.2/24"), 6: ip_interface("fd00:9::2/64")}
PEER = {4: ip_interface("10.9.0.9/24"), 6: ip_interface("fd00:9::9/64")}
HOST = {4: ip_interface("10.9.0.1/24"), 6: ip_interface("fd00:9::1/64")}

#: How the host gives links p0 and b0 to hang on: two ports of its bridge, or two macvlans on its uplink.
LINKS = {
    "bridge": """
        link add lwb0 type bridge mcast_snooping 0
        link add p0 type veth peer name hp0
        link add b0 type veth peer name hb0
        link set hp0 master lwb0 up
        link set hb0 master lwb0 up
        link set lwb0 up
    """,
    "macvlan": """
        link add up0 type veth peer name wire
        link set wire up
        link set up0 up
        link add p0 link up0 type macvlan mode bridge
        link add b0 link up0 type macvlan mode bridge
    """,
}


async def nothing(_: Announcement) -> None:
    """Make nobody forget anything."""


@frozen
class Segment:
    """A link layer with a peer on it, and a sandbox whose link can be put there."""

    host: Namespace
    peer: Namespace
    box: Namespace

    @property
    def announcement(self) -> Announcement:
        """What is to be told when the sandbox's link has its addresses."""
        return Announcement("endpoint1", self.box.path, NEW, tuple(ADDRESS.values()))

    def attach(self, *versions: int, up: bool = True) -> None:
        """Put the link into the sandbox and dress it, as Docker does after the answer to Join."""
        self.host.run("ip", "link", "set", "b0", "netns", self.box.name)
        self.box.run("ip", "link", "set", "b0", "name", "eth0", "address", str(NEW), *(["up"] if up else []))
        for version in versions:
            self.give(version)

    def give(self, version: int) -> None:
        """Give the sandbox's link its address."""
        self.box.run("ip", "addr", "add", str(ADDRESS[version]), "dev", "eth0", "nodad")

    def remember(self, version: int) -> None:
        """Let the peer have learnt that the address is at OLD."""
        learnt = (str(ADDRESS[version].ip), "lladdr", str(OLD), "dev", "eth0", "nud", "reachable")
        self.peer.run("ip", "neigh", "replace", *learnt)

    def reaches(self, version: int, tries: int = 50) -> bool:
        """Whether the peer reaches the address with one of *tries* datagrams, a tenth of a second each."""
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        with (
            self.peer.socket(family, socket.SOCK_DGRAM) as out,
            self.box.socket(family, socket.SOCK_DGRAM) as listening,
        ):
            listening.bind((str(ADDRESS[version].ip), PORT))
            listening.settimeout(0.1)
            for _ in range(tries):
                out.sendto(b"probe", (str(ADDRESS[version].ip), PORT))
                try:
                    return listening.recv(64) == b"probe"
                except TimeoutError:
                    continue
        return False


@frozen
class Heard:
    """What the peer hears on its link."""

    opened: socket.socket

    def so_far(self) -> list[bytes]:
        """The announcements that have come in since this was asked last."""
        frames = []
        while True:
            try:
                frames.append(self.opened.recv(2048))
            except BlockingIOError:
                return [frame for frame in frames if frame in FRAMES.values()]


FRAMES = {version: gratuitous.announcement(NEW, ADDRESS[version].ip)[1] for version in (4, 6)}


@pytest.fixture(params=LINKS)
def segment(request: pytest.FixtureRequest, new_namespace: Callable[[], Namespace]) -> Segment:
    """A peer on a bridge of the host, or on a macvlan beside the sandbox's."""
    made = Segment(new_namespace(), new_namespace(), new_namespace())
    made.host.run("ip", "-batch", "-", stdin=LINKS[request.param])
    made.host.run("ip", "link", "set", "p0", "netns", made.peer.name)
    made.peer.run("ip", "link", "set", "p0", "name", "eth0", "up")
    for interface in PEER.values():
        made.peer.run("ip", "addr", "add", str(interface), "dev", "eth0", "nodad")
    return made


bridged = pytest.mark.parametrize("segment", ["bridge"], indirect=True)


@pytest.fixture
def heard(segment: Segment) -> Iterator[Heard]:
    """An ear at the peer's link."""
    with segment.peer.socket(socket.AF_PACKET, socket.SOCK_RAW) as opened:
        opened.bind(("eth0", 0x0003))  # ETH_P_ALL
        opened.setblocking(False)
        yield Heard(opened)


# --- who believes it -----------------------------------------------------------------------------------------


@BOTH
@pytest.mark.netns
async def test_b_25_a_neighbour_that_knows_the_old_holder_reaches_the_new_one(segment: Segment, version: int) -> None:
    """By the first telling; before it, what it sends goes to the hardware address of the old holder."""
    segment.attach(4, 6)
    segment.remember(version)
    assert not segment.reaches(version, tries=3)
    assert await Announcer(nothing, times=1).announce(segment.announcement)
    assert segment.reaches(version)


@BOTH
@bridged
@pytest.mark.netns
async def test_b_25_the_host_itself_reaches_the_new_holder(segment: Segment, version: int) -> None:
    """The kernel's port does both: it tells, and the host forgets; what an administrator entered stays."""
    for interface in HOST.values():
        segment.host.run("ip", "addr", "add", str(interface), "dev", "lwb0", "nodad")
    learnt = ("lladdr", str(OLD), "dev", "lwb0", "nud")
    segment.host.run("ip", "neigh", "replace", str(ADDRESS[version].ip), *learnt, "reachable")
    segment.host.run("ip", "neigh", "replace", str(PEER[version].ip), *learnt, "permanent")
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    async with real_host(segment.host, segment.peer) as host:
        segment.attach(4, 6)
        with trio.fail_after(30):
            assert await host.kernel.announce(evolve(segment.announcement, link="lwb0"))
    assert str(OLD) not in segment.host.run("ip", "neigh", "show", str(ADDRESS[version].ip))
    assert str(OLD) in segment.host.run("ip", "neigh", "show", str(PEER[version].ip))
    with segment.host.socket(family, socket.SOCK_DGRAM) as out, segment.box.socket(family, socket.SOCK_DGRAM) as inside:
        inside.bind((str(ADDRESS[version].ip), PORT))
        inside.settimeout(10)
        out.sendto(b"probe", (str(ADDRESS[version].ip), PORT))
        assert inside.recv(64) == b"probe"


# --- when it is told -----------------------------------------------------------------------------------------


@bridged
@pytest.mark.netns
async def test_each_address_is_told_three_times(segment: Segment, heard: Heard) -> None:
    """A frame may be lost; so Docker tells three times, a second apart, and so do we."""
    segment.attach(4, 6)
    assert await Announcer(nothing, interval=0.05).announce(segment.announcement)
    told = heard.so_far()
    assert {version: told.count(frame) for version, frame in FRAMES.items()} == {4: 3, 6: 3}


@bridged
@pytest.mark.netns
async def test_a_sandbox_that_appears_late_is_waited_for(segment: Segment, heard: Heard, tmp_path: Path) -> None:
    """Engines before 28 make it after the answer to Join: first an empty file, then a namespace, then the link."""
    path = tmp_path / "sandbox"
    announcement = evolve(segment.announcement, sandbox=str(path))
    told: list[bool] = []

    async def announce() -> None:
        told.append(await Announcer(nothing, times=1, patience=60).announce(announcement))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(announce)
        await trio.testing.wait_all_tasks_blocked(0.05)
        path.touch()
        await trio.testing.wait_all_tasks_blocked(0.05)
        path.unlink()
        path.symlink_to(segment.box.path)
        await trio.testing.wait_all_tasks_blocked(0.05)
        segment.attach(4, 6)
    assert told == [True]
    assert sorted(heard.so_far()) == sorted(FRAMES.values())


@bridged
@pytest.mark.netns
async def test_what_is_missing_is_waited_for_and_the_rest_is_told(segment: Segment, heard: Heard) -> None:
    """Nothing while the link is down; each address as soon as it is there; at the end, that one never came."""
    announcer = Announcer(nothing, times=1, patience=60)
    segment.attach(4, up=False)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(announcer.announce, segment.announcement)
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert heard.so_far() == []
        segment.box.run("ip", "link", "set", "eth0", "up")
        assert await told(heard) == [FRAMES[4]]
        await trio.testing.wait_all_tasks_blocked(0.05)
        assert heard.so_far() == []
        segment.give(6)
        assert await told(heard) == [FRAMES[6]]
    segment.box.run("ip", "addr", "del", str(ADDRESS[6]), "dev", "eth0")
    assert not await Announcer(nothing, times=1, patience=0.01).announce(segment.announcement)
    assert heard.so_far() == [FRAMES[4]]


async def told(heard: Heard) -> list[bytes]:
    """The next announcements that the peer hears."""
    with trio.fail_after(30):
        while True:
            await trio.lowlevel.wait_readable(heard.opened)
            if frames := heard.so_far():
                return frames


@bridged
@pytest.mark.netns
async def test_an_address_that_may_be_somebody_elses_is_not_told_yet(segment: Segment, heard: Heard) -> None:
    """RFC 4862 section 5.4: a tentative address is not advertised, which would decide the question by force."""
    segment.attach()
    segment.box.run("sysctl", "-q", "-w", "net.ipv6.conf.eth0.dad_transmits=100")
    segment.box.run("ip", "addr", "add", str(ADDRESS[6]), "dev", "eth0")
    announcement = evolve(segment.announcement, addresses=(ADDRESS[6],))
    assert not await Announcer(nothing, times=1, patience=0.05).announce(announcement)
    assert heard.so_far() == []


@bridged
@pytest.mark.netns
async def test_what_is_no_longer_so_is_not_told_again(segment: Segment, heard: Heard) -> None:
    """The container stopped after the first telling, and somebody else may have the address by now."""
    segment.attach(4, 6)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(Announcer(nothing, interval=0.5, patience=1).announce, segment.announcement)
        first = await told(heard)
        segment.box.run("ip", "link", "set", "eth0", "down")
    assert sorted(first + heard.so_far()) == sorted(FRAMES.values())


@bridged
@pytest.mark.netns
async def test_a_sandbox_that_has_gone_is_let_go(segment: Segment, tmp_path: Path) -> None:
    """Our sockets would keep it alive, and with it the links in it."""
    path = tmp_path / "sandbox"
    path.symlink_to(segment.box.path)
    announcer = Announcer(nothing, interval=0.5, patience=3600)
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(announcer.announce, evolve(segment.announcement, sandbox=str(path)))
            await trio.testing.wait_all_tasks_blocked(0.05)
            path.unlink()


@pytest.mark.parametrize("left_behind", ["nothing", "a file", "another namespace"])
async def test_a_sandbox_that_never_appears_is_given_up(left_behind: str, tmp_path: Path) -> None:
    """Within the patience there is; nothing is told, and it is no error: the container did not start."""
    path = tmp_path / "sandbox"
    if left_behind == "a file":
        path.touch()
    if left_behind == "another namespace":
        path.symlink_to("/proc/self/ns/uts")
    announcement = Announcement("endpoint1", str(path), NEW, tuple(ADDRESS.values()))
    assert not await Announcer(nothing, patience=0.05).announce(announcement)


def open_files() -> int:
    """How many files this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.netns
async def test_a_hundred_at_once_take_a_few_threads_and_leave_nothing_open(namespace: Namespace) -> None:
    """A host that boots starts all its containers; and they are let go when the daemon stops."""
    limiter = trio.to_thread.current_default_thread_limiter()
    announcer = Announcer(nothing, interval=3600, patience=3600)
    announcement = Announcement("endpoint1", namespace.path, NEW, tuple(ADDRESS.values()))
    await trio.to_thread.run_sync(len, "")  # which starts what the process has of these anyway
    threads, files = threading.active_count(), open_files()
    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(announcer.announce, announcement)
        await trio.testing.wait_all_tasks_blocked(0.2)
        assert open_files() == files + 300
        assert threading.active_count() - threads < 10
        assert limiter.borrowed_tokens == 0
        nursery.cancel_scope.cancel()
    assert open_files() == files


# --- what the host forgets -----------------------------------------------------------------------------------

#: What the host remembers of the address → whether it goes.
REMEMBERED = [
    (f"lladdr {OLD} nud reachable", True),
    (f"lladdr {OLD} nud stale", True),
    (f"lladdr {NEW} nud reachable", False),
    (f"lladdr {OLD} nud permanent", False),
    (f"lladdr {OLD} nud noarp", False),
    (f"lladdr {OLD} nud reachable extern_learn", False),
]


@BOTH
@pytest.mark.parametrize(("remembered", "goes"), REMEMBERED)
@pytest.mark.netns
async def test_the_host_forgets_what_it_learnt_of_another(
    namespace: Namespace, remembered: str, version: int, *, goes: bool
) -> None:
    """And neither what somebody entered, nor what is right, nor what it knows of other addresses and links."""
    for link in ("lwb0", "lwb1"):
        namespace.run("ip", "link", "add", link, "up", "type", "bridge")
    address, other = str(ADDRESS[version].ip), str(PEER[version].ip)
    for place in (f"{address} dev lwb1 lladdr {OLD}", f"{other} dev lwb0 lladdr {OLD}"):
        namespace.run("ip", "neigh", "add", *place.split(), "nud", "reachable")
    namespace.run("ip", "neigh", "add", address, "dev", "lwb0", *remembered.split())
    before = set(namespace.run("ip", "neigh").splitlines())

    def forget(link: str | None) -> int:
        netlink = Rtnetlink()
        try:
            return forget_holders(netlink, Announcement("e", "", NEW, tuple(ADDRESS.values()), link))
        finally:
            netlink.close()

    assert await run_inside(namespace.path, lambda: forget(None)) == 0
    assert await run_inside(namespace.path, lambda: forget("lwb9")) == 0
    assert await run_inside(namespace.path, lambda: forget("lwb0")) == goes
    gone = before - set(namespace.run("ip", "neigh").splitlines())
    assert [line.split()[:3] for line in gone] == ([[address, "dev", "lwb0"]] if goes else [])


async def test_what_the_host_cannot_forget_is_told(tmp_path: Path) -> None:
    """The error of the host's own table comes up as it is."""

    async def refuse(_: Announcement) -> None:
        raise KernelError(1, step="ip neigh del")

    with pytest.raises(KernelError, match="ip neigh del"):
        await Announcer(refuse).announce(Announcement("e", str(tmp_path), NEW, ()))


# --- bytes ---------------------------------------------------------------------------------------------------


def test_the_frames_byte_by_byte() -> None:
    """RFC 826 and 5227 for IPv4; RFC 8200, 4861 and 4443 for IPv6, whose checksum adds up to nothing."""
    assert FRAMES[4] == bytes.fromhex(
        "ffffffffffff 02420a090002 0806"  # to all, from us, ARP
        "0001 0800 06 04 0001"  # Ethernet, IPv4, a request
        "02420a090002 0a090002 000000000000 0a090002"
    )
    frame = FRAMES[6]
    assert frame[:54] == bytes.fromhex(
        "333300000001 02420a090002 86dd"
        "60000000 0020 3a ff"  # 32 octets of ICMPv6, 255 hops
        "fd000009000000000000000000000002 ff020000000000000000000000000001"
    )
    assert frame[54:56] + frame[58:] == bytes.fromhex(
        "8800 20000000"  # a neighbour advertisement, override
        "fd000009000000000000000000000002"
        "02 01 02420a090002"  # the target's link-layer address
    )
    summed = frame[22:54] + (32).to_bytes(4, "big") + (58).to_bytes(4, "big") + frame[54:]
    assert sum(int.from_bytes(summed[at : at + 2], "big") for at in range(0, len(summed), 2)) % 0xFFFF == 0


def test_a_link_local_address_is_told_like_any_other() -> None:
    """From itself, about itself."""
    own = ip_address("fe80::42:aff:fe09:2")
    _, frame = gratuitous.announcement(NEW, own)
    assert frame[22:38] == frame[62:78] == own.packed
