"""One endpoint's life over the plugin socket, as Docker would ask for it: what our daemon takes. Standard library only.

Prints, as JSON, seconds for each round of each call; the address comes from us as well, the sandbox is imaginary.
"""

import json
import secrets
import sys
import time

from caller import Caller


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
