"""Network namespaces: entering one in a thread of its own, and telling whether one is alive (network_namespaces(7)).

Rule 1: trio's thread never changes its namespace, and neither does a thread that trio would use again: whoever enters
one stays there until its thread ends, so there is no way back that could fail.
"""

import ctypes
import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TypeVar

import outcome
import trio

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000  # linux/sched.h
_NS_GET_NSTYPE = 0xB703  # linux/nsfs.h
#: Seconds between looks for a namespace that is to come: an engine takes some 10 ms to make one.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.01, 0.2


@contextmanager
def opened(path: str) -> Iterator[int]:
    """Open what is at *path*, which comes from outside and may be a FIFO: that must not block. OSError if it cannot."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def enter(path: str) -> None:
    """Move the calling thread into the network namespace at *path*, for the rest of its life. OSError if it cannot."""
    with opened(path) as descriptor:
        libc = ctypes.CDLL(None, use_errno=True)  # os.setns came with Python 3.12
        if libc.setns(descriptor, _CLONE_NEWNET) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), path)


def is_alive(path: str) -> bool:
    """Whether *path* is a network namespace: after an unmount it is an empty file, or nothing."""
    try:
        with opened(path) as descriptor:
            return fcntl.ioctl(descriptor, _NS_GET_NSTYPE) == _CLONE_NEWNET
    except OSError:  # ENOTTY: a file like any other
        return False


async def appear(path: str, limiter: trio.CapacityLimiter | None = None) -> None:
    """Return when there is a network namespace at *path*; how long to wait for it is the caller's to say.

    Nobody tells of one being mounted, short of watching all mounts of the host, so it is looked for: soon at first.
    """
    pause = _FIRST_PAUSE
    while not await trio.to_thread.run_sync(is_alive, path, limiter=limiter):
        await trio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def inside(path: str, function: Callable[[], T]) -> T:
    """Call *function* in a thread inside the network namespace at *path*, and block until it has returned.

    OSError if that cannot be entered.
    """
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_entered, path, function).result()


def _entered(path: str, function: Callable[[], T]) -> T:
    enter(path)
    return function()


async def run_inside(path: str, function: Callable[[], T], *, regret: Callable[[T], object] | None = None) -> T:
    """Call *function* in a thread inside the network namespace at *path*. OSError if it cannot be entered.

    The thread is made for it and thrown away (0.1 ms). A cancelled caller leaves; the function runs to its end, and
    then *regret* is called with what it returned.
    """
    task, token = trio.lowlevel.current_task(), trio.lowlevel.current_trio_token()
    lock, waiting = threading.Lock(), [True]

    def main() -> None:
        result = outcome.capture(_entered, path, function)
        with lock:
            told, waiting[0] = waiting[0], False
        if told:
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(trio.lowlevel.reschedule, task, result)
        elif regret is not None and isinstance(result, outcome.Value):
            regret(result.value)

    def abort(_: object) -> trio.lowlevel.Abort:
        with lock:
            left, waiting[0] = waiting[0], False
        return trio.lowlevel.Abort.SUCCEEDED if left else trio.lowlevel.Abort.FAILED

    await trio.lowlevel.checkpoint_if_cancelled()
    threading.Thread(target=main, name=f"netns {path}", daemon=True).start()
    returned: T = await trio.lowlevel.wait_task_rescheduled(abort)
    return returned
