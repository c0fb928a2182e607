"""linkwright and dockerd end and start, gracefully and not: containers notice nothing, and both books agree afterwards.

While both are up again, the addresses that linkwright holds are those that Docker's containers have, and each running
container has one endpoint.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.docker.containers import Container, create, start
from tests.docker.daemon import Daemon
from tests.docker.leases import allocated, known, live
from tests.docker.ports import Knock, answering, answers
from tests.docker.traffic import Pings, Stream, Streamed
from tests.docker.until import until
from tests.docker.window import Window
from tests.engines import Dockerd, busybox

NETWORK = "--subnet=10.3.0.0/24"


def address(container: Container) -> str:
    """The IPv4 address of a container's one interface."""
    (found,) = (one.partition("/")[0] for one in container.addresses() if "." in one)
    return found


def several(dockerd: Dockerd, count: int, network: str) -> list[Container]:
    """Start *count* containers, four at a time, by the API: that is ten times as fast as one after the other."""

    def one(number: int) -> Container:
        name = f"many{number}"
        body = {"Image": busybox.IMAGE, "HostConfig": {"NetworkMode": network}}
        status, answer = dockerd.api("POST", f"/containers/create?name={name}", body)
        assert status == 201, answer
        status, answer = dockerd.api("POST", f"/containers/{name}/start")
        assert status == 204, answer
        return Container(dockerd, name)

    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(one, range(count)))


@pytest.mark.parametrize("count", [20, pytest.param(100, marks=pytest.mark.long)])
def test_r_01_containers_notice_nothing_of_a_crash(
    dockerd: Dockerd, daemon: Daemon, window: Window, count: int
) -> None:
    """While linkwright is killed and started again no echo request and no byte between containers is lost.

    Not even when it starts over a state in which it has to look at everything; it is ready then, and plans nothing.
    """
    create(dockerd, "one", NETWORK)
    first, *others = several(dockerd, count, "one")
    addresses = {other: address(other) for other in others}
    pings = Pings(first, list(addresses.values()))
    stream = Stream(first, others[0], addresses[others[0]])
    daemon.kill9()
    daemon.start()
    window.expect_restart()
    assert daemon.cli_json("status")["ready"]
    plan = daemon.cli_json("plan")
    assert (plan["networks"], plan["leftovers"]["steps"], plan["reported"]) == ([], [], [])
    daemon.restart()
    echoes = pings.end()
    assert {where for where, echo in echoes.items() if echo.lost} == set()
    assert set(echoes) == set(addresses.values())
    assert min(echo.sent for echo in echoes.values()) > 10
    streamed = stream.end()
    assert streamed == Streamed(streamed.sent, streamed.sent)
    assert streamed.sent > 0
    assert len(live(dockerd)) == count
    assert allocated(daemon) == live(dockerd) == known(daemon)


@pytest.fixture
def restarting(dockerd: Dockerd) -> Container:
    """A running container with a restart policy and a fixed address, 10.3.0.77, beside one that has neither."""
    create(dockerd, "one", NETWORK)
    start(dockerd, "passing", "one")
    return start(dockerd, "staying", "one", "--restart=always", "--ip=10.3.0.77", "-p", "8080:80")


def runs(container: Container) -> Callable[[], bool]:
    """A look: whether *container* is running and can be entered."""
    return lambda: container.dockerd.api("GET", f"/containers/{container.name}/json")[1]["State"]["Running"]


def has(container: Container) -> set[str]:
    """The addresses of all its interfaces, whatever those are called."""
    return {one.partition("/")[0] for link in container.links() for one in container.addresses(link)}


def test_r_03_a_container_comes_back_with_its_addresses(
    dockerd: Dockerd, daemon: Daemon, window: Window, restarting: Container
) -> None:
    """After a graceful restart of dockerd it has its port, and on each of two networks its address and one endpoint."""
    create(dockerd, "two", "--subnet=10.4.0.0/24")
    dockerd.docker("network", "connect", "--ip=10.4.0.77", "two", "staying")
    before = has(restarting)
    assert before == {"10.3.0.77", "10.4.0.77"}
    published: list[Knock] = [("tcp", "10.3.0.1", 8080), ("tcp", "127.0.0.1", 8080)]
    with answering(restarting, "before", [80]):
        assert answers(dockerd.host, published) == ["before"] * 2
    dockerd.restart()
    until(runs(restarting), "the container is back")
    assert has(restarting) == before
    assert all(restarting.reaches(gateway) for gateway in ("10.3.0.1", "10.4.0.1"))
    with answering(restarting, "after", [80]):
        assert answers(dockerd.host, published) == ["after"] * 2
    until(lambda: allocated(daemon) == known(daemon) == before, "one endpoint is left on each")
    assert len(daemon.cli_json("endpoint", "ls")) == len(before)
    assert live(dockerd) == before
    for event in ("replayed", "confirmed"):  # the pools, and their gateways
        window.expect("linkwright_ipam_events_total", 2, event=event)


FATES = {"lw-ipam": (1, 3), "lw-bridge": (0, 3), "default": (2, 0)}
"""IPAM driver → how many endpoints are evicted by those that follow, and how many leases the replay confirms."""


@pytest.mark.parametrize("ipam", FATES)
def test_a_killed_dockerd_leaves_dead_endpoints_that_stand_in_nobodys_way(
    dockerd: Dockerd, daemon: Daemon, window: Window, ipam: str
) -> None:
    """Started again without live-restore, dockerd ends its containers, and tells a network driver of it or does not.

    Where it does not (another IPAM driver, or the same under another name), the containers that come back evict the
    dead endpoints that had their addresses. What nobody asks for anew goes with the network.
    """
    evicted, confirmed = FATES[ipam]
    create(dockerd, "one", NETWORK, ipam=ipam)
    start(dockerd, "passing", "one")
    container = start(dockerd, "staying", "one", "--restart=always", "--ip=10.3.0.77")
    before = {endpoint["id"] for endpoint in daemon.cli_json("endpoint", "ls")}
    dockerd.kill9()
    dockerd.start()
    until(runs(container), "the container is back")
    assert container.addresses() == {"10.3.0.77/24"}
    assert container.reaches("10.3.0.1")
    here = {one["id"] for one in daemon.cli_json("endpoint", "ls") if one["addresses"] == ["10.3.0.77/24"]}
    assert (len(here), here & before) == (1, set())
    again = start(dockerd, "again", "one")
    assert again.reaches("10.3.0.77")
    assert live(dockerd) == {"10.3.0.77", address(again)}
    if ipam != "default":
        assert allocated(daemon) == live(dockerd)
    expected = {"replayed": int(bool(confirmed)), "confirmed": confirmed}
    for event, times in expected.items():
        window.expect("linkwright_ipam_events_total", times, event=event)
    window.expect("linkwright_collected_total", evicted, what="endpoint")
    window.allow("linkwright_collected_total", what="ports")  # closed before, where the sandbox was seen to be gone


@pytest.fixture
def restoring(dockerd: Dockerd) -> Dockerd:
    """A dockerd whose containers outlive it."""
    dockerd.restart(live_restore=True)
    return dockerd


@pytest.mark.parametrize("how", ["stop", "kill9"])
def test_with_live_restore_nothing_changes(
    restoring: Dockerd, daemon: Daemon, window: Window, engine: str, how: str
) -> None:
    """Dockerd ends, gracefully or not, and is started again: containers keep what they have, and their connections.

    What it asks for again is confirmed, whether or not the addresses are ours; a new container gets an address that is
    free, and an old one can be removed.
    """
    create(restoring, "one", NETWORK)
    create(restoring, "two", "--subnet=10.4.0.0/24", ipam="default")
    first, second = start(restoring, "first", "one"), start(restoring, "second", "one")
    other = start(restoring, "other", "two")
    kept = {address(container) for container in (first, second, other)}
    assert known(daemon) == kept
    pings, stream = Pings(first, [address(second)]), Stream(first, second, address(second))
    getattr(restoring, how)()
    restoring.start()
    assert {address(container) for container in (first, second, other)} == kept
    late = {address(start(restoring, f"late-{network}", network)) for network in ("one", "two")}
    assert late & kept == set()
    (echoes,), streamed = pings.end().values(), stream.end()
    if engine == "20.10":  # 28 takes its jump to DOCKER-USER away for a moment; its own bridges are cut off for longer
        assert echoes.lost == 0
    assert streamed == Streamed(streamed.sent, streamed.sent)
    gone = {address(second), address(other)}
    restoring.docker("rm", "-f", "second", "other")
    assert known(daemon) == live(restoring) == (kept | late) - gone
    assert allocated(daemon) == {one for one in live(restoring) if one.startswith("10.3.")}
    window.expect("linkwright_ipam_events_total", event="replayed")
    window.expect("linkwright_ipam_events_total", 3, event="confirmed")


def test_r_04_both_come_back_in_the_wrong_order(
    dockerd: Dockerd, daemon: Daemon, window: Window, restarting: Container
) -> None:
    """Dockerd is killed, linkwright stopped, and dockerd started first: it waits for linkwright, and all is as before.

    Its API answers when linkwright is there, and the container with a fixed address starts.
    """
    dockerd.kill9()
    daemon.stop()
    window.expect_restart()
    with ThreadPoolExecutor(1) as thread:
        starting = thread.submit(dockerd.start)
        until(dockerd.running, "dockerd has begun")
        daemon.start()
        starting.result()
    until(runs(restarting), "the container is back")
    assert restarting.addresses() == {"10.3.0.77/24"}
    assert restarting.reaches("10.3.0.1")
    assert allocated(daemon) == live(dockerd) == {"10.3.0.77"}
    window.expect("linkwright_ipam_events_total", event="replayed")
    window.expect("linkwright_ipam_events_total", 3, event="confirmed")
    window.expect("linkwright_collected_total", what="endpoint")  # the one that had the address
    window.allow("linkwright_collected_total", what="ports")
