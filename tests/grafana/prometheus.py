"""A real Prometheus for tests: unpacked, not installed, on a loopback port of its own, and gone when the test ends."""

import http.client
import json
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import trio
from attrs import frozen

from tests.engines import shelf

#: Seconds until it must answer; it takes two on an idle machine.
PATIENCE = 60.0


def unpacked() -> shelf.Unpacked:
    """Prometheus' programs, or a skip that says how to get them."""
    found = shelf.unpacked("prometheus")
    if found is None:
        pytest.skip(f"prometheus is not unpacked in {shelf.cache()}: run `python -m tests.engines.fetch prometheus`")
    return found


def promtool(*arguments: str | Path, folder: Path | None = None, text: bytes = b"") -> tuple[int, str]:
    """Run promtool with *arguments*, in *folder*, on *text*; its exit status and all it says."""
    there = unpacked()
    done = subprocess.run(
        [there.program("promtool"), *arguments],
        cwd=folder,
        env=there.environment(),
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.decode()


@frozen
class Prometheus:
    """A running one."""

    port: int

    async def get(self, path: str, **query: str) -> Any:
        """Return the data of an API call; what Prometheus refuses fails the test with its words."""
        return await trio.to_thread.run_sync(self._get, f"/api/v1/{path}?{urlencode(query)}")

    def _get(self, target: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", target)
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        assert answer["status"] == "success", f"{target}: {answer.get('error')}"
        return answer["data"]

    async def until(self, expression: str) -> None:
        """Wait until a query of *expression* gives something."""
        with trio.fail_after(PATIENCE):
            while True:
                try:
                    if (await self.get("query", query=expression))["result"]:
                        return
                except (OSError, http.client.HTTPException, json.JSONDecodeError):
                    pass  # it does not listen yet
                await trio.sleep(0.2)


@asynccontextmanager
async def running(configuration: Path, data: Path) -> AsyncIterator[Prometheus]:
    """Have a Prometheus with the file *configuration*, which keeps what it scrapes in *data*."""
    there = unpacked()
    port = free_port()
    command: Sequence[str] = [
        str(there.program("prometheus")),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with (data.parent / "prometheus.log").open("wb") as log:
        process = await trio.lowlevel.open_process(command, env=there.environment(), stdout=log, stderr=log)
        try:
            yield Prometheus(port)
        finally:
            process.send_signal(signal.SIGTERM)
            with trio.move_on_after(10, shield=True):
                await process.wait()
            if process.returncode is None:
                process.kill()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
