"""Connections to held IPv6 ports, led to a container that is played here by servers on addresses of its own."""

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import trio
from attrs import define, field
from core.tests.hostports.conftest import ANY6, ONE4, ONE6, RealHost, bind, both
from trio.testing import wait_all_tasks_blocked

from linkwright.errors import Conflict
from linkwright.hostports.relay import Relay
from linkwright.hostports.relaying import Room, Target
from linkwright.model import Address, Protocol

pytestmark = pytest.mark.netns

TCP = Protocol.TCP
MUCH = 256 * 1024 * 1024
LARGE = bytes(range(256)) * 16384  # 4 MiB: more than the kernel's buffers of a connection hold


@define
class Wire:
    """A host whose relays run, with servers and clients in its namespace."""

    real: RealHost
    stack: AsyncExitStack
    faults: list[Exception] = field(factory=list)

    def server(self, address: Address = ONE4, port: int = 80) -> trio.SocketListener:
        """Somebody who listens in the container."""
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        one = self.real.make(family, socket.SOCK_STREAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((str(address), port))
        one.listen()
        listener = trio.SocketListener(_trio(one))
        self.stack.callback(listener.socket.close)
        return listener

    async def accept(self, server: trio.SocketListener) -> trio.SocketStream:
        """What comes to it next."""
        accepted = await server.accept()
        self.stack.callback(accepted.socket.close)
        return accepted

    async def client(self, host: str = "::1", port: int = 8080) -> trio.SocketStream:
        """Somebody who connects to the host."""
        one = _trio(self.real.make(socket.AF_INET6, socket.SOCK_STREAM))
        self.stack.callback(one.close)
        await one.connect((host, port))
        return trio.SocketStream(one)


def _trio(one: socket.socket) -> trio.socket.SocketType:
    one.setblocking(False)
    return trio.socket.from_stdlib_socket(one)


@asynccontextmanager
async def running(real: RealHost) -> AsyncIterator[Wire]:
    """Run the relays of *real*; a minute is more than any test here takes."""
    with trio.fail_after(60):
        async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
            await nursery.start(real.ports.run)
            try:
                yield Wire(real, stack)
            finally:
                real.ports.close()  # here: outside trio its sockets cannot be closed
                nursery.cancel_scope.cancel()


async def all_of(stream: trio.SocketStream) -> bytes:
    """What comes up to the end."""
    received = bytearray()
    async for data in stream:
        received += data
    return bytes(received)


@pytest.mark.parametrize("host", ["::1", str(ONE6)])
async def test_what_comes_to_a_held_ipv6_port_reaches_a_container_without_ipv6(real: RealHost, host: str) -> None:
    """Row 13 of the firewall's table, and every IPv6 client of such a container."""
    async with running(real) as wire:
        server = wire.server()
        await real.ports.hold("a", [both(8080)], [ONE4])

        client = await wire.client(host)
        accepted = await wire.accept(server)
        await client.send_all(b"ping")
        assert await accepted.receive_some() == b"ping"
        await accepted.send_all(b"pong")
        assert await client.receive_some() == b"pong"
        await accepted.aclose()
        assert await all_of(client) == b""


async def test_a_container_with_ipv6_is_reached_by_it(real: RealHost) -> None:
    """Whichever way its addresses are told."""
    async with running(real) as wire:
        wire.server(ONE4)
        server = wire.server(ONE6)
        await real.ports.hold("a", [(bind(ANY6, 8080),)], [ONE4, ONE6])

        await wire.client()
        accepted = await wire.accept(server)

        assert accepted.socket.getpeername()[0] == str(ONE6)  # from the host itself, to its own address


async def test_a_port_of_one_address_is_relayed_from_that_one(real: RealHost) -> None:
    """``-p [2001:db8::1]:8080:80``: elsewhere nobody answers."""
    async with running(real) as wire:
        server = wire.server()
        await real.ports.hold("a", [(bind(ONE6, 8080),)], [ONE4])

        await wire.client(str(ONE6))
        await wire.accept(server)

        with pytest.raises(ConnectionRefusedError):
            await wire.client("::1")


async def test_an_end_is_passed_on_and_the_other_direction_goes_on(real: RealHost) -> None:
    """A client that shuts its side down still gets its whole answer, as `ssh host cat` and HTTP/1.0 do."""
    async with running(real) as wire:
        server = wire.server()
        await real.ports.hold("a", [both(8080)], [ONE4])

        client = await wire.client()
        accepted = await wire.accept(server)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(client.send_all, LARGE)
            received = bytearray()
            while len(received) < len(LARGE):
                received += await accepted.receive_some()
        await client.send_eof()
        assert await accepted.receive_some() == b""

        async with trio.open_nursery() as nursery:
            nursery.start_soon(_answer, accepted)
            assert await all_of(client) == LARGE
        assert bytes(received) == LARGE


async def _answer(stream: trio.SocketStream) -> None:
    await stream.send_all(LARGE)
    await stream.aclose()


async def test_a_break_is_passed_on_as_one(real: RealHost) -> None:
    """What was cut off must not look complete: from either side a reset arrives as a reset."""
    async with running(real) as wire:
        server = wire.server()
        await real.ports.hold("a", [both(8080)], [ONE4])

        for to_break in (0, 1):
            client = await wire.client()
            accepted = await wire.accept(server)
            await accepted.send_all(b"half of the ans")
            assert await client.receive_some(100) == b"half of the ans"
            ends = [client, accepted]
            ends[to_break].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            ends[to_break].socket.close()

            with pytest.raises(trio.BrokenResourceError):
                await ends[1 - to_break].receive_some()


async def test_a_container_that_does_not_listen_costs_its_client_only(real: RealHost) -> None:
    """Connections to other ports go on; and the client is told."""
    async with running(real) as wire:
        server = wire.server(port=81)
        await real.ports.hold("a", [both(8080), both(8081, 81)], [ONE4])
        other = await wire.client(port=8081)
        accepted = await wire.accept(server)

        client = await wire.client()
        with pytest.raises(trio.BrokenResourceError):
            await client.receive_some()

        await other.send_all(b"ping")
        assert await accepted.receive_some() == b"ping"


async def test_a_container_without_addresses_is_nowhere(real: RealHost) -> None:
    """A client is told, and not left waiting."""
    async with running(real) as wire:
        await real.ports.hold("a", [both(8080)], [])

        client = await wire.client()
        with pytest.raises(trio.BrokenResourceError):
            await client.receive_some()


async def test_connections_end_with_their_endpoint_and_the_port_is_free_at_once(real: RealHost) -> None:
    """Leave, and whatever comes next on that port has nothing to do with what was there."""
    async with running(real) as wire:
        server = wire.server()
        await real.ports.hold("a", [both(8080)], [ONE4])
        client = await wire.client()
        accepted = await wire.accept(server)

        real.ports.release("a")
        real.take(TCP, ANY6, 8080)

        for one in (client, accepted):
            with pytest.raises(trio.BrokenResourceError):
                await one.receive_some()


async def test_a_port_that_leads_elsewhere_now_leads_new_connections_there(real: RealHost) -> None:
    """The same socket, another port of the container; who is connected stays connected."""
    async with running(real) as wire:
        first, second = wire.server(port=80), wire.server(port=81)
        await real.ports.hold("a", [both(8080, 80)], [ONE4])
        client = await wire.client()
        accepted = await wire.accept(first)

        await real.ports.hold("a", [both(8080, 81)], [ONE4])
        await wire.client()
        await wire.accept(second)

        await client.send_all(b"ping")
        assert await accepted.receive_some() == b"ping"


async def test_what_is_held_before_relays_run_is_relayed_when_they_do(real: RealHost) -> None:
    """The start restores first; a client that comes early waits in the backlog."""
    await real.ports.restore("a", both(8080), [ONE4])
    async with running(real) as wire:
        server = wire.server()

        await wire.client()
        await wire.accept(server)


async def test_b_28_stopped_and_started_fifty_times_the_port_is_never_in_use(real: RealHost) -> None:
    """With connections that are relayed when it stops, and with others that were closed just before (TIME_WAIT)."""
    async with running(real) as wire:
        server = wire.server()
        for _ in range(50):
            await real.ports.hold("a", [both(8080), both(8080, protocol=Protocol.UDP)], [ONE4])
            over, client = await wire.client(), await wire.client()
            accepted, other = await wire.accept(server), await wire.accept(server)
            await accepted.send_eof()
            assert await all_of(over) == b""
            await over.aclose()
            await client.send_all(b"ping")
            assert await other.receive_some() == b"ping"
            real.ports.release("a")

        await real.ports.hold("a", [both(8080)], [ONE4])
        with pytest.raises(Conflict):  # all the while it was held indeed
            real.take(TCP, ANY6, 8080)


async def test_one_port_takes_its_share_and_the_rest_waits(real: RealHost) -> None:
    """The next is served when another has ended; of all ports together, one too many is refused."""
    room = Room(left=3, of_one=2)
    async with running(real) as wire, trio.open_nursery() as nursery:
        server = wire.server()
        relays = []
        for port in (8080, 8081):
            listening = real.make(socket.AF_INET6, socket.SOCK_STREAM)
            listening.setblocking(False)
            listening.bind(("::1", port))
            listening.listen()
            relays.append(Relay(listening, make=real.make, room=room, nursery=nursery, fault=wire.faults.append))
            relays[-1].target = Target(ONE4, 80)

        first, _, third = [await wire.client() for _ in range(3)]
        accepted = [await wire.accept(server) for _ in range(2)]
        await wire.client(port=8081)
        accepted.append(await wire.accept(server))

        too_many = await wire.client(port=8081)
        with pytest.raises(trio.BrokenResourceError):
            await too_many.receive_some()

        await third.send_all(b"ping")  # it has waited in the backlog, and goes on when the first has gone
        await first.aclose()
        await accepted[0].aclose()
        assert await (await wire.accept(server)).receive_some() == b"ping"

        for relay in relays:
            relay.close()
    assert room.left == 3
    assert wire.faults == []


async def test_who_does_not_read_is_not_read_for(real: RealHost) -> None:
    """What is under way of one connection is what the kernel's buffers hold: the sender has to wait."""
    async with running(real) as wire:
        server = wire.server()
        await real.ports.hold("a", [both(8080)], [ONE4])
        await wire.client()
        accepted = await wire.accept(server)
        sent = 0

        async def send() -> None:
            nonlocal sent
            while sent < MUCH:
                await accepted.send_all(bytes(65536))
                sent += 65536

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            await wait_all_tasks_blocked(0.2)  # all wait for each other, or all was taken
            nursery.cancel_scope.cancel()

        assert 0 < sent < MUCH / 4
