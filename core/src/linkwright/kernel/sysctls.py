"""Settings below /proc/sys: reading them, and writing those that differ. Runs in the request thread.

The kernel shows each thread the ``net`` tree of the network namespace that the thread is in. /proc/sys may be
read-only (a container without privileges): a setting that is right already is fine there, another is a clear refusal.
"""

import errno
from pathlib import Path, PurePosixPath

from linkwright.errors import KernelError
from linkwright.plan.check import PREFIX
from linkwright.plan.render import DOTTED, render
from linkwright.plan.resources import Sysctl
from linkwright.plan.steps import Action, Step

_DENIED = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
#: The link that it belongs to has gone, before it was opened or after.
_ABSENT = frozenset({errno.ENOENT, errno.ENODEV})


class Sysctls:
    """The files below *root*."""

    def __init__(self, root: Path = Path("/proc/sys")) -> None:
        self._root = root

    def read(self, path: str) -> str | None:
        """Return the setting's value; None where this kernel has none of that name, or will not show it."""
        try:
            return self._file(path).read_text().strip()
        except (OSError, ValueError):
            return None

    def do(self, step: Step) -> Step | None:
        """Do a step on a setting; return the step that takes it back, None if nothing was written.

        A setting has no absence: to delete one is to write what it is to be otherwise, or to leave it as it is.
        """
        wish = step.resource
        if not isinstance(wish, Sysctl):
            raise TypeError(f"{wish!r} is no setting below /proc/sys")
        deleted = step.action is Action.DELETE
        value = wish.otherwise if deleted else wish.value
        before = self.read(wish.path)
        if value is None or (before is not None and before.split() == value.split()):
            return None
        try:
            self._file(wish.path).write_text(value)
        except OSError as error:
            if deleted and error.errno in _ABSENT:
                return None
            raise KernelError(
                error.errno or errno.EIO, step=render(step), extack=_advice(error, wish, before)
            ) from error
        return None if before is None else Step(Action.CHANGE, Sysctl(wish.path, before), Sysctl(wish.path, value))

    def _file(self, path: str) -> Path:
        relative = PurePosixPath(path)
        if relative.is_absolute() or ".." in relative.parts:
            raise KernelError(
                errno.EINVAL, step=f"sysctl {path}", extack="a setting is named by a path below /proc/sys"
            )
        return self._root / relative


def _advice(error: OSError, wish: Sysctl, before: str | None) -> str:
    if error.errno in _DENIED:
        return (
            f"/proc/sys cannot be written here, and it is {before}: set {_settable(wish)}={wish.value} on the host "
            "beforehand"
        )
    if error.errno == errno.ENOENT:
        return "this kernel has no such setting; a module may have to be loaded first"
    return error.strerror or ""


def _settable(wish: Sysctl) -> str:
    """Name what an administrator can set beforehand: for a link of ours that is what links are made with."""
    parts = wish.path.split("/")
    if wish.of_link is not None and wish.of_link.startswith(PREFIX) and wish.of_link in parts:
        parts[parts.index(wish.of_link)] = "default"
    return "/".join(parts).translate(DOTTED)
