"""Services and programs in pretend hosts, for a measurement: begun, asked, and ended whatever happens."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tests.docker.daemon import Daemon
from tests.engines import Dockerd, Host

HERE = Path(__file__).parent
SOCKET = "/run/docker/plugins/lw-bridge.sock"
ADDRESSES = "/run/docker/plugins/lw-ipam.sock"


@contextmanager
def running(service: Daemon | Dockerd) -> Iterator[None]:
    """While inside, *service* runs."""
    service.start()
    try:
        yield
    finally:
        service.stop()


@contextmanager
def beside(host: Host, script: str, *arguments: str, under: Sequence[str] = ()) -> Iterator[IO[str]]:
    """While inside, one of our scripts runs in *host*; what it prints. *under* is a command that runs it."""
    process = host.popen([*under, sys.executable, HERE / script, *arguments], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.kill()
        process.wait()


def measured(host: Host, script: str, *arguments: str, feed: str | None = None) -> dict[str, list[float]]:
    """Run one of our scripts in *host*, with *feed* as its input, and return what it found."""
    done = host.run([sys.executable, HERE / script, *arguments], feed=feed, timeout=600)
    figures: dict[str, list[float]] = json.loads(done.stdout)
    return figures


def posted(docker: Dockerd, path: str, body: object = None) -> Any:
    """Post to the engine's API; its answer."""
    status, answer = docker.api("POST", path, body, timeout=600)
    if status >= 300:
        raise RuntimeError(f"{path}: {status} {answer}")
    return answer
