"""Listening sockets: made in the plugin directory, or handed over by systemd. Made last, removed first.

A stale socket file costs Docker 15 s for each touch, even for ``docker volume ls``: it is unlinked before binding and
on exit. One that systemd holds is never unlinked: what connects while we are away waits in it for the next process.
"""

import contextlib
import errno
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import trio
from attrs import frozen

from linkwright.errors import Conflict, Refused

_BACKLOG = 128
_FIRST_FD = 3  # sd_listen_fds(3)


@frozen
class Listening:
    """A listening socket by the name it has; *inherited* ones belong to systemd."""

    name: str
    path: Path
    socket: trio.socket.SocketType
    inherited: bool = False

    def close(self) -> None:
        """Stop listening, and take the file away if it is ours."""
        self.socket.close()
        if not self.inherited:
            self.path.unlink(missing_ok=True)


def inherited(environ: Mapping[str, str], pid: int) -> dict[Path, socket.socket]:
    """Return the unix sockets that systemd passes, by path (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS)."""
    if environ.get("LISTEN_PID") != str(pid):
        return {}
    found: dict[Path, socket.socket] = {}
    for descriptor in range(_FIRST_FD, _FIRST_FD + int(environ.get("LISTEN_FDS", "0"))):
        os.set_inheritable(descriptor, False)
        one = socket.socket(fileno=descriptor)
        if one.family == socket.AF_UNIX and one.getsockname():
            found[Path(one.getsockname())] = one
    return found


def listen(path: Path, *, handed: Mapping[Path, socket.socket] | None = None, mode: int = 0o600) -> Listening:
    """Listen on *path*, by the socket that was handed over for it or by a new one.

    Raises Conflict if another process listens there, Refused if the directory cannot be used.
    """
    given = (handed or {}).get(path)
    if given is not None:
        given.setblocking(False)
        return Listening(path.stem, path, trio.socket.from_stdlib_socket(given), inherited=True)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove_stale(path)
        bound = _bind(path, mode)
    except OSError as error:
        raise Refused(
            f"cannot listen on {path}: {error.strerror or error}; is the directory writable for us?"
        ) from error
    return Listening(path.stem, path, trio.socket.from_stdlib_socket(bound))


def _bind(path: Path, mode: int) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with _umask(0o777 & ~mode):
        bound.bind(str(path))
    bound.listen(_BACKLOG)
    bound.setblocking(False)
    return bound


def _remove_stale(path: Path) -> None:
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError as error:
            if error.errno not in {errno.ECONNREFUSED, errno.ENOENT}:
                raise
            path.unlink(missing_ok=True)
            return
    raise Conflict(f"another process listens on {path}; is linkwright running already? (--prefix gives other names)")


@contextlib.contextmanager
def _umask(mask: int) -> Iterator[None]:
    """No moment in which the file is open to others: bind creates it with the umask of the process."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)
