"""Ports that stay held while there is no process of ours: a supervisor keeps the sockets, and hands them over."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from core.tests.daemon.supervisor import Supervisor
from core.tests.hostports.conftest import ANY4, ANY6, ONE4, RealHost, both
from trio.testing import wait_all_tasks_blocked

from linkwright.daemon.fd_store import FdStore
from linkwright.errors import Conflict
from linkwright.hostports import HeldPorts
from linkwright.model import Protocol

pytestmark = pytest.mark.netns

TCP, UDP = Protocol.TCP, Protocol.UDP
TARGETS = (ONE4,)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """Who keeps them."""
    one = Supervisor(tmp_path)
    yield one
    one.end()


class Life:
    """One process of ours: its sockets end with it, and what was not said by then never is."""

    def __init__(self, real: RealHost, supervisor: Supervisor) -> None:
        """Begin, with what the supervisor hands over."""
        self.store = FdStore(supervisor.environ)
        self.ports: HeldPorts = real.held(self.store, supervisor.hand_over())
        self._supervisor = supervisor

    async def told(self) -> None:
        """Have all said and done."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.store.run)
            nursery.start_soon(self._supervisor.follow)
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()


def inodes(supervisor: Supervisor) -> set[int]:
    """Which sockets the supervisor keeps."""
    return {os.fstat(one.fileno()).st_ino for kept in supervisor.kept.values() for one in kept}


async def test_what_is_held_stays_held_from_one_life_to_the_next(real: RealHost, supervisor: Supervisor) -> None:
    """Nobody can take it in between, and what comes to an IPv6 port waits in it."""
    first = Life(real, supervisor)
    held = await first.ports.hold("a", [both(8080), both(0, protocol=UDP)], TARGETS)
    await first.told()
    kept = inodes(supervisor)
    first.ports.close()
    for protocol, port in ((TCP, 8080), (UDP, held[2].host_port)):
        with pytest.raises(Conflict):
            real.take(protocol, ANY6, port)
    client = real.make(socket.AF_INET6, socket.SOCK_STREAM)
    client.connect(("::1", 8080))

    second = Life(real, supervisor)
    await second.ports.restore("a", held, TARGETS)
    second.ports.forget_handed()
    await second.told()

    assert second.ports.lost() == {}
    assert inodes(supervisor) == kept
    assert len(kept) == 4
    with client, real.make(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind((str(ONE4), 80))
        server.listen()
        async with trio.open_nursery() as nursery:
            await nursery.start(second.ports.run)
            accepted, _ = await trio.to_thread.run_sync(server.accept)
            accepted.close()
            second.ports.close()
            nursery.cancel_scope.cancel()


async def test_what_is_let_go_is_let_go_there_too(real: RealHost, supervisor: Supervisor) -> None:
    """By us in the same life, or in a later one."""
    first = Life(real, supervisor)
    held = await first.ports.hold("a", [both(8080), both(8081, 81)], TARGETS)
    await first.told()
    first.ports.close()
    second = Life(real, supervisor)
    await second.ports.restore("a", held, TARGETS)

    await second.ports.hold("a", [both(8081, 81)], TARGETS)
    await second.told()
    real.take(TCP, ANY4, 8080)
    second.ports.release("a")
    await second.told()

    assert supervisor.kept == {}
    real.take(TCP, ANY4, 8081)


async def test_what_nobody_asks_for_any_more_is_closed(real: RealHost, supervisor: Supervisor) -> None:
    """The container ended while we were away; and what is no socket of a port is none of ours to keep."""
    first = Life(real, supervisor)
    await first.ports.hold("a", [both(8080)], TARGETS)
    await first.told()
    first.ports.close()
    one, other = socket.socketpair()
    supervisor.kept["hostport-odd"] = [one]

    second = Life(real, supervisor)
    second.ports.forget_handed()
    await second.told()

    assert supervisor.kept == {}
    real.take(TCP, ANY4, 8080)
    assert other.recv(1) == b""
    other.close()


async def test_a_request_that_came_to_nothing_is_never_told(real: RealHost, supervisor: Supervisor) -> None:
    """Only what stays is kept."""
    real.take(TCP, ANY6, 8081)
    life = Life(real, supervisor)

    with pytest.raises(Conflict):
        await life.ports.hold("a", [both(8080), both(8081)], TARGETS)
    await life.told()

    assert supervisor.said == []


async def test_b_28_stopped_and_started_fifty_times_beside_a_supervisor(real: RealHost, supervisor: Supervisor) -> None:
    """What it is about to close has the port still, and is waited for; and what came before is not mixed up."""
    life = Life(real, supervisor)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(life.store.run)
        nursery.start_soon(supervisor.follow)
        for _ in range(50):
            await life.ports.hold("a", [both(8080), both(8080, protocol=UDP)], TARGETS)
            await wait_all_tasks_blocked()
            assert len(inodes(supervisor)) == 4
            life.ports.release("a")
        await life.ports.hold("a", [both(8080)], TARGETS)
        nursery.cancel_scope.cancel()
    life.ports.close()

    assert "BARRIER=1" in supervisor.said  # it was waited for indeed


async def test_a_port_that_is_taken_is_refused_beside_a_supervisor_too(real: RealHost, supervisor: Supervisor) -> None:
    """After waiting for what it may have had to close, and not for ever."""
    real.take(TCP, ANY4, 8080)
    life = Life(real, supervisor)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(life.store.run)
        nursery.start_soon(supervisor.follow)
        await life.ports.hold("a", [both(8081)], TARGETS)
        await wait_all_tasks_blocked()
        life.ports.release("a")

        with pytest.raises(Conflict):
            await life.ports.hold("a", [both(8080)], TARGETS)
        nursery.cancel_scope.cancel()
