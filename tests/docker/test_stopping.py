"""Many containers that end at once, while linkwright is being restarted."""

from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

import pytest

from tests.docker.containers import create, start
from tests.docker.daemon import Daemon
from tests.docker.until import until
from tests.docker.window import Window
from tests.engines import Dockerd


@pytest.mark.parametrize("count", [8, pytest.param(100, marks=pytest.mark.long)])
def test_r_14_containers_stop_while_the_daemon_restarts_twice(
    dockerd: Dockerd, daemon: Daemon, window: Window, count: int
) -> None:
    """All of them stop, and nothing of them is left: no endpoint, no address, no port."""
    create(dockerd, "one", "--subnet=10.3.0.0/24")
    names = [f"c{number}" for number in range(count)]
    for number, name in enumerate(names):
        start(dockerd, name, "one", "-p", f"{8000 + number}:80")
    window.expect_restart()
    with ThreadPoolExecutor(count) as pool:
        stops = [pool.submit(dockerd.api, "POST", f"/containers/{name}/stop?t=0", timeout=300) for name in names]
        for _ in range(2):
            daemon.restart()
        assert {stop.result()[0] for stop in stops} == {HTTPStatus.NO_CONTENT}
    until(lambda: daemon.cli_json("endpoint", "ls") == [], "no endpoint is left", deadline=120)
    (pool_line,) = daemon.cli_json("pool", "ls")
    assert pool_line["allocated"] == 0
    assert "8000" not in dockerd.host.run(["nft", "list", "table", "inet", "linkwright"]).stdout
