"""Runs inside the host: makes networks over the plugin socket, and tells how long each took.

``networks.py SOCKET COUNT``. Prints, as JSON, seconds of each of the first and of the last tenth of COUNT networks.
"""

import json
import secrets
import sys
import time

from caller import Caller


def main(path: str, count: int) -> None:
    """Measure."""
    caller = Caller(path)
    seconds = []
    for number in range(count):
        subnet = f"10.{100 + (number >> 8)}.{number & 255}"
        data = {"AddressSpace": "bench", "Pool": f"{subnet}.0/24", "Gateway": f"{subnet}.1/24"}
        options = {"com.docker.network.generic": {}}
        body = {"NetworkID": secrets.token_hex(32), "Options": options, "IPv4Data": [data], "IPv6Data": []}
        began = time.perf_counter()
        caller.call("NetworkDriver.CreateNetwork", body)
        seconds.append(time.perf_counter() - began)
    some = count // 10
    print(json.dumps({"first": seconds[:some], "last": seconds[-some:]}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
