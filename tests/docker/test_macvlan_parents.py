"""What happens to a macvlan parent while containers stand on it, and to its networks, as Docker's users see it."""

import json
from collections.abc import Iterator
from functools import partial

import pytest

from tests.docker.containers import PAGE, WEB, Container, create, refused, start
from tests.docker.daemon import Daemon, series
from tests.docker.until import until
from tests.docker.window import Window
from tests.engines import Dockerd, Host, Outside

ROUTER = "--gateway=192.0.2.2"
LAN = ("--subnet=192.0.2.0/24", ROUTER, "--ip-range=192.0.2.128/25")


@pytest.fixture(scope="module")
def lan() -> Iterator[Outside]:
    """A LAN with a router, 192.0.2.2."""
    with Outside() as world:
        yield world


@pytest.fixture(scope="module")
def module_daemon(module_dockerd: Dockerd) -> Iterator[Daemon]:
    """A linkwright with the driver beside the module's dockerd, which looks at everything each second."""
    daemon = Daemon(module_dockerd.host, drivers=("bridge", "macvlan"), options=["--period=1"])
    daemon.start()
    yield daemon
    daemon.stop()


@pytest.fixture
def plugged(dockerd: Dockerd, lan: Outside) -> Iterator[Host]:
    """The host with a link ``wire0`` into the LAN; it is gone afterwards."""
    plug(dockerd.host, lan)
    yield dockerd.host
    dockerd.clean()
    dockerd.host.run(["ip", "link", "del", "wire0"])


def plug(host: Host, lan: Outside) -> None:
    """Give *host* the link ``wire0``, whose other end is a port of the LAN's switch."""
    host.run(["ip", "link", "add", "wire0", "type", "veth", "peer", "name", "wire1"])
    host.run(["ip", "link", "set", "wire1", "netns", str(lan.pid)])
    lan.run(["ip", "link", "set", "wire1", "master", "switch0", "up"])
    host.run(["ip", "link", "set", "wire0", "up"])


def macvlan(dockerd: Dockerd, name: str, *options: str, ipam: str = "lw-ipam") -> str:
    """Make a macvlan network and return its id."""
    return create(dockerd, name, *options, driver="lw-macvlan", ipam=ipam)


def mtu(container: Container) -> int:
    """That of its interface."""
    return int(container.links()["eth0"]["mtu"])


def has_mtu(container: Container, wanted: int) -> bool:
    """Whether its interface has that one."""
    return mtu(container) == wanted


def answers(container: Container, address: str) -> bool:
    """Whether one ping of *container* is answered by now."""
    return container.run("ping", "-c1", "-W1", address, check=False).returncode == 0


def test_m_07_containers_follow_the_mtu_of_their_parent(dockerd: Dockerd, daemon: Daemon, plugged: Host) -> None:
    """Down, by the kernel, and up again, by linkwright in the running container; unless the network names one."""
    macvlan(dockerd, "one", *LAN, "-o", "parent=wire0")
    macvlan(dockerd, "named", "--subnet=198.51.100.0/24", "-o", "parent=wire0", "-o", "mtu=1300")
    first, named = start(dockerd, "first", "one"), start(dockerd, "named", "named")
    assert (mtu(first), mtu(named)) == (1500, 1300)
    for given in (1400, 1450):
        plugged.run(["ip", "link", "set", "wire0", "mtu", str(given)])
        until(partial(has_mtu, first, given), f"the container has {given}")
        daemon.cli("repair")  # has looked at the parent when it answers
    assert mtu(named) == 1300
    assert first.reaches("192.0.2.2")


def test_m_07_a_parents_mtu_that_is_lowered_and_at_once_raised(dockerd: Dockerd, daemon: Daemon, plugged: Host) -> None:
    """The kernel lowered the container with it; that the parent looks as before is no reason to leave it so."""
    macvlan(dockerd, "one", *LAN, "-o", "parent=wire0")
    first = start(dockerd, "first", "one")
    plugged.run(["sh", "-ec", "ip link set wire0 mtu 1400; ip link set wire0 mtu 1500"])
    until(partial(has_mtu, first, 1500), "the container has its parent's")


def test_m_09_a_parent_that_is_down_and_up_again(dockerd: Dockerd, daemon: Daemon, plugged: Host) -> None:
    """A gauge shows it; containers recover; networks and containers are made meanwhile and work when it is up."""
    gauge = series("linkwright_parent_up", link="wire0")
    macvlan(dockerd, "one", *LAN, "-o", "parent=wire0")
    first = start(dockerd, "first", "one")
    assert first.reaches("192.0.2.2")
    until(lambda: daemon.metrics().get(gauge) == 1, "it is shown to be up")
    plugged.run(["ip", "link", "set", "wire0", "down"])
    until(lambda: daemon.metrics().get(gauge) == 0, "it is shown to be down")
    assert not answers(first, "192.0.2.2")
    macvlan(dockerd, "two", "--subnet=198.51.100.0/24", "-o", "parent=wire0")
    second, third = start(dockerd, "second", "one"), start(dockerd, "third", "two")
    plugged.run(["ip", "link", "set", "wire0", "up"])
    until(lambda: daemon.metrics().get(gauge) == 1, "it is shown to be up again")
    assert first.reaches("192.0.2.2")
    assert second.reaches("192.0.2.2")
    assert start(dockerd, "fourth", "two").reaches(next(iter(third.addresses())).partition("/")[0])


def test_m_09_a_parent_that_comes_back_as_another_link(
    dockerd: Dockerd, daemon: Daemon, plugged: Host, lan: Outside, window: Window
) -> None:
    """Its containers lose their interface, and that is told; new ones work; ``repair`` makes the old ones new ones."""
    macvlan(dockerd, "one", *LAN, "-o", "parent=wire0")
    first = start(dockerd, "first", "one", command=WEB)
    (address,) = first.addresses()
    mac = first.links()["eth0"]["address"]
    assert first.reaches("192.0.2.2")
    plugged.run(["ip", "link", "del", "wire0"])
    assert first.links() == {}
    until(lambda: daemon.cli_json("plan")["reported"], "the loss is told")
    plug(plugged, lan)
    assert start(dockerd, "second", "one").reaches("192.0.2.2")
    assert first.links() == {}, "it is done when it is asked for, and not before"
    daemon.cli("repair")
    assert (first.addresses(), first.links()["eth0"]["address"]) == ({address}, mac)
    assert first.default_routes() == {"192.0.2.2": "eth0"}
    assert first.reaches("192.0.2.2")
    asked = lan.run(["wget", "-q", "-T5", "-O", "-", f"http://{address.partition('/')[0]}/"])
    assert asked.stdout == PAGE
    until(lambda: daemon.cli_json("plan")["reported"] == [], "there is nothing left to tell")
    for kind in ("joined", "link"):
        window.allow("linkwright_drift_found_total", kind=kind)
        window.allow("linkwright_drift_repaired_total", kind=kind)


@pytest.fixture
def second_parent(plugged: Host) -> Iterator[Host]:
    """Another LAN, behind ``wire2``, with nobody on it."""
    plugged.run(["ip", "link", "add", "wire2", "type", "veth", "peer", "name", "wire3"])
    for name in ("wire2", "wire3"):
        plugged.run(["ip", "link", "set", name, "up"])
    yield plugged
    plugged.run(["ip", "link", "del", "wire2"])


def test_m_12_one_subnet_on_two_parents(dockerd: Dockerd, daemon: Daemon, second_parent: Host, window: Window) -> None:
    """Refused with the way out; which is taken word for word, and then one address is there twice, once on each LAN."""
    macvlan(dockerd, "one", *LAN, "-o", "parent=wire0")
    apart = ("--ipam-opt", "linkwright.space=other")
    wanted = ("network", "create", "-d", "lw-macvlan", "--ipam-driver", "lw-ipam", *LAN, "-o", "parent=wire2", *apart)
    assert "overlap=true" in refused(dockerd, *wanted, "two")
    window.expect_refusal("NetworkDriver.CreateNetwork", plugin="lw-macvlan")
    macvlan(dockerd, "two", *LAN, "-o", "parent=wire2", *apart, "-o", "overlap=true")
    first, other = (start(dockerd, f"on-{name}", name, "--ip=192.0.2.200") for name in ("one", "two"))
    assert first.addresses() == other.addresses() == {"192.0.2.200/24"}
    assert first.reaches("192.0.2.2")
    assert not answers(other, "192.0.2.2")
    dockerd.docker("rm", "-f", "on-one")
    again = start(dockerd, "again", "one", "--ip=192.0.2.200")
    assert again.reaches("192.0.2.2")
    assert other.addresses() == {"192.0.2.200/24"}


def test_m_05_an_internal_network_on_a_parent(dockerd: Dockerd, daemon: Daemon, plugged: Host) -> None:
    """Siblings talk; there is no default route, no host, and nobody else of the LAN that has another subnet."""
    macvlan(dockerd, "one", "--internal", "--subnet=198.51.100.0/24", "-o", "parent=wire0")
    web, other = start(dockerd, "web", "one", command=WEB), start(dockerd, "other", "one")
    assert (web.default_routes(), list(web.links())) == ({}, ["eth0"])
    (address,) = (one.partition("/")[0] for one in web.addresses())
    assert other.fetches(f"http://{address}/") == PAGE
    assert other.is_cut_off_from("192.0.2.2")
    assert dockerd.api("GET", "/networks/docker_gwbridge")[0] == 404
    assert [
        one for one in json.loads(plugged.run(["ip", "-j", "link"]).stdout) if one["ifname"].startswith("lws")
    ] == []


def test_m_08_after_a_reboot_the_hosts_way_to_its_containers_is_back(
    fresh_dockerd: Dockerd, lan: Outside, fresh_macvlan: Daemon
) -> None:
    """With the address it had, as soon as the first container is; and both ways."""
    dockerd, daemon, host = fresh_dockerd, fresh_macvlan, fresh_dockerd.host
    plug(host, lan)
    daemon.start()
    made = macvlan(dockerd, "one", *LAN, "-o", "parent=wire0", "-o", "host_access=true")
    claims = daemon.cli_json("network", "show", made[:12])["claims"]
    web = start(dockerd, "web", "one", "--restart=always", "--ip=192.0.2.200", command=WEB)
    fetch = ["wget", "-q", "-T2", "-O", "-", "http://192.0.2.200/"]
    assert host.run(fetch).stdout == PAGE
    host.reboot()
    gone = ["ip", "link", "show", "wire1"]  # the kernel ends the old host's namespace in its own time
    until(lambda: lan.run(gone, check=False).returncode != 0, "the wire of the host before is gone")
    plug(host, lan)
    daemon.start()
    dockerd.start()
    until(lambda: dockerd.api("GET", "/containers/web/json")[1]["State"]["Running"], "the container is back")
    until(lambda: host.run(fetch, check=False).stdout == PAGE, "the host reaches it")
    assert daemon.cli_json("network", "show", made[:12])["claims"] == claims
    assert web.reaches(claims["host in 192.0.2.0/24"])
    dockerd.clean()
    assert not [one for one in json.loads(host.run(["ip", "-j", "link"]).stdout) if one["ifname"].startswith("lw")]


@pytest.fixture
def fresh_macvlan(fresh_dockerd: Dockerd) -> Iterator[Daemon]:
    """A linkwright with the driver, not started, beside a dockerd of the test's own."""
    daemon = Daemon(fresh_dockerd.host, drivers=("macvlan",))
    yield daemon
    daemon.stop()
