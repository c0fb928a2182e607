"""HTTP/1.1 over a unix socket, client side: one request, one answer. For the CLI, the demo, the witness."""

import json
from pathlib import Path
from typing import Any

import h11
import trio
from attrs import frozen

from linkwright.errors import Unavailable

#: Bytes of an answer that are read; `docker ps` of a thousand containers is below 5 MB.
_MOST = 64 * 1024 * 1024


@frozen
class Answer:
    """A status and a body."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body as JSON; Unavailable if it is none."""
        try:
            return json.loads(self.body or b"null")
        except (ValueError, RecursionError) as error:
            raise Unavailable(f"the answer is not JSON: {self.body[:200]!r}") from error


async def request(
    path: Path, target: str, *, method: str = "GET", body: bytes = b"", host: str = "localhost", deadline: float = 30.0
) -> Answer:
    """Ask the server that listens on the unix socket *path*; Unavailable if nobody does or it takes too long (s)."""
    try:
        with trio.fail_after(deadline):
            async with await trio.open_unix_socket(path) as stream:
                return await _exchange(stream, target, method=method, body=body, host=host)
    except trio.TooSlowError:
        raise Unavailable(f"no answer from {path} to {method} {target} within {deadline:g} s") from None
    except (OSError, trio.BrokenResourceError, h11.ProtocolError) as error:
        raise Unavailable(f"cannot ask {path}: {error}; is it running?") from error


async def _exchange(stream: trio.SocketStream, target: str, *, method: str, body: bytes, host: str) -> Answer:
    connection = h11.Connection(h11.CLIENT)
    headers = [("Host", host), ("Content-Length", str(len(body))), ("Connection", "close")]
    parts = (
        connection.send(part)
        for part in (
            h11.Request(method=method, target=target, headers=headers),
            h11.Data(data=body),
            h11.EndOfMessage(),
        )
    )
    await stream.send_all(b"".join(part for part in parts if part))
    status, received = 0, bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(bytes(await stream.receive_some()))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            received += event.data
            if len(received) > _MOST:
                raise Unavailable(f"the answer to {method} {target} is larger than {_MOST} bytes")
        elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
            return Answer(status, bytes(received))
