"""Who is at the other end of a unix socket. The kernel's word, not the client's."""

import socket
import struct

import trio
from attrs import frozen


@frozen
class Peer:
    """A process: its id and start time (clock ticks after boot), which together name one life of it."""

    pid: int = 0
    started: int = 0

    def __str__(self) -> str:
        return f"{self.pid}@{self.started}" if self.pid else ""


def peer_of(stream: trio.SocketStream) -> Peer:
    """The process that connected (SO_PEERCRED of unix(7)); an unknown one for TCP, or from another pid namespace."""
    try:
        packed = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    except OSError:
        return Peer()
    pid, _, _ = struct.unpack("3i", packed)
    return Peer(pid, _start_time(pid)) if pid > 0 else Peer()


def _start_time(pid: int) -> int:
    """Field 22 of /proc/PID/stat (proc(5)); counted from behind the command, which may hold spaces and brackets."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - hot, and one line
            return int(file.read().rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0
