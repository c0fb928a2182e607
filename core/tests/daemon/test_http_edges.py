"""HTTP at its edges: what a client may send though Docker never does, and what one may do that means no good."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog
import trio
import trio.testing

from linkwright.daemon import http, sockets
from linkwright.daemon.http import BODY_LIMIT, PATIENCE, Connections, HttpRequest, HttpResponse


async def echo(request: HttpRequest) -> HttpResponse:
    """Answer what was asked."""
    return HttpResponse(200, f"{request.method} {request.target} ".encode() + request.body)


def refuse(status: int, text: str) -> HttpResponse:
    """Refuse in words."""
    return HttpResponse(status, text.encode())


class Client:
    """A client, and the connection's other end."""

    def __init__(
        self,
        nursery: trio.Nursery,
        *,
        handler: http.Handler = echo,
        refusal: http.Refusal = refuse,
        connections: Connections | None = None,
        idle: float | None = None,
        lockstep: bool = False,
    ) -> None:
        """Connect. *lockstep*: what is sent waits until it is read, as when all buffers are full."""
        pair = trio.testing.lockstep_stream_pair if lockstep else trio.testing.memory_stream_pair
        theirs: trio.abc.Stream
        self.stream: trio.abc.Stream
        self.stream, theirs = pair()
        self.over = trio.Event()
        self.connections = connections or Connections()

        async def serve() -> None:
            await http.serve(theirs, handler, refusal=refusal, connections=self.connections, idle=idle)
            self.over.set()

        nursery.start_soon(serve)

    async def send(self, *lines: str, body: bytes = b"") -> None:
        """Send a head of *lines* and a body."""
        await self.stream.send_all("".join(f"{line}\r\n" for line in (*lines, "")).encode() + body)

    async def answers(self) -> str:
        """Everything that is answered until the server has nothing more to say for now."""
        received = bytearray()
        with trio.move_on_after(0.2):
            while data := await self.stream.receive_some():
                received += data
        return received.decode()


Connect = Callable[..., Client]
HOST = "Host: x"


@pytest.fixture
async def connect(nursery: trio.Nursery) -> Connect:
    """Connect to a server of its own; pauses cost nothing."""
    return lambda **options: Client(nursery, **options)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("http://localhost/Plugin.Activate", "/Plugin.Activate"),
        ("HTTP://[::1]:80/a/b?c=d", "/a/b?c=d"),
        ("https://host", "/"),
        ("http://host?x=1", "/?x=1"),
        ("/http://host/a", "/http://host/a"),
        ("http://[x/a", "/a"),
        ("http://[x]y", "/"),
        ("*", "*"),
    ],
)
async def test_a_target_in_absolute_form_is_its_path(
    connect: Connect, autojump_clock: object, target: str, path: str
) -> None:
    """A server must accept it (RFC 9112, 3.2.2); proxies and some clients send it."""
    client = connect()

    await client.send(f"POST {target} HTTP/1.1", HOST, "Content-Length: 0")

    assert (await client.answers()).endswith(f"\r\n\r\nPOST {path} ")


async def test_a_body_in_chunks_is_one_body(connect: Connect, autojump_clock: object) -> None:
    """Chunk extensions and trailers are read over."""
    client = connect()

    await client.send(
        "POST /a HTTP/1.1", HOST, "Transfer-Encoding: chunked", body=b"2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nT: 1\r\n\r\n"
    )

    assert (await client.answers()).endswith("POST /a hello")


async def test_chunks_have_the_limit_of_any_body(connect: Connect, autojump_clock: object) -> None:
    """They do not say beforehand how many there will be."""
    client = connect()
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"

    await client.send("POST /a HTTP/1.1", HOST, "Transfer-Encoding: chunked", body=chunk * (BODY_LIMIT // 0x10000 + 1))

    assert (await client.answers()).startswith("HTTP/1.1 413")
    await client.over.wait()


async def test_a_client_that_asks_first_is_told_to_go_on(connect: Connect, autojump_clock: object) -> None:
    """So curl does for bodies above a kilobyte: ``Expect: 100-continue``."""
    client = connect()

    await client.send("POST /a HTTP/1.1", HOST, "Content-Length: 2", "Expect: 100-continue")
    assert (await client.answers()).startswith("HTTP/1.1 100 ")
    await client.stream.send_all(b"hi")

    assert (await client.answers()).endswith("POST /a hi")


async def test_a_body_that_is_announced_too_large_is_not_asked_for(connect: Connect, autojump_clock: object) -> None:
    """413 at once: neither "go on", nor a byte read."""
    client = connect()

    await client.send("POST /a HTTP/1.1", HOST, f"Content-Length: {BODY_LIMIT + 1}", "Expect: 100-continue")

    assert (await client.answers()).startswith("HTTP/1.1 413")
    await client.over.wait()


async def test_a_head_alone_is_answered_without_a_body(connect: Connect, autojump_clock: object) -> None:
    """With the length that the body would have (RFC 9110, 9.3.2), and the connection goes on."""
    client = connect()

    await client.send("HEAD /a HTTP/1.1", HOST)
    head = await client.answers()
    await client.send("GET /b HTTP/1.1", HOST)

    assert "content-length: 8\r\n" in head.lower()
    assert head.endswith("\r\n\r\n")
    assert (await client.answers()).endswith("GET /b ")


async def test_a_thousand_requests_in_one_packet_are_answered_in_order(
    connect: Connect, autojump_clock: object
) -> None:
    """Pipelining: no recursion, no reordering."""
    client = connect()
    requests = b"".join(f"GET /{number} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for number in range(1000))

    await client.stream.send_all(requests)

    answers = await client.answers()
    assert [line.split()[1] for line in answers.splitlines() if line.startswith("GET ") or "GET /" in line] == [
        f"/{number}" for number in range(1000)
    ]


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        (("POST /a HTTP/1.1", HOST, "Content-Length: 2", "Content-Length: 3"), b"hi"),
        (("POST /a HTTP/1.1", HOST, "Content-Length: -1"), b""),
        (("POST /a HTTP/1.1", HOST, "Content-Length: 1_0"), b""),
        (("POST /a HTTP/1.1", HOST, "Transfer-Encoding: gzip, chunked"), b""),
        (("POST /a HTTP/1.1",), b""),
        (("POST /a HTTP/x", HOST), b""),
        (("POST /\x00 HTTP/1.1", HOST), b""),
        (("POST /a HTTP/1.1", HOST, "X : y"), b""),
        (("POST /a HTTP/1.1", HOST, "Transfer-Encoding: chunked"), b"zz\r\n"),
    ],
)
async def test_what_could_be_read_in_two_ways_is_refused(
    connect: Connect, autojump_clock: object, lines: tuple[str, ...], body: bytes
) -> None:
    """Nothing is guessed: the connection ends with a reason."""
    client = connect()

    await client.send(*lines, body=body)

    assert (await client.answers())[:10] in {"HTTP/1.1 4", "HTTP/1.1 5"}
    await client.over.wait()


@pytest.mark.parametrize(("version", "header"), [("1.0", "X: y"), ("1.1", "Connection: close")])
async def test_a_client_that_wants_one_answer_gets_one(
    connect: Connect, autojump_clock: object, version: str, header: str
) -> None:
    """HTTP/1.0, or ``Connection: close``: answered, then the end."""
    client = connect()

    await client.send(f"GET /a HTTP/{version}", HOST, header)

    assert (await client.answers()).endswith("GET /a ")
    await client.over.wait()


async def test_a_bug_in_a_handler_ends_one_connection_with_an_answer(connect: Connect, autojump_clock: object) -> None:
    """An exception that left the connection's task would end every listener of the daemon."""

    async def broken(_: HttpRequest) -> HttpResponse:
        raise ZeroDivisionError("division by zero")

    client = connect(handler=broken)
    with structlog.testing.capture_logs() as lines:
        await client.send("GET /a HTTP/1.1", HOST)
        answer = await client.answers()

    assert answer.startswith("HTTP/1.1 500")
    assert [line["event"] for line in lines if line.get("exc_info")] == ["a bug in linkwright"]


async def test_a_bug_outside_of_the_handlers_ends_one_connection(connect: Connect, autojump_clock: object) -> None:
    """Without an answer, as there may be none; it is logged, and does not leave the connection's task either."""

    def broken(status: int, text: str) -> HttpResponse:
        raise ZeroDivisionError("division by zero")

    client = connect(refusal=broken)
    with structlog.testing.capture_logs() as lines:
        await client.send("this is no request")
        answer = await client.answers()

    await client.over.wait()
    assert answer == ""
    assert [line["event"] for line in lines if line.get("exc_info")] == ["a bug in linkwright"]


async def test_a_client_that_does_not_read_is_given_up(connect: Connect, autojump_clock: object) -> None:
    """Its answer would else be held in memory, and the stop be held up, for as long as it likes."""
    client = connect(lockstep=True)
    await client.send("GET /a HTTP/1.1", HOST)
    began = trio.current_time()

    await client.over.wait()

    assert trio.current_time() - began == pytest.approx(PATIENCE, abs=0.1)


async def test_where_anybody_may_connect_only_so_many_can(connect: Connect, autojump_clock: object) -> None:
    """The metrics port: whoever opens connections there must not use up the descriptors of the plugin sockets."""
    connections = Connections(most=2)
    first, second = connect(connections=connections), connect(connections=connections)
    await trio.testing.wait_all_tasks_blocked()

    third = connect(connections=connections)
    assert (await third.answers()).startswith("HTTP/1.1 503")
    await third.over.wait()

    await first.stream.aclose()
    await first.over.wait()
    fourth = connect(connections=connections)
    for client in (second, fourth):
        await client.send("GET /a HTTP/1.1", HOST)
        assert (await client.answers()).endswith("GET /a ")


async def test_where_anybody_may_connect_nobody_stays_for_ever(connect: Connect, autojump_clock: object) -> None:
    """Unlike Docker's, an idle connection there is closed after a while."""
    client = connect(idle=60)
    await client.send("GET /a HTTP/1.1", HOST)
    await client.answers()
    began = trio.current_time()

    await client.over.wait()

    assert trio.current_time() - began == pytest.approx(60, abs=1)


async def test_p_06_the_refusal_of_a_large_body_reaches_a_client_that_is_still_sending(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    """Closed with unread data the kernel would reset the connection, and take the answer from the client."""
    listening = sockets.listen(tmp_path / "s.sock")

    async def serve() -> None:
        stream, _ = await listening.socket.accept()
        await http.serve(trio.SocketStream(stream), echo, refusal=refuse, connections=Connections())

    def send() -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(tmp_path / "s.sock"))
            client.sendall(b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(160):
                client.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            return client.recv(100)

    nursery.start_soon(serve)
    assert (await trio.to_thread.run_sync(send)).startswith(b"HTTP/1.1 413")
    listening.close()
