"""Doing something in another process, or where network namespaces may be made: here as root, else in one of its own.

A user namespace gives its first process every right over the network and mount namespaces that it makes, and none
outside (user_namespaces(7)). What goes there and comes back is pickled, so a driver under test has to be importable.
"""

import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")

_TOOLS = ("ip", "bridge", "nft", "sysctl", "nsenter", "unshare")
_UNSHARE = ("unshare", "--user", "--map-root-user", "--net", "--mount", "--propagation", "private")

#: ip-netns(8) binds namespaces below /run, which is the machine's own.
_FURNISH = 'mount -t tmpfs none /run && exec "$@"'


@cache
def missing() -> str | None:
    """Why network namespaces cannot be made here; None if they can."""
    if sys.platform != "linux":
        return f"not Linux but {sys.platform}"
    if tools := [tool for tool in _TOOLS if shutil.which(tool) is None]:
        return f"tools missing: {', '.join(tools)}: install iproute2, nftables, procps and util-linux"
    if os.geteuid() == 0:
        return None
    tried = subprocess.run([*_UNSHARE, "true"], capture_output=True, text=True, check=False)  # noqa: S603
    return f"not root, and no user namespaces: {tried.stderr.strip()}" if tried.returncode else None


def isolated(work: Callable[..., T], *arguments: object) -> T:
    """Return what *work* returns where it may make network namespaces; see ``apart`` for what becomes of failures."""
    if os.geteuid() == 0:
        return work(*arguments)
    return apart(work, *arguments, through=(*_UNSHARE, "sh", "-c", _FURNISH, "sh"))


def apart(work: Callable[..., T], *arguments: object, through: Sequence[str] = ()) -> T:
    """Return what *work*, a function of a module, returns in another process, which the command *through* starts.

    RuntimeError with what it wrote if it ends badly.
    """
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(  # noqa: S603
        [*through, sys.executable, "-m", __name__],
        input=pickle.dumps((work, arguments)),
        capture_output=True,
        env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "random"},
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"in a process of its own, {work.__name__} ended with: {done.stderr.decode()}")
    result: T = pickle.loads(done.stdout)  # noqa: S301 - our own child wrote it
    return result


def _main() -> None:
    output = os.dup(1)
    os.dup2(2, 1)  # what is printed meanwhile is not the answer
    work, arguments = pickle.load(sys.stdin.buffer)  # noqa: S301 - our own parent wrote it
    answer: Any = work(*arguments)
    with os.fdopen(output, "wb") as back:
        back.write(pickle.dumps(answer))


if __name__ == "__main__":
    _main()
