"""Beside Docker's own firewall and networks, which were there first: ours work, and stay apart."""

import shlex
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.docker.containers import PAGE, WEB, create, start
from tests.docker.daemon import Daemon
from tests.docker.sources import seen_source
from tests.docker.until import until
from tests.docker.window import Window
from tests.engines import Dockerd, Host, Outside

DUAL = ("--ipv6", "--subnet=10.5.0.0/24", "--subnet=fd00:5::/64")


@pytest.fixture
def dropping(dockerd: Dockerd) -> Iterator[Dockerd]:
    """A dockerd whose host drops what nobody accepts, bridged frames included.

    For IPv4 that is Docker's doing, since it switched forwarding on; for IPv6 it is done here, where Docker filters
    that family at all (28 and later).
    """
    host = dockerd.host
    assert "-P FORWARD DROP" in host.run(["iptables", "-S", "FORWARD"]).stdout
    assert host.run(["sysctl", "-n", "net.bridge.bridge-nf-call-iptables"]).stdout == "1\n"
    filtered = "DOCKER-USER" in host.run(["ip6tables", "-S"]).stdout
    if filtered:
        host.run(["ip6tables", "-P", "FORWARD", "DROP"])
    yield dockerd
    if filtered:
        host.run(["ip6tables", "-P", "FORWARD", "ACCEPT"])


def test_siblings_talk_though_forward_drops(dropping: Dockerd, daemon: Daemon) -> None:
    """Two containers on one network of ours reach each other though bridged frames pass Docker's FORWARD policy."""
    create(dropping, "one", *DUAL)
    first, second = start(dropping, "first", "one"), start(dropping, "second", "one", command=WEB)
    (four, six) = sorted(address.partition("/")[0] for address in second.addresses())
    assert first.reaches(four)
    assert first.reaches(six)
    assert first.fetches(f"http://{four}/") == PAGE


def test_the_outside_is_reached_though_forward_drops(dropping: Dockerd, daemon: Daemon, outside: Outside) -> None:
    """A container's connections leave with the host's address, of both families, though FORWARD drops."""
    create(dropping, "one", *DUAL)
    container = start(dropping, "first", "one")
    assert seen_source(outside, outside.ipv4.ip, container) == "192.0.2.1"
    assert seen_source(outside, outside.ipv6.ip, container) == "2001:db8::1"


def test_containers_of_docker_do_not_reach_ours(dropping: Dockerd, daemon: Daemon) -> None:
    """A container on Docker's own bridge does not reach one of ours by its address, though Docker would let it."""
    create(dropping, "one", "--subnet=10.5.0.0/24")
    start(dropping, "ours", "one")
    docker, sibling = start(dropping, "docker", "bridge"), start(dropping, "sibling", "one")
    assert sibling.reaches("10.5.0.2")
    assert docker.is_cut_off_from("10.5.0.2")


def test_containers_of_ours_do_not_reach_dockers(dropping: Dockerd, daemon: Daemon) -> None:
    """A container of ours does not reach one on Docker's own bridge by its address."""
    create(dropping, "one", "--subnet=10.5.0.0/24")
    ours = start(dropping, "ours", "one")
    (theirs,) = (address.partition("/")[0] for address in start(dropping, "docker", "bridge").addresses())
    assert start(dropping, "sibling", "bridge").reaches(theirs)
    assert ours.is_cut_off_from(theirs)


def test_a_network_that_docker_makes_later_is_apart_as_well(dropping: Dockerd, daemon: Daemon) -> None:
    """A network of Docker's own made after ours, is cut off both ways."""
    create(dropping, "one", "--subnet=10.5.0.0/24")
    ours = start(dropping, "ours", "one")
    dropping.docker("network", "create", "theirs")
    theirs, sibling = start(dropping, "docker", "theirs"), start(dropping, "sibling", "theirs")
    (address,) = (one.partition("/")[0] for one in theirs.addresses())
    assert sibling.reaches(address)
    assert ours.is_cut_off_from(address)
    assert ours.reaches("10.5.0.1")
    assert theirs.is_cut_off_from("10.5.0.2")


def test_two_of_our_networks_are_apart(dropping: Dockerd, daemon: Daemon) -> None:
    """B-03: containers of two networks of ours do not reach each other, with IPv4 or IPv6."""
    create(dropping, "one", *DUAL)
    create(dropping, "two", "--ipv6", "--subnet=10.6.0.0/24", "--subnet=fd00:6::/64")
    first, second = start(dropping, "first", "one"), start(dropping, "second", "two")
    assert first.reaches("10.5.0.1")
    assert first.reaches("fd00:5::1")
    assert first.is_cut_off_from("10.6.0.2")
    assert first.is_cut_off_from("fd00:6::2")
    assert second.is_cut_off_from("10.5.0.2")


def test_what_docker_published_still_answers(dropping: Dockerd, daemon: Daemon, outside: Outside) -> None:
    """A container on Docker's bridge with a published port is reached from outside while networks of ours exist."""
    create(dropping, "one", "--subnet=10.5.0.0/24")
    start(dropping, "first", "one")
    start(dropping, "web", "bridge", "-p", "8080:80", command=WEB)
    assert outside.run(["wget", "-q", "-T5", "-O", "-", "http://192.0.2.1:8080/"]).stdout == PAGE


def test_ours_work_on_after_docker_was_restarted(dropping: Dockerd, daemon: Daemon, window: Window) -> None:
    """After a restart of dockerd, which writes its rules anew, two containers on one network still talk."""
    create(dropping, "one", *DUAL)
    dropping.restart()
    for event in ("replayed", "confirmed"):  # each pool, and each gateway
        window.expect("linkwright_ipam_events_total", 2, event=event)
    first, second = start(dropping, "first", "one"), start(dropping, "second", "one")
    address = next(one.partition("/")[0] for one in second.addresses() if "." in one)
    assert first.reaches(address)


def our_rules(dockerd: Dockerd) -> list[str]:
    """What linkwright has in Docker's chain for others' rules."""
    listed = dockerd.host.run(["iptables", "-S", "DOCKER-USER"]).stdout.splitlines()
    return [line for line in listed if "linkwright" in line]


def test_the_rule_in_docker_user_is_what_lets_siblings_talk_and_it_comes_back(
    dropping: Dockerd, daemon: Daemon, window: Window
) -> None:
    """Without the one rule in DOCKER-USER siblings are cut off; linkwright, running, puts it back by itself."""
    create(dropping, "one", "--subnet=10.5.0.0/24")
    first = start(dropping, "first", "one")
    start(dropping, "second", "one")
    (rule,) = our_rules(dropping)
    taken_out = ["iptables", *shlex.split(rule.replace("-A", "-D", 1))]
    daemon.stop()
    dropping.host.run(taken_out)
    assert first.is_cut_off_from("10.5.0.3")
    daemon.start()
    assert first.reaches("10.5.0.3")
    dropping.host.run(taken_out)
    until(lambda: our_rules(dropping) == [rule], "the rule is back")
    assert first.reaches("10.5.0.3")
    window.expect_restart()
    for counter in ("linkwright_drift_found_total", "linkwright_drift_repaired_total"):
        window.expect_some(counter, kind="ruleset")


def test_linkwright_may_be_there_before_docker(engine: str) -> None:
    """Started on a host without Docker, linkwright has its rule in place as soon as Docker makes its chains."""
    with Host(engine) as host:
        daemon, dockerd = Daemon(host), Dockerd(host, engine)
        daemon.start()
        dockerd.start()
        dockerd.load_image()
        assert "-P FORWARD DROP" in host.run(["iptables", "-S", "FORWARD"]).stdout
        create(dockerd, "one", "--subnet=10.5.0.0/24")
        first = start(dockerd, "first", "one")
        start(dockerd, "second", "one")
        assert first.reaches("10.5.0.3")
        dockerd.clean()
        daemon.stop()


def test_many_containers_at_once(dockerd: Dockerd, daemon: Daemon) -> None:
    """Twelve containers started at once on two networks, and removed at once, all have an address of their own."""
    create(dockerd, "one", "--subnet=10.5.0.0/24")
    create(dockerd, "two", "--subnet=10.6.0.0/24")
    names = [(f"c{number}", ("one", "two")[number % 2]) for number in range(12)]
    with ThreadPoolExecutor(len(names)) as pool:
        found = [*pool.map(lambda one: start(dockerd, *one).addresses().pop(), names)]
        assert len({*found}) == len(names)
        removed = pool.map(lambda one: dockerd.docker("rm", "-f", one[0]), names)
        assert [*removed] == [name for name, _ in names]


def complaints(dockerd: Dockerd, offset: int) -> list[str]:
    """What dockerd has warned of since its log was *offset* bytes long."""
    lines = dockerd.log.read_text(errors="replace")[offset:].splitlines()
    return [line for line in lines if "level=warning" in line or "level=error" in line]


def test_docker_has_nothing_to_complain_of(dockerd: Dockerd, daemon: Daemon, engine: str) -> None:
    """Through a whole life, statistics after a disconnect included, dockerd logs no warning and no error."""
    offset = dockerd.log.stat().st_size
    create(dockerd, "one", *DUAL)
    create(dockerd, "two", "--subnet=10.6.0.0/24")
    first = start(dockerd, "first", "one", "-p", "8080:80")
    dockerd.docker("network", "connect", "two", "first")
    dockerd.docker("network", "disconnect", "one", "first")
    dockerd.docker("stats", "--no-stream", "first")
    dockerd.docker("network", "connect", "one", "first")
    # 28.5 uses the number again that was freed, unless a driver has removed the link behind its back.
    assert {*first.links()} == ({"eth1", "eth2"} if engine == "20.10" else {"eth0", "eth1"})
    dockerd.docker("restart", "first")
    dockerd.docker("rm", "-f", "first")
    dockerd.docker("network", "rm", "one", "two")
    assert complaints(dockerd, offset) == []
