"""A host on which nobody has switched forwarding on: not Docker, and linkwright only where it was asked to."""

from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from tests.docker.containers import create, refused, start
from tests.docker.daemon import Daemon, series
from tests.docker.leaks import snapshot
from tests.docker.ports import Knock, answering, answers, heard
from tests.docker.sources import seen_source
from tests.docker.until import until
from tests.engines import Dockerd, Host, Outside

DUAL = ("--ipv6", "--subnet=10.2.0.0/24", "--subnet=fd00:2::/64")
HOST4, HOST6 = "192.0.2.1", "2001:db8::1"
FORWARDING = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")
GUARD = series("linkwright_firewall_dropped_packets_total", rule="guard")


def forwarding(host: Host) -> list[str]:
    """Whether *host* forwards: IPv4, IPv6."""
    return host.run(["sysctl", "-n", *FORWARDING]).stdout.split()


@pytest.fixture
def still(engine: str) -> Iterator[tuple[Dockerd, Daemon]]:
    """A host that does not forward, with an engine that leaves it so and a linkwright that is not started."""
    with Host(engine) as host:
        host.run(["sysctl", "-q", "-w", *(f"{name}=0" for name in FORWARDING)])
        dockerd, daemon = Dockerd(host, engine, options=["--ip-forward=false"]), Daemon(host)
        dockerd.start()
        dockerd.load_image()
        yield dockerd, daemon
        dockerd.clean()
        daemon.stop()
        assert "Traceback" not in daemon.log.read_text()


def behind(host: Host, other: Host, outside: Outside) -> list[Knock]:
    """Let *other* be in a LAN on the far side of *host*, with routes there and back; how *outside* reaches it."""
    host.run(["ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1", "netns", str(other.pid)])
    for version, subnet, by in ((4, "10.99.0.0/24", HOST4), (6, "fd00:99::/64", HOST6)):
        base, _, length = subnet.partition("/")
        near, far = (ip_address(base) + number for number in (1, 2))
        for place, link, address in ((host, "lan0", near), (other, "lan1", far)):
            place.run(["ip", "link", "set", link, "up"])
            place.run(["ip", "address", "add", f"{address}/{length}", "dev", link, *["nodad"][: version == 6]])
        other.run(["ip", "route", "add", "default", "via", str(near)])
        outside.run(["ip", "route", "add", subnet, "via", by])
    return [(protocol, address, 80) for protocol in ("tcp", "udp") for address in ("10.99.0.2", "fd00:99::2")]


def test_forwarding_is_switched_on_where_that_is_asked_and_only_for_what_is_ours(
    still: tuple[Dockerd, Daemon],
) -> None:
    """Without ``--manage-forwarding`` a network that leads outside is refused by name, and nothing is changed.

    With it containers reach the outside, and are reached by their published ports. What is between others is dropped
    and counted, though the host forwards now; started without the option it is the host's own business again.
    """
    dockerd, daemon = still
    host = dockerd.host
    daemon.start()
    before = snapshot(host)
    said = refused(dockerd, "network", "create", "-d", "lw-bridge", "--ipam-driver", "lw-ipam", *DUAL, "one")
    assert "net.ipv4.ip_forward is 0" in said
    assert "--manage-forwarding" in said
    assert (forwarding(host), snapshot(host)) == (["0", "0"], before)
    create(dockerd, "inner", "--internal", "--subnet=10.3.0.0/24")
    assert start(dockerd, "inside", "inner").reaches("10.3.0.1")
    assert forwarding(host) == ["0", "0"]

    daemon.restart(options=["--manage-forwarding"])
    with Outside() as outside, Host("behind") as other:
        outside.plug(host, 1)
        to_other = behind(host, other, outside)
        create(dockerd, "one", *DUAL)
        assert forwarding(host) == ["1", "1"]
        web = start(dockerd, "web", "one", "-p", "8080:80")
        assert seen_source(outside, outside.ipv4.ip, web) == HOST4
        assert seen_source(outside, outside.ipv6.ip, web) == HOST6
        with answering(web, "web", [80]), answering(other, "other", [80]):
            assert answers(outside, [("tcp", HOST4, 8080), ("tcp", HOST6, 8080)]) == ["web"] * 2
            assert answers(web, to_other) == ["other"] * 4
            assert answers(host, to_other) == ["other"] * 4
            assert heard(outside, to_other) == []
            until(lambda: daemon.metrics()[GUARD] >= len(to_other), "what was dropped is counted")
            daemon.restart(options=[])
            assert answers(outside, to_other) == ["other"] * 4
