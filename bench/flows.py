"""Runs inside namespaces: one end of many short connections.

``flows.py serve`` accepts on port 80 and closes. ``flows.py connect ADDRESS FIRST COUNT SECONDS`` connects to ports at
random among COUNT from FIRST on, and prints how many connections a second were set up, as JSON.
"""

import json
import random
import socket
import struct
import sys
import time

LINGER_NOT = struct.pack("ii", 1, 0)  # end by a reset: no port of ours waits in TIME_WAIT


def serve() -> None:
    """Accept until killed."""
    with socket.create_server(("", 80), backlog=1024) as door:
        while True:
            connection, _ = door.accept()
            connection.close()


def await_server(address: str, port: int) -> None:
    """Return when it accepts; the last refusal if it does not within some seconds."""
    for patience in range(100, -1, -1):
        try:
            socket.create_connection((address, port), timeout=10).close()
        except ConnectionRefusedError:
            if not patience:
                raise
            time.sleep(0.1)
        else:
            return


def connect(address: str, first: int, count: int, seconds: float) -> None:
    """Measure."""
    await_server(address, first)
    choose = random.Random(1)
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        with socket.create_connection((address, first + choose.randrange(count)), timeout=10) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        done += 1
    print(json.dumps({"rate": [done / (time.perf_counter() - began)]}))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        connect(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
