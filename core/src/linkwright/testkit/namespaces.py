"""Network namespaces for tests: made for one test and removed after it, with commands and sockets in them.

Needs root, and ``ip`` and ``nsenter``. Nothing outside the namespaces is touched.
"""

import contextlib
import secrets
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from attrs import frozen

from linkwright.kernel.netns import enter


@frozen
class Namespace:
    """A network namespace that a test made."""

    name: str

    @property
    def path(self) -> str:
        """Where it is bound (ip-netns(8))."""
        return f"/run/netns/{self.name}"

    @property
    def enter(self) -> tuple[str, ...]:
        """What to put before a command so that it runs in here. Not ``ip netns exec``, which mounts a fresh /sys."""
        return ("nsenter", f"--net={self.path}")

    def run(self, *command: str, stdin: str | None = None) -> str:
        """Run a command in here and return its output; CalledProcessError, with what it wrote, if it fails."""
        done = subprocess.run([*self.enter, *command], input=stdin, check=False, capture_output=True, text=True)  # noqa: S603
        if done.returncode:
            raise subprocess.CalledProcessError(done.returncode, [*command, done.stderr.strip()])
        return done.stdout

    def socket(self, family: socket.AddressFamily, kind: socket.SocketKind, protocol: int = 0) -> socket.socket:
        """Open a socket in here."""

        def opened() -> socket.socket:
            enter(self.path)
            return socket.socket(family, kind, protocol)

        # A thread that has entered a namespace stays there: this one ends with the pool.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(opened).result()


@contextlib.contextmanager
def made(prefix: str = "lwt") -> Iterator[Namespace]:
    """Make a namespace of a random name, and remove it in the end, whatever happened."""
    name = f"{prefix}-{secrets.token_hex(4)}"
    subprocess.run(["ip", "netns", "add", name], check=True)  # noqa: S603, S607
    try:
        yield Namespace(name)
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)  # noqa: S603, S607
