"""Many networks and ports: the last one costs as much as the first, in operations; Docker replays all networks."""

import json
from collections.abc import Iterator, Mapping

import pytest

from tests.docker.containers import create, start
from tests.docker.daemon import Daemon, Samples, without_engine
from tests.docker.leaks import nothing_leaked, snapshot
from tests.docker.playing import Network, Player, sandbox
from tests.docker.until import until
from tests.docker.window import Window
from tests.engines import Dockerd, Host

WORK = (
    "linkwright_kernel_operations_total",
    "linkwright_kernel_batches_total",
    "linkwright_store_commits_total",
    "linkwright_store_changes_total",
    "linkwright_ipam_commits_total",
    "linkwright_drift_found_total",
)
"""Counters of what is done to the kernel and to the disk."""


@pytest.fixture
def served() -> Iterator[Daemon]:
    """A linkwright in a host that forwards, without any engine; judged for tracebacks."""
    with without_engine("scale", "--period=3600") as daemon:
        yield daemon


def done(before: Samples, after: Samples) -> Mapping[str, float]:
    """What has been done between two scrapes, by series."""
    moved = {one: after[one] - before.get(one, 0) for one in after if one.startswith(WORK)}
    return {one: number for one, number in moved.items() if number}


@pytest.mark.netns
@pytest.mark.parametrize("count", [500])
def test_z_02_the_last_of_many_networks_costs_what_the_first_did(served: Daemon, count: int) -> None:
    """Making ten networks, and an endpoint on each, takes as many operations and commits with 490 beside them as alone.

    So does removing them; and a daemon that is started anew over them has nothing to do to the kernel.
    """
    before = snapshot(served.host, served)
    with Player(served) as player:

        def ten() -> tuple[list[Network], Mapping[str, float]]:
            began = served.metrics()
            made = [player.network() for _ in range(10)]
            for network in made:
                player.delete(player.endpoint(network))
            return made, done(began, served.metrics())

        first, cost = ten()
        others = [player.network() for _ in range(count - 20)]
        last, later = ten()
        assert later == cost
        assert served.metrics()["linkwright_networks{driver='bridge'}"] == count
        served.restart()
        player.hang_up()
        assert not [one for one in done({}, served.metrics()) if "operations" in one]
        assert served.cli_json("plan")["networks"] == []
        costs = [_removed(served, player, networks) for networks in (last, others, first)]
        assert costs[0] == costs[2]
    nothing_leaked(before, lambda: snapshot(served.host, served))


@pytest.mark.netns
@pytest.mark.parametrize("count", [1000, pytest.param(8000, marks=pytest.mark.long)])
def test_z_03_one_more_port_costs_what_the_first_did(served: Daemon, count: int) -> None:
    """Publishing a port, and taking it back, is as many operations and commits beside *count* others as alone.

    The rules of the firewall are the same, whatever is published. How long it takes is measured in ``bench``.
    """
    before = snapshot(served.host, served)
    with Player(served) as player:
        network = player.network()
        one, many = player.endpoint(network), player.endpoint(network)
        player.join(one, sandbox(served.host, "one"))
        player.join(many, sandbox(served.host, "many"))
        player.program(many, range(20000, 20001))  # the first of a network also changes a setting of its bridge

        def one_more() -> Mapping[str, float]:
            began = served.metrics()
            player.program(one, range(19000, 19001))
            player.revoke(one)
            return done(began, served.metrics())

        rules, alone = _rules(served.host), one_more()
        player.program(many, range(20000, 20000 + count))
        assert served.metrics()["linkwright_published_ports{driver='bridge',protocol='tcp'}"] == 2 * count
        assert one_more() == alone
        assert _rules(served.host) == rules
        for endpoint in (one, many):
            player.leave(endpoint)
            player.delete(endpoint)
        player.remove_network(network)
    nothing_leaked(before, lambda: snapshot(served.host, served))


def _rules(host: Host) -> list[str]:
    """Every rule that there is, without what packets have moved."""
    listed = json.loads(host.run(["nft", "-j", "list", "ruleset"]).stdout)["nftables"]
    return [json.dumps(one["rule"]["expr"]) for one in listed if "rule" in one]


def _removed(daemon: Daemon, player: Player, networks: list[Network]) -> Mapping[str, float]:
    """Remove *networks*; what that took."""
    began = daemon.metrics()
    for network in networks:
        player.remove_network(network)
    return done(began, daemon.metrics())


@pytest.mark.parametrize("count", [60, pytest.param(500, marks=pytest.mark.long)])
def test_z_02_docker_replays_many_networks(dockerd: Dockerd, daemon: Daemon, window: Window, count: int) -> None:
    """Dockerd is started anew with many networks: all pools and gateways are confirmed, and the last network works."""
    for number in range(count):
        create(dockerd, f"net{number}", f"--subnet=10.{3 + (number >> 8)}.{number & 255}.0/24")
    dockerd.restart()
    status = daemon.cli_json("status")
    assert (status["networks"]["total"], status["unconfirmed"], status["pools"]["unconfirmed"]) == (count, [], [])
    for event in ("replayed", "confirmed"):
        window.expect("linkwright_ipam_events_total", count, event=event)
    container = start(dockerd, "first", f"net{count - 1}")
    (gateway,) = container.default_routes()
    until(lambda: container.reaches(gateway), "the gateway is reached")
