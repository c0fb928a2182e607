"""A daemon as a child of ours: start it and wait until it says that it is ready, and end it.

Whatever speaks sd_notify(3) can be one: linkwright does, and dockerd. Nothing here knows which it is.
"""

import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from linkwright.errors import Unavailable

#: Seconds until it must be ready, and that its end may take.
PATIENCE: Final = 30.0


class Program:
    """A command that runs until it is ended; it writes to *log*, and says "ready" at a socket beside that."""

    def __init__(self, argv: Sequence[str], log: Path) -> None:
        """Describe it; ``start`` starts it."""
        self.argv = tuple(argv)
        self.log = log
        self._ready = log.with_suffix(".ready")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id, 0 before it was started."""
        return self._process.pid if self._process else 0

    def start(self, environment: Mapping[str, str]) -> float:
        """Start it and wait until it is ready; how long that took, in seconds. Unavailable if it ends before."""
        began = time.monotonic()
        self._ready.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, self.log.open("ab") as log:
            ready.bind(str(self._ready))
            ready.setblocking(False)
            self._process = subprocess.Popen(  # noqa: S603 - the demo's own choice of program
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**environment, "NOTIFY_SOCKET": str(self._ready)},
            )
            ended = os.pidfd_open(self._process.pid)
            try:
                self._wait(ready, ended, began + PATIENCE)
            finally:
                os.close(ended)
        return time.monotonic() - began

    def _wait(self, ready: socket.socket, ended: int, deadline: float) -> None:
        """Wait for "READY=1" among what is told (dockerd also tells that it starts)."""
        while True:
            wait = max(0.0, deadline - time.monotonic())
            heard, _, _ = select.select([ready.fileno(), ended], [], [], wait)
            if ready.fileno() in heard:
                if b"READY=1" in ready.recv(4096).splitlines():
                    return
            else:
                why = "ended before it was ready" if heard else f"was not ready within {PATIENCE:g} s"
                raise Unavailable(f"{self.log.stem} {why}; its log tells why")

    def kill9(self) -> None:
        """End it with SIGKILL, as a crash does."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End it with SIGTERM and return its exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(how)
        try:
            return self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired as error:
            raise Unavailable(
                f"{self.log.stem}, process {self.pid}, did not end within {PATIENCE:g} s of {how.name}"
            ) from error
