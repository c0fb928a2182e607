"""A linkwright whose plugin sockets are held by somebody else, as systemd holds them: they outlive each process."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.docker.daemon import PROGRAM, STARTS, Daemon
from tests.docker.until import until
from tests.engines import Host, Spawned, Trouble

_LAUNCHER = Path(__file__).with_name("launcher.py")


class Activated(Daemon):
    """``linkwright serve`` on *host*, started with sockets that listen from the making of this until the host's end."""

    def __init__(self, host: Host, *, options: Sequence[str] = (), drivers: Sequence[str] = ("bridge",)) -> None:
        super().__init__(host, options=options, drivers=drivers)
        pipe = subprocess.PIPE
        paths = [f"/run/docker/plugins/lw-{name}.sock" for name in (*self.drivers, "ipam")]
        argv = [sys.executable, "-I", "-S", str(_LAUNCHER), *paths]
        self._launcher = host.popen(argv, stdin=pipe, stdout=pipe, text=True)
        self._said("ready")

    def _said(self, expected: str = "") -> str:
        assert self._launcher.stdout is not None
        line = str(self._launcher.stdout.readline()).strip()
        if not line or (expected and line != expected):
            raise Trouble(f"the launcher on {self.host.name} said {line!r} and not {expected or 'a process id'!r}")
        return line

    def start(self, *, options: Sequence[str] | None = None) -> None:
        """Start it and wait until its admin socket takes connections: the others do so at all times."""
        if self.running():
            raise Trouble(f"linkwright on {self.host.name} already runs as process {self.pid}")
        self.options = self.options if options is None else tuple(options)
        settings = [f"--state-dir={self.state}", f"--drivers={','.join(self.drivers)}", *self.options]
        assert self._launcher.stdin is not None
        self._launcher.stdin.write(json.dumps([str(self.log), str(PROGRAM), "serve", *settings]) + "\n")
        self._launcher.stdin.flush()
        self._process = Spawned(int(self._said()), self.log)
        until(self._listens, f"linkwright on {self.host.name} is ready", deadline=STARTS)

    def _listens(self) -> bool:
        if not self.running():
            raise Trouble(f"linkwright on {self.host.name} ended while starting:\n{self._started().tail(40)}")
        return self.admin.is_socket() and self.command("status").returncode == 0
