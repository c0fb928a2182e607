"""One daemon of an instance in a network namespace. Nothing else lives here."""

import socket

from linkwright.errors import Conflict


class NamespaceLock:
    """One daemon of an instance in a network namespace: two would undo each other's work.

    An abstract unix socket (unix(7)) belongs to the network namespace it was bound in and is gone with its process.
    """

    def __init__(self, instance: str) -> None:
        """Take the lock; Conflict if another process has it."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._socket.bind(f"\0linkwright/{instance}")
        except OSError as error:
            self._socket.close()
            raise Conflict(
                f"another linkwright of instance {instance!r} runs in this network namespace; "
                "stop it, or give this one another --instance and --prefix"
            ) from error

    def release(self) -> None:
        """Let go."""
        self._socket.close()
