"""What goes wrong around a running linkwright: a Docker that says nothing, a full disk, hands that delete things.

The tests themselves play Docker; what an operator sees of it is asked with the command line.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.docker.absence import silent
from tests.docker.daemon import Daemon, series
from tests.docker.disks import SmallDisk
from tests.docker.leaks import Snapshot, nothing_leaked, snapshot
from tests.docker.leases import allocated, records
from tests.docker.moves import Moves
from tests.docker.playing import Endpoint, Player, Refusal, sandbox
from tests.docker.until import until
from tests.engines import Host

pytestmark = pytest.mark.netns


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """A linkwright in a host that forwards, without any engine, not started; judged for tracebacks."""
    with Host("trouble") as host:
        host.run(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"])
        daemon = Daemon(host, drivers=("bridge", "vxlan"))
        yield daemon
        daemon.stop()
        assert "Traceback" not in daemon.log.read_text()


def test_r_07_a_docker_that_never_answers_holds_nobody_up(daemon: Daemon) -> None:
    """The witness asks a Docker that takes its connection and says nothing: every call of Docker is answered meanwhile.

    What it did not say is no evidence: nothing is collected, and ``status`` tells that it was asked in vain.
    """
    with silent(daemon.host.run_folder / "docker.sock") as door:
        daemon.start(options=["--period=1", "--docker-witness=unix:///run/docker.sock"])
        connection, _ = door.accept()
        with connection, Player(daemon) as player:
            network = player.network()
            endpoint = player.endpoint(network)
            player.join(endpoint, sandbox(daemon.host, "silent"))
            assert player.say("NetworkDriver.EndpointOperInfo", endpoint.ids)["Value"]["linkwright.state"] == "joined"
            until(lambda: not daemon.cli_json("status")["checks"]["witness"]["ok"], "it was asked in vain")
            assert "docker.sock" in daemon.cli_json("status")["checks"]["witness"]["reason"]
            door.accept()[0].close()  # and it is asked again
            assert [one["id"] for one in daemon.cli_json("network", "ls")] == [network.id]
            player.leave(endpoint)
            player.delete(endpoint)
            player.remove_network(network)


def test_r_09_a_full_disk_says_so_and_leaves_nothing(daemon: Daemon) -> None:
    """An endpoint that cannot be stored is refused with the reason and is not in the kernel; with space again it works.

    Nothing that was there is lost. What Docker wanted deleted meanwhile it never mentions again, and it goes by itself.
    """
    disk = SmallDisk(daemon.host, daemon.state, 4096)
    daemon.start(options=["--period=1"])
    with Player(daemon) as player:
        network = player.network()
        kept, deleted = player.endpoint(network), player.endpoint(network)
        wanted = [Endpoint(player.new_id(), network, player.address(network)) for _ in range(60)]
        before = snapshot(daemon.host)["link"]
        disk.fill()
        made, refused, reason = _until_refused(player, wanted)
        assert "the disk is full; free some space" in reason
        pairs = sum(2 for _ in made)
        until(lambda: snapshot(daemon.host)["link"].total() == before.total() + pairs, "no link of it is left")
        with pytest.raises(Refusal, match="is not known here"):
            player.say("NetworkDriver.EndpointOperInfo", refused.ids)
        assert player.say("NetworkDriver.EndpointOperInfo", kept.ids)["Value"]["linkwright.state"] == "creating"
        assert "the disk is full" in daemon.cli_json("status")["checks"]["store"]["reason"]
        with suppress(Refusal):  # which Docker takes for success
            player.say("NetworkDriver.DeleteEndpoint", deleted.ids)
        disk.clear()
        player.create(refused)
        assert daemon.cli_json("status")["checks"]["store"]["ok"]
        until(lambda: deleted.id not in {one["id"] for one in records(daemon, "endpoint")}, "what was deleted goes")
        assert deleted.address.partition("/")[0] not in allocated(daemon)
        for endpoint in (kept, refused, *made):
            player.delete(endpoint)
        player.remove_network(network)
    until(lambda: snapshot(daemon.host)["link"].total() == 1, "only lo is left")


def _until_refused(player: Player, wanted: list[Endpoint]) -> tuple[list[Endpoint], Endpoint, str]:
    """Make endpoints until one is refused: what SQLite has of its log already it can still write."""
    for number, endpoint in enumerate(wanted):
        try:
            player.create(endpoint)
        except Refusal as refusal:
            return wanted[:number], endpoint, str(refusal)
    raise AssertionError(f"{len(wanted)} endpoints were made on a disk that is full")


OPTIONS = {"bridge": {}, "vxlan": {"vni": "42", "local": "192.0.2.1", "peers": "192.0.2.1,192.0.2.3"}}
"""Driver → what is said of its networks."""


@pytest.fixture(params=["bridge"])
def drifting(daemon: Daemon, request: pytest.FixtureRequest) -> Iterator[tuple[Endpoint, Endpoint]]:
    """Two endpoints of one network: the first has joined and is in a sandbox, the second is still on the host."""
    for line in ("link add up0 type veth peer name up1", "address add 192.0.2.1/24 dev up0", "link set up0 up"):
        daemon.host.run(["ip", *line.split()])
    daemon.start(options=["--period=1"])
    moves = Moves(daemon.host)
    with Player(daemon, driver=request.param, options=OPTIONS[request.param]) as player:
        before = snapshot(daemon.host, daemon)
        network = player.network()
        joined, waiting = player.endpoint(network), player.endpoint(network)
        moves.move_in(player.join(joined, INSIDE), INSIDE, "eth0")
        inside = ["nsenter", f"--net={INSIDE}", "ip", "address", "add", joined.address, "dev", "eth0"]
        daemon.host.run(inside)
        yield joined, waiting
        moves.close()
        for endpoint in (joined, waiting):
            player.delete(endpoint)
        player.remove_network(network)
        nothing_leaked(before, lambda: snapshot(daemon.host, daemon))


INSIDE = "/run/docker/netns/drifting"

BY_HAND: dict[str, tuple[Callable[[Endpoint], str], set[str], str]] = {
    "a bridge": (lambda one: f"ip link del {one.network.bridge}", {"link", "address"}, "type bridge"),
    "a link that no container has": (lambda one: f"ip link del {one.link}", {"link"}, "type veth"),
    "a gateway address": (lambda one: f"ip address flush dev {one.network.bridge}", {"address"}, "ip addr add"),
    "an MTU": (lambda one: f"ip link set {one.network.bridge} mtu 1400", {"link"}, "mtu 1500"),
    "a port": (lambda one: f"ip link set {one.link} nomaster", {"link"}, "master"),
    "the firewall table": (lambda _: "nft delete table inet linkwright", {"ruleset", "element"}, "nft"),
    "a firewall chain": (lambda _: "nft delete chain inet linkwright forward", {"ruleset"}, "fixed rules"),
    "the rules of a firewall chain": (
        lambda _: "nft flush chain inet linkwright from_ours",
        {"ruleset"},
        "fixed rules",
    ),
    "a firewall element": (
        lambda one: f"nft delete element inet linkwright bridges {{ {one.network.bridge} }}",
        {"element"},
        "nft add element",
    ),
    "a vxlan": (lambda one: f"ip link del {vtep(one)}", {"link", "fdb"}, "type vxlan"),
    "a peer": (
        lambda one: f"bridge fdb del 00:00:00:00:00:00 dev {vtep(one)} dst 192.0.2.3 self",
        {"fdb"},
        "bridge fdb append",
    ),
}
"""What is deleted or changed → the command, the kinds of drift that are counted, and what the repair is called."""


def vtep(endpoint: Endpoint) -> str:
    """What the vxlan link of its network is called."""
    return f"lwv{endpoint.network.id[:12]}"


ROWS = [("vxlan" if what in {"a vxlan", "a peer"} else "bridge", what) for what in BY_HAND]


@pytest.mark.parametrize(("drifting", "what"), ROWS, indirect=["drifting"])
def test_r_12_what_somebody_deletes_is_put_back(daemon: Daemon, drifting: tuple[Endpoint, Endpoint], what: str) -> None:
    """A change by hand is put right by itself: the host is as before, the container reaches its gateway.

    It is counted by its kind, ``status`` says what was done, and then there is nothing left to plan.
    """
    _, waiting = drifting
    command, kinds, said = BY_HAND[what]
    before, counted = _shape(daemon.host), daemon.metrics()
    daemon.host.run(command(waiting).split())
    nothing_leaked(before, lambda: _shape(daemon.host))
    until(lambda: kinds <= _repaired(counted, daemon.metrics()), f"{what} is counted")
    lately = [one["details"].get("text", "") for one in daemon.cli_json("status")["recent"]]
    assert any(said in text for text in lately), lately
    assert _plan(daemon) == []
    gateway = str(waiting.network.subnet[1])
    assert daemon.host.run(["nsenter", f"--net={INSIDE}", "ping", "-c1", "-W5", gateway]).returncode == 0


def _shape(host: Host) -> Snapshot:
    """What is in *host*, but for the hardware address of a pair's end there: the kernel chooses that one."""
    random = re.compile(r"(address|mac)=\S+(?=.*\blwh)|(?<=\blwh............ )address=\S+")
    return {kind: Counter(random.sub("", line) for line in lines.elements()) for kind, lines in snapshot(host).items()}


def _repaired(before: Any, after: Any) -> set[str]:
    """The kinds of drift that were found, and put right as often."""
    kinds = {"link", "address", "element", "fdb", "ruleset", "joined", "leftover", "sysctl"}

    def moved(name: str, kind: str) -> float:
        one = series(f"linkwright_drift_{name}_total", kind=kind)
        return float(after[one] - before[one])

    return {kind for kind in kinds if moved("found", kind) == moved("repaired", kind) > 0}


def _plan(daemon: Daemon) -> list[Any]:
    """Whatever ``linkwright plan`` has to say."""
    plan = daemon.cli_json("plan")
    return [*plan["networks"], *plan["leftovers"]["steps"], *plan["reported"]]


def test_r_12_a_link_that_a_container_has_is_told_and_not_made_again(
    daemon: Daemon, drifting: tuple[Endpoint, Endpoint]
) -> None:
    """Its deletion took the container's interface along: plan, status and a counter say so, and deleting works as ever.

    The other end of it, in the container, is nothing that a new link on the host would help.
    """
    joined, waiting = drifting
    daemon.host.run(["ip", "link", "del", joined.link])
    lost = series("linkwright_drift_found_total", kind="joined")
    until(lambda: daemon.metrics()[lost] > 0, "the loss is counted")
    (told,) = _plan(daemon)
    assert f"link {joined.link} of endpoint {joined.id[:12]} is gone from the host" in told
    recent = daemon.cli_json("status")["recent"]
    assert [one["details"]["repaired"] for one in recent if one["details"].get("text") == joined.link] == [False]
    links = {line.split()[1] for line in snapshot(daemon.host)["link"]}
    assert {f"ifname={joined.link}", f"ifname={waiting.link}"} & links == {f"ifname={waiting.link}"}
    assert daemon.metrics()[series("linkwright_drift_repaired_total", kind="joined")] == 0
