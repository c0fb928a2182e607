"""A host with many endpoints, made over the plugin socket as Docker would make them, and published ports.

All their links are moved into one namespace, where something answers on port 80 of the first endpoint alone.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.docker.daemon import Daemon
from tests.docker.playing import Player, sandbox

from bench.running import beside

NETWORKS = 10
ENDPOINTS = 100
ANSWERING = 80
"""The port of the host by which the first endpoint is reached."""

FIRST = 20000
"""The others have ports from here on."""


@contextmanager
def populated(daemon: Daemon) -> Iterator[None]:
    """While inside, *daemon* has them and the first answers."""
    host = daemon.host
    place = sandbox(host, "many")
    enter = ["nsenter", f"--net={place}"]
    with Player(daemon) as player:
        networks = [player.network() for _ in range(NETWORKS)]
        endpoints = [player.endpoint(networks[number % NETWORKS]) for number in range(ENDPOINTS)]
        links = [player.join(endpoint, place) for endpoint in endpoints]
        for port, endpoint in zip((ANSWERING, *range(FIRST, FIRST + ENDPOINTS - 1)), endpoints, strict=True):
            player.program(endpoint, range(port, port + 1))
    moves = [f"link set {link} netns {place}" for link in links]
    host.run(["ip", "-batch", "-"], feed="\n".join(moves), timeout=600)
    inside = (
        f"address add {endpoints[0].address} dev {links[0]}",
        f"link set {links[0]} up",
        f"route add default via {networks[0].subnet[1]}",
    )
    host.run([*enter, "ip", "-batch", "-"], feed="\n".join(inside))
    with beside(host, "flows.py", "serve", under=enter):
        yield
