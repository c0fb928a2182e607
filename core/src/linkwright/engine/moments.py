"""Moments: what is done once, after the answer, when its condition holds. Now: telling neighbours where addresses are.

A moment that cannot be had is told to the observer and forgotten. ``run`` is a service; several at a time are well,
since each moment waits for a sandbox of its own, which up to engine 27 is made only after Join.
"""

from typing import Final

import trio

from linkwright.engine.observation import Announced, Observer
from linkwright.engine.ports import Kernel
from linkwright.engine.state import State
from linkwright.errors import LinkwrightError
from linkwright.model import Announcement, EndpointState

#: How many ``run`` at a time: a host that starts a hundred containers at once waits for few of them long.
WORKERS: Final = 8

#: Moments that may wait. A host that is further behind has other trouble, and caches forget by themselves.
_WAITING: Final = 4096


class Moments:
    """The queue and the service."""

    def __init__(self, *, state: State, kernel: Kernel, observer: Observer) -> None:
        """Take the parts. Nothing waits."""
        self._state = state
        self._kernel = kernel
        self._observer = observer
        self._sending, self._receiving = trio.open_memory_channel[Announcement](_WAITING)

    def announce(self, announcement: Announcement) -> None:
        """Have it told soon. Neither waits nor raises."""
        try:
            self._sending.send_nowait(announcement)
        except trio.WouldBlock:
            self._observer(Announced(announcement.endpoint, "too many were waiting"))

    async def run(self) -> None:
        """Tell what comes, one after the other, for ever."""
        async for announcement in self._receiving:
            if not self._holds(announcement):
                continue
            try:
                told = await self._kernel.announce(announcement)
                reason = "" if told else "its link did not come up in the sandbox in time"
            except LinkwrightError as error:
                reason = str(error)
            if not reason or self._holds(announcement):  # of one that left meanwhile nobody needs to know
                self._observer(Announced(announcement.endpoint, reason))

    def _holds(self, announcement: Announcement) -> bool:
        """Whether the endpoint is still where it was."""
        endpoint = self._state.endpoints.get(announcement.endpoint)
        if endpoint is None or endpoint.state is not EndpointState.JOINED or endpoint.sandbox is None:
            return False
        return endpoint.sandbox.key == announcement.sandbox
