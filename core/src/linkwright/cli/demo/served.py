"""The real daemon as a process of the demo: start, kill, end, ask. Knows linkwright's command line and no insides."""

import http.client
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from linkwright.cli.demo.program import PATIENCE, Program
from linkwright.cli.reaching import Daemon
from linkwright.errors import Unavailable

#: The command, by the interpreter that runs us: it need not be on anybody's PATH.
_COMMAND: Final = (sys.executable, "-c", "from linkwright.cli import main; main(prog_name='linkwright')")

#: Variables of the caller's that would be settings of the daemon, or mean another process.
_NOT_OURS: Final = ("LINKWRIGHT_", "LISTEN_", "NOTIFY_SOCKET")

_METRICS: Final = ("127.0.0.1", 9477)
_SERIES: Final = re.compile(r"(?P<name>\w+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

#: Series by name, and each by its labels.
Samples = Mapping[str, Sequence[tuple[Mapping[str, str], float]]]


class Served(Program):
    """``linkwright serve`` with everything it has below *folder*, which is /run where that is ours."""

    def __init__(self, folder: Path) -> None:
        """Describe it; ``serve`` starts it."""
        self.plugins = folder / "docker" / "plugins"
        self.admin = Daemon(folder / "linkwright")
        self.arguments = (
            "serve",
            f"--plugin-dir={self.plugins}",
            f"--run-dir={self.admin.run_dir}",
            f"--state-dir={folder / 'state'}",
            "--manage-forwarding",
        )
        super().__init__([*_COMMAND, *self.arguments], folder / "linkwright.log")

    def serve(self) -> float:
        """Start it and wait until it is ready; how long that took, in seconds."""
        return self.start(environment())

    def command(self, *arguments: str) -> list[str]:
        """Run ``linkwright *arguments*`` and return the lines it prints; Unavailable, with its words, if it fails."""
        done = subprocess.run(  # noqa: S603 - our own command
            [*_COMMAND, *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**environment(), "LINKWRIGHT_RUN_DIR": str(self.admin.run_dir)},
            timeout=PATIENCE,
        )
        if done.returncode:
            raise Unavailable(f"`linkwright {' '.join(arguments)}` failed: {done.stderr.strip()}")
        return done.stdout.splitlines()

    def get(self, *path: str) -> Any:
        """Ask the admin socket."""
        return self.admin.get(*path)

    def metrics(self) -> Samples:
        """Scrape the metrics."""
        with closing(http.client.HTTPConnection(*_METRICS, timeout=PATIENCE)) as connection:
            connection.request("GET", "/metrics")
            return samples(connection.getresponse().read().decode())


def samples(text: str) -> Samples:
    """Read the text format of Prometheus, as far as a table of a few numbers needs it."""
    found: dict[str, list[tuple[Mapping[str, str], float]]] = {}
    for line in text.splitlines():
        series = _SERIES.fullmatch(line)
        if series is not None:
            labels = dict(_LABEL.findall(series["labels"] or ""))
            found.setdefault(series["name"], []).append((labels, float(series["value"])))
    return found


def total(scraped: Samples, name: str, **labels: str) -> float:
    """Add up the series called *name* that have *labels*; 0 where there is none."""
    wanted = labels.items()
    return sum(value for own, value in scraped.get(name, ()) if wanted <= own.items())


def environment() -> dict[str, str]:
    """The caller's variables for a child, without those that would be settings of the daemon."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_NOT_OURS)}
