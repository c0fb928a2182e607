"""Many containers that end at once, while linkwright is being restarted."""

from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

import pytest

from tests.docker.containers import create, start
from tests.docker.daemon import Daemon
from tests.docker.leaks import nothing_leaked, snapshot
from tests.docker.ports import Knock, answering, answers
from tests.docker.until import until
from tests.docker.window import Window
from tests.engines import Dockerd


@pytest.mark.parametrize("count", [8, pytest.param(100, marks=pytest.mark.long)])
def test_r_14_containers_stop_while_the_daemon_restarts_twice(
    dockerd: Dockerd, daemon: Daemon, window: Window, count: int
) -> None:
    """All of them stop, and nothing of them is left: no endpoint, no address, no port."""
    create(dockerd, "one", "--subnet=10.3.0.0/24")
    before = snapshot(dockerd.host)
    names = [f"c{number}" for number in range(count)]
    ports = range(8000, 8000 + count)
    for name, port in zip(names, ports, strict=True):
        start(dockerd, name, "one", "-p", f"{port}:80")
    window.expect_restart()
    with ThreadPoolExecutor(count) as pool:
        stops = [pool.submit(dockerd.api, "POST", f"/containers/{name}/stop?t=0", timeout=300) for name in names]
        for _ in range(2):
            daemon.restart()
        assert {stop.result()[0] for stop in stops} == {HTTPStatus.NO_CONTENT}
    until(lambda: daemon.cli_json("endpoint", "ls") == [], "no endpoint is left", deadline=120)
    (pool_line,) = daemon.cli_json("pool", "ls")
    assert pool_line["allocated"] == 0
    nothing_leaked(before, lambda: snapshot(dockerd.host))
    with answering(dockerd.host, "free again", ports):
        knocks: list[Knock] = [("tcp", "10.3.0.1", port) for port in ports]
        assert answers(dockerd.host, knocks) == ["free again"] * count
