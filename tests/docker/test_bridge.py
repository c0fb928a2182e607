"""The bridge driver as Docker's users see it: containers talk, reach out, and keep what they were given."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from ipaddress import ip_interface
from typing import Any

import pytest

from tests.docker.containers import PAGE, WEB, Container, create, network, refused, start
from tests.docker.daemon import Daemon
from tests.docker.leaks import difference, snapshot
from tests.docker.sources import seen_source
from tests.docker.window import Window
from tests.engines import Dockerd, Host, Outside

DUAL = ("--ipv6", "--subnet=10.2.0.0/24", "--subnet=fd00:2::/64")


def link(host: Host, name: str) -> dict[str, Any]:
    """A link of the host as ``ip -d address`` describes it; KeyError if there is none of that name."""
    found = {one["ifname"]: one for one in json.loads(host.run(["ip", "-j", "-d", "address"]).stdout)}
    described: dict[str, Any] = found[name]
    return described


def bridge_of(network_id: str) -> str:
    """What a network's bridge is called."""
    return f"lwb{network_id[:12]}"


def test_b_01_a_network_is_a_bridge_with_the_gateway_address(dockerd: Dockerd, daemon: Daemon) -> None:
    """A network made is a bridge that is up and has the gateway's addresses; removed, the bridge is gone."""
    made = create(dockerd, "one", *DUAL)
    bridge = link(dockerd.host, bridge_of(made))
    assert (bridge["linkinfo"]["info_kind"], "UP" in bridge["flags"]) == ("bridge", True)
    addresses = {f"{one['local']}/{one['prefixlen']}" for one in bridge["addr_info"] if one["scope"] == "global"}
    assert addresses == {"10.2.0.1/24", "fd00:2::1/64"}
    shown = network(dockerd, "one")
    assert (shown["Driver"], shown["Scope"], shown["IPAM"]["Driver"]) == ("lw-bridge", "local", "lw-ipam")
    dockerd.docker("network", "rm", "one")
    with pytest.raises(KeyError):
        link(dockerd.host, bridge_of(made))


@pytest.mark.parametrize("ipam", ["lw-ipam", "default"])
def test_b_02_containers_reach_each_other_the_host_and_the_outside(
    dockerd: Dockerd, daemon: Daemon, outside: Outside, ipam: str
) -> None:
    """Siblings talk, host and container talk, and the outside sees the host's address, with IPv4 and IPv6.

    With linkwright's addresses and with Docker's own.
    """
    create(dockerd, "one", *DUAL, ipam=ipam)
    web, other = start(dockerd, "web", "one", command=WEB), start(dockerd, "other", "one")
    for version, gateway in ((4, "10.2.0.1"), (6, "fd00:2::1")):
        address = next(ip_interface(one).ip for one in web.addresses() if ip_interface(one).version == version)
        host = f"[{address}]" if version == 6 else str(address)
        assert other.reaches(address)
        assert other.fetches(f"http://{host}/") == PAGE
        assert dockerd.host.run(["wget", "-q", "-T5", "-O", "-", f"http://{host}/"]).stdout == PAGE
        assert other.reaches(gateway)
    assert seen_source(outside, outside.ipv4.ip, other) == "192.0.2.1"
    assert seen_source(outside, outside.ipv6.ip, other) == "2001:db8::1"


def test_b_05_an_internal_network_leads_nowhere(dockerd: Dockerd, daemon: Daemon, outside: Outside) -> None:
    """Containers of an internal network have no default route and reach each other alone; nobody reaches them."""
    create(dockerd, "one", "--internal", "--subnet=10.2.0.0/24")
    web = start(dockerd, "web", "one", "-p", "8080:80", command=WEB)
    other = start(dockerd, "other", "one")
    assert other.default_routes() == {}
    assert other.fetches("http://10.2.0.2/") == PAGE
    assert other.is_cut_off_from(outside.ipv4.ip)
    other.run("ip", "route", "add", "default", "via", "10.2.0.1")
    assert other.is_cut_off_from(outside.ipv4.ip)
    asked = outside.run(["wget", "-q", "-T2", "-O", "-", "http://192.0.2.1:8080/"], check=False)
    assert (asked.returncode != 0, list(web.links())) == (True, ["eth0"])


def test_b_06_the_mtu_option_holds_on_the_whole_way(dockerd: Dockerd, daemon: Daemon) -> None:
    """Bridge, host's end and container's end have the MTU asked for; a packet of that size passes, one more fails."""
    made = create(dockerd, "one", "--subnet=10.2.0.0/24", "-o", "com.docker.network.driver.mtu=1400")
    first, second = start(dockerd, "first", "one"), start(dockerd, "second", "one")
    bridge = bridge_of(made)
    ports = [one for one in json.loads(dockerd.host.run(["ip", "-j", "link"]).stdout) if one.get("master") == bridge]
    mtus = {link(dockerd.host, bridge)["mtu"], *(port["mtu"] for port in ports), first.links()["eth0"]["mtu"]}
    assert (mtus, len(ports)) == ({1400}, 2)
    fits = 1400 - 20 - 8  # less the headers of IPv4 and UDP
    assert unfragmented(first, second, "10.2.0.3", fits)
    assert not unfragmented(first, second, "10.2.0.3", fits + 1)


def unfragmented(sender: Container, receiver: Container, address: str, size: int) -> bool:
    """Whether a datagram of *size* bytes that may not be fragmented arrives."""
    listening = receiver.popen(sys.executable, "-c", _RECEIVE, address, stdout=subprocess.PIPE, text=True)
    assert listening.stdout is not None
    assert listening.stdout.readline() == "ready\n"
    sent = sender.run(sys.executable, "-c", _SEND, address, str(size), check=False)
    if sent.returncode:
        assert "Message too long" in sent.stderr, sent.stderr
        return False
    return bool(listening.stdout.readline() == f"{size}\n")


_RECEIVE = """
import socket, sys
with socket.socket(type=socket.SOCK_DGRAM) as door:
    door.bind((sys.argv[1], 7000))
    print("ready", flush=True)
    print(len(door.recv(65536)), flush=True)
"""

_SEND = """
import socket, sys
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2  # linux/in.h
with socket.socket(type=socket.SOCK_DGRAM) as way:
    way.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
    way.sendto(bytes(int(sys.argv[2])), (sys.argv[1], 7000))
"""


@contextmanager
def uplink(host: Host, mtu: int) -> Iterator[None]:
    """While inside, *host* has an uplink of that *mtu*."""
    with Outside() as world:
        world.plug(host, 1, mtu=mtu)
        yield


@pytest.mark.parametrize("mtu", [1450, 9000])
def test_b_07_without_the_option_the_mtu_is_the_uplinks(dockerd: Dockerd, daemon: Daemon, mtu: int) -> None:
    """Bridge and container get the MTU of the link that the default route leads through, wherever that route is."""
    with uplink(dockerd.host, mtu):
        dockerd.host.run(["ip", "route", "del", "default"])
        dockerd.host.run(["ip", "-6", "route", "del", "default"])
        dockerd.host.run(["ip", "route", "add", "default", "via", "192.0.2.2", "dev", "up0", "table", "100"])
        made = create(dockerd, "one", "--subnet=10.2.0.0/24")
        container = start(dockerd, "first", "one")
        assert (link(dockerd.host, bridge_of(made))["mtu"], container.links()["eth0"]["mtu"]) == (mtu, mtu)


def test_b_07_without_an_uplink_the_mtu_is_ethernets(dockerd: Dockerd, daemon: Daemon) -> None:
    """On a host that has no default route, bridges have 1500."""
    assert link(dockerd.host, bridge_of(create(dockerd, "one", "--subnet=10.2.0.0/24")))["mtu"] == 1500


def test_b_08_a_foreign_bridge_is_left_as_found(dockerd: Dockerd, daemon: Daemon, window: Window) -> None:
    """A bridge that is there already, with an address and a port, is refused by its name and not touched."""
    host = dockerd.host
    for line in (
        "link add lwforeign0 type bridge",
        "address add 10.66.0.1/24 dev lwforeign0",
        "link add lwfport0 type veth peer name lwfport1",
        "link set lwfport0 master lwforeign0",
        "link set lwforeign0 up",
    ):
        host.run(["ip", *line.split()])
    before = snapshot(host)
    wanted = ("-o", "com.docker.network.bridge.name=lwforeign0")
    options = ("--driver=lw-bridge", "--ipam-driver=lw-ipam", "--subnet=10.2.0.0/24", *wanted)
    assert "a link 'lwforeign0' that is not linkwright's" in refused(dockerd, "network", "create", *options, "one")
    window.expect_refusal("NetworkDriver.CreateNetwork")
    assert difference(before, snapshot(host)) == []
    host.run(["ip", "link", "del", "lwforeign0"])
    host.run(["ip", "link", "del", "lwfport0"])


def test_b_15_two_families_agree_inside_and_in_inspect(dockerd: Dockerd, daemon: Daemon) -> None:
    """With both families a container has what inspect shows: an address and a default route of each."""
    create(dockerd, "one", *DUAL)
    container = start(dockerd, "first", "one")
    shown = container.shown("one")
    assert container.addresses() == {"10.2.0.2/24", "fd00:2::2/64"}
    assert (shown["IPAddress"], shown["GlobalIPv6Address"]) == ("10.2.0.2", "fd00:2::2")
    assert container.default_routes() == {"10.2.0.1": "eth0", "fd00:2::1": "eth0"}
    assert (shown["Gateway"], shown["IPv6Gateway"]) == ("10.2.0.1", "fd00:2::1")


def test_b_15_ipv6_alone(dockerd: Dockerd, daemon: Daemon, outside: Outside, engine: str) -> None:
    """A network without IPv4 gives addresses and a default route of IPv6 alone, and leads outside."""
    if engine == "20.10":
        assert "unknown flag: --ipv4" in refused(dockerd, "network", "create", "--ipv4=false", "one")
        return
    create(dockerd, "one", "--ipv4=false", "--ipv6", "--subnet=fd00:2::/64")
    first, second = start(dockerd, "first", "one"), start(dockerd, "second", "one")
    assert (first.addresses(), first.default_routes()) == ({"fd00:2::2/64"}, {"fd00:2::1": "eth0"})
    assert (first.shown("one")["IPAddress"], first.shown("one")["GlobalIPv6Address"]) == ("", "fd00:2::2")
    assert second.reaches("fd00:2::2")
    assert seen_source(outside, outside.ipv6.ip, first) == "2001:db8::1"


def test_b_15_ipv6_switched_off_in_the_container(dockerd: Dockerd, daemon: Daemon, engine: str) -> None:
    """With IPv6 off by sysctl, a container on a network of both families works by IPv4, and no IPv6 is reported."""
    create(dockerd, "one", *DUAL)
    switched_off = ("--sysctl", "net.ipv6.conf.all.disable_ipv6=1")
    container = start(dockerd, "first", "one", *switched_off)
    shown = container.shown("one")
    assert (container.addresses(), container.default_routes()) == ({"10.2.0.2/24"}, {"10.2.0.1": "eth0"})
    assert container.reaches("10.2.0.1")
    # Docker 20.10 does not look at the container's settings, and reports the address that it could not set.
    reported = ("fd00:2::2", "fd00:2::1") if engine == "20.10" else ("", "")
    assert (shown["GlobalIPv6Address"], shown["IPv6Gateway"]) == reported


def test_b_16_the_hardware_address_is_the_one_shown(dockerd: Dockerd, daemon: Daemon) -> None:
    """A hardware address given is used and shown; one that is not given is shown as well."""
    create(dockerd, "one", "--subnet=10.2.0.0/24")
    given = start(dockerd, "given", "one", "--mac-address", "02:42:aa:bb:cc:dd")
    chosen = start(dockerd, "chosen", "one")
    assert given.links()["eth0"]["address"] == given.shown("one")["MacAddress"] == "02:42:aa:bb:cc:dd"
    assert chosen.links()["eth0"]["address"] == chosen.shown("one")["MacAddress"]


def test_b_16_with_the_option_the_hardware_address_outlives_a_restart(dockerd: Dockerd, daemon: Daemon) -> None:
    """With ``stable_mac`` a container with a fixed address has the same hardware address after a restart."""
    create(dockerd, "one", "--subnet=10.2.0.0/24", "-o", "stable_mac=true")
    container = start(dockerd, "first", "one", "--ip", "10.2.0.7")
    before = container.links()["eth0"]["address"]
    dockerd.docker("restart", "first")
    assert container.links()["eth0"]["address"] == container.shown("one")["MacAddress"] == before


def test_b_17_the_bridges_own_hardware_address_never_changes(dockerd: Dockerd, daemon: Daemon) -> None:
    """A bridge keeps its address while 20 endpoints come and go, though the kernel would give it a port's."""
    bridge = bridge_of(create(dockerd, "one", "--subnet=10.2.0.0/24"))
    before = link(dockerd.host, bridge)["address"]
    names = ["first", "second"]
    for name in names:
        start(dockerd, name, "none")
        dockerd.docker("network", "disconnect", "none", name)
    seen = set()
    for _ in range(10):
        for verb in ("connect", "disconnect"):
            for name in names:
                assert dockerd.api("POST", f"/networks/one/{verb}", {"Container": name})[0] == HTTPStatus.OK
            seen.add(link(dockerd.host, bridge)["address"])
    assert seen == {before}


def test_b_18_the_gateway_moves_and_interfaces_keep_their_names(dockerd: Dockerd, daemon: Daemon) -> None:
    """While a running container joins and leaves networks, its default routes are the first network's by name."""
    for number, name in enumerate(("mm", "zz", "bb"), start=1):
        create(dockerd, name, *both(number))
    container = start(dockerd, "first", "mm")
    steps = (
        ("connect", "zz", (1, "eth0"), {"eth0": 1, "eth1": 2}),
        ("connect", "bb", (3, "eth2"), {"eth0": 1, "eth1": 2, "eth2": 3}),
        ("disconnect", "bb", (1, "eth0"), {"eth0": 1, "eth1": 2}),
        ("disconnect", "mm", (2, "eth1"), {"eth1": 2}),
    )
    for verb, name, way, links in steps:
        dockerd.docker("network", verb, name, "first")
        found = {one: container.addresses(one) for one in container.links()}
        expected = {one: {f"10.{number}.0.2/24", f"fd00:{number}::2/64"} for one, number in links.items()}
        assert (container.default_routes(), found) == (out(way, way), expected), f"after {verb} {name}"


def both(number: int) -> tuple[str, ...]:
    """What gives a network subnets of both families, told apart by that *number*."""
    return ("--ipv6", f"--subnet=10.{number}.0.0/24", f"--subnet=fd00:{number}::/64")


def out(ipv4: tuple[int, str], ipv6: tuple[int, str]) -> dict[str, str]:
    """The default routes of a container that goes out by those networks, each with the link that leads there."""
    return {f"10.{ipv4[0]}.0.1": ipv4[1], f"fd00:{ipv6[0]}::1": ipv6[1]}


def test_b_18_the_gateway_follows_the_priority(dockerd: Dockerd, daemon: Daemon, engine: str) -> None:
    """Where the engine knows ``--gw-priority``, the default route is the highest priority's at each step.

    Of each family by itself where no network has both; one that has goes before others, whatever their priority.
    """
    create(dockerd, "aa", "--subnet=10.1.0.0/24")
    container = start(dockerd, "first", "aa")
    if engine == "20.10":
        said = refused(dockerd, "network", "connect", "--gw-priority", "10", "aa", "first")
        assert "unknown flag: --gw-priority" in said
        return
    create(dockerd, "six", "--ipv4=false", "--ipv6", "--subnet=fd00:3::/64")
    create(dockerd, "yy", "--subnet=10.4.0.0/24")
    create(dockerd, "zz", *both(2))
    steps = (
        (("connect", "--gw-priority", "10", "six"), out((1, "eth0"), (3, "eth1"))),
        (("connect", "--gw-priority", "20", "yy"), out((4, "eth2"), (3, "eth1"))),
        (("connect", "--gw-priority", "15", "zz"), out((2, "eth3"), (2, "eth3"))),
        (("disconnect", "zz"), out((4, "eth2"), (3, "eth1"))),
        (("disconnect", "yy"), out((1, "eth0"), (3, "eth1"))),
    )
    for step, routes in steps:
        dockerd.docker("network", *step, "first")
        assert container.default_routes() == routes, f"after {step}"


_READ_ONLY = 'mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys; exec "$@"'


def test_b_19_read_only_settings(fresh_dockerd: Dockerd) -> None:
    """With /proc/sys read-only, a setting that would have to change is named; where all are right, networks work."""
    host = fresh_dockerd.host
    daemon = Daemon(host, under=("unshare", "--mount", "sh", "-ec", _READ_ONLY, "sh"))
    daemon.start()
    options = ("--driver=lw-bridge", "--ipam-driver=lw-ipam", "--subnet=10.2.0.0/24")
    said = refused(fresh_dockerd, "network", "create", *options, "one")
    assert "EROFS: /proc/sys cannot be written here, and it is 1: set net.ipv6.conf." in said
    assert [one for one in json.loads(host.run(["ip", "-j", "link"]).stdout) if one["ifname"].startswith("lw")] == []
    host.run(["sysctl", "-q", "-w", "net.ipv6.conf.default.accept_ra=0"])
    create(fresh_dockerd, "one", "--subnet=10.2.0.0/24")
    assert start(fresh_dockerd, "first", "one").reaches("10.2.0.1")
    fresh_dockerd.clean()
    daemon.stop()


def test_b_29_names_resolve_between_containers(dockerd: Dockerd, daemon: Daemon) -> None:
    """Containers find each other by name, in an internal network as well, though the host drops all that comes in."""
    dockerd.host.run(["iptables", "-P", "INPUT", "DROP"])
    try:
        for number, options in enumerate(((), ("--internal",))):
            create(dockerd, f"net{number}", f"--subnet=10.{number}.0.0/24", *options)
            for name in (f"web{number}", f"other{number}"):
                start(dockerd, name, f"net{number}")
            said = dockerd.docker("exec", f"other{number}", "nslookup", f"web{number}")
            assert f"Address: 10.{number}.0.2" in said
    finally:
        dockerd.host.run(["iptables", "-P", "INPUT", "ACCEPT"])
