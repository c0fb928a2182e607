"""One daemon of an instance in a network namespace. Nothing else lives here."""

import errno
import socket
import struct

from linkwright.errors import Conflict, Unavailable


class NamespaceLock:
    """One daemon of an instance in a network namespace: two would undo each other's work.

    An abstract unix socket (unix(7)) belongs to the network namespace it was bound in and is gone with its process.
    It listens and never accepts: whoever finds it taken learns by connecting which process has it.
    """

    def __init__(self, instance: str) -> None:
        """Take the lock; Conflict, naming the process, if another has it, Unavailable if it cannot be had at all."""
        name = f"\0linkwright/{instance}"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.bind(name)
            self._socket.listen(1)
        except OSError as error:
            self._socket.close()
            if error.errno != errno.EADDRINUSE:
                raise Unavailable(f"cannot take the lock of this network namespace: {error}") from error
            raise Conflict(
                f"another linkwright of instance {instance!r} runs in this network namespace{_holder(name)}; "
                "stop it, or give this one another --instance and --prefix"
            ) from error

    def release(self) -> None:
        """Let go."""
        self._socket.close()


def _holder(name: str) -> str:
    """Who listens there, by the kernel's word (SO_PEERCRED), for a message; "" where that cannot be said."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(name)
            pid, uid, _ = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        except OSError:
            return ""
    if pid <= 0:
        return ", in another pid namespace"
    return f" as process {pid}" + (f" of user {uid}" if uid else "")
