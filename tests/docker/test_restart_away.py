"""What Docker did while linkwright was away: it is never told, finds out, and nobody is in anybody's way."""

import shutil
from collections.abc import Iterator

import pytest

from tests.docker.absence import nobody_in
from tests.docker.ageing import an_hour_passes
from tests.docker.containers import create, start
from tests.docker.daemon import Daemon
from tests.docker.leaks import nothing_leaked, snapshot
from tests.docker.leases import allocated, known, live, records
from tests.docker.until import until
from tests.engines import Dockerd

ONE, TWO = "--subnet=10.3.0.0/24", "--subnet=10.4.0.0/24"
QUICK = ("--period=1",)
SLOW = ("--period=3600",)
WITNESS = "--docker-witness=unix:///run/docker.sock"


@pytest.fixture
def dockerd(module_dockerd: Dockerd) -> Dockerd:
    """The module's dockerd; the fixture ``daemon`` clears away, since without linkwright Docker cannot."""
    return module_dockerd


@pytest.fixture
def daemon(dockerd: Dockerd) -> Iterator[Daemon]:
    """A linkwright that remembers nothing and looks at nothing by itself; judged for leaks when all is removed."""
    daemon = Daemon(dockerd.host)
    daemon.start(options=SLOW)
    before = snapshot(dockerd.host, daemon)
    yield daemon
    try:
        dockerd.clean()
        nothing_leaked(before, lambda: snapshot(dockerd.host, daemon))
        assert "Traceback" not in daemon.log.read_text()
    finally:
        daemon.stop()
        shutil.rmtree(daemon.state)
        daemon.log.unlink()


def networks(daemon: Daemon) -> set[str]:
    """The networks that linkwright knows, by id."""
    return {network["id"] for network in records(daemon, "network")}


def unconfirmed(daemon: Daemon) -> dict[str, str]:
    """The networks that ``status`` calls unconfirmed, with the reason."""
    return {one["network"]: one["reason"] for one in daemon.cli_json("status")["unconfirmed"]}


def test_r_13_a_removed_network_is_forgotten_when_docker_is_asked(dockerd: Dockerd, daemon: Daemon) -> None:
    """With the witness a network that was removed while we were away goes by itself, bridge and pool; others stay."""
    removed = create(dockerd, "one", ONE)
    daemon.kill9()
    with nobody_in(daemon) as calls:
        dockerd.docker("network", "rm", "one")
    assert "/NetworkDriver.DeleteNetwork" in calls
    assert removed in daemon.cli("export", f"--state-dir={daemon.state}")
    daemon.start(options=(*QUICK, WITNESS))
    kept = create(dockerd, "two", TWO)
    until(lambda: networks(daemon) == {kept}, "the removed network is forgotten")
    assert daemon.cli_json("status")["checks"]["witness"] == {"ok": True, "reason": ""}
    assert start(dockerd, "first", "two").reaches("10.4.0.1")
    assert [pool["subnet"] for pool in daemon.cli_json("pool", "ls")] == ["10.4.0.0/24"]
    create(dockerd, "again", ONE)


def test_r_13_a_removed_network_is_unconfirmed_until_it_is_forgotten(dockerd: Dockerd, daemon: Daemon) -> None:
    """Without the witness Docker's next start tells: it asks for the other network's pool again, and not for this one.

    ``status`` says so until two looks later pool, network and bridge go.
    """
    removed, kept = create(dockerd, "one", ONE), create(dockerd, "two", TWO)
    daemon.kill9()
    with nobody_in(daemon):
        dockerd.docker("network", "rm", "one")
    daemon.start()
    dockerd.restart()
    assert unconfirmed(daemon) == {
        removed: "Docker has not asked for linkwright-local/10.3.0.0/24 since it started",
    }
    daemon.restart(options=QUICK)
    until(lambda: networks(daemon) == {kept}, "the removed network is forgotten")
    assert unconfirmed(daemon) == {}
    assert [pool["subnet"] for pool in daemon.cli_json("pool", "ls")] == ["10.4.0.0/24"]
    create(dockerd, "again", ONE)


def test_containers_removed_while_we_were_away_are_collected(dockerd: Dockerd, daemon: Daemon) -> None:
    """Endpoint, link and lease of a removed container go at the second look; its sibling is left in peace."""
    create(dockerd, "one", ONE)
    kept = start(dockerd, "kept", "one", "--ip=10.3.0.77")
    start(dockerd, "removed", "one")
    daemon.kill9()
    with nobody_in(daemon):
        dockerd.docker("rm", "-f", "removed")
    an_hour_passes(daemon)
    daemon.start(options=QUICK)
    until(lambda: known(daemon) == allocated(daemon) == {"10.3.0.77"}, "the removed container is forgotten")
    assert kept.reaches("10.3.0.1")


def test_r_15_a_forced_disconnect_is_no_obstacle(dockerd: Dockerd, daemon: Daemon) -> None:
    """A container disconnected by force while we were away is connected, stopped and started again as ever.

    Its old endpoint, whose container runs on, goes when its link has been seen on the host twice, and the address with
    it.
    """
    create(dockerd, "one", ONE)
    create(dockerd, "two", TWO)
    web = start(dockerd, "web", "one", "--ip=10.3.0.77")
    dockerd.docker("network", "connect", "two", "web")
    daemon.kill9()
    with nobody_in(daemon) as calls:
        dockerd.docker("network", "disconnect", "-f", "one", "web")
    assert "/NetworkDriver.DeleteEndpoint" in calls
    an_hour_passes(daemon)
    daemon.start()
    dockerd.docker("network", "connect", "one", "web")
    dockerd.docker("restart", "web")
    assert web.reaches("10.3.0.1")
    assert web.reaches("10.4.0.1")
    daemon.restart(options=QUICK)
    until(lambda: allocated(daemon) == known(daemon) == live(dockerd), "the old endpoint is forgotten")
    assert "10.3.0.77" not in live(dockerd)
    other = start(dockerd, "other", "one", "--ip=10.3.0.77")
    assert other.reaches("10.3.0.1")


def test_r_15_a_stopped_container_has_its_address_again_at_once(dockerd: Dockerd, daemon: Daemon) -> None:
    """One with a fixed address that was stopped while we were away starts with it, though nobody told of its release.

    A second one does not get the address of one that runs.
    """
    create(dockerd, "one", ONE)
    web = start(dockerd, "web", "one", "--ip=10.3.0.77")
    daemon.kill9()
    with nobody_in(daemon):
        dockerd.docker("stop", "web")
    an_hour_passes(daemon)
    daemon.start()
    dockerd.docker("start", "web")
    assert web.addresses() == {"10.3.0.77/24"}
    assert web.reaches("10.3.0.1")
    assert known(daemon) == allocated(daemon) == {"10.3.0.77"}
    daemon.stop()
    an_hour_passes(daemon)
    daemon.start()
    said = dockerd.docker("run", "-d", "--network=one", "--ip=10.3.0.77", "busybox:lw", check=False)
    assert "the address 10.3.0.77 of linkwright-local/10.3.0.0/24 is held by a container" in said
    assert web.reaches("10.3.0.1")
