"""Namespaces of the demo's own: entered before the play, and gone with its last process. Nothing here knows linkwright.

Three processes: this one, which stays where it is; one that makes the namespaces (user, where we are not root; mount,
network, process); and process 1 in them, which plays. When one of them ends, by whatever signal, the kernel kills the
next, and with process 1 everybody in its namespace. What was mounted and linked goes with the last of them, so nothing
has to be tidied up, also after ``kill -9``.
"""

import errno
import json
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from attrs import frozen

from linkwright.cli.demo import syscalls
from linkwright.errors import LinkwrightError, Refused

#: Where a private tmpfs may go: on the first of these that is there and that no program or module of ours lies in.
#: /run makes the daemon's own default paths hold; the machine's stays as it is, under it.
PLACES: Final = ("/run", "/mnt", "/srv", "/media")

_CAP_SYS_ADMIN: Final = 21  # linux/capability.h

#: What to do about it, by errno, for others and for root (who may lack what root has, in a container).
_ADVICE: Final = {
    (errno.EPERM, False): "this system keeps user namespaces from unprivileged users (sysctl kernel."
    "unprivileged_userns_clone or kernel.apparmor_restrict_unprivileged_userns, or a container's seccomp filter); "
    "run it as root: sudo make demo",
    (errno.ENOSPC, False): "no more user namespaces may be made (sysctl user.max_user_namespaces); "
    "run it as root: sudo make demo",
    (errno.EPERM, True): "something keeps even root from it; in a container, run that with --privileged",
    (errno.ENOSPC, True): "no more namespaces may be made (sysctl user.max_net_namespaces and its neighbours)",
}
_ADVICE[errno.EACCES, False] = _ADVICE[errno.EPERM, False]
_ADVICE[errno.EACCES, True] = _ADVICE[errno.EPERM, True]


@frozen
class Ended:
    """How a play ended: its exit status, and the processes that are still in its namespace (there should be none)."""

    status: int
    left: tuple[int, ...]


def perform(play: Callable[[Path], int]) -> Ended:
    """Call *play* as root of new namespaces, with an empty folder that is theirs, in a process of its own.

    Refused if the namespaces cannot be made, with what to do about it. An exception that *play* raises is printed
    there, and the status is 1.
    """
    place = private_place([*sys.path, sys.executable, sys.prefix, sys.base_prefix, __file__])
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    parent, maker = os.getpid(), os.fork()
    if not maker:
        os.close(reading)
        _make(place, play, writing, parent)
    os.close(writing)
    try:
        with os.fdopen(reading) as told:
            said = json.loads(told.read() or "{}")  # to its end: when nobody is left who could write
            _, status = os.waitpid(maker, 0)
    except BaseException:
        os.kill(maker, signal.SIGTERM)
        os.waitpid(maker, 0)
        raise
    if "refused" in said:
        raise Refused(said["refused"])
    return Ended(os.waitstatus_to_exitcode(status), _processes_in(said.get("network", "")))


def private_place(used: Iterable[str], places: Iterable[str] = PLACES) -> Path:
    """Return the first folder of *places* in which none of the paths *used* lies; Refused if there is none."""
    paths = [Path(path).resolve() for path in used if path]
    for place in map(Path, places):
        if place.is_dir() and not any(path.is_relative_to(place.resolve()) for path in paths):
            return place
    raise Refused(f"no folder can be covered with a private one, of {', '.join(places)}: linkwright lies in them")


def advice(code: int, *, root: bool) -> str:
    """What to do when the kernel refuses a namespace with *code*, "" where nothing is known."""
    return _ADVICE.get((code, root), "")


# --- the process that makes the namespaces -------------------------------------------------------------------


def _make(place: Path, play: Callable[[Path], int], report: int, parent: int) -> NoReturn:
    status = 1
    try:
        syscalls.die_with_parent(signal.SIGKILL)
        if os.getppid() != parent:  # it ended before that was said
            os._exit(status)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal tells us all; the first process ends us
        user = os.geteuid()
        try:
            _enter()
        except OSError as error:
            _tell(report, refused=_refusal(error, user))
            os._exit(status)
        alive = os.pipe()
        first = os.fork()
        if not first:
            os.close(alive[1])
            _begin(place, play, report, alive[0], user)
        signal.signal(signal.SIGTERM, lambda *_: os.kill(first, signal.SIGKILL))  # and then see all of them gone
        os.close(report)
        _, ended = os.waitpid(first, 0)
        status = os.waitstatus_to_exitcode(ended)
    except BaseException:  # noqa: BLE001 - a bug: the process ends here, and somebody has to see why
        traceback.print_exc()
    finally:
        os._exit(status if status >= 0 else 128 - status)


def _privileged() -> bool:
    """Whether we may make namespaces without one for users: CAP_SYS_ADMIN in effect (proc(5), status)."""
    status = dict(line.partition(":")[::2] for line in Path("/proc/self/status").read_text().splitlines())
    return bool(int(status["CapEff"], 16) >> _CAP_SYS_ADMIN & 1)


def _enter() -> None:
    """Enter new namespaces; without privileges as root of a new user namespace, in which only we are somebody."""
    privileged, user, group = _privileged(), os.geteuid(), os.getegid()
    wanted = syscalls.NEW_MOUNTS | syscalls.NEW_NETWORK | syscalls.NEW_PROCESSES
    syscalls.unshare(wanted if privileged else wanted | syscalls.NEW_USER)
    if not privileged:
        Path("/proc/self/setgroups").write_text("deny")  # or the map of groups may not be written
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def _refusal(error: OSError, user: int) -> str:
    hint = advice(error.errno or 0, root=user == 0)
    what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
    return f"namespaces of the demo's own could not be made ({what})" + (f": {hint}" if hint else "")


def _tell(report: int, **said: str) -> None:
    os.write(report, json.dumps(said).encode())


# --- process 1 -----------------------------------------------------------------------------------------------


def _begin(place: Path, play: Callable[[Path], int], report: int, alive: int, user: int) -> NoReturn:
    status = 1
    try:
        syscalls.die_with_parent(signal.SIGKILL)
        if select.select([alive], [], [], 0)[0]:  # its end: whoever made us ended before that was said
            os._exit(status)
        try:
            _furnish(place)
        except OSError as error:
            _tell(report, refused=_refusal(error, user))
            os._exit(status)
        _tell(report, network=str(Path("/proc/self/ns/net").readlink()))
        status = play(place)
    except LinkwrightError as error:
        print(f"linkwright demo: {error}", file=sys.stderr)
    except (BrokenPipeError, SystemExit):  # the second is what rich makes of the first
        pass  # whoever read us has seen enough
    except BaseException:  # noqa: BLE001 - as above
        traceback.print_exc()
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _furnish(place: Path) -> None:
    """Mount what is ours alone: the tree as it is but private, /proc of these processes, an empty *place*."""
    syscalls.mount("none", "/", flags=syscalls.RECURSIVE | syscalls.PRIVATE)
    with suppress(OSError):  # where parts of /proc are covered (containers) a user namespace gets no other: no harm
        syscalls.mount("proc", "/proc", "proc")
    syscalls.mount("tmpfs", place, "tmpfs", data="mode=0755")


# --- afterwards ----------------------------------------------------------------------------------------------


def _processes_in(network: str) -> tuple[int, ...]:
    """The processes that we can see in the network namespace with that name (``net:[4026531840]``)."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # somebody else's, or just ended
            if str((process / "ns" / "net").readlink()) == network:
                found.append(int(process.name))
    return tuple(found)
