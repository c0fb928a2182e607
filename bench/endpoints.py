"""What an endpoint costs: over the plugin socket against the kernel's floor, through Docker against its bridge."""

import json
import time
from collections.abc import Callable

from tests.docker.daemon import Daemon
from tests.engines import ENGINES, Dockerd, Host

from bench.report import head, line, ms
from bench.running import SOCKET, measured, posted, running

ROUNDS = 200
CONNECTS = 31


def measure() -> None:
    """Measure both and print them."""
    head("endpoints")
    with Host("bench") as host:
        floor = measured(host, "floor.py", str(ROUNDS))
        with running(Daemon(host)):
            measured(host, "life.py", SOCKET, "20")  # warm
            life = measured(host, "life.py", SOCKET, str(ROUNDS))
    make, delete = ms(floor["make"]), ms(floor["delete"])
    made = ms([sum(pair) for pair in zip(life["CreateEndpoint"], life["Join"], strict=True)])
    ended = ms([sum(pair) for pair in zip(life["Leave"], life["DeleteEndpoint"], strict=True)])
    line("kernel floor: make one endpoint's links", make)
    line("linkwright: CreateEndpoint + Join over the socket", made, made / make)
    line("kernel floor: delete them", delete)
    line("linkwright: Leave + DeleteEndpoint over the socket", ended, ended / delete)
    line("kernel floor: the whole life", make + delete)
    line("linkwright: the whole life over the socket", made + ended, (made + ended) / (make + delete))
    for engine in ENGINES:
        _connects(engine)


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
