"""What a bridge network limits, as its users see it: traffic, by its options, and the number of containers."""

import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Network

import pytest

from tests.docker.containers import Container, create, start
from tests.docker.daemon import Daemon, series, without_engine
from tests.docker.playing import Endpoint, Network, Player, Refusal
from tests.engines import Dockerd, Host, Outside

# --- traffic -------------------------------------------------------------------------------------------------------


def test_b_21_a_rate_holds_both_ways_and_goes_with_the_container(
    dockerd: Dockerd, daemon: Daemon, outside: Outside
) -> None:
    """No more than the ten megabits asked for, and a tenth over; who is given another rate has that, and no other."""
    create(dockerd, "one", "--subnet=10.2.0.0/24", "-o", "rate=10mbit")
    slow, free = start(dockerd, "slow", "one"), start(dockerd, "free", "none")
    dockerd.docker("network", "disconnect", "none", "free")
    dockerd.docker("network", "connect", "--driver-opt", "rate=0", "one", "free")
    (inside,) = (one.partition("/")[0] for one in slow.addresses())
    assert megabits(dockerd.host, slow, inside) <= 11
    assert megabits(slow, outside, str(outside.ipv4.ip)) <= 11
    assert megabits(free, outside, str(outside.ipv4.ip)) > 11
    assert "tbf" in dockerd.host.run(["tc", "qdisc"]).stdout
    dockerd.docker("rm", "-f", "slow")
    assert "tbf" not in dockerd.host.run(["tc", "qdisc"]).stdout


def megabits(sender: Container | Host, receiver: Container | Host, address: str) -> float:
    """Send by TCP, and return how many megabits a second arrived once half a megabyte, more than any burst, had."""
    listening = spawned(receiver, _TAKE, address)
    assert listening.stdout is not None
    assert listening.stdout.readline() == "ready\n"
    sending = spawned(sender, _SEND, address)
    taken, seconds = map(float, listening.stdout.readline().split())
    sending.kill()
    for one in (listening, sending):
        one.communicate()
    return taken * 8 / seconds / 1e6


def spawned(place: Container | Host, program: str, address: str) -> subprocess.Popen[str]:
    """Run *program* there, which speaks by its output."""
    argv = [sys.executable, "-I", "-S", "-c", program, address]
    if isinstance(place, Container):
        return place.popen(*argv, stdout=subprocess.PIPE, text=True)
    return place.popen(argv, stdout=subprocess.PIPE, text=True)


_TAKE = """
import socket, sys, time
with socket.create_server((sys.argv[1], 7000)) as door:
    print("ready", flush=True)
    coming, _ = door.accept()
    taken = 0
    while taken < 1 << 19:
        taken += len(coming.recv(1 << 16))
    began, taken = time.monotonic(), 0
    while taken < 2 << 20:
        taken += len(coming.recv(1 << 16))
    print(taken, time.monotonic() - began, flush=True)
"""

_SEND = """
import socket, sys
with socket.create_connection((sys.argv[1], 7000)) as way:
    while True:
        way.send(bytes(1 << 16))
"""


# --- containers ----------------------------------------------------------------------------------------------------

PORTS = 1023
"""BR_MAX_PORTS less one, of the kernel's net/bridge/br_private.h."""


WIDE = IPv4Network("10.64.0.0/16")


class Wide(Player):
    """Docker's part for a network that has room for more containers than a bridge has ports."""

    def wide(self) -> Network:
        """Make a network of all those addresses."""
        wanted = {"AddressSpace": "linkwright-local", "Pool": str(WIDE), "SubPool": "", "Options": {}, "V6": False}
        pool = self.say("IpamDriver.RequestPool", wanted)["PoolID"]
        network = Network(self.new_id(), pool, WIDE)
        gateway = self.address(network, options={"RequestAddressType": "com.docker.network.gateway"})
        data = {"AddressSpace": "linkwright-local", "Pool": str(WIDE), "Gateway": gateway}
        body = {"NetworkID": network.id, "Options": {}, "IPv4Data": [data], "IPv6Data": []}
        self.say("NetworkDriver.CreateNetwork", body)
        return network


@pytest.fixture
def served() -> Iterator[Daemon]:
    """A linkwright in a host that forwards, without any engine; judged for tracebacks."""
    with without_engine("full", "--period=3600") as daemon:
        yield daemon


@pytest.mark.netns
@pytest.mark.slow
def test_z_01_a_bridge_has_1023_containers_and_says_so(served: Daemon) -> None:
    """All of them get their port; the next is refused with the limit's name, and nothing is left of it.

    The gauge that the alert goes by says what the kernel has. With one fewer, one more fits.
    """
    with Wide(served) as player:
        network = player.wide()
        made = [player.endpoint(network) for _ in range(PORTS)]
        more = Endpoint(player.new_id(), network, player.address(network))
        with pytest.raises(Refusal, match=f"a bridge has {PORTS} ports at most, and {network.bridge} has them all"):
            player.create(more)
        gauge = series("linkwright_bridge_ports", network=network.id)
        found = [one for one in served.metrics() if one.startswith("linkwright_bridge_ports")]
        assert served.metrics()[gauge] == PORTS, found
        assert served.host.run(["ip", "-o", "link", "show", "master", network.bridge]).stdout.count("\n") == PORTS
        assert more.link not in served.host.run(["ip", "-o", "link"]).stdout
        player.delete(made.pop())
        player.create(more)
        for endpoint in (*made, more):
            player.delete(endpoint)
        player.remove_network(network)
