"""What Docker does with links and sandboxes between its requests, done by hand on a host without Docker.

Nothing else of Docker is played here: what it says is ``conversation``'s.
"""

from pathlib import Path

from tests.engines import Host


class Moves:
    """Docker's moves on *host*, in the order of moby's daemon/libnetwork/osl."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._sandboxes: set[str] = set()

    def move_in(self, source: str, sandbox: str, inside: str) -> None:
        """Move link *source* into the network namespace at path *sandbox*, made if need be, and bring it up there."""
        if sandbox not in self._sandboxes:
            self._script(f"mkdir -p {Path(sandbox).parent}", f"touch {sandbox}", f"unshare --net={sandbox} true")
            self._sandboxes.add(sandbox)
        self._script(
            f"ip link set {source} netns {sandbox}",
            f"nsenter --net={sandbox} ip link set {source} name {inside}",
            f"nsenter --net={sandbox} ip link set {inside} up",
        )

    def move_back(self, source: str, sandbox: str, inside: str) -> None:
        """Move it back, down and under its first name."""
        self._script(
            f"nsenter --net={sandbox} ip link set {inside} down",
            f"nsenter --net={sandbox} ip link set {inside} name {source}",
            f"nsenter --net={sandbox} ip link set {source} netns /proc/{self._host.pid}/ns/net",
        )

    def end_sandbox(self, sandbox: str) -> None:
        """Remove the network namespace, and with it whatever is in there."""
        if sandbox in self._sandboxes:
            self._sandboxes.discard(sandbox)
            self._script(f"umount {sandbox}", f"rm {sandbox}")

    def close(self) -> None:
        """Remove all that are left."""
        for sandbox in tuple(self._sandboxes):
            self.end_sandbox(sandbox)

    def _script(self, *lines: str) -> None:
        self._host.run(["sh", "-ec", "\n".join(lines)])
