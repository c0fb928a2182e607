"""IPv6 on bridge networks as Docker's users see it, alone and beside IPv4, where it is not simply the same again."""

from tests.docker.containers import create, start
from tests.docker.daemon import Daemon
from tests.docker.ports import Knock, answering, answers, heard
from tests.engines import Dockerd, Outside

DUAL = ("--ipv6", "--subnet=10.2.0.0/24", "--subnet=fd00:2::/64")
HOST4, HOST6 = "192.0.2.1", "2001:db8::1"


def test_b_09_ports_of_a_container_that_has_ipv6_alone(
    dockerd: Dockerd, daemon: Daemon, outside: Outside, engine: str
) -> None:
    """They answer at the host's IPv6 addresses, from outside, the host, itself and a sibling; at IPv4 nobody is there.

    An engine that knows no networks without IPv4 has nothing to show.
    """
    if engine == "20.10":
        return
    create(dockerd, "one", "--ipv4=false", "--ipv6", "--subnet=fd00:2::/64")
    published = [word for protocol in ("tcp", "udp", "sctp") for word in ("-p", f"8080:80/{protocol}")]
    target, sibling = start(dockerd, "target", "one", *published), start(dockerd, "sibling", "one")
    knocks: list[Knock] = [(protocol, HOST6, 8080) for protocol in ("tcp", "udp", "sctp")]
    by_ipv4: list[Knock] = [(protocol, HOST4, 8080) for protocol in ("tcp", "udp", "sctp")]
    with answering(target, "target", [80]):
        for origin in (outside, dockerd.host, target, sibling):
            assert None not in answers(origin, knocks)
        assert answers(dockerd.host, [("tcp", "::1", 8080), ("udp", "::1", 8080)]) == ["target"] * 2
        assert heard(outside, by_ipv4) == []


def test_b_03_containers_of_docker_and_of_ours_are_apart_by_ipv6(dockerd: Dockerd, daemon: Daemon) -> None:
    """Neither reaches the other's containers, whether or not the engine filters IPv6 itself."""
    create(dockerd, "ours", *DUAL)
    dockerd.docker("network", "create", "--ipv6", "--subnet=10.9.0.0/24", "--subnet=fd00:9::/64", "theirs")
    ours, theirs = start(dockerd, "ours", "ours"), start(dockerd, "theirs", "theirs")
    near, far = start(dockerd, "near", "ours"), start(dockerd, "far", "theirs")
    with answering(ours, "ours", [80]), answering(theirs, "theirs", [80]):
        to_ours: list[Knock] = [(protocol, "fd00:2::2", 80) for protocol in ("tcp", "udp")]
        to_theirs: list[Knock] = [(protocol, "fd00:9::2", 80) for protocol in ("tcp", "udp")]
        assert set(answers(near, to_ours)) == {"ours"}
        assert set(answers(far, to_theirs)) == {"theirs"}
        assert heard(far, to_ours) == []
        assert heard(near, to_theirs) == []


def test_b_05_an_internal_network_of_both_families_leads_nowhere(
    dockerd: Dockerd, daemon: Daemon, outside: Outside
) -> None:
    """Siblings talk by IPv6; there is no default route, and one that is set by hand leads nowhere; nobody comes in."""
    create(dockerd, "one", "--internal", *DUAL)
    web, other = start(dockerd, "web", "one", "-p", "8080:80"), start(dockerd, "other", "one")
    assert other.default_routes() == {}
    with answering(web, "web", [80]):
        assert answers(other, [("tcp", "fd00:2::2", 80), ("tcp", "10.2.0.2", 80)]) == ["web"] * 2
        assert heard(outside, [("tcp", HOST6, 8080), ("tcp", HOST4, 8080)]) == []
        outside.run(["ip", "route", "add", "fd00:2::/64", "via", HOST6])
        assert heard(outside, [("tcp", "fd00:2::2", 80), ("udp", "fd00:2::2", 80)]) == []
    other.run("ip", "route", "add", "default", "via", "fd00:2::1")
    assert other.is_cut_off_from(outside.ipv6.ip)


def test_b_25_a_neighbour_that_knows_the_old_holder_of_an_ipv6_address_reaches_the_new_one(
    dockerd: Dockerd, daemon: Daemon
) -> None:
    """A sibling and the host, with the old container's hardware address in their caches, reach the new one at once."""
    create(dockerd, "one", *DUAL)
    sibling = start(dockerd, "sibling", "one")
    start(dockerd, "old", "one", "--ip6=fd00:2::77")
    assert sibling.reaches("fd00:2::77")
    assert dockerd.host.run(["ping", "-c1", "-W2", "fd00:2::77"]).returncode == 0
    dockerd.docker("rm", "-f", "old")
    start(dockerd, "new", "one", "--ip6=fd00:2::77")
    assert sibling.run("ping", "-c1", "-W2", "fd00:2::77", check=False).returncode == 0
    assert dockerd.host.run(["ping", "-c1", "-W2", "fd00:2::77"], check=False).returncode == 0


def test_i_09_a_range_at_the_end_of_a_wide_subnet(dockerd: Dockerd, daemon: Daemon) -> None:
    """Of a /48 the last /64: gateway and containers have its first addresses, and its last one can be had by name."""
    end = "fd00:1:0:ffff"
    create(dockerd, "one", "--ipv6", "--subnet=10.2.0.0/24", "--subnet=fd00:1::/48", f"--ip-range={end}::/64")
    first = start(dockerd, "first", "one")
    last = start(dockerd, "last", "one", f"--ip6={end}:ffff:ffff:ffff:ffff")
    assert f"{end}::1/48" in first.addresses()
    assert f"{end}:ffff:ffff:ffff:ffff/48" in last.addresses()
    assert first.reaches(f"{end}:ffff:ffff:ffff:ffff")
    assert list(first.default_routes()) == ["10.2.0.1", f"{end}::"]
