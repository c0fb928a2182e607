"""Sockets that systemd keeps while there is no process of ours: its file descriptor store (sd_pid_notify_with_fds(3)).

=================================  =============================================================================
``FDSTORE=1 FDNAME=… FDPOLL=0``    keep the descriptor that comes along, whatever happens to it
``FDSTOREREMOVE=1 FDNAME=…``       close what is kept by that name
``BARRIER=1``                      close the pipe that comes along, when all that was said before is done
=================================  =============================================================================

What is kept is handed over at the next start (``sockets.inherited``), and stays in the store. Without systemd, or with
FileDescriptorStoreMax=0, nothing is kept and nothing else changes. Rule: datagrams go out in order, from one task.
"""

import array
import os
import socket
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import trio
from attrs import frozen

from linkwright.daemon.notify import supervisor

#: Seconds that a supervisor has to take what is said, and to do it. It reads its socket whenever it turns its loop.
PATIENCE: Final = 5.0


@frozen
class _Message:
    """What to say, and the socket or the end of a pipe that goes along."""

    text: str
    along: socket.socket | int | None = None

    @property
    def descriptors(self) -> list[int]:
        """What goes along now."""
        if isinstance(self.along, socket.socket):
            return [self.along.fileno()]
        return [] if self.along is None else [self.along]

    def done(self) -> None:
        """It was said, or never will be: an end of a pipe goes."""
        if isinstance(self.along, int):
            os.close(self.along)


class FdStore:
    """systemd's store of our sockets (``hostports.Keeper``). ``run`` is for the daemon's nursery."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """Keep with the supervisor that *environ* names, if it does."""
        self._address = supervisor(environ)
        self._messages: deque[_Message] = deque()
        self._said = trio.Event()
        self._dropped = float("-inf")  # when, by trio's clock

    def keep(self, name: str, kept: socket.socket) -> None:
        """Have *kept* kept as *name*. If it is closed by the time that this would be said, it is not."""
        self._say(_Message(f"FDSTORE=1\nFDNAME={name}\nFDPOLL=0", kept))

    def drop(self, name: str) -> None:
        """Have what is kept as *name* closed."""
        if self._address:
            self._say(_Message(f"FDSTOREREMOVE=1\nFDNAME={name}"))
            self._dropped = trio.current_time()

    async def settled(self) -> bool:
        """Wait until what was dropped in the last seconds is closed; False, at once, if nothing was."""
        if not self._address or trio.current_time() > self._dropped + PATIENCE:
            return False
        ours, theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._say(_Message("BARRIER=1", theirs))
        try:
            with trio.move_on_after(PATIENCE):
                await trio.lowlevel.wait_readable(ours)  # its end: nobody writes to it
        finally:
            os.close(ours)
        return True

    async def run(self) -> None:
        """Say what there is to say, until cancelled. What a supervisor does not take in time is not said."""
        try:
            while True:
                while self._messages:
                    await self._send_all()
                self._said = trio.Event()
                await self._said.wait()
        finally:
            self._clear()

    def _say(self, message: _Message) -> None:
        if self._address:
            self._messages.append(message)
            self._said.set()

    async def _send_all(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as datagram:
            try:
                datagram.connect(self._address)  # or its queue could not be waited for
                while self._messages:
                    with trio.fail_after(PATIENCE):
                        await trio.lowlevel.wait_writable(datagram)
                    with suppress(BlockingIOError):
                        _send(datagram, self._messages[0])
                        self._messages.popleft().done()
            except (OSError, ValueError, trio.TooSlowError):
                self._clear()

    def _clear(self) -> None:
        while self._messages:
            self._messages.popleft().done()


def _send(datagram: socket.socket, message: _Message) -> None:
    descriptors = message.descriptors
    if all(each >= 0 for each in descriptors):  # not closed since
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        datagram.sendmsg([message.text.encode()], rights)
