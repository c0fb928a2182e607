"""Who may not reach whom on bridge networks, as Docker's users see it, beside ways that prove the others are open."""

import json
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from ipaddress import ip_network

from tests.docker.containers import Container, create, start
from tests.docker.daemon import Daemon, series
from tests.docker.leaks import difference, snapshot
from tests.docker.ports import Knock, answering, answers, heard
from tests.docker.sources import seen_source
from tests.docker.until import until
from tests.engines import Dockerd, Outside

DUAL = ("--ipv6", "--subnet=10.2.0.0/24", "--subnet=fd00:2::/64")
OTHER = ("--ipv6", "--subnet=10.3.0.0/24", "--subnet=fd00:3::/64")
SPOOFED = series("linkwright_firewall_dropped_packets_total", rule="spoof")
HOST4, HOST6 = "192.0.2.1", "2001:db8::1"


def link_local(container: Container) -> str:
    """The address that the kernel made for its interface, once nobody else has turned out to have it (RFC 4862)."""
    until(lambda: "tentative" not in container.run("ip", "-6", "address").stdout, "its addresses can be used")
    found = container.links()["eth0"]["addr_info"]
    return str(next(one["local"] for one in found if one["local"].startswith("fe80:")))


def test_b_03_networks_are_kept_apart(dockerd: Dockerd, daemon: Daemon, outside: Outside) -> None:
    """By address nothing passes between two networks, of either family or link-local; by a published port it does."""
    create(dockerd, "one", *DUAL)
    create(dockerd, "two", *OTHER)
    web = start(dockerd, "web", "one", "-p", "8080:80")
    near, far = start(dockerd, "near", "one"), start(dockerd, "far", "two")
    direct: list[Knock] = [("tcp", "10.2.0.2", 80), ("udp", "10.2.0.2", 80), ("tcp", "fd00:2::2", 80)]
    unpublished: list[Knock] = [("tcp", "10.2.0.1", 81), ("tcp", HOST4, 81)]
    published: list[Knock] = [("tcp", address, 8080) for address in (HOST4, HOST6, "10.2.0.1", "10.3.0.1", "fd00:3::1")]
    local: list[Knock] = [("tcp", f"{link_local(web)}%eth0", 80)]
    assert link_local(near) != link_local(far)
    with answering(web, "web", [80, 81]):
        assert set(answers(near, direct + local)) == {"web"}
        assert heard(far, direct + local + unpublished) == []
        assert set(answers(far, published)) == {"web"}


def test_b_04_without_icc_neighbours_do_not_talk(dockerd: Dockerd, daemon: Daemon, outside: Outside) -> None:
    """With ICC off containers of a network do not reach each other; the host, the outside and the way out stay."""
    create(dockerd, "one", *DUAL, "-o", "com.docker.network.bridge.enable_icc=false")
    web, other = start(dockerd, "web", "one", "-p", "8080:80"), start(dockerd, "other", "one")
    direct: list[Knock] = [("tcp", "10.2.0.2", 80), ("tcp", "fd00:2::2", 80)]
    published: list[Knock] = [("tcp", HOST4, 8080), ("tcp", HOST6, 8080)]
    with answering(web, "web", [80]):
        assert heard(other, direct) == []
        assert set(answers(dockerd.host, direct + published)) == {"web"}
        assert set(answers(outside, published)) == {"web"}
        assert other.reaches("10.2.0.1")
        assert other.reaches(outside.ipv4.ip)


def test_a_neighbour_host_does_not_reach_what_is_not_published(
    dockerd: Dockerd, daemon: Daemon, outside: Outside
) -> None:
    """A host on the same LAN that routes to the containers' subnet gets no answer, but in the modes that open it."""
    modes: dict[str, tuple[int, list[int]]] = {
        "nat": (4, []),
        "routed": (5, [80]),
        "nat-unprotected": (6, [80, 81]),
    }
    open_doors: dict[Knock, str] = {}
    closed: list[Knock] = []
    with ExitStack() as stack:
        for mode, (number, opened) in modes.items():
            subnets = {4: f"10.{number}.0.0/24", 6: f"fd00:{number}::/64"}
            by = [f"--opt=com.docker.network.bridge.gateway_mode_ipv{version}={mode}" for version in subnets]
            create(dockerd, mode, "--ipv6", *(f"--subnet={subnet}" for subnet in subnets.values()), *by)
            web = start(dockerd, f"web-{mode}", mode, "-p", "80")
            stack.enter_context(answering(web, mode, [80, 81]))
            for version, host in ((4, HOST4), (6, HOST6)):
                outside.run(["ip", "route", "add", subnets[version], "via", host])
                address = str(ip_network(subnets[version])[2])
                open_doors |= {("tcp", address, port): mode for port in opened}
                closed += [("tcp", address, port) for port in (80, 81) if port not in opened]
        assert answers(outside, list(open_doors)) == list(open_doors.values())
        assert heard(outside, closed) == []


def test_b_20_a_container_that_lies_about_itself_is_not_heard(dockerd: Dockerd, daemon: Daemon) -> None:
    """With the spoof check on, what comes from another IPv4, IPv6 or hardware address does not arrive; else it does."""
    create(dockerd, "one", *DUAL, "-o", "spoof_check=true")
    create(dockerd, "two", *OTHER)
    for name, number, believed in (("one", 2, False), ("two", 3, True)):
        liar = start(dockerd, f"liar-{name}", name)
        honest = [(f"10.{number}.0.1",), (f"fd00:{number}::1",)]
        lying = [(f"10.{number}.0.1", f"-I10.{number}.0.66"), (f"fd00:{number}::1", f"-Ifd00:{number}::66")]
        assert all(liar.reaches(*ping) for ping in honest)
        liar.run("ip", "address", "add", f"10.{number}.0.66/24", "dev", "eth0")
        liar.run("ip", "address", "add", f"fd00:{number}::66/64", "dev", "eth0", "nodad")
        for pings in (lying, honest):
            before = daemon.metrics()[SPOOFED]
            if pings is honest:
                liar.run("ip", "link", "set", "eth0", "address", "02:00:00:00:66:66")
            if believed:
                assert all(liar.reaches(*ping) for ping in pings)
            else:
                assert not answered(liar, pings)
                counted(daemon, before + len(pings))


def counted(daemon: Daemon, frames: float) -> None:
    """Wait until that many frames from false senders are counted."""
    until(lambda: daemon.metrics()[SPOOFED] >= frames, "the frames are counted")


def answered(container: Container, pings: Sequence[tuple[str, ...]]) -> bool:
    """Whether any of *pings*, sent at once, is answered within a second. To be asked beside what proves the way."""
    sent = [container.popen("ping", "-c1", "-W1", *ping, stdout=subprocess.DEVNULL) for ping in pings]
    return 0 in [one.wait() for one in sent]


def test_b_24_what_leaves_has_the_address_that_was_named(dockerd: Dockerd, daemon: Daemon, outside: Outside) -> None:
    """With ``host_ipv4`` and ``host_ipv6`` containers go out with those addresses of the host, not with the first."""
    for address in ("192.0.2.77/24", "2001:db8::77/64"):
        dockerd.host.run(["ip", "address", "add", address, "dev", "up0", *(["nodad"] if ":" in address else [])])
    named = ("-o", "com.docker.network.host_ipv4=192.0.2.77", "-o", "com.docker.network.host_ipv6=2001:db8::77")
    create(dockerd, "one", *DUAL, *named)
    container = start(dockerd, "first", "one")
    assert seen_source(outside, outside.ipv4.ip, container) == "192.0.2.77"
    assert seen_source(outside, outside.ipv6.ip, container) == "2001:db8::77"
    dockerd.docker("rm", "-f", "first")
    for address in ("192.0.2.77/24", "2001:db8::77/64"):
        dockerd.host.run(["ip", "address", "del", address, "dev", "up0"])


def test_b_08_an_adopted_bridge_is_left_as_found(dockerd: Dockerd, daemon: Daemon) -> None:
    """By ``adopt`` a network stands on a bridge that is there; containers talk on it; afterwards it is as it was."""
    host = dockerd.host
    for line in (
        "link add br-admin type bridge",
        "address add 10.66.0.1/24 dev br-admin",
        "link add lan0 type veth peer name lan1",
        "link set lan0 master br-admin up",
        "link set lan1 up",
        "link set br-admin up",
    ):
        host.run(["ip", *line.split()])
    before = snapshot(host)
    options = ("-o", "com.docker.network.bridge.name=br-admin", "-o", "adopt=true")
    create(dockerd, "one", "--subnet=10.66.0.0/24", "--gateway=10.66.0.1", *options)
    first, second = start(dockerd, "first", "one"), start(dockerd, "second", "one")
    masters = {one["ifname"] for one in json.loads(host.run(["ip", "-j", "link"]).stdout) if one.get("master")}
    assert len([name for name in masters if name.startswith("lwh")]) == 2
    assert second.reaches(next(iter(first.addresses())).partition("/")[0])
    dockerd.docker("rm", "-f", "first", "second")
    dockerd.docker("network", "rm", "one")
    assert difference(before, snapshot(host)) == []
    host.run(["ip", "link", "del", "br-admin"])
    host.run(["ip", "link", "del", "lan0"])


def test_b_25_a_neighbour_that_knows_the_old_holder_reaches_the_new_one(dockerd: Dockerd, daemon: Daemon) -> None:
    """A sibling, and the host, with the old container's hardware address in their caches reach the new one."""
    create(dockerd, "one", "--subnet=10.2.0.0/24")
    sibling = start(dockerd, "sibling", "one")
    start(dockerd, "old", "one", "--ip=10.2.0.77")
    assert sibling.reaches("10.2.0.77")
    assert "REACHABLE" in sibling.run("ip", "neigh", "show", "10.2.0.77").stdout
    dockerd.docker("rm", "-f", "old")
    start(dockerd, "new", "one", "--ip=10.2.0.77")
    assert sibling.run("ping", "-c1", "-W2", "10.2.0.77", check=False).returncode == 0
    assert dockerd.host.run(["ping", "-c1", "-W2", "10.2.0.77"], check=False).returncode == 0
