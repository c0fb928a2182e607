"""The macvlan driver as Docker's users see it, and ipvlan where this kernel lacks it: containers stand on the LAN."""

import json
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest

from linkwright import sdk
from tests.docker.containers import PAGE, WEB, Container, create, network, refused, start
from tests.docker.daemon import Daemon
from tests.docker.leaks import difference, snapshot
from tests.docker.until import until
from tests.docker.window import Window
from tests.engines import Dockerd, Host, Outside, busybox

#: A subnet of the LAN behind up0, of which Docker gives out the upper half; its router is the world outside.
LAN = ("--subnet=192.0.2.0/24", "--gateway=192.0.2.2", "--ip-range=192.0.2.128/25", "-o", "parent=up0")
SHIM = sdk.link_name("s", "up0")
REFUSED = "NetworkDriver.CreateNetwork"


@pytest.fixture(scope="module")
def lan(module_dockerd: Dockerd) -> Iterator[Outside]:
    """A LAN that the module's host is on, as 192.0.2.1."""
    with Outside() as world:
        world.plug(module_dockerd.host, 1)
        yield world


@pytest.fixture(scope="module")
def module_daemon(module_dockerd: Dockerd, lan: Outside) -> Iterator[Daemon]:
    """A linkwright with both drivers beside the module's dockerd, on the LAN."""
    daemon = Daemon(module_dockerd.host, drivers=("ipvlan", "macvlan"))
    daemon.start()
    yield daemon
    daemon.stop()


def macvlan(dockerd: Dockerd, name: str, *options: str, ipam: str = "lw-ipam") -> str:
    """Make a macvlan network and return its id."""
    return create(dockerd, name, *options, driver="lw-macvlan", ipam=ipam)


def denied(dockerd: Dockerd, window: Window, *options: str, driver: str = "macvlan", ipam: str = "lw-ipam") -> str:
    """What the user is told of a network that is refused."""
    window.expect_refusal(REFUSED, plugin=f"lw-{driver}")
    return refused(dockerd, "network", "create", "-d", f"lw-{driver}", "--ipam-driver", ipam, *options, "refused")


def of_host(dockerd: Dockerd, address: str) -> bool:
    """Whether the host itself reaches *address*."""
    return dockerd.host.run(["ping", "-c1", "-W2", address], check=False).returncode == 0


def kind_of(container: Container) -> dict[str, Any]:
    """What its interface is, as ``ip -d link`` tells."""
    (link,) = json.loads(container.run("ip", "-j", "-d", "link", "show", "eth0").stdout)
    described: dict[str, Any] = link["linkinfo"]
    return described


def test_m_01_containers_stand_on_the_lan(dockerd: Dockerd, daemon: Daemon, lan: Outside) -> None:
    """With hardware addresses of their own, which Docker shows, and the mode asked for; the LAN reaches them."""
    macvlan(dockerd, "one", *LAN)
    web, other = start(dockerd, "web", "one", command=WEB), start(dockerd, "other", "one")
    assert (kind_of(web)["info_kind"], kind_of(web)["info_data"]["mode"]) == ("macvlan", "bridge")
    assert other.reaches("192.0.2.2")
    assert lan.run(["wget", "-q", "-T5", "-O", "-", "http://192.0.2.128/"]).stdout == PAGE
    assert other.fetches("http://192.0.2.128/") == PAGE
    assert other.default_routes() == {"192.0.2.2": "eth0"}
    macs = {one.links()["eth0"]["address"] for one in (web, other)}
    assert macs == {one.shown("one")["MacAddress"] for one in (web, other)}
    assert len(macs) == 2
    macvlan(dockerd, "two", "--subnet=198.51.100.0/24", "-o", "parent=up0", "-o", "macvlan_mode=private")
    assert kind_of(start(dockerd, "third", "two"))["info_data"]["mode"] == "private"


def test_m_01_passthru_has_the_parent_and_its_hardware_address(dockerd: Dockerd, daemon: Daemon, lan: Outside) -> None:
    """One container as if it were the host, on the LAN; the parent's address stays the parent's."""
    host = dockerd.host
    for line in (
        "link add pass0 type veth peer name pass1",
        "link set pass1 netns PID name passout0",
        "link set pass0 up",
    ):
        host.run(["ip", *line.replace("PID", str(lan.pid)).split()])
    lan.run(["ip", "link", "set", "passout0", "master", "switch0", "up"])
    before = json.loads(host.run(["ip", "-j", "link", "show", "pass0"]).stdout)[0]["address"]
    macvlan(dockerd, "one", *LAN[:3], "-o", "parent=pass0", "-o", "macvlan_mode=passthru")
    container = start(dockerd, "first", "one")
    assert kind_of(container)["info_data"]["mode"] == "passthru"
    assert container.links()["eth0"]["address"] == before
    assert container.reaches("192.0.2.2")
    dockerd.clean()
    assert json.loads(host.run(["ip", "-j", "link", "show", "pass0"]).stdout)[0]["address"] == before
    host.run(["ip", "link", "del", "pass0"])


def test_m_02_a_parent_that_will_not_do_is_refused_by_name(dockerd: Dockerd, daemon: Daemon, window: Window) -> None:
    """The user reads which link it is and what is wrong with it; nothing is left."""
    for parent, text in (
        ("nosuch0", "parent 'nosuch0' is no link of this host"),
        ("lo", "lo cannot be a parent"),
        ("up0.4095", "'4095' is no VLAN of 'up0'"),
        ("up0.5.6", "a VLAN within a VLAN is not made"),
    ):
        assert text in denied(dockerd, window, "-o", f"parent={parent}")
    assert "MTU 1501 is more than the 1500 of parent up0" in denied(
        dockerd, window, "-o", "parent=up0", "-o", "mtu=1501"
    )


def test_m_03_n_01_what_this_kernel_lacks_is_named(dockerd: Dockerd, daemon: Daemon, window: Window) -> None:
    """VLANs and ipvlan: made where the kernel can, else refused when the network is made, with the module to load."""
    for driver, option, feature in (("macvlan", "parent=up0.50", "vlan"), ("ipvlan", "parent=up0", "ipvlan")):
        kind = [
            "ip",
            "link",
            "add",
            "probe0",
            "link",
            "up0",
            "type",
            feature,
            *(["id", "9"] if feature == "vlan" else []),
        ]
        if dockerd.host.run(kind, check=False).returncode == 0:
            dockerd.host.run(["ip", "link", "del", "probe0"])
            create(dockerd, feature, "-o", option, driver=f"lw-{driver}")
        else:
            said = denied(dockerd, window, "-o", option, driver=driver)
            assert f"the kernel has no {feature}: modprobe" in said


def test_m_04_passthru_is_alone_on_its_parent_in_both_orders(dockerd: Dockerd, daemon: Daemon, window: Window) -> None:
    """The second network is refused and told which is the first."""
    for first, second in (("passthru", "bridge"), ("bridge", "passthru")):
        made = macvlan(dockerd, "one", "-o", "parent=up0", "-o", f"macvlan_mode={first}")
        said = denied(dockerd, window, "-o", "parent=up0", "-o", f"macvlan_mode={second}")
        assert f"parent up0 carries macvlan network {made[:12]}" in said
        dockerd.docker("network", "rm", "one")


def test_m_05_m_13_without_a_parent_siblings_alone_are_there(dockerd: Dockerd, daemon: Daemon, lan: Outside) -> None:
    """They talk, by address and by name; no default route, no outside and no host, whatever address that has."""
    macvlan(dockerd, "one", "--subnet=192.0.2.0/24", "--subnet=fd00:2::/64", "--ipv6")
    web = start(dockerd, "web", "one", "--ip=192.0.2.77", command=WEB)
    other = start(dockerd, "other", "one", "--ip=192.0.2.78")
    assert other.fetches("http://192.0.2.77/") == PAGE
    assert resolved(dockerd, "other", "web") == "192.0.2.77"
    assert web.default_routes() == {}
    assert other.is_cut_off_from("192.0.2.2")
    assert other.is_cut_off_from("192.0.2.1")
    assert not of_host(dockerd, "192.0.2.77")


def test_m_05_without_a_parent_a_pair_is_made_kept_and_removed(
    dockerd: Dockerd, daemon: Daemon, window: Window
) -> None:
    """Both ends up, and up again when somebody sets one down; the containers talk again then; nothing is left."""
    before, host = snapshot(dockerd.host), dockerd.host
    made = macvlan(dockerd, "one", "--subnet=192.0.2.0/24")
    ends = [sdk.link_name(letter, made) for letter in "pq"]
    web, other = start(dockerd, "web", "one", "--ip=192.0.2.77", command=WEB), start(dockerd, "other", "one")
    for end in ends:
        host.run(["ip", "link", "set", end, "down"])
        until(lambda: all(is_up(host, one) for one in ends), "both ends are up")
        until(lambda: other.run("ping", "-c1", "-W1", "192.0.2.77", check=False).returncode == 0, "they talk again")
    assert web.default_routes() == {}
    dockerd.clean()
    until(lambda: not difference(before, snapshot(host)), "nothing is left")
    for counter in ("linkwright_drift_found_total", "linkwright_drift_repaired_total"):
        window.expect_some(counter, kind="link")


def is_up(host: Host, name: str) -> bool:
    """Whether that link is up, and the other end of it too."""
    (link,) = json.loads(host.run(["ip", "-j", "link", "show", name]).stdout)
    return bool(link["operstate"] == "UP")


def resolved(dockerd: Dockerd, container: str, name: str) -> str:
    """The IPv4 address that *container* is told for *name*; "" for none."""
    done = dockerd.command("exec", container, "nslookup", "-type=a", name, "127.0.0.11")
    answer = done.stdout.partition("Name:")[2]
    return answer.partition("Address")[2].partition(":")[2].split()[0] if answer else ""


_NAMESERVER = """
import socket, sys
with socket.socket(type=socket.SOCK_DGRAM) as door:
    door.bind((sys.argv[1], 53))
    print("ready", flush=True)
    while True:
        asked, whom = door.recvfrom(512)
        end = asked.index(0, 12) + 5
        four = asked[end - 4:end - 2] == bytes([0, 1])
        answer = bytes.fromhex("c00c000100010000003c0004c6336407") if four else b""
        door.sendto(asked[:2] + bytes([0x81, 0x80, 0, 1, 0, four, 0, 0, 0, 0]) + asked[12:end] + answer, whom)
"""


def test_m_13_names_are_resolved_where_they_can_be(dockerd: Dockerd, daemon: Daemon, lan: Outside) -> None:
    """Of siblings in every network; of the outside where there is an outside."""
    served = lan.popen([sys.executable, "-c", _NAMESERVER, "192.0.2.2"], stdout=subprocess.PIPE, text=True)
    assert served.stdout is not None
    assert served.stdout.readline() == "ready\n"
    macvlan(dockerd, "lan", *LAN)
    macvlan(dockerd, "inside", "--internal", "--subnet=198.51.100.0/24", "-o", "parent=up0")
    for name in ("lan", "inside"):
        start(dockerd, f"web-{name}", name, "--dns=192.0.2.2", command=WEB)
        start(dockerd, f"other-{name}", name, "--dns=192.0.2.2")
        assert ip_address(resolved(dockerd, f"other-{name}", f"web-{name}"))
    assert resolved(dockerd, "other-lan", "www.example.net") == "198.51.100.7"
    assert resolved(dockerd, "other-inside", "www.example.net") == ""
    served.terminate()
    served.wait()


def test_m_06_each_subnet_has_its_gateway(dockerd: Dockerd, daemon: Daemon, lan: Outside) -> None:
    """Two of each family on one parent: a container reaches its own router and peers, others by the router only."""
    more = ("198.51.100.1/24", "2001:db8:1::1/64")
    for address in more:
        lan.run(["ip", "address", "add", address, "dev", "switch0", *(["nodad"] if ":" in address else [])])
    options = [f"--subnet={one}" for one in ("192.0.2.0/24", "198.51.100.0/24", "2001:db8::/64", "2001:db8:1::/64")]
    options += [f"--gateway={one}" for one in ("192.0.2.2", "198.51.100.1", "2001:db8::2", "2001:db8:1::1")]
    macvlan(dockerd, "one", *options, "--ipv6", "-o", "parent=up0")
    first = start(dockerd, "first", "one", "--ip=192.0.2.130", "--ip6=2001:db8::130")
    peer = start(dockerd, "peer", "one", "--ip=198.51.100.131", "--ip6=2001:db8:1::131")
    other = start(dockerd, "other", "one", "--ip=198.51.100.130", "--ip6=2001:db8:1::130")
    assert first.default_routes() == {"192.0.2.2": "eth0", "2001:db8::2": "eth0"}
    assert other.default_routes() == {"198.51.100.1": "eth0", "2001:db8:1::1": "eth0"}
    for container, near in ((first, ("192.0.2.2", "2001:db8::2")), (other, (*more, "198.51.100.131"))):
        assert [one for one in near if not container.reaches(one.partition("/")[0])] == []
    assert first.is_cut_off_from("198.51.100.130")
    forwarding = ("net.ipv4.ip_forward=", "net.ipv6.conf.all.forwarding=")
    lan.run(["sysctl", "-q", "-w", *(f"{one}1" for one in forwarding)])
    assert first.reaches("198.51.100.130")
    assert peer.reaches("2001:db8::130")
    lan.run(["sysctl", "-q", "-w", *(f"{one}0" for one in forwarding)])
    for address in more:
        lan.run(["ip", "address", "del", address, "dev", "switch0"])


def test_m_08_host_and_containers_reach_each_other_while_there_are_any(
    dockerd: Dockerd, daemon: Daemon, window: Window
) -> None:
    """Both ways, over a restart of linkwright; without containers the host is as it was. The address is the host's."""
    before = snapshot(dockerd.host)
    made = macvlan(dockerd, "one", *LAN, "--subnet=2001:db8::/64", "--ipv6", "-o", "host_access=true")
    claims = daemon.cli_json("network", "show", made[:12])["claims"]
    four, six = claims["host in 192.0.2.0/24"], claims["host in 2001:db8::/64"]
    assert difference(before, snapshot(dockerd.host)) == []
    web, other = start(dockerd, "web", "one", command=WEB), start(dockerd, "other", "one")
    inside = {one.shown("one")["IPAddress"] for one in (web, other)}
    assert four not in inside
    assert len(inside) == 2
    daemon.restart()
    window.expect_restart()
    assert all(of_host(dockerd, address) for address in inside)
    assert of_host(dockerd, web.shown("one")["GlobalIPv6Address"])
    assert web.reaches(four)
    assert other.reaches(six)
    dockerd.docker("rm", "-f", "web")
    assert of_host(dockerd, other.shown("one")["IPAddress"])
    dockerd.docker("rm", "-f", "other")
    assert difference(before, snapshot(dockerd.host)) == []


def test_m_08_with_dockers_own_addresses_the_hosts_is_named(dockerd: Dockerd, daemon: Daemon, window: Window) -> None:
    """Without the name the refusal says how; with it host and container reach each other; without the option not."""
    assert "--aux-address host=ADDRESS" in denied(dockerd, window, *LAN, "-o", "host_access=true", ipam="default")
    macvlan(dockerd, "one", *LAN, "-o", "host_access=true", "--aux-address=host=192.0.2.99", ipam="default")
    web = start(dockerd, "web", "one", command=WEB)
    assert of_host(dockerd, web.shown("one")["IPAddress"])
    assert web.reaches("192.0.2.99")
    dockerd.clean()
    macvlan(dockerd, "two", *LAN)
    other = start(dockerd, "other", "two")
    assert not of_host(dockerd, other.shown("two")["IPAddress"])
    assert SHIM not in dockerd.host.run(["ip", "link"]).stdout


def test_m_10_a_published_port_is_refused_in_the_answer_to_the_user(
    dockerd: Dockerd, daemon: Daemon, window: Window
) -> None:
    """Not in a log that nobody reads; the container is not left running without what was asked for."""
    macvlan(dockerd, "one", *LAN)
    window.expect_refusal("NetworkDriver.ProgramExternalConnectivity", plugin="lw-macvlan")
    said = refused(dockerd, "run", "-d", "--name", "web", "--network", "one", "-p", "8080:80", busybox.IMAGE, *WEB)
    assert "driver macvlan cannot publish" in said
    assert "8080:80/tcp" in said


def test_m_11_network_and_endpoint_outlive_restarts(
    dockerd: Dockerd, daemon: Daemon, window: Window, lan: Outside
) -> None:
    """Of linkwright while the container runs, and of Docker, after which it is started with the same addresses."""
    made = macvlan(dockerd, "one", *LAN, "-o", "stable_mac=true")
    container = start(dockerd, "first", "one", "--ip=192.0.2.200")
    before = (container.addresses(), container.links()["eth0"]["address"])
    daemon.restart()
    window.expect_restart()
    assert (container.addresses(), container.links()["eth0"]["address"]) == before
    dockerd.restart()
    for event in ("confirmed", "replayed"):
        window.expect_some("linkwright_ipam_events_total", event=event)
    assert network(dockerd, "one")["Id"] == made
    dockerd.docker("start", "first")
    assert (container.addresses(), container.links()["eth0"]["address"]) == before
    assert container.reaches("192.0.2.2")
