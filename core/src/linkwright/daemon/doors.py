"""The sockets that Docker and the command line knock at: opened last, closed first. No nursery: one is lent by ``app``.

Rule: a door is a name, a path, and whoever answers behind it. What is answered is ``plugin``'s and ``admin``'s.
"""

import socket
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path

import trio
from attrs import frozen

from linkwright.daemon import http, sockets
from linkwright.daemon.http import Connections, HttpRequest, HttpResponse
from linkwright.daemon.peer import Peer, peer_of

#: Answers one request of a process.
Answer = Callable[[HttpRequest, Peer], Awaitable[HttpResponse]]


@frozen
class Door:
    """Where to listen, and who answers."""

    path: Path
    answer: Answer
    refusal: http.Refusal


class Doors:
    """All the doors of a daemon."""

    def __init__(self, doors: tuple[Door, ...], connections: Connections) -> None:
        """Have *doors*, closed."""
        self._doors = doors
        self._connections = connections
        self._listening: list[sockets.Listening] = []

    def open(self, nursery: trio.Nursery, handed: Mapping[Path, socket.socket]) -> None:
        """Listen at each, all or none, with tasks in *nursery*; sockets in *handed* are systemd's and used as they are.

        Raises Conflict if another process listens at one of them, Refused if a directory cannot be used.
        """
        try:
            self._listening += (sockets.listen(door.path, handed=handed) for door in self._doors)
        except BaseException:
            self.close()
            raise
        for door, listening in zip(self._doors, self._listening, strict=True):
            nursery.start_soon(self._serve, door, listening, nursery)

    def close(self) -> None:
        """Listen no longer, and take our socket files away. Connections go on until they are idle."""
        for listening in self._listening:
            listening.close()
        self._listening.clear()

    async def _serve(self, door: Door, listening: sockets.Listening, nursery: trio.Nursery) -> None:
        listener = trio.SocketListener(listening.socket)
        try:
            await trio.serve_listeners(partial(self._connection, door), [listener], handler_nursery=nursery)
        except* trio.ClosedResourceError:
            pass  # close() was called

    async def _connection(self, door: Door, stream: trio.SocketStream) -> None:
        handler = partial(_with_peer, door.answer, peer_of(stream))
        await http.serve(stream, handler, refusal=door.refusal, connections=self._connections)


async def _with_peer(answer: Answer, peer: Peer, request: HttpRequest) -> HttpResponse:
    return await answer(request, peer)
