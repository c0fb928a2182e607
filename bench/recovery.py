"""How fast what was lost is back, and whether somebody who dawdles holds up the others.

Floors: nft that loads the same rule set, the interpreter that imports the daemon. Peers: a daemon that knows nothing, a
Docker that has no networks of ours or does not ask us about them, or is answered with constants, the same callers
without the one that dawdles.
"""

import json
import subprocess
import sys
import time

from tests.docker.containers import create
from tests.docker.daemon import Daemon
from tests.docker.test_protocol import MIXED
from tests.engines import Dockerd, Host, Outside

from bench import populated
from bench.report import head, line, ms, p99_ms
from bench.running import ADDRESSES, SOCKET, beside, measured, running

FLUSHES = 15
STARTS = 9
ENGINE = "28.5"
DOCKER_NETWORKS = 500
DOCKER_STARTS = 5
CLIENTS = 64
TURNS = 7
TURN = 3.0
"""Seconds."""


def measure() -> None:
    """Measure and print."""
    head("until it is back")
    _flushed()
    _killed()
    _replayed()
    head("while one client has sent half a body", "ms (p99)")
    _dawdled()


def _population() -> str:
    return f"{populated.ENDPOINTS} endpoints on {populated.NETWORKS} networks"


def _forwarding(host: Host) -> None:
    host.run(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"])


def _flushed() -> None:
    """Somebody deletes all rules."""
    with Outside() as outside, Host("bench") as host, Host("bench") as bare:
        own, _ = outside.plug(host)
        _forwarding(host)
        with running(daemon := Daemon(host)), populated.populated(daemon):
            text = host.run(["nft", "-s", "list", "ruleset"]).stdout
            where = (str(own.ip), str(populated.ANSWERING))
            back = measured(outside, "flush.py", "back", str(host.pid), str(FLUSHES), *where)
        floor = ms(measured(bare, "flush.py", "load", str(FLUSHES), feed=text)["load"])
    answering, whole = ms(back["answering"]), ms(back["whole"])
    line(f"nft -f: the rules of {_population()}", floor)
    line("linkwright: nft flush ruleset, until a published port answers", answering, answering / floor)
    line("linkwright: nft flush ruleset, until all rules are back", whole, whole / floor)


def _killed() -> None:
    """The daemon is killed, and started again; all three by turns, as a machine has slow minutes."""
    imports, empty, full = [], [], []
    with Host("bench") as host, Host("bench") as other:
        _forwarding(other)
        with running(alone := Daemon(host)), running(daemon := Daemon(other)), populated.populated(daemon):
            for _ in range(STARTS):
                imports.append(_imported())
                empty.append(_ready_again(alone))
                full.append(_ready_again(daemon))
    floor, least, most = ms(imports), ms(empty), ms(full)
    line("python: import of the daemon", floor)
    line("linkwright: kill -9 with nothing known, start until /readyz", least, least / floor)
    line(f"linkwright: kill -9 with {_population()}, likewise", most, most / floor)
    line("the same, against the one with nothing known", most, most / least)


def _imported() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import linkwright.daemon.app"], check=True)
    return time.perf_counter() - began


def _ready_again(daemon: Daemon) -> float:
    daemon.kill9()
    with beside(daemon.host, "ready.py") as said:
        said.readline()
        began = time.monotonic()
        daemon.start()
        return float(said.readline()) - began


def _replayed() -> None:
    """Docker is started again, and goes through all its networks; only with our IPAM does it ask us about each.

    By turns with a plugin that answers constants: that is what asking costs Docker.
    """
    ours, constants = [], []
    with Host("bench") as host, running(daemon := Daemon(host)), running(docker := Dockerd(host, ENGINE)):
        none = ms([_started(docker) for _ in range(DOCKER_STARTS)])
        _create(docker, "default")
        theirs = ms([_started(docker) for _ in range(DOCKER_STARTS)]) - none
        docker.clean()
        _create(docker, "lw-ipam")
        for _ in range(DOCKER_STARTS):
            ours.append(_started(docker))
            daemon.stop()
            with beside(host, "answering.py", ADDRESSES) as said:
                said.readline()
                constants.append(_started(docker))
            daemon.start()
    floor, added = ms(constants) - none, ms(ours) - none
    networks = f"Docker {ENGINE}: what {DOCKER_NETWORKS} networks add to its start"
    line(f"Docker {ENGINE}: start with no network of linkwright's", none)
    line(f"{networks}, with its own IPAM", theirs)
    line(f"{networks}, if constants answer its replay", floor, floor / theirs)
    line(f"{networks}, with lw-ipam", added, added / theirs)
    line("linkwright: the same, against the constants", added, added / floor)


def _create(docker: Dockerd, ipam: str) -> None:
    for number in range(DOCKER_NETWORKS):
        create(docker, f"net{number}", f"--subnet=10.{3 + (number >> 8)}.{number & 255}.0/24", ipam=ipam)
    _started(docker)  # the first start finds a disk that is still busy with all this


def _started(docker: Dockerd) -> float:
    docker.stop()
    began = time.perf_counter()
    docker.start()
    return time.perf_counter() - began


def _dawdled() -> None:
    """One of many clients sends half a request, and no more."""
    with Host("bench") as host, running(Daemon(host)), beside(host, "crowd.py", "press", *_crowd()):
        found = measured(host, "crowd.py", "measure", SOCKET, str(TURNS), str(TURN))
    alone, slow = p99_ms(found["alone"]), p99_ms(found["beside"])
    line(f"GetCapabilities beside {CLIENTS} callers of mixed methods", alone)
    line("linkwright: the same, and the slow client", slow, slow / alone)


def _crowd() -> tuple[str, str, str]:
    return SOCKET, str(CLIENTS), json.dumps(MIXED)
