"""The other two drivers under a real Docker: each is found by its entry point and does what its README promises."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.docker.containers import PAGE, WEB, create, refused, start
from tests.docker.daemon import Daemon
from tests.docker.leaks import nothing_leaked, snapshot
from tests.engines import Dockerd, Host, Outside

DRIVERS = ("bridge", "macvlan", "vxlan")


@pytest.fixture
def lan() -> Iterator[Outside]:
    """A LAN with one station on it, 192.0.2.2."""
    with Outside() as world:
        yield world


@pytest.fixture
def lan_daemon(fresh_dockerd: Dockerd, lan: Outside) -> Iterator[Daemon]:
    """A linkwright with all drivers beside a dockerd of its own, on the LAN; judged for leaks."""
    host = fresh_dockerd.host
    lan.plug(host, 1)
    with _served(host) as daemon:
        before = snapshot(host, daemon)
        yield daemon
        fresh_dockerd.clean()
        nothing_leaked(before, lambda: snapshot(host, daemon))


def _served(host: Host) -> "_Served":
    host.run(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"])
    return _Served(Daemon(host, drivers=DRIVERS))


class _Served:
    """A daemon that runs while inside."""

    def __init__(self, daemon: Daemon) -> None:
        """Not yet."""
        self.daemon = daemon

    def __enter__(self) -> Daemon:
        """Start it."""
        self.daemon.start()
        return self.daemon

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self.daemon.stop()


def test_three_drivers_are_found_by_their_entry_points(lan_daemon: Daemon) -> None:
    """Each package that is installed is a driver with a socket, its distribution and version known."""
    shown = lan_daemon.cli_json("drivers")["drivers"]

    assert [(one["name"], one["distribution"]) for one in shown] == [(name, f"linkwright-{name}") for name in DRIVERS]
    assert all(lan_daemon.socket(name).is_socket() for name in DRIVERS)


def test_m_a_macvlan_container_stands_on_the_lan(fresh_dockerd: Dockerd, lan_daemon: Daemon, lan: Outside) -> None:
    """It reaches its neighbours on the LAN with an address and a hardware address of its own, and its siblings."""
    subnet = ("--subnet=192.0.2.0/24", "--gateway=192.0.2.2", "--ip-range=192.0.2.128/25", "-o", "parent=up0")
    create(fresh_dockerd, "lan", *subnet, driver="lw-macvlan")
    web = start(fresh_dockerd, "web", "lan", command=WEB)
    other = start(fresh_dockerd, "other", "lan")

    assert other.reaches("192.0.2.2")
    assert other.fetches("http://192.0.2.128/") == PAGE
    fetched = lan.run(["wget", "-q", "-T5", "-O", "-", "http://192.0.2.128/"])
    assert fetched.stdout == PAGE
    assert other.default_routes() == {"192.0.2.2": "eth0"}
    macs = {container.links()["eth0"]["address"] for container in (web, other)}
    assert len(macs) == 2
    assert {container.shown("lan")["MacAddress"] for container in (web, other)} == macs


def test_m_02_a_parent_that_is_not_there_is_refused_by_name(fresh_dockerd: Dockerd, lan_daemon: Daemon) -> None:
    """The user reads which link is missing; nothing is left."""
    said = refused(fresh_dockerd, "network", "create", "-d", "lw-macvlan", "-o", "parent=nosuch0", "lan")

    assert "nosuch0" in said


def test_v_containers_of_two_hosts_are_neighbours(
    engine: str, lan_daemon: Daemon, fresh_dockerd: Dockerd, lan: Outside
) -> None:
    """One segment on two hosts: containers reach each other over the tunnel, full-sized packets and all."""
    segment = ("--subnet=10.9.0.0/24", "-o", "vni=42", "-o", "peers=192.0.2.1,192.0.2.3")
    with ExitStack() as stack:
        host = stack.enter_context(Host(engine))
        lan.plug(host, 3)
        dockerd = Dockerd(host, engine)
        dockerd.start()
        stack.callback(dockerd.stop)
        dockerd.load_image()
        stack.enter_context(_served(host))
        create(fresh_dockerd, "segment", *segment, "--ip-range=10.9.0.64/26", driver="lw-vxlan")
        create(dockerd, "segment", *segment, "--ip-range=10.9.0.128/26", driver="lw-vxlan")
        web = start(fresh_dockerd, "web", "segment", "--ip", "10.9.0.70", command=WEB)
        far = start(dockerd, "far", "segment", "--ip", "10.9.0.130")

        assert far.reaches("10.9.0.70")
        assert far.fetches("http://10.9.0.70/") == PAGE
        assert web.links()["eth0"]["mtu"] == 1450
        assert far.reaches("10.9.0.70", "-s", "1422")  # 1450 less the headers of IPv4 and ICMP
        dockerd.clean()
