"""Published ports as tests see them: who answers in a container, and who gets an answer from where.

What runs in the namespaces is ``knocking``. A *knock* is (protocol, address, port).
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.docker.containers import Container
from tests.engines import Host, Trouble

_PROGRAM = Path(__file__).with_name("knocking.py")
_PYTHON = (sys.executable, "-I", "-S", str(_PROGRAM))

SILENCE = 2.0
"""Seconds without an answer that are taken for silence. To be asked beside an ``answers`` that proves the way."""

PATIENCE = 15.0
"""Seconds that an answer may take: for a busy machine."""

Knock = tuple[str, str, int]


@contextmanager
def answering(container: Container | Host, name: str, ports: Sequence[int]) -> Iterator[None]:
    """While inside, *name* is answered on *ports* of a container, or of a host, by TCP, UDP and SCTP."""
    pipe = subprocess.PIPE
    argv = (*_PYTHON, "answer", name, *map(str, ports))
    server = (
        container.popen(*argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        if isinstance(container, Container)
        else container.popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
    )
    assert server.stdout is not None
    if server.stdout.readline() != "ready\n":
        raise Trouble(f"nobody answers as {name}: {server.communicate()[1]}")
    try:
        yield
    finally:
        server.communicate(timeout=30)


def answers(origin: Container | Host, knocks: Sequence[Knock]) -> list[str | None]:
    """Who answers each of *knocks*, sent from *origin*, all at once; None for a refusal and for nobody at all."""
    return _knocked(origin, knocks, PATIENCE)


def heard(origin: Container | Host, knocks: Sequence[Knock]) -> list[Knock]:
    """Those of *knocks*, sent from *origin*, that are answered though they should not be."""
    found = _knocked(origin, knocks, SILENCE)
    return [knock for knock, name in zip(knocks, found, strict=True) if name is not None]


def _knocked(origin: Container | Host, knocks: Sequence[Knock], seconds: float) -> list[str | None]:
    knock = (*_PYTHON, "knock", str(seconds))
    feed = json.dumps(list(knocks))
    done = origin.run(*knock, feed=feed) if isinstance(origin, Container) else origin.run(knock, feed=feed)
    found: list[str | None] = json.loads(done.stdout)
    return found
