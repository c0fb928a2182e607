"""Sockets in linkwright's place while it is down: one that refuses everything, and one that never answers.

When a plugin is down Docker tries each call again for 15 s and then goes on as if it had been answered, at least with
what deletes: a minute for one ``docker rm``. What hears nothing of it in the end is linkwright, and that is what tests
want. So a **stand-in** takes its place and answers every call with an error at once: Docker goes on in the same way,
without trying again (moby, pkg/plugins/client.go: only what could not be sent is).
"""

import http.server
import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http import HTTPStatus
from pathlib import Path

from tests.docker.daemon import Daemon
from tests.engines import Trouble


class _Refusing(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        """Answer as nobody should: with nothing but a reason."""
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        self.server.calls.append(self.path)  # type: ignore[attr-defined]
        answer = json.dumps({"Err": "nobody is in", "Error": "nobody is in"}).encode()
        self.send_response(HTTPStatus.INTERNAL_SERVER_ERROR)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Connection", "close")  # else Docker would go on talking to us when linkwright is back
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _StandIn(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: Path, calls: list[str]) -> None:
        self.calls = calls
        super().__init__(str(path), _Refusing)


@contextmanager
def nobody_in(daemon: Daemon, *names: str) -> Iterator[list[str]]:
    """While inside, *daemon*, which must have been ended, hears nothing of what Docker says; its calls so far."""
    if daemon.running():
        raise Trouble(f"linkwright on {daemon.host.name} is still running: nobody can stand in for it")
    calls: list[str] = []
    paths = [daemon.socket(name) for name in names or (*daemon.drivers, "ipam")]
    servers = []
    try:
        for path in paths:
            path.unlink(missing_ok=True)
            server = _StandIn(path, calls)
            servers.append(server)
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield calls
    finally:
        for server, path in zip(servers, paths, strict=False):
            server.shutdown()
            server.server_close()
            path.unlink(missing_ok=True)


@contextmanager
def silent(path: Path) -> Iterator[socket.socket]:
    """While inside, connections to *path* are taken and nothing is ever said on them."""
    with closing(socket.socket(socket.AF_UNIX)) as door:
        door.bind(str(path))
        door.listen()
        yield door
    path.unlink(missing_ok=True)
