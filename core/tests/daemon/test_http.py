"""The server's manners: limits, patience, and what ends a connection. In-memory streams and a clock that jumps."""

from collections.abc import Callable

import pytest
import trio
import trio.testing

from linkwright.daemon import http
from linkwright.daemon.http import BODY_LIMIT, HEAD_LIMIT, PATIENCE, Connections, HttpRequest, HttpResponse

Client = trio.abc.Stream


async def echo(request: HttpRequest) -> HttpResponse:
    """Answer what was asked."""
    return HttpResponse(200, f"{request.method} {request.target} ".encode() + request.body)


def refuse(status: int, text: str) -> HttpResponse:
    """Refuse in words."""
    return HttpResponse(status, text.encode())


class Server:
    """One connection to a server, and what tells that server to go."""

    def __init__(self, nursery: trio.Nursery, handler: http.Handler = echo) -> None:
        """Connect."""
        self.connections = Connections()
        self.client, theirs = trio.testing.memory_stream_pair()
        self.over = trio.Event()

        async def serve() -> None:
            await http.serve(theirs, handler, refusal=refuse, connections=self.connections)
            self.over.set()

        nursery.start_soon(serve)

    async def answer(self) -> str:
        """The next answer, head and body."""
        received = b""
        while b"\r\n\r\n" not in received:
            received += await self.client.receive_some()
        head, _, body = received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        while len(body) < length:
            body += await self.client.receive_some()
        return (head + b"\r\n\r\n" + body).decode()


Connect = Callable[..., Server]


@pytest.fixture
async def connect(nursery: trio.Nursery) -> Connect:
    """Connect to a server of its own."""
    return lambda handler=echo: Server(nursery, handler)


async def test_requests_of_one_connection_are_answered_in_order(connect: Connect) -> None:
    """Keep-alive, an empty Host as Docker 20.10 sends it, no Content-Type, two requests in one packet."""
    server = connect()
    one = b"POST /a HTTP/1.1\r\nHost: \r\nContent-Length: 2\r\n\r\nhi"

    await server.client.send_all(one + one.replace(b"/a", b"/b"))

    assert (await server.answer()).endswith("POST /a hi")
    assert (await server.answer()).endswith("POST /b hi")
    assert not server.over.is_set()


async def test_a_connection_that_says_nothing_is_never_closed(connect: Connect, autojump_clock: object) -> None:
    """Docker would repeat the request that crosses our closing, with an empty body."""
    server = connect()
    await server.client.send_all(b"POST /a HTTP/1.1\r\nHost: \r\nContent-Length: 0\r\n\r\n")
    await server.answer()

    await trio.sleep(24 * 3600)

    assert not server.over.is_set()
    await server.client.send_all(b"POST /b HTTP/1.1\r\nHost: \r\nContent-Length: 0\r\n\r\n")
    assert "POST /b" in await server.answer()


@pytest.mark.parametrize("part", [b"POST", b"POST /a HTTP/1.1\r\nHost: \r\nContent-Length: 10\r\n\r\nhalf"])
async def test_p_20_half_a_request_is_waited_for_and_then_refused(
    connect: Connect, part: bytes, autojump_clock: object
) -> None:
    """A slow client gets its patience, a 408, and the end; the time is the limit's and no longer."""
    server = connect()
    began = trio.current_time()

    await server.client.send_all(part)
    answer = await server.answer()
    await server.over.wait()

    assert answer.startswith("HTTP/1.1 408")
    assert trio.current_time() - began == pytest.approx(PATIENCE)


async def test_p_06_a_body_over_the_limit_is_refused_before_it_is_read(
    connect: Connect, autojump_clock: object
) -> None:
    """413, and the connection ends."""
    server = connect()
    head = f"POST /a HTTP/1.1\r\nHost: \r\nContent-Length: {10 * BODY_LIMIT}\r\n\r\n".encode()

    await server.client.send_all(head + b"x" * (BODY_LIMIT + 1))

    assert (await server.answer()).startswith("HTTP/1.1 413")
    await server.over.wait()


async def test_a_head_over_the_limit_is_refused(connect: Connect) -> None:
    """431, from h11's own hint."""
    server = connect()

    await server.client.send_all(b"POST /a HTTP/1.1\r\nX: " + b"y" * (HEAD_LIMIT + 1))

    assert (await server.answer()).startswith("HTTP/1.1 431")


async def test_what_is_not_http_ends_the_connection_and_nothing_else(connect: Connect, autojump_clock: object) -> None:
    """Garbage gets a 400; a client that goes away in the middle gets nothing; no exception leaves."""
    garbage, gone = connect(), connect()

    await garbage.client.send_all(b"\x16\x03\x01 hello\r\n\r\n")
    assert (await garbage.answer()).startswith("HTTP/1.1 400")
    await gone.client.send_all(b"POST /a HTTP/1.1\r\nHost: \r\nContent-Length: 10\r\n\r\n1")
    await gone.client.aclose()

    await garbage.over.wait()
    await gone.over.wait()


async def test_r_08_closing_ends_idle_connections_and_lets_busy_ones_finish(connect: Connect) -> None:
    """SIGTERM: what is inside has its answer, then the connection ends; idle ones end at once."""
    begun, release = trio.Event(), trio.Event()

    async def slow(_: HttpRequest) -> HttpResponse:
        begun.set()
        await release.wait()
        return HttpResponse(200, b"done")

    idle = connect()
    await trio.testing.wait_all_tasks_blocked()
    idle.connections.close()
    await idle.over.wait()
    await idle.connections.wait_quiet()

    busy = connect(slow)
    await busy.client.send_all(b"POST /a HTTP/1.1\r\nHost: \r\nContent-Length: 0\r\n\r\n")
    await begun.wait()
    busy.connections.close()
    with trio.move_on_after(0) as waiting:
        await busy.connections.wait_quiet()
    assert waiting.cancelled_caught
    release.set()
    answer = await busy.answer()

    assert answer.endswith("done")
    assert "Connection: close" in answer
    await busy.connections.wait_quiet()
    await busy.over.wait()
