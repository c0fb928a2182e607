"""Disks that do not take what linkwright writes: one that is busy, and one that is full."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from tests.docker.daemon import Daemon
from tests.engines import Host


@contextmanager
def blocked(daemon: Daemon) -> Iterator[None]:
    """While inside, nothing can be made durable: somebody else holds the state file's write lock."""
    files = [path for path in daemon.state.rglob("*") if path.is_file() and path.read_bytes()[:6] == b"SQLite"]
    with ExitStack() as stack:
        for path in files:
            other = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
            other.execute("BEGIN IMMEDIATE")
        assert files
        yield


class SmallDisk:
    """A disk of *kilobytes* of its own at *path* of *host*, which only what runs in the host can see."""

    def __init__(self, host: Host, path: Path, kilobytes: int) -> None:
        self._host = host
        self._filler = path / "filler"
        path.mkdir(parents=True, exist_ok=True)
        host.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k,mode=0700", "small", path])

    def fill(self) -> None:
        """Leave no byte free."""
        self._host.run(["sh", "-c", f"cat /dev/zero >> {self._filler}"], check=False)

    def clear(self) -> None:
        """Take the filling away."""
        self._host.run(["rm", "-f", self._filler])
