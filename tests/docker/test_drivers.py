"""All drivers in one linkwright under a real Docker: each is found by its entry point; two hosts are one segment."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.docker.containers import PAGE, WEB, create, start
from tests.docker.daemon import Daemon
from tests.engines import Dockerd, Host, Outside

DRIVERS = ("bridge", "macvlan", "vxlan")


@pytest.fixture(scope="module")
def lan(module_dockerd: Dockerd) -> Iterator[Outside]:
    """A LAN that the module's host is on, as 192.0.2.1."""
    with Outside() as world:
        world.plug(module_dockerd.host, 1)
        yield world


@pytest.fixture(scope="module")
def module_daemon(module_dockerd: Dockerd, lan: Outside) -> Iterator[Daemon]:
    """A linkwright with all drivers beside the module's dockerd, on the LAN."""
    daemon = Daemon(module_dockerd.host, drivers=DRIVERS)
    daemon.start()
    yield daemon
    daemon.stop()


def test_three_drivers_are_found_by_their_entry_points(daemon: Daemon) -> None:
    """Each package that is installed is a driver with a socket, its distribution and version known."""
    shown = daemon.cli_json("drivers")["drivers"]

    assert [(one["name"], one["distribution"]) for one in shown] == [(name, f"linkwright-{name}") for name in DRIVERS]
    assert all(daemon.socket(name).is_socket() for name in DRIVERS)


def test_v_containers_of_two_hosts_are_neighbours(engine: str, dockerd: Dockerd, daemon: Daemon, lan: Outside) -> None:
    """One segment on two hosts: containers reach each other over the tunnel, full-sized packets and all."""
    segment = ("--subnet=10.9.0.0/24", "-o", "vni=42", "-o", "peers=192.0.2.1,192.0.2.3")
    with ExitStack() as stack:
        host = stack.enter_context(Host(engine))
        lan.plug(host, 3)
        stack.callback(lan.unplug, 3)
        other, beside = Dockerd(host, engine), Daemon(host, drivers=DRIVERS)
        other.start()
        other.load_image()
        beside.start()
        create(dockerd, "segment", *segment, "--ip-range=10.9.0.64/26", driver="lw-vxlan")
        create(other, "segment", *segment, "--ip-range=10.9.0.128/26", driver="lw-vxlan")
        web = start(dockerd, "web", "segment", "--ip", "10.9.0.70", command=WEB)
        far = start(other, "far", "segment", "--ip", "10.9.0.130")

        assert far.reaches("10.9.0.70")
        assert far.fetches("http://10.9.0.70/") == PAGE
        assert web.links()["eth0"]["mtu"] == 1450
        assert far.reaches("10.9.0.70", "-s", "1422")  # 1450 less the headers of IPv4 and ICMP
        other.clean()
        beside.stop()
