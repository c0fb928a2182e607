"""linkwright is killed in the middle of its work, or finds its state damaged: nothing it answered for is lost.

Nothing is left that nobody can delete any more.
"""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from tests.docker.churn import Calls, Worker
from tests.docker.containers import create, start
from tests.docker.daemon import PROGRAM, Daemon, without_engine
from tests.docker.leaks import nothing_leaked, snapshot
from tests.docker.leases import allocated, known, live, records
from tests.docker.playing import sandbox
from tests.docker.until import until
from tests.engines import Dockerd, Host

SEED = 20


@pytest.fixture
def served() -> Iterator[Daemon]:
    """A linkwright in a host that forwards, without any engine; judged for tracebacks."""
    with without_engine("crash") as daemon:
        yield daemon


def links(host: Host) -> set[str]:
    """The names of all links that are called as ours are."""
    found = json.loads(host.run(["ip", "-j", "link"]).stdout)
    return {link["ifname"] for link in found if link["ifname"].startswith("lw")}


@pytest.mark.netns
@pytest.mark.parametrize("rounds", [8, pytest.param(80, marks=pytest.mark.long)])
def test_what_was_answered_survives_a_crash_at_any_moment(served: Daemon, rounds: int) -> None:
    """Four clients make and remove networks and endpoints at random; again and again linkwright is killed in between.

    Each time it knows what it answered for, and not what it answered to be gone, and the kernel agrees. What was under
    way can be deleted, whatever had become of it. In the end nothing is left.
    """
    random, calls = Random(SEED), Calls()  # noqa: S311 - nothing is secret here
    inside = sandbox(served.host, "churn")
    before = snapshot(served.host, served)
    seeds = [random.random() for _ in range(4)]
    workers = [Worker(served, number, seed, inside, calls) for number, seed in enumerate(seeds)]
    for _ in range(rounds):
        with ThreadPoolExecutor(len(workers)) as threads:
            working = [threads.submit(worker.work) for worker in workers]
            assert calls.wait_for(random.randint(1, 150), seconds=30)
            served.kill9()
            for one in working:
                one.result()
        served.start()
        answered = {key: one for worker in workers for key, one in worker.endpoints.items()}
        networks = {key: one for worker in workers for key, one in worker.networks.items()}
        removed = set().union(*(worker.removed for worker in workers))
        there = {one["id"] for kind in ("network", "endpoint") for one in records(served, kind)}
        assert {*answered, *networks} - there == set()
        assert removed & there == set()
        assert {endpoint.address.partition("/")[0] for endpoint in answered.values()} - allocated(served) == set()
        assert {endpoint.link for endpoint in answered.values()} - links(served.host) == set()
        assert {network.bridge for network in networks.values()} - links(served.host) == set()
        for worker in workers:
            worker.end_doubt()
        there = {one["id"] for kind in ("network", "endpoint") for one in records(served, kind)}
        assert {*answered, *networks} == there
        assert {endpoint.address.partition("/")[0] for endpoint in answered.values()} <= allocated(served)
    for worker in workers:
        worker.end()
    nothing_leaked(before, lambda: snapshot(served.host, served))


def test_a_damaged_state_is_rebuilt_and_said(fresh_dockerd: Dockerd, fresh_daemon: Daemon) -> None:
    """The state file is cut in half, and its log is gone: containers keep what they have, and are known again.

    What was made since the last good copy is known by the marks on the host's links, and its addresses are held, so
    that nobody else gets them. ``status`` tells; removing works as ever.
    """
    dockerd, daemon = fresh_dockerd, fresh_daemon
    dockerd.host.run(["sysctl", "-q", "-w", "net.ipv6.conf.all.forwarding=1"])
    daemon.start()
    before = snapshot(dockerd.host, daemon)
    create(dockerd, "one", "--ipv6", "--subnet=10.3.0.0/24", "--subnet=fd00:3::/64")
    early = start(dockerd, "early", "one")
    daemon.restart()  # at its end it makes a good copy
    late = start(dockerd, "late", "one")
    start(dockerd, "gone", "one")
    dockerd.docker("rm", "-f", "gone")
    addresses = {container.name: container.addresses() for container in (early, late)}
    daemon.kill9()
    file = daemon.state / "linkwright.db"
    os.truncate(file, file.stat().st_size // 2)
    file.with_name("linkwright.db-wal").unlink()  # else SQLite mends the file from its log, and nothing is lost
    daemon.start()
    recovery = daemon.cli_json("status")["store"]["recovery"]
    assert recovery["damage"]
    assert recovery["source"] == str(daemon.state / "linkwright.db.good")
    assert "The stored state was damaged" in recovery["text"]
    assert known(daemon) == allocated(daemon) == live(dockerd)
    assert {container.name: container.addresses() for container in (early, late)} == addresses
    (other,) = (one.partition("/")[0] for one in addresses["late"] if "." in one)
    assert early.reaches(other)
    new = start(dockerd, "new", "one")
    assert new.reaches(other)
    assert new.addresses() & (addresses["early"] | addresses["late"]) == set()
    daemon.restart()
    assert daemon.cli_json("status")["store"]["recovery"] is None
    dockerd.clean()
    nothing_leaked(before, lambda: snapshot(dockerd.host, daemon))
    assert "Traceback" not in daemon.log.read_text()


ANOTHER = ("--instance=other", "--prefix=ot-", "--metrics=off", "--run-dir=/run/other")


@pytest.mark.netns
def test_a_second_daemon_on_the_same_state_is_refused(served: Daemon) -> None:
    """In the same host, or in another: it ends and names the directory and who has it. The first one goes on."""
    state = f"--state-dir={served.state}"
    said = served.command("serve", state, *ANOTHER)
    assert said.returncode
    assert f"the state directory {served.state} is in use by the process with pid {served.pid}" in said.stderr
    with Host("second") as host:
        there = host.run([PROGRAM, "serve", state], check=False)
    assert (there.returncode, there.stderr.splitlines()[-1]) == (said.returncode, said.stderr.splitlines()[-1])
    assert served.call("Plugin.Activate")["Implements"]


@pytest.mark.netns
def test_a_second_daemon_in_the_same_namespace_is_refused(served: Daemon) -> None:
    """With a state of its own but the same instance name it ends with the reason; with another name it may stay."""
    state = f"--state-dir={served.state.with_name('other-state')}"
    said = served.command("serve", state, *ANOTHER[1:])
    assert said.returncode
    assert "another linkwright of instance 'default' runs in this network namespace" in said.stderr
    beside = served.host.spawn([PROGRAM, "serve", state, *ANOTHER], log=served.host.state / "other.log")
    until(lambda: "ready" in beside.tail(), "the other instance is ready")
    assert served.call("Plugin.Activate")["Implements"]
