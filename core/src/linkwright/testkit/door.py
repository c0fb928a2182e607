"""The door to the outside, shut while a driver is asked: no file, socket, process or thread gets past it.

What is tried is noted and refused, so that a driver which swallows the refusal is found as well. A module that a method
imports counts as a file that it opens: import at the top.
"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: Audit events (PEP 578) of a process that looks or reaches outside. A driver raises none of them. Python tells of
#: sleeps from 3.13 on.
_OUTSIDE = (
    "open",
    "socket.",
    "subprocess.",
    "os.",
    "shutil.",
    "tempfile.",
    "glob.",
    "urllib.",
    "ctypes.",
    "fcntl.",
    "signal.",
    "time.sleep",
    "_thread.start_new_thread",
)


class _Door:
    """There is one for the process: an audit hook cannot be removed again, so it is hung up when it is first needed."""

    def __init__(self) -> None:
        self._hung = False
        self._asking: int | None = None  # the thread that asks; others go on with their work
        self.tried: list[str] = []

    def shut(self) -> None:
        if not self._hung:
            sys.addaudithook(self._hook)
            self._hung = True
        self.tried = []
        self._asking = threading.get_ident()

    def open(self) -> None:
        self._asking = None

    def _hook(self, event: str, _: tuple[object, ...]) -> None:
        if self._asking is not None and event.startswith(_OUTSIDE) and threading.get_ident() == self._asking:
            self.tried.append(event)
            raise AssertionError(f"the driver reaches outside: {event}")


_DOOR = _Door()


@contextmanager
def shut() -> Iterator[list[str]]:
    """Shut the door while inside. The list has what was tried, by the names of the interpreter's audit events."""
    _DOOR.shut()
    try:
        yield _DOOR.tried
    finally:
        _DOOR.open()
