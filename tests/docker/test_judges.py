"""The judges judged: what they must find they find, and what is nobody's fault they let pass."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.docker.daemon import Daemon
from tests.docker.leaks import difference, nothing_leaked, snapshot
from tests.docker.until import until
from tests.docker.window import WATCHED, WORK, Window
from tests.engines import Host, Trouble

pytestmark = pytest.mark.netns

POOL = {"AddressSpace": "linkwright-local", "Pool": "10.7.0.0/24", "SubPool": "", "Options": {}, "V6": False}


@pytest.fixture(scope="module")
def place() -> Iterator[Host]:
    """A host with a bridge, up, with a port."""
    with Host("judged") as host:
        for line in (
            "link add some0 type bridge",
            "address add 10.7.0.1/24 dev some0",
            "link add port0 type veth peer name port1",
            "link set port0 master some0 up",
            "link set port1 up",
            "link set some0 up",
        ):
            host.run(["ip", *line.split()])
        yield host


LEAKS = {
    "link": ("ip link add more0 type bridge", "ip link del more0"),
    "alias": ("ip link set port1 alias linkwright:x", "ip link set port1 alias", ""),
    "address": ("ip address add 10.7.0.2/24 dev some0", "ip address del 10.7.0.2/24 dev some0"),
    "address6": ("ip address add fd00:7::2/64 dev some0 nodad", "ip address del fd00:7::2/64 dev some0"),
    "route": ("ip route add 10.8.0.0/24 via 10.7.0.9", "ip route del 10.8.0.0/24"),
    "route in a table": ("ip route add 10.8.0.0/24 dev some0 table 100", "ip route del 10.8.0.0/24 table 100"),
    "rule": ("ip rule add from 10.8.0.0/24 table 100", "ip rule del from 10.8.0.0/24 table 100"),
    "neighbour": (
        "ip neigh add 10.7.0.9 lladdr 02:00:00:00:00:09 dev some0",
        "ip neigh del 10.7.0.9 dev some0",
    ),
    "proxy": ("ip neigh add proxy 10.7.0.9 dev some0", "ip neigh del proxy 10.7.0.9 dev some0"),
    "fdb": (
        "bridge fdb add 02:00:00:00:00:09 dev port0 master static",
        "bridge fdb del 02:00:00:00:00:09 dev port0 master",
    ),
    "nftables": ("nft add table inet left", "nft delete table inet left"),
    "iptables": ("iptables -A FORWARD -s 10.9.9.9 -j DROP", "iptables -D FORWARD -s 10.9.9.9 -j DROP"),
    "policy": ("iptables -P FORWARD DROP", "iptables -P FORWARD ACCEPT"),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_a_leak_is_found(place: Host, leak: str) -> None:
    """Each kind of thing that could be left behind is in the difference, and out of it when it is taken away."""
    make, unmake = LEAKS[leak][:2]
    before = snapshot(place)
    place.run(make.split())
    found = difference(before, snapshot(place))
    place.run([*unmake.split(), *LEAKS[leak][2:]])
    assert found
    nothing_leaked(before, lambda: snapshot(place))


def test_an_element_of_a_set_is_found(place: Host) -> None:
    """An element left in a set that stays is found, whatever the order that nft prints."""
    place.run(["nft", "add table inet held; add set inet held names { type ifname; elements = { aa, bb } }"])
    before = snapshot(place)
    place.run(["nft", "add element inet held names { left }"])
    assert len(difference(before, snapshot(place))) == 2
    place.run(["nft", "delete element inet held names { left, aa }; add element inet held names { aa }"])
    assert difference(before, snapshot(place)) == []


def test_what_comes_by_itself_is_no_leak(place: Host) -> None:
    """Learnt neighbours, link-local addresses, counters and tables that iptables made to look are let pass."""
    before = snapshot(place)
    place.run(["ping", "-c1", "-W1", "10.7.0.77"], check=False)
    place.run(["ip", "link", "set", "some0", "down"])
    place.run(["ip", "link", "set", "some0", "up"])
    place.run(["iptables", "-t", "mangle", "-S"])
    nothing_leaked(before, lambda: snapshot(place))


def test_a_leak_fails_with_what_it_is(place: Host) -> None:
    """What is still there after the deadline is named, each with its kind."""
    before = snapshot(place)
    place.run(["ip", "address", "add", "10.7.0.3/24", "dev", "some0"])
    with pytest.raises(Trouble, match=r"left behind:\n\+ address: some0 10\.7\.0\.3/24"):
        nothing_leaked(before, lambda: snapshot(place), deadline=0.1)
    place.run(["ip", "address", "del", "10.7.0.3/24", "dev", "some0"])


def test_what_the_daemon_knows_and_has_open_is_judged(alone: Daemon) -> None:
    """A pool that is held is a difference; connections that clients keep open are theirs, and none."""
    before = snapshot(alone.host, alone)
    with ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(alone.connect()).connect()
        assert difference(before, snapshot(alone.host, alone)) == []
    pool = alone.call("IpamDriver.RequestPool", POOL, name="ipam")["PoolID"]
    assert any("10.7.0.0/24" in line for line in difference(before, snapshot(alone.host, alone)))
    alone.call("IpamDriver.ReleasePool", {"PoolID": pool}, name="ipam")


def test_a_descriptor_that_stays_open_is_found(alone: Daemon) -> None:
    """The judge sees what the daemon has open: its state file is among that."""
    seen = snapshot(alone.host, alone)["descriptor"]
    assert any(one.startswith(str(alone.state)) for one in seen)
    assert seen["socket:"] > 0


def test_of_the_state_file_one_descriptor_more_is_let_pass_and_two_are_not() -> None:
    """SQLite keeps a spare one; a connection that is never closed is a leak all the same, and so is any other file."""
    database, other = "/var/lib/linkwright/linkwright.db", "/var/lib/linkwright/other"
    before = {"descriptor": Counter({database: 2, other: 1})}
    assert difference(before, {"descriptor": Counter({database: 3, other: 1})}) == []
    found = difference(before, {"descriptor": Counter({database: 4, other: 2})})
    assert found == [f"+ descriptor: {database}", f"+ descriptor: {other}"]


NETWORK = {"NetworkID": "7" * 64, "EndpointID": "8" * 64}


def test_a_counter_that_moves_unexpectedly_fails(alone: Daemon) -> None:
    """A refusal nobody announced is named with its number and the log of the test."""
    window = Window(alone)
    assert "is not known here" in alone.refusal("NetworkDriver.EndpointOperInfo", NETWORK)
    with pytest.raises(Trouble, match=r"EndpointOperInfo.* moved by 1, expected was 0\nthe log of the test:\n.*failed"):
        window.close()


def test_a_counter_that_moves_as_expected_passes(alone: Daemon) -> None:
    """A refusal that was announced is fine, once for each time."""
    window = Window(alone)
    for _ in range(2):
        alone.refusal("NetworkDriver.EndpointOperInfo", NETWORK)
        window.expect_refusal("NetworkDriver.EndpointOperInfo")
    window.close()


def test_an_expected_failure_that_does_not_come_fails(alone: Daemon) -> None:
    """What was announced and does not happen is named, too."""
    window = Window(alone)
    window.expect_refusal("NetworkDriver.Join")
    with pytest.raises(Trouble, match=r"NetworkDriver\.Join.* moved by 0, expected was 1"):
        window.close()


def test_a_daemon_that_was_started_anew_voids_the_window(alone: Daemon) -> None:
    """A restart behind the test's back is found, and one that was announced is not held against it."""
    window, announced = Window(alone), Window(alone)
    announced.expect_restart()
    alone.restart()
    with pytest.raises(Trouble, match="was started anew"):
        window.close()
    announced.close()


def test_only_what_is_watched_can_be_expected(alone: Daemon) -> None:
    """A counter of ordinary work, or one that there is not, cannot be announced: nobody would look at it."""
    window = Window(alone)
    with pytest.raises(Trouble, match="is not watched"):
        window.expect("linkwright_store_commits_total")
    assert not WORK & WATCHED
    window.close()


def test_waiting_says_for_what_it_waited_in_vain() -> None:
    """A condition that does not come true is named, with the last answer."""
    with pytest.raises(Trouble, match=r"not within 0 s: pigs fly; the last look gave \[\]"):
        until(list, "pigs fly", deadline=0)


def test_the_daemon_says_why_it_does_not_start(alone: Daemon) -> None:
    """A second daemon of the same instance on a host ends, and the trouble shows what it said."""
    with pytest.raises(Trouble, match=r"ended while starting(?s:.*)another linkwright of instance"):
        Daemon(alone.host).start()


def test_a_killed_daemon_starts_again_and_a_stopped_one_takes_its_sockets_away(alone: Daemon) -> None:
    """After SIGKILL it starts over the sockets left behind; after SIGTERM there are none."""
    alone.kill9()
    assert (alone.running(), alone.socket("bridge").exists()) == (False, True)
    alone.start()
    alone.stop()
    assert (alone.running(), [*alone.host.plugins.iterdir()]) == (False, [])
    alone.start()
    assert alone.call("Plugin.Activate")["Implements"] == ["NetworkDriver", "IpamDriver"]


def test_the_command_line_reaches_the_daemon(alone: Daemon) -> None:
    """The commands run in the host and find the daemon there; one that fails shows what it said."""
    assert alone.cli_json("network", "ls") == []
    with pytest.raises(Trouble, match=r"`linkwright network show nix` on .*: exit 1: Error: (?s:.*)nix"):
        alone.cli("network", "show", "nix")
