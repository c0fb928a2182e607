"""One endpoint's life over the plugin socket, as Docker would ask for it: what our daemon takes. Standard library only.

Prints, as JSON, seconds for each round of each call; the address comes from us as well, the sandbox is imaginary.
"""

import json
import secrets
import socket
import sys
import time
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


def main(path: str, rounds: int) -> None:
    """Measure *rounds* lives on one network."""
    caller = Caller(path)
    network = secrets.token_hex(32)
    subnet = {"AddressSpace": "bench", "Pool": "10.77.0.0/16", "Gateway": "10.77.0.1/16"}
    options = {"com.docker.network.generic": {}, "com.docker.network.internal": True}
    caller.call(
        "NetworkDriver.CreateNetwork",
        {"NetworkID": network, "Options": options, "IPv4Data": [subnet], "IPv6Data": []},
    )
    seconds: dict[str, list[float]] = {"CreateEndpoint": [], "Join": [], "Leave": [], "DeleteEndpoint": []}
    for number in range(rounds):
        ids = {"NetworkID": network, "EndpointID": secrets.token_hex(32)}
        address = f"10.77.{number // 250 + 1}.{number % 250 + 1}/16"
        interface = {"Address": address, "AddressIPv6": "", "MacAddress": ""}
        bodies: dict[str, dict[str, object]] = {
            "CreateEndpoint": {**ids, "Interface": interface, "Options": {}},
            "Join": {**ids, "SandboxKey": f"/run/docker/netns/{number:012x}", "Options": {}},
            "Leave": dict(ids),
            "DeleteEndpoint": dict(ids),
        }
        for method, body in bodies.items():
            began = time.perf_counter()
            caller.call(f"NetworkDriver.{method}", body)
            seconds[method].append(time.perf_counter() - began)
    caller.call("NetworkDriver.DeleteNetwork", {"NetworkID": network})
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
