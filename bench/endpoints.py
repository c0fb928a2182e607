"""What an endpoint costs: over the plugin socket against the kernel's floor, through Docker against its bridge.

And what one more network costs beside many.

Over the socket in two orders. Where lives follow each other, who makes an endpoint waits for the kernel's lock, which
is held by the deletion of the one before; where all are made before the first is ended, nobody does.
"""

import json
import time
from collections.abc import Callable

from tests.docker.daemon import Daemon
from tests.engines import ENGINES, Dockerd, Host

from bench.report import head, line, mean_ms, ms
from bench.running import SOCKET, measured, posted, running

ROUNDS = 200
ORDERS = {"singly": "one life after the other", "together": f"{ROUNDS} made, then ended"}
CONNECTS = 31
NETWORKS = 500


def measure() -> None:
    """Measure both and print them."""
    head("endpoints")
    for order, what in ORDERS.items():
        _lives(order, what)
    _networks()
    for engine in ENGINES:
        _connects(engine)


def _networks() -> None:
    """Over the socket, each with a subnet of its own."""
    with Host("bench") as host:
        host.run(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"])
        with running(Daemon(host)):
            found = measured(host, "networks.py", SOCKET, str(NETWORKS))
    first, last = ms(found["first"]), ms(found["last"])
    line(f"linkwright: CreateNetwork, the first tenth of {NETWORKS}", first)
    line(f"linkwright: CreateNetwork, the last tenth of {NETWORKS}", last, last / first)


def _lives(order: str, what: str) -> None:
    """Over the socket. The mean tells also what a call now and then waits for, which medians leave out."""
    with Host("bench") as host:
        floor = measured(host, "floor.py", str(ROUNDS), order)
        with running(Daemon(host)):
            measured(host, "life.py", SOCKET, str(min(20, ROUNDS)), order)  # warm
            life = measured(host, "life.py", SOCKET, str(ROUNDS), order)
    stages = {"make": ("make its links", "CreateEndpoint + Join"), "end": ("delete them", "Leave + DeleteEndpoint")}
    for stage, (links, calls) in stages.items():
        least, ours = ms(floor[stage]), ms(life[stage])
        line(f"{what}, kernel floor: {links}", least)
        line(f"{what}, linkwright: {calls}", ours, ours / least)
    least, ours = (sum(mean_ms(found[stage]) for stage in stages) for found in (floor, life))
    line(f"{what}, kernel floor: the whole life, mean", least)
    line(f"{what}, linkwright: the whole life, mean", ours, ours / least)


def _connects(engine: str) -> None:
    with Host("bench") as host, running(Daemon(host)), running(docker := Dockerd(host, engine)):
        docker.load_image()
        docker.docker("network", "create", "-d", "lw-bridge", "--ipam-driver", "lw-ipam", "ours")
        docker.docker("network", "create", "theirs")
        docker.docker("network", "create", "aaa")  # keeps the gateway: its name comes first
        docker.docker("run", "-d", "--name", "c1", "--network", "aaa", "busybox:lw", "sleep", "3600")
        body = {"Container": json.loads(docker.docker("inspect", "c1"))[0]["Id"]}
        figures = {
            name: [
                _times(
                    lambda name=name: posted(docker, f"/networks/{name}/connect", body),  # type: ignore[misc]
                    lambda name=name: posted(docker, f"/networks/{name}/disconnect", body),  # type: ignore[misc]
                )
                for _ in range(CONNECTS)
            ]
            for name in ("theirs", "ours")
        }
        for index, verb in enumerate(("connect", "disconnect")):
            theirs = ms([pair[index] for pair in figures["theirs"]])
            ours = ms([pair[index] for pair in figures["ours"]])
            line(f"Docker {engine}: network {verb}, its own bridge", theirs)
            line(f"Docker {engine}: network {verb}, linkwright's", ours, ours / theirs)


def _times(*works: Callable[[], object]) -> list[float]:
    seconds = []
    for work in works:
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return seconds
