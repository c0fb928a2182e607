"""Run every measurement and print the ratios."""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.docker.daemon import Daemon
from tests.engines import ENGINES, Dockerd, Host

HERE = Path(__file__).parent
ROUNDS = 200
CONNECTS = 31
SOCKET = "/run/docker/plugins/lw-bridge.sock"


def main() -> None:
    """Measure in namespaces of our own; needs root."""
    print(f"{'what':58} {'ms (p50)':>10} {'ratio':>8}")
    with Host("bench") as host:
        floor = _measured(host, "floor.py", str(ROUNDS))
        with _running(Daemon(host)):
            _measured(host, "life.py", SOCKET, "20")  # warm
            life = _measured(host, "life.py", SOCKET, str(ROUNDS))
    make, delete = _ms(floor["make"]), _ms(floor["delete"])
    made = _ms([sum(pair) for pair in zip(life["CreateEndpoint"], life["Join"], strict=True)])
    ended = _ms([sum(pair) for pair in zip(life["Leave"], life["DeleteEndpoint"], strict=True)])
    _line("kernel floor: make one endpoint's links", make, None)
    _line("linkwright: CreateEndpoint + Join over the socket", made, made / make)
    _line("kernel floor: delete them", delete, None)
    _line("linkwright: Leave + DeleteEndpoint over the socket", ended, ended / delete)
    _line("kernel floor: the whole life", make + delete, None)
    _line("linkwright: the whole life over the socket", made + ended, (made + ended) / (make + delete))
    for engine in ENGINES:
        _connects(engine)


def _connects(engine: str) -> None:
    with Host("bench") as host, _running(Daemon(host)), _running(docker := Dockerd(host, engine)):
        docker.load_image()
        docker.docker("network", "create", "-d", "lw-bridge", "--ipam-driver", "lw-ipam", "ours")
        docker.docker("network", "create", "theirs")
        docker.docker("network", "create", "aaa")  # keeps the gateway: its name comes first
        docker.docker("run", "-d", "--name", "c1", "--network", "aaa", "busybox:lw", "sleep", "3600")
        identity = json.loads(docker.docker("inspect", "c1"))[0]["Id"]
        body = {"Container": identity}
        figures = {
            name: [
                _times(
                    lambda name=name: _posted(docker, f"/networks/{name}/connect", body),  # type: ignore[misc]
                    lambda name=name: _posted(docker, f"/networks/{name}/disconnect", body),  # type: ignore[misc]
                )
                for _ in range(CONNECTS)
            ]
            for name in ("theirs", "ours")
        }
        for index, verb in enumerate(("connect", "disconnect")):
            theirs = _ms([pair[index] for pair in figures["theirs"]])
            ours = _ms([pair[index] for pair in figures["ours"]])
            _line(f"Docker {engine}: network {verb}, its own bridge", theirs, None)
            _line(f"Docker {engine}: network {verb}, linkwright's", ours, ours / theirs)


def _measured(host: Host, script: str, *arguments: str) -> dict[str, list[float]]:
    figures: dict[str, list[float]] = json.loads(host.run([sys.executable, HERE / script, *arguments]).stdout)
    return figures


@contextmanager
def _running(service: Daemon | Dockerd) -> Iterator[None]:
    service.start()
    try:
        yield
    finally:
        service.stop()


def _posted(docker: Dockerd, path: str, body: object) -> None:
    status, answer = docker.api("POST", path, body)
    if status >= 300:
        raise RuntimeError(f"{path}: {status} {answer}")


def _times(*works: Callable[[], None]) -> list[float]:
    seconds = []
    for work in works:
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return seconds


def _ms(seconds: list[float]) -> float:
    return statistics.median(seconds) * 1000


def _line(what: str, milliseconds: float, ratio: float | None) -> None:
    print(f"{what:58} {milliseconds:10.2f} {'' if ratio is None else f'{ratio:.2f}':>8}")


if __name__ == "__main__":
    main()
