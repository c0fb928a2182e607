"""Docker's side of the plugin socket, for programs that run inside a host by themselves. Standard library only."""

import json
import socket
from typing import Any


class Caller:
    """A keep-alive connection that writes what Go's client writes."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(path)

    def call(self, method: str, body: object) -> dict[str, Any]:
        data = json.dumps(body).encode()
        head = f"POST /{method} HTTP/1.1\r\nHost: \r\nContent-Length: {len(data)}\r\n\r\n"
        self._socket.sendall(head.encode() + data)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._socket.recv(65536)
        head_bytes, _, rest = received.partition(b"\r\n\r\n")
        length = int(head_bytes.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        while len(rest) < length:
            rest += self._socket.recv(65536)
        answer: dict[str, Any] = json.loads(rest)
        if answer.get("Err"):
            raise RuntimeError(f"{method}: {answer['Err']}")
        return answer
