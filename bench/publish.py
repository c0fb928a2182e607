"""Runs inside the host: publishes ports on the daemon as Docker does, and tells how long one more took.

``publish.py SOCKET HOST-ADDRESS ROUNDS EXISTING…`` makes a network with endpoints, and for each number of EXISTING
ports (rising) publishes as many, and then one more and takes it back, ROUNDS times. Prints seconds by name as JSON.
"""

import json
import sys
import time

from caller import Caller

NETWORK = "9" * 64
PER_ENDPOINT = 1000
FIRST_PORT = 20000
ONE_MORE = 19999


def endpoint(caller: Caller, number: int) -> dict[str, str]:
    """Make and join one; what names it."""
    ids = {"NetworkID": NETWORK, "EndpointID": f"{number:012x}" + 52 * "0"}
    interface = {"Address": f"10.77.{number >> 8}.{(number & 255) + 2}/16", "AddressIPv6": "", "MacAddress": ""}
    caller.call("NetworkDriver.CreateEndpoint", {**ids, "Interface": interface, "Options": {}})
    caller.call("NetworkDriver.Join", {**ids, "SandboxKey": f"/run/docker/netns/{number:012x}", "Options": {}})
    return ids


def options(ports: range, host: str) -> dict[str, object]:
    """The part of a request that publishes *ports* on the address *host*."""
    maps = [
        {"Proto": 6, "IP": "", "Port": port, "HostIP": host, "HostPort": port, "HostPortEnd": port} for port in ports
    ]
    return {"Options": {"com.docker.network.portmap": maps}}


def main(path: str, host: str, rounds: int, existing: list[int]) -> None:
    """Measure."""
    caller = Caller(path)
    subnet = {"AddressSpace": "bench", "Pool": "10.77.0.0/16", "Gateway": "10.77.0.1/16"}
    made = {"NetworkID": NETWORK, "Options": {"com.docker.network.generic": {}}, "IPv4Data": [subnet], "IPv6Data": []}
    caller.call("NetworkDriver.CreateNetwork", made)
    measured, published, number = endpoint(caller, 1), 0, 2
    seconds: dict[str, list[float]] = {}
    for goal in existing:
        while published < goal:
            some = min(PER_ENDPOINT, goal - published)
            ports = range(FIRST_PORT + published, FIRST_PORT + published + some)
            ids = endpoint(caller, number)
            caller.call("NetworkDriver.ProgramExternalConnectivity", {**ids, **options(ports, host)})
            published, number = published + some, number + 1
        for _ in range(rounds):
            one_more = {**measured, **options(range(ONE_MORE, ONE_MORE + 1), host)}
            for method, body in (("ProgramExternal", one_more), ("RevokeExternal", measured)):
                began = time.perf_counter()
                caller.call(f"NetworkDriver.{method}Connectivity", body)
                seconds.setdefault(f"{method} {goal}", []).append(time.perf_counter() - began)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), [int(word) for word in sys.argv[4:]])
