"""Beside a real firewalld, which refuses what is forwarded from an interface of no zone: ours are in one, and stay.

With one engine: how old it is makes no difference to firewalld. What needs no engine is played on the sockets.
"""

import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.containers import PAGE, WEB, Container, create, start
from tests.docker.daemon import Daemon, without_engine
from tests.docker.leaks import nothing_leaked, snapshot
from tests.docker.playing import Player
from tests.docker.until import until
from tests.docker.window import Window
from tests.engines import Dockerd, Firewalld, Host, Outside

ENGINE = "28.5"
STRAY = "lwb0123456789ab"
"""A bridge that a crash might have left in a zone."""


# --- with Docker ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def firewalld(docker_level: None) -> Iterator[Firewalld]:
    """A firewalld that is there before Docker and linkwright are."""
    with Host("zones") as host:
        host.run(["sysctl", "-q", "-w", "net.ipv6.conf.all.forwarding=1"])
        firewalld = Firewalld(host)
        firewalld.start()
        yield firewalld


@pytest.fixture(scope="module")
def module_dockerd(firewalld: Firewalld) -> Dockerd:
    """A dockerd that has found firewalld: its own bridge is in a zone that it made."""
    dockerd = Dockerd(firewalld.host, ENGINE)
    dockerd.start()
    dockerd.load_image()
    assert firewalld.members("docker") == {"docker0"}
    for action in ("add", "remove"):  # a zone that was in use once keeps its chains until a reload: no leak of ours
        firewalld.command("--zone=trusted", f"--{action}-interface=any0")
    return dockerd


def bridge(network_id: str) -> str:
    """What the bridge of one of our networks is called."""
    return f"lwb{network_id[:12]}"


class Scene:
    """Two networks of ours with containers on them, one with a published port, and the world outside."""

    def __init__(self, dockerd: Dockerd, outside: Outside) -> None:
        self.outside = outside
        self.networks = [create(dockerd, name, f"--subnet=10.{n}.0.0/24") for name, n in (("one", 5), ("two", 6))]
        self.bridges = set(map(bridge, self.networks))
        self.first = start(dockerd, "first", "one")
        self.web = start(dockerd, "web", "one", "-p", "8080:80", command=WEB)
        self.apart = start(dockerd, "apart", "two")

    def works(self) -> bool:
        """Whether containers reach outside and their neighbour, and outside reaches the published port."""
        return (
            all(_pings(one, str(self.outside.ipv4.ip)) for one in (self.first, self.apart))
            and _pings(self.first, "10.5.0.3")
            and self.outside.run(_FETCH, check=False).stdout == PAGE
        )

    def is_apart(self) -> bool:
        """Whether the networks do not reach each other. To be asked beside ``works``."""
        return self.apart.is_cut_off_from("10.5.0.3") and self.first.is_cut_off_from("10.6.0.2")


_FETCH = ["wget", "-q", "-T2", "-O", "-", "http://192.0.2.1:8080/"]


_PING = ["ping", "-c1", "-W1", "10.5.0.2"]
_ROOT = Path(__file__).parents[2]


def _pings(container: Container, address: str) -> bool:
    return container.run("ping", "-c1", "-W1", address, check=False).returncode == 0


def test_b_23_after_a_reload_of_firewalld_all_is_as_before(
    dockerd: Dockerd, daemon: Daemon, firewalld: Firewalld, outside: Outside, window: Window
) -> None:
    """The way out, the neighbour, the published port and isolation are back by themselves, and that is counted."""
    scene = Scene(dockerd, outside)
    until(scene.works, "all works beside firewalld")
    assert scene.is_apart()
    assert firewalld.members() == scene.bridges
    assert scene.apart.is_cut_off_from("192.0.2.99")  # nobody there: a ping that gets no answer is seen as such

    firewalld.reload()
    reloaded = time.monotonic()
    until(scene.works, "all works again")
    print(f"all worked again {time.monotonic() - reloaded:.2f} s after firewall-cmd --reload had returned")
    assert scene.is_apart()
    assert firewalld.members() == scene.bridges
    for counter in ("linkwright_drift_found_total", "linkwright_drift_repaired_total"):
        window.expect(counter, 2, kind="zone")
        window.allow(counter, kind="ruleset")  # Docker may have made its chains anew, and our rule goes with them

    dockerd.clean()
    until(lambda: not firewalld.members(), "bridges of networks that are gone are no members")


def test_without_membership_containers_have_no_way_out(
    dockerd: Dockerd, daemon: Daemon, firewalld: Firewalld, outside: Outside, window: Window
) -> None:
    """What the membership is for: taken out while linkwright is stopped, they are refused; started, it puts it back."""
    scene = Scene(dockerd, outside)
    until(scene.works, "all works beside firewalld")
    window.expect_restart()
    daemon.stop()
    firewalld.command("--zone=trusted", *(f"--remove-interface={one}" for one in scene.bridges))
    assert scene.first.is_cut_off_from(outside.ipv4.ip)
    daemon.start()
    until(scene.works, "all works again")
    assert scene.is_apart()


def test_b_23_killed_over_a_reload_it_puts_members_right(
    dockerd: Dockerd, daemon: Daemon, firewalld: Firewalld, outside: Outside, window: Window
) -> None:
    """A crash loses no membership; what went meanwhile is put back, and what a network left behind is taken out."""
    scene = Scene(dockerd, outside)
    until(scene.works, "all works beside firewalld")
    window.expect_restart()
    daemon.kill9()
    assert scene.works()
    firewalld.reload()
    firewalld.command("--zone=trusted", f"--add-interface={STRAY}")
    daemon.start()
    until(lambda: firewalld.members() == scene.bridges, "the members are those that there have to be")
    until(scene.works, "all works again")
    assert scene.is_apart()
    for counter in ("linkwright_drift_found_total", "linkwright_drift_repaired_total"):
        window.expect(counter, kind="leftover")


def test_the_policy_of_the_manual_opens_routed_networks_and_no_more(
    dockerd: Dockerd, daemon: Daemon, firewalld: Firewalld, outside: Outside, window: Window
) -> None:
    """docs/explanation/firewall.md: what its commands say, firewalld does, and our own table still decides."""
    create(dockerd, "open", "--subnet=10.5.0.0/24", "-o", "com.docker.network.bridge.gateway_mode_ipv4=routed")
    create(dockerd, "closed", "--subnet=10.6.0.0/24")
    one, other = start(dockerd, "one", "open"), start(dockerd, "other", "closed")
    until(lambda: len(firewalld.members()) == 2, "both bridges are members")
    for subnet in ("10.5.0.0/24", "10.6.0.0/24"):
        outside.run(["ip", "route", "add", subnet, "via", "192.0.2.1"])
    firewalld.command("--permanent", "--zone=public", "--add-interface=up0")  # a policy knows no zone but by its links
    assert outside.run(_PING, check=False).returncode
    for line in re.findall(r"^firewall-cmd (.*)$", (_ROOT / "docs/explanation/firewall.md").read_text(), re.MULTILINE):
        firewalld.command(*line.split())
    until(lambda: outside.run(_PING, check=False).returncode == 0, "a routed network is reached from another zone")
    assert outside.run([*_PING[:-1], "10.6.0.2"], check=False).returncode
    assert _pings(one, "10.5.0.1")
    assert _pings(other, "10.6.0.1")
    for counter in ("linkwright_drift_found_total", "linkwright_drift_repaired_total"):
        window.expect(counter, 2, kind="zone")
        window.allow(counter, kind="ruleset")
    firewalld.command("--permanent", "--delete-policy=to-containers")
    firewalld.command("--permanent", "--zone=public", "--remove-interface=up0")
    firewalld.reload()
    until(lambda: len(firewalld.members()) == 2, "both bridges are members")
    for counter in ("linkwright_drift_found_total", "linkwright_drift_repaired_total"):
        window.expect(counter, 2, kind="zone")


# --- without Docker ------------------------------------------------------------------------------------------------


@pytest.fixture
def alone(docker_level: None) -> Iterator[Daemon]:
    """A linkwright in a host that forwards, without engine, bus or firewalld; judged for tracebacks."""
    with without_engine("zoned") as daemon:
        yield daemon


def said(daemon: Daemon) -> list[str]:
    """What it has logged of firewalld."""
    return [line for line in daemon.log.read_text().splitlines() if "firewalld" in line]


def finding(daemon: Daemon) -> dict[str, str]:
    """What the doctor finds of firewalld."""
    checks = json.loads(daemon.command("doctor", "--json").stdout)["checks"]  # its exit status tells of failures
    return next(check for check in checks if check["check"] == "firewalld")


def test_firewalld_may_come_go_and_come_again(alone: Daemon) -> None:
    """Without bus and firewalld nothing is said; started, and started anew, it has the bridges of what there is."""
    firewalld = Firewalld(alone.host)
    with Player(alone) as player:
        network = player.network()
        firewalld.start_bus()
        alone.cli("repair")
        assert said(alone) == []
        assert finding(alone)["text"] == "firewalld does not run here"
        firewalld.start()
        until(lambda: firewalld.members() == {network.bridge}, "the bridge is a member")
        assert said(alone) == []
        firewalld.stop()
        firewalld.start()
        until(lambda: firewalld.members() == {network.bridge}, "the bridge is a member again")
        assert len(said(alone)) == 1  # that it was put back
        player.remove_network(network)
        until(lambda: not firewalld.members(), "it is none any more")
    firewalld.stop_bus()


def test_a_zone_that_an_administrator_chose_is_left(alone: Daemon) -> None:
    """The bridge is in no other zone, the doctor tells of it, and what is in it stays when the network has gone."""
    firewalld = Firewalld(alone.host)
    firewalld.start()
    alone.cli("repair")
    firewalld.command("--zone=dmz", "--add-interface=lwb+")
    with Player(alone) as player:
        network = player.network()
        until(lambda: f"{network.bridge} in dmz" in finding(alone)["text"], "the doctor has seen it")
        assert firewalld.members() == set()
        player.remove_network(network)
    assert firewalld.members("dmz") == {"lwb+"}


def test_a_firewalld_that_hangs_holds_up_no_call(alone: Daemon) -> None:
    """Networks come and go while it is stopped; what is right in the end is done when it goes on."""
    firewalld = Firewalld(alone.host)
    firewalld.start()
    alone.cli("repair")
    with Player(alone) as player:
        before = player.network()
        until(lambda: firewalld.members() == {before.bridge}, "the bridge is a member")
        firewalld.signal(signal.SIGSTOP)
        began = time.monotonic()
        network = player.network()
        player.endpoint(network)
        player.remove_network(before)
        print(f"network, endpoint and removal took {time.monotonic() - began:.3f} s beside a firewalld that hangs")
        firewalld.signal(signal.SIGCONT)
        until(lambda: firewalld.members() == {network.bridge}, "it has been told", deadline=60)
        assert said(alone) == []


def test_a_refusal_is_told_once_in_words(alone: Daemon) -> None:
    """Without the rights for it linkwright works on, warns once, and the doctor says what to do."""
    firewalld = Firewalld(alone.host)
    firewalld.start(refusing="addInterface")
    alone.cli("repair")
    with Player(alone) as player:
        network = player.network()
        until(lambda: finding(alone)["status"] == "fail", "the doctor has seen it")
        found = finding(alone)
        assert f"addInterface trusted {network.bridge}" in found["text"]
        assert "firewall-cmd --zone=trusted --add-interface" in found["advice"]
        alone.cli("repair")
        assert len(said(alone)) == 1
        assert "warning" in said(alone)[0]


def test_nothing_is_left_open_when_the_bus_goes(alone: Daemon) -> None:
    """Connections to a bus are closed with it, and a new bus is found."""
    firewalld = Firewalld(alone.host)
    before = snapshot(alone.host, alone)
    firewalld.start()
    with Player(alone) as player:
        network = player.network()
        until(lambda: firewalld.members() == {network.bridge}, "the bridge is a member")
        firewalld.stop_bus()
        firewalld.start()
        alone.cli("repair")
        until(lambda: firewalld.members() == {network.bridge}, "the bridge is a member on a new bus")
        player.remove_network(network)
    firewalld.stop()
    firewalld.stop_bus()
    alone.cli("repair")
    nothing_leaked(before, lambda: snapshot(alone.host, alone))
