"""Running a conversation to its end in one nursery, so that what fails comes out as it was raised."""

from collections.abc import Awaitable, Callable
from functools import partial

import structlog.testing
import trio
import trio.testing

from linkwright.engine.registry import Registered
from linkwright.store import MemoryStore
from linkwright.testkit.docker_side import Daemon
from linkwright.testkit.surroundings import Surroundings


async def alone(main: Callable[[trio.Nursery], Awaitable[None]]) -> None:
    """Run *main* with a nursery that ends with it; what it raises comes out by itself, not in a group."""
    error: Exception | None = None
    async with trio.open_nursery() as nursery:
        try:
            await main(nursery)
        except Exception as raised:  # noqa: BLE001 - raised again below, outside of the nursery's group
            error = raised
        nursery.cancel_scope.cancel()
    if error is not None:
        raise error


async def played(
    around: Surroundings,
    registered: Registered,
    play: Callable[[Daemon, trio.Nursery], Awaitable[None]],
    *,
    disk: float = 0.0,
) -> None:
    """Start a daemon on *around*, have *play* played, and end it. *disk* is how long a commit takes, in seconds."""

    async def main(nursery: trio.Nursery) -> None:
        daemon = Daemon(around, registered, MemoryStore(delay=disk))
        await daemon.start(nursery)
        await play(daemon, nursery)

    await alone(main)


def without_waiting(main: Callable[[], Awaitable[None]]) -> None:
    """Run *main* with a clock that jumps whenever everybody waits."""
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))


def imagined(
    around: Surroundings,
    registered: Registered,
    play: Callable[[Daemon, trio.Nursery], Awaitable[None]],
    *,
    disk: float = 0.0,
) -> None:
    """``played`` on an imaginary host, without waiting."""
    with structlog.testing.capture_logs():  # thousands of lines about calls that are refused on purpose
        without_waiting(partial(played, around, registered, play, disk=disk))
