"""Runs inside the host: an IPAM plugin that knows nothing and keeps nothing: the floor of what a replay costs dockerd.

``answering.py SOCKET``. Prints "ready" when it listens. Each answer is a constant, or what was asked for. Standard
library only.
"""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingUnixStreamServer
from typing import Any

Body = dict[str, Any]

ANSWERS: dict[str, Callable[[Body], Body]] = {
    "Plugin.Activate": lambda _: {"Implements": ["IpamDriver"]},
    "IpamDriver.GetCapabilities": lambda _: {"RequiresMACAddress": False, "RequiresRequestReplay": True},
    "IpamDriver.GetDefaultAddressSpaces": lambda _: {"LocalDefaultAddressSpace": "a", "GlobalDefaultAddressSpace": "b"},
    "IpamDriver.RequestPool": lambda body: {"PoolID": f"a/{body['Pool']}", "Pool": body["Pool"], "Data": {}},
    "IpamDriver.RequestAddress": lambda body: {"Address": f"{body['Address']}/24"},
}


class Conversation(StreamRequestHandler):
    """One connection of dockerd's."""

    def handle(self) -> None:
        """Answer until it is closed."""
        while line := self.rfile.readline():
            head = b"".join(iter(self.rfile.readline, b"\r\n"))
            length = re.search(rb"(?i)^content-length: *(\d+)", head, re.MULTILINE)
            body = json.loads((self.rfile.read(int(length[1])) if length else b"") or b"{}")
            answer = json.dumps(ANSWERS[line.split()[1][1:].decode()](body)).encode()
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(answer), answer))


def main(path: str) -> None:
    """Serve at *path*."""
    Path(path).unlink(missing_ok=True)
    with ThreadingUnixStreamServer(path, Conversation) as server:
        server.daemon_threads = True
        print("ready", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
