"""HTTP/1.1 on any trio stream, server side, for small messages. h11 reads; the limits and the patience are ours.

Rule 1: nothing here knows Docker. Rule 2: unless it is told to, the server closes no idle connection (until we stop):
Docker would repeat the request that crossed it, with an empty body (moby pkg/plugins/client.go). A request that has
begun is another matter: it gets ``PATIENCE`` to arrive, and so does its answer.
"""

import math
import re
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

import h11
import structlog
import trio
from attrs import frozen

_log = structlog.get_logger(__name__)

#: Seconds for a request to arrive whole once its first byte has, and for its answer to be taken. Docker takes neither.
PATIENCE: Final = 10.0

#: How long, and how much, we go on reading from a client that we have refused. Closing with unread data resets the
#: connection, and the client may never see why.
LINGER: Final = 1.0
LINGER_BYTES: Final = 16 * 1024 * 1024

_TOO_SLOW: Final = 408  # RFC 9110, 15.5.9

#: Bytes of a request's head; nginx and Apache take 8 KiB, node 16.
HEAD_LIMIT: Final = 16 * 1024

#: Bytes of a body. Docker's largest (a container with a few hundred ports) is below 100 kB.
BODY_LIMIT: Final = 1024 * 1024


@frozen
class HttpRequest:
    """A request that has arrived whole."""

    method: str
    target: str
    body: bytes = b""


@frozen
class HttpResponse:
    """What to answer."""

    status: int
    body: bytes
    content_type: str = "application/json"


Handler = Callable[[HttpRequest], Awaitable[HttpResponse]]
Refusal = Callable[[int, str], HttpResponse]


class Connections:
    """The connections of a server, and its way down: idle ones are closed at once, busy ones after their answer."""

    def __init__(self, *, most: int | None = None) -> None:
        """None yet, and never more than *most*: descriptors are the whole process's."""
        self._most = most
        self._open = 0
        self._idle: set[trio.CancelScope] = set()
        self._busy = 0
        self._quiet = trio.Event()
        self.closing = False

    def close(self) -> None:
        """Close what is idle now, and let no further request in."""
        self.closing = True
        for scope in self._idle:
            scope.cancel()
        if not self._busy:
            self._quiet.set()

    async def wait_quiet(self) -> None:
        """Wait, after ``close``, until every request that was inside has its answer."""
        await self._quiet.wait()

    @contextmanager
    def open(self) -> Iterator[bool]:
        """Have one more; False if that is one too many."""
        self._open += 1
        try:
            yield self._most is None or self._open <= self._most
        finally:
            self._open -= 1

    @contextmanager
    def idle(self, seconds: float) -> Iterator[None]:
        """Wait for a request for at most *seconds*; interrupted by ``close``."""
        with trio.move_on_after(seconds) as scope:
            self._idle.add(scope)
            if self.closing:
                scope.cancel()
            try:
                yield
            finally:
                self._idle.discard(scope)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Have a request inside."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
            if self.closing and not self._busy:
                self._quiet.set()


async def serve(
    stream: trio.abc.Stream,
    handler: Handler,
    *,
    refusal: Refusal,
    connections: Connections,
    idle: float | None = None,
) -> None:
    """Answer the requests of one connection, in order, until the client closes it. Never raises but Cancelled.

    With *idle* a connection that says nothing for so many seconds is closed. An exception that left a connection's task
    would end every listener (``trio.serve_listeners``).
    """
    conversation = _Conversation(stream, handler, refusal, connections, math.inf if idle is None else idle)
    try:
        with connections.open() as admitted:
            await (conversation.run() if admitted else conversation.turn_away())
    except (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError, h11.ProtocolError):
        pass  # the client went away, or does not speak HTTP: nobody is left to tell
    except Exception:  # noqa: BLE001 - a bug, here or in h11: it ends this connection, and the others go on
        _log.exception("a bug in linkwright")
    finally:
        await trio.aclose_forcefully(stream)


#: Status line and head of every answer (RFC 9112, 4 and 5).
_HEAD: Final = b"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n"
_REASONS: Final = {status.value: status.phrase.encode() for status in HTTPStatus}
_GO_ON: Final = h11.InformationalResponse(status_code=100, headers=[])  # RFC 9110, 10.1.1

#: What stands before the path in absolute form. Not urlsplit, which raises on what can be no host: we look at none.
_ORIGIN: Final = re.compile(r"https?://[^/?#]*", re.IGNORECASE)


class _Conversation:
    def __init__(
        self, stream: trio.abc.Stream, handler: Handler, refusal: Refusal, connections: Connections, idle: float
    ) -> None:
        self._stream = stream
        self._idle = idle
        self._handler = handler
        self._refusal = refusal
        self._connections = connections
        self._begin(b"")

    def _begin(self, data: bytes) -> None:
        """Be ready for a request, of which *data* is here already."""
        # A reader for each, which h11 also allows to be turned around: but then it has to write the answers, too, and
        # that takes longer than reading.
        self._reader = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_LIMIT)
        self._head: h11.Request | None = None
        self._body = bytearray()
        if data:
            self._reader.receive_data(data)

    async def run(self) -> None:
        while await self._first_bytes():
            request = await self._request()
            if isinstance(request, HttpResponse):
                await self._answer(request)
                if request.status != _TOO_SLOW:  # who dawdled has had his time
                    await self._linger()
                return
            with self._connections.busy():
                sent = await self._answer(await self._handled(request))
            if not sent or self._ends:
                return
            self._begin(self._reader.trailing_data[0])

    async def turn_away(self) -> None:
        """Refuse the connection, whatever it is about."""
        await self._answer(self._refusal(503, "too many connections are open here; try again"))

    async def _handled(self, request: HttpRequest) -> HttpResponse:
        try:
            return await self._handler(request)
        except Exception:  # noqa: BLE001 - a bug: this connection gets an answer, and the others go on
            _log.exception("a bug in linkwright", target=request.target[:200])
            return self._refusal(500, "a bug in linkwright; its log has more")

    async def _first_bytes(self) -> bool:
        """Wait for a request to begin."""
        if self._reader.trailing_data[0]:
            return True
        data = b""
        with self._connections.idle(self._idle):
            data = bytes(await self._stream.receive_some())
        if data:
            self._reader.receive_data(data)
        return bool(data)

    async def _request(self) -> HttpRequest | HttpResponse:
        """Read one request; a response if it must be refused."""
        request = self._taken()
        if request is not None:  # it has come whole, as small ones do: nothing to wait for
            return request
        with trio.move_on_after(PATIENCE):
            while request is None:
                if self._reader.they_are_waiting_for_100_continue:
                    await self._stream.send_all(self._reader.send(_GO_ON) or b"")
                self._reader.receive_data(bytes(await self._stream.receive_some()))
                request = self._taken()
            return request
        return self._refusal(_TOO_SLOW, f"the request did not arrive whole within {PATIENCE:g} s")

    def _taken(self) -> HttpRequest | HttpResponse | None:
        """Take what has arrived of a request: as ``_request``, and None while it is not whole."""
        while True:
            try:
                event = self._reader.next_event()
            except h11.RemoteProtocolError as error:
                return self._refusal(error.error_status_hint, f"not a request that can be read: {error}")
            if event is h11.NEED_DATA:
                return None
            if isinstance(event, h11.Request):
                self._head = event
                if _announced(event) > BODY_LIMIT:
                    return self._refusal(413, f"the body is larger than {BODY_LIMIT} bytes")
            elif isinstance(event, h11.Data):
                self._body += event.data
                if len(self._body) > BODY_LIMIT:
                    return self._refusal(413, f"the body is larger than {BODY_LIMIT} bytes")
            elif isinstance(event, h11.EndOfMessage) and self._head is not None:
                target = self._head.target.decode("ascii", "replace")
                return HttpRequest(self._head.method.decode(), _path(target), bytes(self._body))
            else:
                raise AssertionError(f"between a request's first byte and its last h11 tells of no {event!r}")

    @property
    def _ends(self) -> bool:
        """Whether this request is the connection's last: we stop, or the client wants or needs that."""
        return self._connections.closing or self._reader.their_state is not h11.DONE

    async def _answer(self, response: HttpResponse) -> bool:
        """Send *response*; False if the client does not take it."""
        bare = self._head is not None and self._head.method == b"HEAD"  # RFC 9110, 9.3.2
        head = _HEAD % (
            response.status,
            _REASONS.get(response.status, b""),
            response.content_type.encode(),
            len(response.body),
            b"Connection: close\r\n" if self._ends else b"",
        )
        with trio.move_on_after(PATIENCE) as patience:
            await self._stream.send_all(head if bare else head + response.body)
        return not patience.cancelled_caught

    async def _linger(self) -> None:
        """Read what a client that we have refused is still sending, for a while."""
        left = LINGER_BYTES
        with trio.move_on_after(LINGER):
            while left > 0 and (data := await self._stream.receive_some()):
                left -= len(data)


def _announced(head: h11.Request) -> int:
    """The length of the body that *head* announces; h11 has checked that it is a number. 0 where it does not."""
    return next((int(value) for name, value in head.headers if name == b"content-length"), 0)


def _path(target: str) -> str:
    """What is asked for, also where it is written in absolute form (RFC 9112, 3.2.2)."""
    origin = _ORIGIN.match(target)
    if origin is None:
        return target
    path = target[origin.end() :]
    return path if path.startswith("/") else f"/{path}"
