"""System calls that Python 3.11 has no name for: unshare(2), mount(2), umount2(2), prctl(2). Calls only, no policy.

OSError says which call it was, and on what.
"""

import ctypes
import os
from pathlib import Path
from typing import Final

# linux/sched.h; os.unshare came with Python 3.12
NEW_MOUNTS: Final = 0x00020000
NEW_USER: Final = 0x10000000
NEW_PROCESSES: Final = 0x20000000
NEW_NETWORK: Final = 0x40000000

# linux/mount.h
BIND: Final = 0x1000
MOVE: Final = 0x2000
RECURSIVE: Final = 0x4000
PRIVATE: Final = 0x40000

_DETACH = 2  # MNT_DETACH
_PR_SET_PDEATHSIG = 1  # linux/prctl.h

_libc = ctypes.CDLL(None, use_errno=True)


def unshare(namespaces: int) -> None:
    """Give the calling thread (for NEW_USER: the process, of one thread) new *namespaces*, flags from above."""
    _check(_libc.unshare(namespaces), "unshare")


def mount(source: str | Path, target: str | Path, kind: str = "none", flags: int = 0, data: str = "") -> None:
    """Mount *source* on *target*."""
    arguments = (os.fsencode(source), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), data.encode())
    _check(_libc.mount(*arguments), f"mount {kind} on {target}")


def unmount(target: str | Path) -> None:
    """Take a mount away now, and let who still uses it finish."""
    _check(_libc.umount2(os.fsencode(target), _DETACH), f"umount {target}")


def die_with_parent(signal: int) -> None:
    """Have the kernel send us *signal* when the thread that made this process ends, however it ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal, 0, 0, 0), "prctl PR_SET_PDEATHSIG")


def _check(result: int, what: str) -> None:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), what)
