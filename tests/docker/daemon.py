"""A linkwright in a pretend host: start, stop, kill, and speak to it as Docker, an operator and Prometheus do.

The program is the one of the environment that the tests run in. Its sockets are reached from outside, below the
host's ``run_folder``; the metrics port only from within the host's network namespace.
"""

import http.client
import json
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from prometheus_client.parser import text_string_to_metric_families

from tests.docker.until import until
from tests.engines import Host, Spawned, Trouble

PROGRAM = Path(sys.executable).with_name("linkwright")

STARTS = 30.0
"""Seconds until it must be ready: 1 on an idle machine."""

STOPS = 30.0
"""Seconds a graceful end may take."""

METRICS = "http://127.0.0.1:9477/metrics"

Samples = Mapping[str, float]
"""A scrape: each series, as ``series`` writes it, and its number."""


def series(name: str, /, **labels: str) -> str:
    """How a series is written here: as in the text format, the labels in alphabetical order."""
    return f"{name}{{{','.join(f'{label}={value!r}' for label, value in sorted(labels.items()))}}}"


class PluginConnection(http.client.HTTPConnection):
    """A connection to a unix socket, kept open between requests as Docker's are."""

    def __init__(self, path: Path, *, timeout: float = 60) -> None:
        super().__init__("plugin", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))

    def post(self, method: str, body: object = None) -> tuple[int, dict[str, Any]]:
        """Post *body* as JSON (None: nothing at all) to ``/method``; the status and the decoded answer."""
        self.request("POST", f"/{method}", None if body is None else json.dumps(body))
        response = self.getresponse()
        return response.status, json.loads(response.read())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Daemon:
    """``linkwright serve`` on *host*, with further *options*; ``start`` it before use.

    Its state is on the host's disk, so that it survives a reboot. *drivers* are those to load; with *every* all that
    are installed are, and those are the ones to wait for. *under* is a command that has to end in *program*: one that
    changes its surroundings first. Trouble shows the end of its log.
    """

    def __init__(
        self,
        host: Host,
        *,
        options: Sequence[str] = (),
        drivers: Sequence[str] = ("bridge",),
        every: bool = False,
        under: Sequence[str] = (),
        program: Path = PROGRAM,
    ) -> None:
        self.host = host
        self.every = every
        self.program = program
        self.options = tuple(options)
        self.drivers = tuple(drivers)
        self.under = tuple(under)
        self.log = host.state / "linkwright.log"
        self.state = host.state / "linkwright"
        self.admin = host.run_folder / "linkwright" / "admin.sock"
        self._process: Spawned | None = None

    def socket(self, name: str) -> Path:
        """Where the plugin called ``lw-<name>`` listens, as seen by the tests."""
        return self.host.plugins / f"lw-{name}.sock"

    @property
    def pid(self) -> int:
        """Its process id; Trouble when it has not been started."""
        return self._started().pid

    def _started(self) -> Spawned:
        if self._process is None:
            raise Trouble(f"linkwright on {self.host.name} has not been started")
        return self._process

    def running(self) -> bool:
        """Whether it runs now."""
        return self._process is not None and self._process.running()

    def start(self, *, options: Sequence[str] | None = None) -> None:
        """Start it and wait until all its sockets take connections: it makes them when it is ready, and not before."""
        if self.running():
            raise Trouble(f"linkwright on {self.host.name} already runs as process {self.pid}")
        self.options = self.options if options is None else tuple(options)
        serve = [
            str(self.program),
            "serve",
            f"--state-dir={self.state}",
            *(() if self.every else (f"--drivers={','.join(self.drivers)}",)),
            *self.options,
        ]
        argv = [*self.under, *serve]
        self._process = self.host.spawn(argv, log=self.log)
        try:
            until(self._listens, f"linkwright on {self.host.name} is ready", deadline=STARTS)
        except Trouble as trouble:
            raise Trouble(f"{trouble}; its log ends with\n{self._process.tail(40)}") from trouble

    def _listens(self) -> bool:
        if not self.running():
            raise Trouble(f"linkwright on {self.host.name} ended while starting")
        return all(_listener(path) == self.pid for path in (self.admin, *map(self.socket, (*self.drivers, "ipam"))))

    def stop(self) -> None:
        """End it with SIGTERM and wait; Trouble when that takes long or its exit leaves sockets behind."""
        if self._process is not None:
            self._process.signal(signal.SIGTERM)
            if not self._process.wait(STOPS):
                raise Trouble(f"linkwright on {self.host.name} did not end in {STOPS} s:\n{self._process.tail(40)}")

    def kill9(self) -> None:
        """End it with SIGKILL, as a crash does."""
        if self._process is not None:
            self._process.signal(signal.SIGKILL)
            if not self._process.wait(STOPS):
                raise Trouble(f"linkwright on {self.host.name}, process {self.pid}, survived SIGKILL")

    def restart(self, *, options: Sequence[str] | None = None) -> None:
        """Stop it gracefully and start it again, with other options where given."""
        self.stop()
        self.start(options=options)

    # --- as an operator ----------------------------------------------------------------------------------------

    def command(self, *arguments: str, feed: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run ``linkwright *arguments`` in the host, whatever comes of it."""
        return self.host.run([self.program, *arguments], check=False, feed=feed)

    def cli(self, *arguments: str, feed: str | None = None) -> str:
        """Run ``linkwright *arguments`` in the host and return what it prints; Trouble when it fails."""
        done = self.command(*arguments, feed=feed)
        if done.returncode:
            said = (done.stdout + done.stderr).strip()
            raise Trouble(f"`linkwright {' '.join(arguments)}` on {self.host.name}: exit {done.returncode}: {said}")
        return done.stdout

    def cli_json(self, *arguments: str) -> Any:
        """Run ``linkwright *arguments --json`` and return what it prints, decoded."""
        return json.loads(self.cli(*arguments, "--json"))

    def export(self) -> str:
        """The whole state as text, as ``linkwright export`` prints it, asked at the admin socket: that takes 2 ms."""
        with PluginConnection(self.admin) as connection:
            connection.request("GET", "/export")
            response = connection.getresponse()
            text = response.read().decode()
        if response.status != http.HTTPStatus.OK:
            raise Trouble(f"linkwright on {self.host.name} does not export its state: {response.status} {text}")
        return text

    # --- as Prometheus -----------------------------------------------------------------------------------------

    def metrics(self) -> Samples:
        """One scrape of the metrics port."""
        text = self.host.run(["wget", "-q", "-O", "-", METRICS]).stdout
        families = text_string_to_metric_families(text)
        return {series(one.name, **one.labels): one.value for family in families for one in family.samples}

    # --- as Docker ---------------------------------------------------------------------------------------------

    def connect(self, name: str = "bridge", *, timeout: float = 60) -> PluginConnection:
        """A connection to the socket of plugin ``lw-<name>``; close it, or use it in ``with``."""
        return PluginConnection(self.socket(name), timeout=timeout)

    def call(self, method: str, body: object = None, *, name: str = "bridge") -> dict[str, Any]:
        """Make one call on plugin ``lw-<name>`` and return the answer; Trouble when it is a failure."""
        with self.connect(name) as connection:
            status, answer = connection.post(method, body)
        if status != http.HTTPStatus.OK or answer.get("Err") or answer.get("Error"):
            raise Trouble(f"{method} on lw-{name}: {status} {answer}")
        return answer

    def refusal(self, method: str, body: object = None, *, name: str = "bridge") -> str:
        """Make one call that is understood and refused, and return the reason; Trouble when it is anything else."""
        with self.connect(name) as connection:
            status, answer = connection.post(method, body)
        if status != http.HTTPStatus.OK or not answer.get("Err") or answer["Err"] != answer.get("Error"):
            raise Trouble(f"{method} on lw-{name} was to be refused, with one text in Err and Error: {status} {answer}")
        return str(answer["Err"])


def _listener(path: Path) -> int:
    """The process that listens on a unix socket (SO_PEERCRED of unix(7)); 0 if none does."""
    with socket.socket(socket.AF_UNIX) as attempt:
        if attempt.connect_ex(str(path)):
            return 0
        credentials = attempt.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", credentials)[0])


@contextmanager
def without_engine(name: str, *options: str) -> Iterator[Daemon]:
    """Yield a linkwright in a host of its own that forwards, without any engine; judged for tracebacks."""
    with Host(name) as host:
        host.run(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"])
        daemon = Daemon(host, options=options)
        daemon.start()
        yield daemon
        daemon.stop()
        assert "Traceback" not in daemon.log.read_text()
