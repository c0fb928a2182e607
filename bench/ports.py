"""What one more published port costs beside many, and what a connection through one of many costs.

Peers: plain iptables (one DNAT and one ACCEPT, what every port needs at least), and Docker's own bridge without its
userland proxy. Docker takes minutes to publish thousands of ports, so the rules it would have made are put into its
chains in bulk, as it writes them; it then publishes one more itself.
"""

import sys
import time
from collections.abc import Iterable
from ipaddress import IPv4Address

from tests.docker.daemon import Daemon
from tests.engines import ENGINES, Dockerd, Host, Outside

from bench.report import head, line, ms
from bench.running import HERE, SOCKET, measured, posted, running

SIZES = (10, 1000, 10000)
ROUNDS = 31
STARTS = 9
FIRST = 20000
HOST = "192.0.2.1"
EVERYWHERE = str(IPv4Address(0))  # IPv4 alone, as the peers do it
SECONDS = 3.0


def measure() -> None:
    """Measure and print."""
    head("publishing one more port")
    _by_call()
    _by_iptables()
    for engine in ENGINES:
        _by_start(engine)
    head("connections through published ports", "per second")
    for engine in ENGINES:
        _flows(engine)


def _series(what: str, figures: Iterable[tuple[int, float]]) -> None:
    """A line for each size, each against the first."""
    first = None
    for size, figure in figures:
        line(f"{what}, {size} existing", figure, None if first is None else figure / first)
        first = first or figure


# --- one more, alone -------------------------------------------------------------------------------------------------


def _by_call() -> None:
    """Ours, from request to durable answer."""
    with Host("bench") as host:
        host.run(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"])
        with running(Daemon(host)):
            found = measured(host, "publish.py", SOCKET, EVERYWHERE, str(ROUNDS), *map(str, SIZES))
    for verb in ("ProgramExternal", "RevokeExternal"):
        _series(f"linkwright: {verb}Connectivity", ((size, ms(found[f"{verb} {size}"])) for size in SIZES))


def _by_iptables() -> None:
    """The two commands, with as many rules of their kind in the chains."""
    figures = []
    for size in SIZES:
        with Host("bench") as host:
            _restore(host, size, nat="PREROUTING", accept="FORWARD")
            found = measured(host, "iptables.py", str(ROUNDS))
            figures.append((size, ms(found["add"])))
    _series("iptables: DNAT and ACCEPT", figures)


def _restore(host: Host, size: int, *, nat: str, accept: str, to: str = "10.99.0.2") -> None:
    """Put the rules of *size* published ports into the chains, which have to be there."""
    ports = range(FIRST, FIRST + size)
    rules = [
        "*nat",
        *(f"-A {nat} -p tcp -m tcp --dport {port} -j DNAT --to-destination {to}:80" for port in ports),
        "COMMIT",
        "*filter",
        *(f"-A {accept} -d {to}/32 -p tcp -m tcp --dport {port} -j ACCEPT" for port in ports),
        "COMMIT",
        "",
    ]
    host.run(["iptables-restore", "--noflush"], feed="\n".join(rules), timeout=600)


# --- one more, by Docker ---------------------------------------------------------------------------------------------


def _by_start(engine: str) -> None:
    """A container's start with a port less one without, on Docker's bridge and on ours."""
    figures: dict[str, list[tuple[int, float]]] = {"its own bridge": [], "linkwright's": []}
    for size in SIZES:
        with Host("bench") as host, running(Daemon(host)), running(docker := _engine(host, engine)):
            _prepare(docker)
            _publish(docker, "filler", "ours", size)
            posted(docker, "/containers/filler/start")
            _restore(host, size, nat="DOCKER", accept="DOCKER")
            for name, whose in (("theirs", "its own bridge"), ("ours", "linkwright's")):
                _publish(docker, f"with-{name}", name, 1, first=FIRST - 1)
                _publish(docker, f"without-{name}", name, 0)
                more = ms(_starts(docker, f"with-{name}")) - ms(_starts(docker, f"without-{name}"))
                figures[whose].append((size, more))
            docker.clean()
    for whose, found in figures.items():
        _series(f"Docker {engine}: start with a port less start without, {whose}", found)


def _engine(host: Host, engine: str) -> Dockerd:
    return Dockerd(host, engine, options=("--userland-proxy=false",))


def _prepare(docker: Dockerd) -> None:
    docker.load_image()
    docker.docker("network", "create", "-d", "lw-bridge", "--ipam-driver", "lw-ipam", "--subnet=10.99.0.0/24", "ours")
    docker.docker("network", "create", "--subnet=10.98.0.0/24", "theirs")


def _publish(docker: Dockerd, name: str, network: str, count: int, *, first: int = FIRST) -> None:
    """Create a container whose port 80 is published on *count* ports of the host."""
    bindings = {"80/tcp": [{"HostIp": EVERYWHERE, "HostPort": str(port)} for port in range(first, first + count)]}
    body = {
        "Image": "busybox:lw",
        "Cmd": ["sleep", "36000"],
        "ExposedPorts": {"80/tcp": {}},
        "HostConfig": {"NetworkMode": network, "PortBindings": bindings if count else {}},
    }
    posted(docker, f"/containers/create?name={name}", body)


def _starts(docker: Dockerd, name: str) -> list[float]:
    seconds = []
    for _ in range(STARTS):
        began = time.perf_counter()
        posted(docker, f"/containers/{name}/start")
        seconds.append(time.perf_counter() - began)
        posted(docker, f"/containers/{name}/stop?t=0")
    return seconds


# --- through them ----------------------------------------------------------------------------------------------------


def _flows(engine: str) -> None:
    """Connections that one client outside sets up in a second, each through a port at random."""
    figures: dict[str, list[tuple[int, float]]] = {"its own bridge": [], "linkwright's": []}
    for size in (SIZES[0], SIZES[-1]):
        for name, whose in (("theirs", "its own bridge"), ("ours", "linkwright's")):
            with Outside() as outside, Host("bench") as host:
                outside.plug(host)
                with running(Daemon(host)), running(docker := _engine(host, engine)):
                    _prepare(docker)
                    _publish(docker, "target", name, size if name == "ours" else 1)
                    posted(docker, "/containers/target/start")
                    if name == "theirs":
                        _restore(host, size, nat="DOCKER", accept="DOCKER", to="10.98.0.2")
                    enter = ["nsenter", f"--net=/proc/{docker.container_pid('target')}/ns/net"]
                    host.popen([*enter, sys.executable, HERE / "flows.py", "serve"])
                    words = ("connect", HOST, str(FIRST), str(size), str(SECONDS))
                    figures[whose].append((size, measured(outside, "flows.py", *words)["rate"][0]))
                    docker.clean()
    for whose, found in figures.items():
        _series(f"Docker {engine}: {whose}", found)
