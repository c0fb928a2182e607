"""Runs inside the host: prints a line when it begins to ask the metrics port, and when /readyz said yes.

The second line is the time by CLOCK_MONOTONIC, which is the same for all processes. Standard library only.
"""

import http.client
import time


def ready() -> bool:
    """Whether the daemon answers there that it is."""
    connection = http.client.HTTPConnection("127.0.0.1", 9477, timeout=10)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    print("asking", flush=True)
    while not ready():
        time.sleep(0.002)
    print(time.monotonic(), flush=True)
