"""Starts the daemon again and again in one process, and stops it each time one step later than before.

To be run in a network namespace of its own: ``python -m core.tests.daemon.stopping <folder> <whose>``. A step is from
one checkpoint to the next, of the task that starts the parts (``mine``) or of any (``every``). Prints at which step a
start came to its end, or what a stop left behind; ends by itself, with all stacks, if one hangs.
"""

import faulthandler
import gc
import sys
import threading
from pathlib import Path

import trio
from attrs import define, field

from linkwright.daemon import app, logs
from linkwright.daemon.config import Config, load
from linkwright.daemon.sockets import Inherited

#: Seconds that one start and stop may take, before it is taken for one that hangs.
PATIENCE = 30.0


@define(eq=False)
class Stopper(trio.abc.Instrument):
    """Cancels at step *at*; a start that has come to its end by then is stopped in order."""

    at: int
    every: bool
    stop: app._Stop = field(factory=app._Stop)
    steps: int = 0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        """Count."""
        self.steps += self.every or task.name == f"{__name__}._live"
        if self.stop.ready:
            self.stop.asked.set()
        elif self.steps == self.at:
            self.stop.scope.cancel()


async def _live(config: Config, stop: app._Stop) -> None:
    with stop.scope:
        await app._live(config, {}, Inherited(), stop)


def left(folder: Path, descriptors: int) -> list[str]:
    """What there should not be after a stop."""
    gc.collect()  # what is closed by nobody says so now
    threads = [thread.name for thread in threading.enumerate() if thread.name.startswith("linkwright")]
    sockets = [str(path) for path in folder.rglob("*.sock")]
    more = _descriptors() - descriptors
    return [*threads, *sockets, *([f"{more} descriptors"] if more > 0 else []), *unraised]


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


unraised: list[str] = []


def main(folder: Path, *, every: bool) -> str:
    """Do it; return what to print."""
    sys.unraisablehook = lambda told: unraised.append(f"{told.exc_value} in {told.object}")
    threading.excepthook = lambda told: unraised.append(f"{told.exc_value!r} in {told.thread}")
    flags = {f"{name}_dir": str(folder / name) for name in ("plugin", "run", "state")}
    config = load(flags | {"metrics": "off", "drivers": "bridge"}, {}, read_file=Path.read_text)
    logs.configure(format=config.log_format, level=config.log_level, stream=(folder / "log").open("a"))
    trio.run(trio.to_thread.run_sync, int)  # trio keeps a thread and some descriptors from now on
    before = _descriptors()
    at = 1
    while True:
        stopper = Stopper(at, every)
        faulthandler.dump_traceback_later(PATIENCE, exit=True)
        trio.run(_live, config, stopper.stop, instruments=[stopper])
        faulthandler.cancel_dump_traceback_later()
        if found := left(folder, before):
            return f"stopped at step {at}: {found}"
        if stopper.stop.ready:
            return f"started at step {at}"
        at += 1


if __name__ == "__main__":
    print(main(Path(sys.argv[1]), every=sys.argv[2] == "every"))  # noqa: T201 - its caller reads it
