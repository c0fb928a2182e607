"""Runs inside the host: many callers of a plugin socket, and one among them that is measured. Standard library only.

``crowd.py press SOCKET CLIENTS CALLS`` makes CALLS, a list of [method, body] as JSON, on as many connections as there
are CLIENTS, again and again. ``crowd.py measure SOCKET ROUNDS SECONDS`` prints, as JSON, how long GetCapabilities took,
"alone" and "beside" a client that has sent half a body, by turns of so many SECONDS each; those have to be fewer than
the daemon's patience with such a client.
"""

import json
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from caller import Caller

HALF = b'POST /NetworkDriver.Leave HTTP/1.1\r\nHost: \r\nContent-Length: 100\r\n\r\n{"NetworkID":'


def press(path: str, clients: int, calls: list[tuple[str, Any]]) -> None:
    """Call until killed; whether it is refused does not matter."""

    def client(number: int) -> None:
        caller = Caller(path)
        while True:
            method, body = calls[number % len(calls)]
            with suppress(RuntimeError):
                caller.call(method, body or {})
            number += 1

    for number in range(clients):
        threading.Thread(target=client, args=(number,)).start()


def measure(path: str, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Measure, after one turn that does not count."""
    caller = Caller(path)

    def turn() -> list[float]:
        found, ends = [], time.perf_counter() + seconds
        while (began := time.perf_counter()) < ends:
            caller.call("NetworkDriver.GetCapabilities", {})
            found.append(time.perf_counter() - began)
        return found

    turn()
    taken: dict[str, list[float]] = {"alone": [], "beside": []}
    for _ in range(rounds):
        taken["alone"] += turn()
        with socket.socket(socket.AF_UNIX) as slow:
            slow.connect(path)
            slow.sendall(HALF)
            taken["beside"] += turn()
    return taken


if __name__ == "__main__":
    if sys.argv[1] == "press":
        press(sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4]))
    else:
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))))
