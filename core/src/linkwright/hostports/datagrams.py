"""Datagrams that come to a held IPv6 port, relayed to the container: those that the firewall leads nowhere.

Each client has a socket of its own towards the container, so that answers find back to it, from the address that it
had written to. It is forgotten when nothing came either way for a while, or when it is the one that has been silent
longest and there is no room for another.
"""

import socket
import struct
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import IPv6Address
from typing import Final

import trio
from attrs import define, field

from linkwright.hostports.binding import FAMILIES, Make
from linkwright.hostports.relaying import PAUSE, Fault, Room, Target, Tasks

#: Seconds of silence after which a client is forgotten: as long as docker-proxy's.
IDLE: Final = 90.0

#: Bytes of the largest datagram.
_LARGEST: Final = 65535

#: struct in6_pktinfo (ipv6(7)): the address of ours that was written to, and the link by which it came.
_PKTINFO: Final = struct.Struct("@16sI")
_ANCILLARY: Final = socket.CMSG_SPACE(_PKTINFO.size)

#: A client as the kernel names it (host, port, flow, scope), and the address of ours that it wrote to.
_Key = tuple[object, bytes]


@define(eq=False)
class _Client:
    """One client's socket towards the container."""

    key: _Key
    server: trio.socket.SocketType
    scope: trio.CancelScope = field(factory=trio.CancelScope)
    over: bool = False

    def heard(self) -> None:
        """Something came: it is not idle."""
        self.scope.deadline = trio.current_time() + IDLE


class DatagramRelay:
    """A bound socket, and the clients that wrote to it."""

    def __init__(self, held: socket.socket, *, make: Make, room: Room, nursery: trio.Nursery, fault: Fault) -> None:
        """Own *held* from now on, with tasks in *nursery*; sockets towards the container are opened by *make*."""
        self.target: Target | None = None
        held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        self._held = trio.socket.from_stdlib_socket(held)
        self._make = make
        self._room = room
        self._clients: OrderedDict[_Key, _Client] = OrderedDict()  # the one that was heard last is the last
        self._tasks = Tasks(nursery, fault)
        self._tasks.start(self._receive)

    def close(self) -> None:
        """Let go of the port, at once, and of all clients."""
        self._held.close()
        for client in list(self._clients.values()):
            self._end(client)
        self._tasks.close()

    async def _receive(self) -> None:
        while True:
            try:
                data, ancillary, _, sender = await self._held.recvmsg(_LARGEST, _ANCILLARY)
            except trio.ClosedResourceError:
                return
            except OSError:
                await trio.sleep(PAUSE)
                continue
            key = (sender, _written_to(ancillary))
            client = self._clients.get(key) or self._new(key)
            if client is not None:
                client.heard()
                self._clients.move_to_end(key)
                with suppress(OSError, trio.ClosedResourceError):  # a datagram may be lost
                    await client.server.send(data)

    def _new(self, key: _Key) -> _Client | None:
        """Open a socket for a client, in place of another's if need be; None if that cannot be."""
        if self.target is None or not self._make_room():
            return None
        target = self.target
        try:
            opened = self._make(FAMILIES[target.address.version], socket.SOCK_DGRAM, 0)
        except OSError:
            self._room.leave()
            return None
        try:
            opened.setblocking(False)
            opened.connect((str(target.address), target.port))
        except OSError:  # no way there
            opened.close()
            self._room.leave()
            return None
        client = self._clients[key] = _Client(key, trio.socket.from_stdlib_socket(opened))
        self._tasks.start(self._answer, client)
        return client

    def _make_room(self) -> bool:
        if len(self._clients) < self._room.of_one and self._room.take():
            return True
        if not self._clients:
            return False  # others have it all
        self._end(next(iter(self._clients.values())))
        return self._room.take()

    async def _answer(self, client: _Client) -> None:
        """Carry what the container sends back to *client*, until it is idle."""
        sender, written_to = client.key
        ancillary = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, written_to)] if written_to else []
        try:
            with client.scope, suppress(trio.ClosedResourceError):
                while True:
                    with suppress(OSError):  # nobody listens there (ICMP), or the way back is gone
                        data = await client.server.recv(_LARGEST)
                        client.heard()
                        await self._held.sendmsg([data], ancillary, 0, sender)
        finally:
            self._end(client)

    def _end(self, client: _Client) -> None:
        if not client.over:
            client.over = True
            client.server.close()
            client.scope.cancel()
            self._clients.pop(client.key, None)
            self._room.leave()


def _written_to(ancillary: Sequence[tuple[int, int, bytes]]) -> bytes:
    """Return what makes an answer come from the address that was written to; b"" where that is not known."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO) and len(data) == _PKTINFO.size:
            address, link = _PKTINFO.unpack(data)
            # Another address is answered by whichever link leads there; a link-local one has a meaning on its own only.
            return _PKTINFO.pack(address, link if IPv6Address(address).is_link_local else 0)
    return b""
