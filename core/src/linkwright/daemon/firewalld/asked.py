"""What firewalld is asked and told, and how it can fail: what ``zones`` needs and ``bus`` gives."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol

import trio

from linkwright.errors import Unavailable


class Gone(Unavailable):
    """firewalld went while it was asked."""


class Declined(Unavailable):
    """firewalld, or the bus, refused what it was asked; what comes next it may do."""


class Firewalld(Protocol):
    """What firewalld is asked and told (``bus``). Declined, Gone, or Unavailable if it does not answer."""

    async def runs(self) -> bool:
        """Whether it is there."""

    async def zones(self) -> Mapping[str, Iterable[str]]:
        """The interfaces of each zone that has any, at run time."""

    async def add(self, zone: str, link: str) -> None:
        """Put *link* into *zone* until the next reload; fine if it is there."""

    async def remove(self, zone: str, link: str) -> None:
        """Take it out; fine if it is in none."""


#: Calls the function with a firewalld for as long as there is a bus, and returns when there is none. What may have
#: changed something for us is told to the channel.
Talk = Callable[[Callable[[Firewalld], Awaitable[None]], trio.MemorySendChannel[Any]], Awaitable[None]]
