"""Traffic between containers that goes on while something is done to linkwright or Docker, and whether it suffered.

Echo requests every 10 ms, and a TCP connection whose every byte is numbered. What sends is ``senders``.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from attrs import frozen

from tests.docker.containers import Container
from tests.engines import Trouble

_PROGRAM = Path(__file__).with_name("senders.py")
_PORT = "9000"


@frozen
class Echoes:
    """To one address: how many echo requests were sent, and how many of them were never answered."""

    sent: int
    lost: int


@frozen
class Streamed:
    """By one connection: how many numbers were sent, how many arrived in order, and what either end complained of."""

    sent: int
    arrived: int
    complaints: tuple[str, ...] = ()


class _Sender:
    """One program in a container's network."""

    def __init__(self, container: Container, *arguments: str) -> None:
        program = (sys.executable, "-I", "-S", str(_PROGRAM))
        pipe = subprocess.PIPE
        self._process = container.popen(*program, *arguments, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        self._what = f"{' '.join(arguments[:2])} in {container.name}"
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            raise Trouble(f"{self._what} did not begin: {self._process.communicate()[1]}")

    def end(self) -> Any:
        """End its input and return what it found."""
        said, complained = self._process.communicate(timeout=60)
        if self._process.returncode:
            raise Trouble(f"{self._what} ended with {self._process.returncode}: {complained}")
        return json.loads(said)


class Pings:
    """Echo requests from *container* to each of *addresses*, every 10 ms, from the making of this until ``end``."""

    def __init__(self, container: Container, addresses: Sequence[str]) -> None:
        self._sender = _Sender(container, "ping", *addresses)

    def end(self) -> Mapping[str, Echoes]:
        """Stop, wait for the last answers, and return what became of each address's."""
        return {address: Echoes(*counts) for address, counts in self._sender.end().items()}


class Stream:
    """A TCP connection from *client* to *server* at its *address*, used all the time until ``end``."""

    def __init__(self, client: Container, server: Container, address: str) -> None:
        self._server = _Sender(server, "serve", address, _PORT)
        self._client = _Sender(client, "send", address, _PORT)

    def end(self) -> Streamed:
        """Stop, and return what arrived."""
        sent, left = self._client.end()
        arrived, right = self._server.end()
        return Streamed(sent, arrived, tuple(text for text in (left, right) if text))
