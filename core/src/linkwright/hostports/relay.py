"""Connections that come to a held IPv6 port, relayed to the container: those that the firewall leads nowhere.

That is what is sent to ::1, to link-local addresses, and to a container that has no IPv6. The container sees the host
as the client. A direction that ends is ended on the other side as well and the other direction goes on (half-close);
one that breaks breaks both, by a reset, lest a cut answer look like a whole one.
"""

import socket
import struct
from contextlib import suppress
from typing import Final

import trio
from attrs import define

from linkwright.hostports.binding import FAMILIES, Make
from linkwright.hostports.relaying import PAUSE, Fault, Room, Target, Tasks

#: Bytes taken at a time.
_CHUNK: Final = 64 * 1024

#: Seconds in which the container has to accept.
_REACH: Final = 10.0

#: Seconds of silence after which a peer is asked whether it is still there, between questions, and how many of them.
_KEEPALIVE: Final = ((socket.TCP_KEEPIDLE, 300), (socket.TCP_KEEPINTVL, 60), (socket.TCP_KEEPCNT, 5))

_RESET: Final = struct.pack("@ii", 1, 0)  # struct linger: on, for no time (socket(7))


class Relay:
    """A listening socket, and the connections that came to it."""

    def __init__(
        self, listening: socket.socket, *, make: Make, room: Room, nursery: trio.Nursery, fault: Fault
    ) -> None:
        """Own *listening* from now on, with tasks in *nursery*; sockets towards the container are opened by *make*."""
        self.target: Target | None = None
        self._listening = trio.socket.from_stdlib_socket(listening)
        self._make = make
        self._room = room
        self._mine = trio.Semaphore(room.of_one)
        self._tasks = Tasks(nursery, fault)
        self._tasks.start(self._accept)

    def close(self) -> None:
        """Let go of the port, at once, and of all connections."""
        self._listening.close()
        self._tasks.close()

    async def _accept(self) -> None:
        while True:
            await self._mine.acquire()
            try:
                client = await self._next()
            except trio.ClosedResourceError:
                return
            self._tasks.start(self._connection, client)

    async def _next(self) -> trio.SocketStream:
        while True:
            try:
                client, _ = await self._listening.accept()
                return _stream(client)
            except OSError:  # no descriptors; or the connection ended before it was taken (accept(2))
                await trio.sleep(PAUSE)

    async def _connection(self, client: trio.SocketStream) -> None:
        """Relay *client*, or reset it where that cannot be."""
        server = None
        taken = self._room.take()
        try:
            if taken:
                server = await self._reach()
        finally:
            if server is None:
                _reset(client)
                self._leave(taken=taken)
        if server is not None:
            pair = _Pair(self, client, server)
            self._tasks.start(pair.half, client, server)
            await pair.half(server, client)

    async def _reach(self) -> trio.SocketStream | None:
        """Connect to the container; None if it does not accept."""
        target = self.target
        if target is None:
            return None
        try:
            opened = self._make(FAMILIES[target.address.version], socket.SOCK_STREAM, 0)
        except OSError:
            return None
        opened.setblocking(False)
        server = trio.socket.from_stdlib_socket(opened)
        try:
            with trio.fail_after(_REACH):
                await server.connect((str(target.address), target.port))
            return _stream(server)
        except (OSError, trio.TooSlowError):
            server.close()
            return None
        except BaseException:
            server.close()
            raise

    def _leave(self, *, taken: bool = True) -> None:
        self._mine.release()
        if taken:
            self._room.leave()

    def left(self) -> None:
        """A connection is over."""
        self._leave()


@define(eq=False)
class _Pair:
    """Two streams, and the two tasks that carry from each to the other."""

    relay: Relay
    client: trio.SocketStream
    server: trio.SocketStream
    halves: int = 2

    async def half(self, source: trio.SocketStream, sink: trio.SocketStream) -> None:
        """Carry one direction to its end."""
        whole = False
        try:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                while data := await source.receive_some(_CHUNK):
                    await sink.send_all(data)
                await sink.send_eof()
                whole = True
        finally:
            self.halves -= 1
            if not whole:
                _reset(self.client)
                _reset(self.server)
            elif not self.halves:
                self.client.socket.close()
                self.server.socket.close()
            if not self.halves:
                self.relay.left()


def _stream(one: trio.socket.SocketType) -> trio.SocketStream:
    stream = trio.SocketStream(one)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _KEEPALIVE:
        stream.setsockopt(socket.IPPROTO_TCP, option, value)
    return stream


def _reset(stream: trio.SocketStream) -> None:
    """Close so that the peer is told of an error, and not of an end. A second time does nothing."""
    if stream.socket.fileno() >= 0:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        stream.socket.close()
