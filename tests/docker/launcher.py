"""Holds listening sockets and starts one process after the other with them, as systemd does: a program of its own.

Arguments are the paths to listen on. Each line of the input is a JSON list, a command; it is started with the sockets
(sd_listen_fds(3): from descriptor 3 on) and its output appended to the file that the first word names, and its process
id is printed. Of the standard library only.
"""

import fcntl
import json
import os
import signal
import socket
import sys
from pathlib import Path

FIRST = 3  # SD_LISTEN_FDS_START
ASIDE = 100


def listen(path: str) -> int:
    """Listen on *path*; the descriptor, out of the way of those that a process is started with."""
    Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(path)
        door.listen(128)
        return fcntl.fcntl(door.fileno(), fcntl.F_DUPFD_CLOEXEC, ASIDE)


def start(doors: list[int], log: str, argv: list[str]) -> int:
    """Start *argv* with *doors*; its process id."""
    child = os.fork()
    if child:
        return child
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    for number, door in enumerate(doors):
        os.dup2(door, FIRST + number)  # which makes it inheritable
    os.setsid()
    environment = {**os.environ, "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(doors))}
    os.execvpe(argv[0], argv, environment)  # noqa: S606 - that is what this program is for
    return 0


def main(*paths: str) -> None:
    """Serve until the input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever ends is nobody's to collect
    doors = [listen(path) for path in paths]
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        log, *argv = json.loads(line)
        sys.stdout.write(f"{start(doors, log, argv)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
