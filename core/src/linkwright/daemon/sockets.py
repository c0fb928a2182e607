"""Listening sockets: made in the plugin directory, or handed over by systemd. Made last, removed first.

A stale socket file costs Docker 15 s for each touch, even for ``docker volume ls``: it is unlinked before binding and
on exit. One that systemd holds is never unlinked: what connects while we are away waits in it for the next process.
"""

import contextlib
import errno
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import trio
from attrs import field, frozen

from linkwright.errors import Conflict, Refused

#: Connections that may wait to be accepted; net.core.somaxconn has the last word. One more gets EAGAIN, for which
#: Docker's client waits a second before it tries again: a host that starts everything at once has hundreds.
_BACKLOG = 4096
_FIRST_FD = 3  # sd_listen_fds(3)

#: What connect(2) says of a socket file that nobody listens at any more, and of one whose listener is just busy.
_STALE = frozenset({errno.ECONNREFUSED, errno.ENOENT})
_BUSY = frozenset({errno.EAGAIN, errno.EINPROGRESS})


@frozen
class Listening:
    """A listening socket by the name it has; *inherited* ones belong to systemd."""

    name: str
    path: Path
    socket: trio.socket.SocketType
    inherited: bool = False
    file: tuple[int, int] | None = None  # device and inode of the file that we made

    def close(self) -> None:
        """Stop listening, and take the file away if it is still ours."""
        self.socket.close()
        if not self.inherited and _file(self.path) == self.file:
            self.path.unlink(missing_ok=True)


@frozen
class Inherited:
    """What systemd hands over: *listening* unix sockets by path, and those that it *kept* for us, with their names."""

    listening: Mapping[Path, socket.socket] = field(factory=dict)
    kept: tuple[tuple[str, socket.socket], ...] = ()


def inherited(environ: Mapping[str, str], pid: int, *, kept: str = "") -> Inherited:
    """Return the sockets that systemd passes (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES).

    Those whose names begin with *kept* are what an earlier process had kept. Whatever else is passed is left alone.
    Refused if LISTEN_FDS is no number.
    """
    if environ.get("LISTEN_PID") != str(pid):
        return Inherited()
    count = environ.get("LISTEN_FDS", "0")
    if not (count.isascii() and count.isdigit()):
        raise Refused(f"LISTEN_FDS is {count!r} and has to be a number: is it systemd that starts linkwright?")
    names = enumerate(environ.get("LISTEN_FDNAMES", "").split(":"), _FIRST_FD)
    every = dict(_sockets(range(_FIRST_FD, _FIRST_FD + int(count))))
    ours = [(number, name) for number, name in names if kept and name.startswith(kept) and number in every]
    stored = tuple((name, every.pop(number)) for number, name in ours)
    listening = by_path(every.values())
    for one in every.values():
        if one not in listening.values():
            one.detach()
    return Inherited(listening, stored)


def by_path(given: Iterable[socket.socket]) -> dict[Path, socket.socket]:
    """Return those of *given* that listen at a path, by it, as it is without symlinks."""
    names = ((one.getsockname(), one) for one in given if one.family == socket.AF_UNIX and _listens(one))
    return {_real(Path(name)): one for name, one in names if isinstance(name, str) and name}  # abstract ones are bytes


def _sockets(descriptors: Iterable[int]) -> Iterator[tuple[int, socket.socket]]:
    for descriptor in descriptors:
        with contextlib.suppress(OSError):  # closed, or no socket
            os.set_inheritable(descriptor, False)
            yield descriptor, socket.socket(fileno=descriptor)


def _listens(one: socket.socket) -> bool:
    return bool(one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _file(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def listen(path: Path, *, handed: Mapping[Path, socket.socket] | None = None, mode: int = 0o600) -> Listening:
    """Listen on *path*, by the socket that was handed over for it or by a new one.

    Raises Conflict if another process listens there, Refused if the directory cannot be used.
    """
    given = (handed or {}).get(_real(path))
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
    return Listening(path.stem, path, trio.socket.from_stdlib_socket(bound), file=_file(path))


def _bind(path: Path, mode: int) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _umask(0o777 & ~mode):
            bound.bind(str(path))
        bound.listen(_BACKLOG)
        bound.setblocking(False)
    except BaseException:
        bound.close()
        raise
    return bound


def _remove_stale(path: Path) -> None:
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a listener that does not accept has a full backlog, and we would wait for ever
        code = probe.connect_ex(str(path))
    if code in _STALE:
        path.unlink(missing_ok=True)
        return
    if code and code not in _BUSY:
        raise OSError(code, os.strerror(code))
    raise Conflict(f"another process listens on {path}; is linkwright running already? (--prefix gives other names)")


@contextlib.contextmanager
def _umask(mask: int) -> Iterator[None]:
    """No moment in which the file is open to others: bind creates it with the umask of the process."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)
