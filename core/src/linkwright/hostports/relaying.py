"""What relays have in common: tasks in a nursery that is lent, which end together; and how many there may be.

Rule: an error ends what it happened to, and nothing beside it.
"""

from collections.abc import Awaitable, Callable
from typing import Final, ParamSpec

import trio
from attrs import define, field, frozen

from linkwright.model import Address

P = ParamSpec("P")

#: Connections and clients at a time: of all ports together, and of one. Each takes two descriptors of the process's
#: and, while data is under way, up to 128 KiB. docker-proxy has no limit, and a process for each port to exhaust.
MOST: Final = 2048
MOST_OF_ONE: Final = 512

#: Seconds to wait after an error in taking what comes (EMFILE, ENOBUFS): it would only come again at once.
PAUSE: Final = 0.1

#: Is told of what no relay should raise.
Fault = Callable[[Exception], object]


@frozen
class Target:
    """Where to relay to."""

    address: Address
    port: int


@define
class Room:
    """How many more there may be, and how many of one port."""

    left: int = MOST
    of_one: int = MOST_OF_ONE

    def take(self) -> bool:
        """Take one's place; False if there is none left."""
        if not self.left:
            return False
        self.left -= 1
        return True

    def leave(self) -> None:
        """Give it back."""
        self.left += 1


@define(eq=False)
class Tasks:
    """Tasks that end together, when closed or when the nursery does."""

    _nursery: trio.Nursery
    _fault: Fault
    _scopes: set[trio.CancelScope] = field(factory=set, init=False)
    _closed: bool = field(default=False, init=False)

    def start(self, work: Callable[P, Awaitable[None]], *args: P.args, **kwargs: P.kwargs) -> None:
        """Start *work*. It runs up to its first checkpoint even if this is closed by then."""

        async def guarded() -> None:
            with trio.CancelScope() as scope:
                self._scopes.add(scope)
                if self._closed:
                    scope.cancel()
                try:
                    await work(*args, **kwargs)
                except Exception as error:  # noqa: BLE001 - a bug in here is no reason to end the daemon
                    self._fault(error)
                finally:
                    self._scopes.discard(scope)

        self._nursery.start_soon(guarded)

    def close(self) -> None:
        """End them all."""
        self._closed = True
        for scope in self._scopes:
            scope.cancel()
