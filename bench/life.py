"""Endpoints' lives over the plugin socket, as Docker would ask for them: what our daemon takes. Standard library only.

``life.py SOCKET ROUNDS ORDER`` prints, as JSON, seconds for each round of making an endpoint (CreateEndpoint, Join) and
of ending it (Leave, DeleteEndpoint); the address comes from us as well, the sandbox is imaginary.
"""

import json
import secrets
import sys
import time

from caller import Caller
from orders import ordered

METHODS = {"make": ("CreateEndpoint", "Join"), "end": ("Leave", "DeleteEndpoint")}


def bodies(ids: dict[str, str], number: int) -> dict[str, dict[str, object]]:
    """What each method is sent for one endpoint."""
    interface = {"Address": f"10.77.{number // 250 + 1}.{number % 250 + 1}/16", "AddressIPv6": "", "MacAddress": ""}
    return {
        "CreateEndpoint": {**ids, "Interface": interface, "Options": {}},
        "Join": {**ids, "SandboxKey": f"/run/docker/netns/{number:012x}", "Options": {}},
        "Leave": dict(ids),
        "DeleteEndpoint": dict(ids),
    }


def main(path: str, rounds: int, order: str) -> None:
    """Measure *rounds* lives on one network, in that *order*."""
    caller = Caller(path)
    network = secrets.token_hex(32)
    subnet = {"AddressSpace": "bench", "Pool": "10.77.0.0/16", "Gateway": "10.77.0.1/16"}
    options = {"com.docker.network.generic": {}, "com.docker.network.internal": True}
    caller.call(
        "NetworkDriver.CreateNetwork",
        {"NetworkID": network, "Options": options, "IPv4Data": [subnet], "IPv6Data": []},
    )
    endpoints = [
        bodies({"NetworkID": network, "EndpointID": secrets.token_hex(32)}, number) for number in range(rounds)
    ]
    seconds: dict[str, list[float]] = {stage: [] for stage in METHODS}
    for stage, number in ordered(order, rounds):
        began = time.perf_counter()
        for method in METHODS[stage]:
            caller.call(f"NetworkDriver.{method}", endpoints[number][method])
        seconds[stage].append(time.perf_counter() - began)
    caller.call("NetworkDriver.DeleteNetwork", {"NetworkID": network})
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
