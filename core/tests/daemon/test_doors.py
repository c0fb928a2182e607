"""The doors: opened all or none, each with who knocks, closed without cutting off who is inside."""

import os
import socket
from pathlib import Path

import pytest
import structlog
import trio
import trio.testing

from linkwright.daemon import client, sockets
from linkwright.daemon.doors import Door, Doors
from linkwright.daemon.http import Connections, HttpRequest, HttpResponse
from linkwright.daemon.peer import Peer
from linkwright.errors import Conflict


async def echo(request: HttpRequest, peer: Peer) -> HttpResponse:
    """Say who asks for what."""
    return HttpResponse(200, f"{peer.pid} {request.target}".encode())


def refuse(status: int, text: str) -> HttpResponse:
    """Refuse in words."""
    return HttpResponse(status, text.encode())


def descriptors() -> int:
    """How many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def two(tmp_path: Path) -> tuple[Door, Door]:
    """Two doors."""
    return Door(tmp_path / "a" / "one.sock", echo, refuse), Door(tmp_path / "b" / "two.sock", echo, refuse)


async def test_each_door_says_who_knocks(two: tuple[Door, Door], nursery: trio.Nursery) -> None:
    """The process at the other end, by the kernel's word."""
    doors = Doors(two, Connections())
    doors.open(nursery, {})

    for door in two:
        answer = await client.request(door.path, "/x")
        assert answer.body.decode() == f"{os.getpid()} /x"
    doors.close()
    assert not any(door.path.exists() for door in two)


async def test_all_are_opened_or_none(two: tuple[Door, Door], nursery: trio.Nursery) -> None:
    """The second is taken: the first is gone again, and what somebody listens at is theirs."""
    two[1].path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(str(two[1].path))
        theirs.listen()

        with pytest.raises(Conflict, match=r"two\.sock"):
            Doors(two, Connections()).open(nursery, {})

        assert not two[0].path.exists()
        assert two[1].path.exists()


async def test_a_door_that_was_handed_over_is_used_and_left(two: tuple[Door, Door], nursery: trio.Nursery) -> None:
    """Also when opening the others fails: it is systemd's."""
    two[0].path.parent.mkdir()
    given = socket.socket(socket.AF_UNIX)
    given.bind(str(two[0].path))
    given.listen()
    doors = Doors(two, Connections())
    doors.open(nursery, sockets.by_path([given]))

    assert (await client.request(two[0].path, "/x")).status == 200
    doors.close()

    assert two[0].path.exists()
    assert not two[1].path.exists()


async def test_closing_lets_who_is_inside_finish_and_nobody_in(two: tuple[Door, Door], nursery: trio.Nursery) -> None:
    """R-08: the answer comes, then the connection ends; who comes later is not let in."""
    begun, release = trio.Event(), trio.Event()

    async def slow(_: HttpRequest, __: Peer) -> HttpResponse:
        begun.set()
        await release.wait()
        return HttpResponse(200, b"done")

    connections = Connections()
    doors = Doors((Door(two[0].path, slow, refuse),), connections)
    doors.open(nursery, {})
    answers: list[bytes] = []

    async def knock() -> None:
        answers.append((await client.request(two[0].path, "/x")).body)

    nursery.start_soon(knock)
    await begun.wait()
    doors.close()
    connections.close()
    with pytest.raises(OSError, match=r"\[Errno (2|111)\]"):
        await trio.open_unix_socket(two[0].path)
    release.set()
    await connections.wait_quiet()
    await trio.testing.wait_all_tasks_blocked()

    assert answers == [b"done"]


async def test_a_bug_behind_one_door_closes_none(two: tuple[Door, Door], nursery: trio.Nursery) -> None:
    """An exception that left a connection's task would end every listener."""

    async def broken(_: HttpRequest, __: Peer) -> HttpResponse:
        raise ZeroDivisionError("a bug")

    doors = Doors((Door(two[0].path, broken, refuse), two[1]), Connections())
    doors.open(nursery, {})

    with structlog.testing.capture_logs():
        for _ in range(3):
            assert (await client.request(two[0].path, "/x")).status == 500
    assert (await client.request(two[1].path, "/x")).status == 200
    doors.close()


async def test_clients_that_come_and_go_leave_nothing_open(two: tuple[Door, Door], nursery: trio.Nursery) -> None:
    """Three hundred, who ask, ask half, or say nothing: in the end there are as many descriptors as before."""
    doors = Doors(two, Connections())
    doors.open(nursery, {})
    before = descriptors()

    async def come_and_go(number: int) -> None:
        if number % 3 == 0:
            await client.request(two[0].path, "/x")
            return
        async with await trio.open_unix_socket(two[0].path) as stream:
            if number % 3 == 1:
                await stream.send_all(b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")

    async with trio.open_nursery() as visitors:
        for number in range(300):
            visitors.start_soon(come_and_go, number)
    await trio.testing.wait_all_tasks_blocked(0.05)

    assert descriptors() == before
    doors.close()
