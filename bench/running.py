"""Services and programs in pretend hosts, for a measurement: begun, asked, and ended whatever happens."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.docker.daemon import Daemon
from tests.engines import Dockerd, Host

HERE = Path(__file__).parent
SOCKET = "/run/docker/plugins/lw-bridge.sock"


@contextmanager
def running(service: Daemon | Dockerd) -> Iterator[None]:
    """While inside, *service* runs."""
    service.start()
    try:
        yield
    finally:
        service.stop()


def measured(host: Host, script: str, *arguments: str) -> dict[str, list[float]]:
    """Run one of our scripts in *host* and return what it found."""
    figures: dict[str, list[float]] = json.loads(
        host.run([sys.executable, HERE / script, *arguments], timeout=600).stdout
    )
    return figures


def posted(docker: Dockerd, path: str, body: object = None) -> Any:
    """Post to the engine's API; its answer."""
    status, answer = docker.api("POST", path, body, timeout=600)
    if status >= 300:
        raise RuntimeError(f"{path}: {status} {answer}")
    return answer
