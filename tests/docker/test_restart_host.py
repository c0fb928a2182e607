"""The host loses its power: networks are there again before Docker asks for them, and nothing of the old boot stays."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.docker.containers import create, start
from tests.docker.daemon import Daemon
from tests.docker.leaks import snapshot
from tests.docker.leases import allocated, known, live
from tests.docker.until import until
from tests.engines import Dockerd, Host


def ours(host: Host) -> Counter[str]:
    """What stands in our firewall table."""
    return Counter(line for line in snapshot(host)["nftables"].elements() if "linkwright" in line)


def in_order(first: str, dockerd: Dockerd, daemon: Daemon) -> None:
    """Start both; what comes second does so as soon as the first has begun."""
    if first == "linkwright":
        daemon.start()
        dockerd.start()
        return
    with ThreadPoolExecutor(1) as thread:
        starting = thread.submit(dockerd.start)
        until(dockerd.running, "dockerd has begun")
        daemon.start()
        starting.result()


@pytest.mark.parametrize("first", ["linkwright", "dockerd"])
def test_r_05_after_a_reboot_both_books_agree(fresh_dockerd: Dockerd, fresh_daemon: Daemon, first: str) -> None:
    """In the shipped order, and in the other: containers with a restart policy are up, what else was there is gone.

    One of them has two networks, and is on both again. linkwright makes its networks before Docker asks for
    anything, and ends the leases of the boot that is over.
    """
    dockerd, daemon, host = fresh_dockerd, fresh_daemon, fresh_dockerd.host
    daemon.start()
    bridge = f"lwb{create(dockerd, 'one', '--subnet=10.3.0.0/24')[:12]}"
    start(dockerd, "passing", "one")
    start(dockerd, "staying", "one", "--restart=always", "--ip=10.3.0.77")
    container = start(dockerd, "moving", "one", "--restart=always")
    create(dockerd, "two", "--subnet=10.4.0.0/24")
    dockerd.docker("network", "connect", "--ip=10.4.0.77", "two", "moving")
    before = ours(host)
    old = {endpoint["id"] for endpoint in daemon.cli_json("endpoint", "ls")}
    host.reboot()
    if first == "linkwright":
        daemon.start()
        assert "10.3.0.1/24" in host.run(["ip", "address", "show", "dev", bridge]).stdout
        assert (known(daemon), allocated(daemon)) == (set(), set())
        daemon.stop()
    in_order(first, dockerd, daemon)
    until(lambda: len(live(dockerd)) == 3, "two containers are back, one of them on both networks")
    assert all(container.reaches(address) for address in ("10.3.0.77", "10.3.0.1", "10.4.0.1"))
    until(lambda: allocated(daemon) == known(daemon) == live(dockerd), "both books agree")
    assert {"10.3.0.77", "10.4.0.77"} < live(dockerd)
    assert not old & {endpoint["id"] for endpoint in daemon.cli_json("endpoint", "ls")}
    assert ours(host) == before
    plan = daemon.cli_json("plan")
    assert (plan["networks"], plan["leftovers"]["steps"], plan["reported"]) == ([], [], [])
    assert "Traceback" not in daemon.log.read_text()
