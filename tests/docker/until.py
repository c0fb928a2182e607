"""Waiting for what happens by itself, in one place. No fixed pauses: a condition is asked until it holds, or too late.

Rule: a deadline here says "this hangs", never "this is slow"; none is near what anything takes.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from tests.engines import Trouble

T = TypeVar("T")

DEADLINE = 20.0
"""Seconds: for a machine with two cores that also does something else."""

_BETWEEN = 0.02
"""Seconds between two looks at least, and never less than a look takes: looking is not to keep the processor busy."""


def until(look: Callable[[], T], what: str, *, deadline: float = DEADLINE) -> T:
    """Ask *look* until its answer is true, and return that; Trouble with *what* and the last answer if too late."""
    pause = threading.Event()
    latest = time.monotonic() + deadline
    while True:
        began = time.monotonic()
        if answer := look():
            return answer
        ended = time.monotonic()
        if ended > latest:
            raise Trouble(f"not within {deadline:g} s: {what}; the last look gave {answer!r}")
        pause.wait(max(_BETWEEN, ended - began))
