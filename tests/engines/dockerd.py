"""A real dockerd in a pretend host: start, stop, kill, and speak to it.

One engine's programs from the shelf, with Docker's own default paths, since the host's ``/run`` and ``/etc/docker``
are private; only the data root is moved, to the host's disk. Knows nothing of linkwright: its plugin sockets are
found by dockerd in the host's ``/run/docker/plugins``.
"""

import http.client
import json
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.engines import busybox, containerd, shelf
from tests.engines.host import Host, Spawned
from tests.engines.trouble import Trouble

_STARTS = 60.0
"""Seconds until the API must answer: 0.2 on an idle machine, plus 15 for each network whose IPAM plugin is missing."""

_STOPS = 60.0
"""Seconds a graceful end may take. Docker itself gives containers 15, and its plugins 15 for each call."""

_OPTIONS = (
    "--storage-driver=vfs",  # overlay on overlay, as in a container, does not work; busybox is 2 MB
    "--exec-opt=native.cgroupdriver=cgroupfs",  # else systemd makes the cgroups, on the machine's own bus
    "--group=root",  # the group docker is not on every machine
)
_BUILT_IN = frozenset({"bridge", "host", "none", "docker_gwbridge"})


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Dockerd:
    """The Docker engine *engine* (a row of the catalogue) on *host*; ``start`` it before use.

    *options* are further dockerd options, e.g. ``--iptables=false``; with *live_restore* containers outlive it.
    Both hold until ``start`` or ``restart`` is given others. Trouble when the engine is not unpacked.
    """

    def __init__(self, host: Host, engine: str, *, options: Sequence[str] = (), live_restore: bool = False) -> None:
        self.host = host
        self.engine = engine
        self.options = tuple(options)
        self.live_restore = live_restore
        self.socket = host.run_folder / "docker.sock"
        self.log = host.state / "dockerd.log"
        self._programs = shelf.need(engine)
        self._data = host.state / "docker"
        self._process: Spawned | None = None
        self._containerd: Spawned | None = None

    @property
    def pid(self) -> int:
        """The process id of dockerd; Trouble when it has not been started."""
        if self._process is None:
            raise Trouble(f"dockerd {self.engine} on {self.host.name} has not been started")
        return self._process.pid

    def running(self) -> bool:
        """Whether dockerd runs now."""
        return self._process is not None and self._process.running()

    def start(self, *, options: Sequence[str] | None = None, live_restore: bool | None = None) -> None:
        """Start dockerd and wait until its API answers; Trouble with the end of its log when it does not."""
        if self.running():
            raise Trouble(f"dockerd {self.engine} on {self.host.name} already runs as process {self.pid}")
        self.options = self.options if options is None else tuple(options)
        self.live_restore = self.live_restore if live_restore is None else live_restore
        argv: list[str | Path] = [
            self._programs.program("dockerd"),
            f"--data-root={self._data}",
            f"--cgroup-parent=/{self.host.name}",
            f"--live-restore={str(self.live_restore).lower()}",
            *_OPTIONS,
            *self.options,
        ]
        if self._containerd is None or not self._containerd.running():
            self._containerd = containerd.start(self.host, self._programs)
        self._process = self.host.spawn(argv, log=self.log, environment=self._programs.environment())
        deadline = time.monotonic() + _STARTS
        while not self._answers():
            if self._process.wait(0.01):
                raise Trouble(
                    f"dockerd {self.engine} on {self.host.name} ended while starting:\n{self._process.tail()}"
                )
            if time.monotonic() > deadline:
                tail = self._process.tail()
                raise Trouble(f"dockerd {self.engine} on {self.host.name} did not answer within {_STARTS} s:\n{tail}")

    def _answers(self) -> bool:
        try:
            return self.api("GET", "/_ping")[0] == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False

    def stop(self) -> None:
        """End it with SIGTERM and wait; containers end too, unless with live-restore. Trouble when it takes long."""
        process = self._process
        if process is None:
            return
        process.signal(signal.SIGTERM)
        if not process.wait(_STOPS):
            raise Trouble(f"dockerd {self.engine} on {self.host.name} did not end in {_STOPS} s:\n{process.tail()}")

    def kill9(self) -> None:
        """End dockerd with SIGKILL, as a crash does. containerd, shims and containers go on running."""
        if self._process is not None:
            self._process.signal(signal.SIGKILL)
            if not self._process.wait(_STOPS):
                raise Trouble(f"dockerd {self.engine} on {self.host.name}, process {self.pid}, survived SIGKILL")

    def restart(self, *, options: Sequence[str] | None = None, live_restore: bool | None = None) -> None:
        """Stop it gracefully and start it again, with other options where given."""
        self.stop()
        self.start(options=options, live_restore=live_restore)

    def docker(self, *arguments: str | Path, check: bool = True, feed: str | None = None, timeout: float = 120) -> str:
        """Run this engine's own ``docker`` in the host and return what it prints, stripped of the last newline.

        *check*: Trouble with its error text when the exit status is not 0; else the error text is returned after the
        output. *feed* is its input; *timeout* is in seconds.
        """
        done = self.command(*arguments, feed=feed, timeout=timeout)
        if check and done.returncode:
            said = (done.stdout + done.stderr).strip()
            asked = " ".join(map(str, arguments))
            where = f"engine {self.engine}, host {self.host.name}"
            raise Trouble(f"`docker {asked}` ({where}): exit status {done.returncode}: {said}")
        return (done.stdout if check else done.stdout + done.stderr).removesuffix("\n")

    def command(
        self,
        *arguments: str | Path,
        feed: str | None = None,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run this engine's own ``docker`` in the host, whatever comes of it. *timeout* is in seconds."""
        argv = [self._programs.program("docker"), *arguments]
        return self.host.run(argv, check=False, feed=feed, environment=self._programs.environment(), timeout=timeout)

    def api(self, method: str, path: str, body: object = None, *, timeout: float = 60) -> tuple[int, Any]:
        """One call to the engine's HTTP API: status and decoded answer. Takes 1 ms where the CLI takes 20."""
        connection = _UnixConnection(self.socket, timeout)
        try:
            encoded = None if body is None else json.dumps(body)
            connection.request(method, path, encoded, {"Content-Type": "application/json"} if encoded else {})
            response = connection.getresponse()
            text = response.read().decode()
            is_json = response.getheader("Content-Type", "").startswith("application/json")
            return response.status, json.loads(text) if is_json and text else text
        finally:
            connection.close()

    def load_image(self) -> None:
        """Have the test image in this engine; nothing happens when it is there."""
        if self.api("GET", f"/images/{busybox.IMAGE}/json")[0] != http.HTTPStatus.OK:
            self.docker("load", "--quiet", "--input", busybox.archive())

    def container_pid(self, container: str) -> int:
        """The process id of a container's process 1, as the tests see it."""
        status, answer = self.api("GET", f"/containers/{container}/json")
        if status != http.HTTPStatus.OK:
            raise Trouble(f"asked engine {self.engine} for container {container}: {status} {answer}")
        return int(answer["State"]["Pid"])

    def clean(self) -> None:
        """Remove all containers, their volumes, and all networks that are not Docker's own; Trouble when one stays."""
        for container in self.api("GET", "/containers/json?all=1")[1]:
            self._remove(f"/containers/{container['Id']}?force=1&v=1")
        for network in self.api("GET", "/networks")[1]:
            if network["Name"] not in _BUILT_IN:
                self._remove(f"/networks/{network['Id']}")

    def _remove(self, path: str) -> None:
        status, answer = self.api("DELETE", path, timeout=120)
        if status not in {http.HTTPStatus.OK, http.HTTPStatus.NO_CONTENT, http.HTTPStatus.NOT_FOUND}:
            raise Trouble(f"cleaning up, DELETE {path} on engine {self.engine}: {status} {answer}")
