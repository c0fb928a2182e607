"""Datagrams to held IPv6 ports, led to a container that is played here by a server on an address of its own."""

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import ip_address

import pytest
import trio
from attrs import define, field
from core.tests.hostports.conftest import ANY6, ONE4, ONE6, RealHost, bind, both
from trio.testing import MockClock, wait_all_tasks_blocked

from linkwright.hostports.datagrams import IDLE, DatagramRelay
from linkwright.hostports.relaying import Room, Target
from linkwright.model import Address, Protocol

pytestmark = pytest.mark.netns

UDP = Protocol.UDP


@define
class Wire:
    """A host whose relays run, with servers and clients in its namespace. Clients give up after a while."""

    real: RealHost
    nursery: trio.Nursery
    stack: AsyncExitStack
    faults: list[Exception] = field(factory=list)

    def server(self, address: Address = ONE4, port: int = 53) -> trio.socket.SocketType:
        """Somebody who receives in the container."""
        one = self._open(socket.AF_INET if address.version == 4 else socket.AF_INET6)
        one.bind((str(address), port))
        return trio.socket.from_stdlib_socket(one)

    def client(self, host: str = "::1", port: int = 5353, origin: str = "") -> trio.socket.SocketType:
        """Somebody who writes to the host, and takes answers from where it wrote to only."""
        one = self.bound(origin, 0) if origin else self._open(socket.AF_INET6)
        one.connect((host, port))
        return trio.socket.from_stdlib_socket(one)

    def relay(self, room: Room) -> DatagramRelay:
        """A relay to the container, beside what is held."""
        relay = DatagramRelay(
            self.bound("::1", 5354), make=self.real.make, room=room, nursery=self.nursery, fault=self.faults.append
        )
        relay.target = Target(ONE4, 53)
        self.stack.callback(relay.close)
        return relay

    def bound(self, host: str, port: int) -> socket.socket:
        """A socket there."""
        one = self._open(socket.AF_INET6)
        one.bind((host, port))
        return one

    def _open(self, family: int) -> socket.socket:
        one = self.real.make(family, socket.SOCK_DGRAM)
        one.setblocking(False)
        self.stack.callback(one.close)
        return one


@asynccontextmanager
async def running(real: RealHost) -> AsyncIterator[Wire]:
    """Run the relays of *real*; five minutes are more than any test here takes, by whichever clock."""
    with trio.fail_after(300):
        async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
            await nursery.start(real.ports.run)
            try:
                yield Wire(real, nursery, stack)
            finally:
                real.ports.close()  # here: outside trio its sockets cannot be closed
                nursery.cancel_scope.cancel()


async def exchange(client: trio.socket.SocketType, server: trio.socket.SocketType, text: bytes) -> object:
    """One there and one back; return as whom the server saw the client."""
    await client.send(text)
    received, sender = await server.recvfrom(100)
    assert received == text
    await server.sendto(text[::-1], sender)
    assert await client.recv(100) == text[::-1]
    return sender


@pytest.mark.parametrize("to", [ONE4, ONE6], ids=["IPv4", "IPv6"])
async def test_what_comes_to_a_held_ipv6_port_reaches_the_container_and_back(real: RealHost, to: Address) -> None:
    """Each client by a socket of its own, which stays the same: a server knows its clients by that."""
    async with running(real) as wire:
        server = wire.server(to)
        await real.ports.hold("a", [both(5353, 53, UDP)], [to])
        one, other = wire.client(), wire.client()

        first = await exchange(one, server, b"hello")
        assert await exchange(other, server, b"hi") != first
        assert await exchange(one, server, b"") == first
        assert await exchange(one, server, b"x" * 60) == first


async def test_an_answer_comes_from_the_address_that_was_written_to(real: RealHost) -> None:
    """A host has many, and a client takes nothing from another."""
    async with running(real) as wire:
        server = wire.server()
        await real.ports.hold("a", [both(5353, 53, UDP)], [ONE4])
        for number in (2, 3):
            real.namespace.run("ip", "address", "add", f"2001:db8::{number}/128", "dev", "lo", "nodad")

        for host in ("2001:db8::2", "2001:db8::3", "::1"):
            await exchange(wire.client(host, origin=str(ONE6)), server, host.encode())


async def test_a_container_that_does_not_listen_yet_is_found_when_it_does(real: RealHost) -> None:
    """What comes meanwhile is lost, as datagrams may be, and nothing else is."""
    async with running(real) as wire:
        await real.ports.hold("a", [(bind(ANY6, 5353, 53, UDP),)], [ONE4])
        client = wire.client()
        await client.send(b"lost")
        await wait_all_tasks_blocked(0.05)

        await exchange(client, wire.server(), b"found")


async def test_a_container_that_cannot_be_reached_costs_a_datagram(real: RealHost) -> None:
    """No route to it, or no address at all: the next one is led to wherever it then is."""
    async with running(real) as wire:
        client = wire.client()
        for targets in ([], [ip_address("198.51.100.1")]):
            await real.ports.hold("a", [(bind(ANY6, 5353, 53, UDP),)], targets)
            await client.send(b"lost")
            await wait_all_tasks_blocked(0.05)

        await real.ports.hold("a", [(bind(ANY6, 5353, 53, UDP),)], [ONE4])
        await exchange(client, wire.server(), b"found")


async def test_released_it_is_free_at_once_and_answers_go_nowhere(real: RealHost) -> None:
    """The container's answer finds no socket any more."""
    async with running(real) as wire:
        server = wire.server()
        await real.ports.hold("a", [both(5353, 53, UDP)], [ONE4])
        sender = await exchange(wire.client(), server, b"hello")

        real.ports.release("a")

        real.take(UDP, ANY6, 5353)
        await server.connect(sender)
        await server.send(b"are you there?")
        with pytest.raises(ConnectionRefusedError):
            await server.recv(100)


async def test_a_client_that_is_silent_is_forgotten(real: RealHost, mock_clock: MockClock) -> None:
    """And one that speaks, or is spoken to, is not."""
    async with running(real) as wire:
        server, room = wire.server(), Room(left=2)
        wire.relay(room)
        silent, speaks = wire.client(port=5354), wire.client(port=5354)
        await exchange(silent, server, b"once")
        known = await exchange(speaks, server, b"one")
        assert room.left == 0

        mock_clock.jump(IDLE - 1)
        assert await exchange(speaks, server, b"two") == known
        mock_clock.jump(2)
        await wait_all_tasks_blocked(0.01)

        assert room.left == 1
        assert await exchange(speaks, server, b"three") == known
        mock_clock.jump(IDLE + 1)
        await wait_all_tasks_blocked(0.01)
        assert room.left == 2


async def test_where_there_is_no_room_the_one_silent_longest_goes(real: RealHost) -> None:
    """Among its own clients; a port that has none gets none when the others have all the room."""
    async with running(real) as wire:
        server, room = wire.server(), Room(left=3, of_one=2)
        relay = wire.relay(room)
        first, second, third = (wire.client(port=5354) for _ in range(3))
        before = await exchange(first, server, b"1")
        gone = await exchange(second, server, b"2")
        assert await exchange(first, server, b"1 again") == before

        await exchange(third, server, b"3")

        assert room.left == 1
        assert await exchange(first, server, b"1 still") == before
        assert await exchange(second, server, b"2 anew") != gone

        room.left = 0
        await exchange(third, server, b"3 in place of one of its port's")
        relay.close()
        assert room.left == 2
    assert wire.faults == []
