"""What is asked of a supervisor that keeps sockets while there is no process of ours (systemd's FD store)."""

import socket
from typing import Final, Protocol

from linkwright.hostports.places import Place

#: What the names of sockets that are kept begin with, to tell them from others that a supervisor hands over.
PREFIX: Final = "hostport-"


def name_of(place: Place) -> str:
    """What the socket that holds *place* is called: ASCII without a colon (sd_pid_notify_with_fds(3), FDNAME)."""
    return f"{PREFIX}{place.protocol}-{place.address}-{place.port}".replace(":", "_")


class Keeper(Protocol):
    """Keeps sockets by name, and hands them over to the next process."""

    def keep(self, name: str, kept: socket.socket) -> None:
        """Keep *kept* from now on, unless it is closed before that could be asked for. Neither waits nor raises."""

    def drop(self, name: str) -> None:
        """Close what is kept as *name*; of nothing is fine. Neither waits nor raises."""

    async def settled(self) -> bool:
        """Wait until what was dropped lately is closed; False, at once, if nothing was."""


class Nowhere:
    """Keeps nothing."""

    def keep(self, name: str, kept: socket.socket) -> None:
        """Do nothing."""

    def drop(self, name: str) -> None:
        """Do nothing."""

    async def settled(self) -> bool:
        """Nothing was dropped."""
        return False
