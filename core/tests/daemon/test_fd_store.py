"""systemd's file descriptor store: what is said and in which order, and that nobody who is told so holds us up."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from core.tests.daemon.supervisor import Supervisor
from trio.testing import MockClock, wait_all_tasks_blocked

from linkwright.daemon.fd_store import PATIENCE, FdStore


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """Somebody who is told."""
    one = Supervisor(tmp_path)
    yield one
    one.end()


@asynccontextmanager
async def running(environ: dict[str, str]) -> AsyncIterator[FdStore]:
    """A store whose task runs."""
    async with trio.open_nursery() as nursery:
        store = FdStore(environ)
        nursery.start_soon(store.run)
        yield store
        nursery.cancel_scope.cancel()


@pytest.fixture
def kept() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A socket to keep, and its other end."""
    one, other = socket.socketpair()
    with one, other:
        yield one, other


def descriptors() -> int:
    """How many there are."""
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_what_is_kept_outlives_us(supervisor: Supervisor, kept: tuple[socket.socket, socket.socket]) -> None:
    """The descriptor goes along, with its name, and is not to be watched: our own sockets have no end to be told of."""
    async with running(supervisor.environ) as store:
        store.keep("hostport-a", kept[0])
        await wait_all_tasks_blocked()

        assert supervisor.take() == "FDSTORE=1\nFDNAME=hostport-a\nFDPOLL=0"
    kept[0].close()
    supervisor.kept["hostport-a"][0].send(b"still here")
    assert kept[1].recv(100) == b"still here"


async def test_what_is_dropped_is_closed(supervisor: Supervisor, kept: tuple[socket.socket, socket.socket]) -> None:
    """By its name."""
    async with running(supervisor.environ) as store:
        store.keep("hostport-a", kept[0])
        store.drop("hostport-a")
        await wait_all_tasks_blocked()

        supervisor.take()
        assert supervisor.take() == "FDSTOREREMOVE=1\nFDNAME=hostport-a"
    kept[0].close()
    assert kept[1].recv(100) == b""


async def test_what_was_closed_before_it_could_be_said_is_not_kept(
    supervisor: Supervisor, kept: tuple[socket.socket, socket.socket]
) -> None:
    """Its number may be another's by now."""
    async with running(supervisor.environ) as store:
        store.keep("hostport-a", kept[0])
        kept[0].close()
        store.drop("hostport-b")
        await wait_all_tasks_blocked()

        assert "hostport-b" in supervisor.take()


async def test_settled_is_when_all_that_was_said_before_is_done(
    supervisor: Supervisor, kept: tuple[socket.socket, socket.socket]
) -> None:
    """It is waited for; where nothing was dropped there is nothing to wait for."""
    async with running(supervisor.environ) as store, trio.open_nursery() as nursery:
        assert await store.settled() is False
        store.keep("hostport-a", kept[0])
        store.drop("hostport-a")
        done = trio.Event()

        async def wait() -> None:
            assert await store.settled() is True
            done.set()

        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        supervisor.take()
        supervisor.take()
        await wait_all_tasks_blocked()
        assert not done.is_set()

        assert supervisor.take() == "BARRIER=1"
        await done.wait()
        assert supervisor.kept == {}


async def test_a_supervisor_that_does_not_read_is_not_waited_for_long(
    supervisor: Supervisor, kept: tuple[socket.socket, socket.socket], mock_clock: MockClock
) -> None:
    """Its queue is full: what waits is given up, no descriptor stays open for it, and the next is said again."""
    before = descriptors()
    async with running(supervisor.environ) as store, trio.open_nursery() as nursery:
        for number in range(1000):
            store.drop(f"hostport-{number}")
        nursery.start_soon(store.settled)
        await wait_all_tasks_blocked()

        mock_clock.jump(PATIENCE + 1)
        await wait_all_tasks_blocked()

        assert descriptors() == before
        assert 0 < len(supervisor.take_all()) < 1000
        store.keep("hostport-a", kept[0])
        await wait_all_tasks_blocked()
        assert "hostport-a" in supervisor.take()


@pytest.mark.parametrize("path", ["", "/nowhere/at/all", "x" * 200, "vsock:2:1", "@", "a\0b"])
async def test_where_nobody_listens_nothing_is_kept_and_nothing_goes_wrong(
    path: str, kept: tuple[socket.socket, socket.socket], autojump_clock: MockClock
) -> None:
    """A shell, a container, another init."""
    async with running({"NOTIFY_SOCKET": path}) as store:
        store.keep("hostport-a", kept[0])
        store.drop("hostport-a")
        await store.settled()
        await wait_all_tasks_blocked()
