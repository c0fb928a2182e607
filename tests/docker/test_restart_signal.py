"""linkwright is told to end while calls are inside, and connections that come meanwhile are not lost."""

import http.client
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from tests.docker.activation import Activated
from tests.docker.containers import create, start
from tests.docker.daemon import Daemon, series, without_engine
from tests.docker.disks import blocked
from tests.docker.leases import allocated, live, records
from tests.docker.playing import Player
from tests.docker.until import until
from tests.engines import Dockerd, Host

CALLS = 20


@pytest.fixture
def served() -> Iterator[Daemon]:
    """A linkwright in a host that forwards, without any engine."""
    with without_engine("signal") as daemon:
        yield daemon


def request_pool(daemon: Daemon, number: int) -> tuple[str, str]:
    """Ask for a pool: the subnet, and the reason where it was refused."""
    subnet = f"10.9.{number}.0/24"
    wanted = {"AddressSpace": "linkwright-local", "Pool": subnet, "SubPool": "", "Options": {}, "V6": False}
    with daemon.connect("ipam") as connection:
        status, answer = connection.post("IpamDriver.RequestPool", wanted)
    assert (status, answer.get("Err")) == (200, answer.get("Error"))
    return subnet, answer.get("Err", "")


@pytest.mark.netns
@pytest.mark.parametrize("back", [True, False], ids=["the disk comes back", "the disk stays away"])
def test_r_08_calls_inside_are_finished_or_refused(served: Daemon, back: bool) -> None:
    """SIGTERM comes while twenty calls wait for the disk: each gets its answer, and the next process knows the same.

    What was answered with success is stored, and what was refused is not.
    """
    waiting = series("linkwright_rpc_in_flight", plugin="lw-ipam")
    with ExitStack() as disk, ThreadPoolExecutor(CALLS) as threads:
        disk.enter_context(blocked(served))
        answers = [threads.submit(request_pool, served, number) for number in range(CALLS)]
        until(lambda: served.metrics()[waiting] == CALLS, "all calls are inside")
        ending = threading.Thread(target=served.stop)
        ending.start()
        until(lambda: "going down" in served.log.read_text(), "linkwright was told to end")
        if back:
            disk.close()
        results = [answer.result() for answer in answers]
        ending.join()
    assert not any(served.socket(name).exists() for name in ("bridge", "ipam"))
    served.start()
    given = {subnet for subnet, reason in results if not reason}
    assert {pool["subnet"] for pool in records(served, "pool")} == given
    assert len(given) == (CALLS if back else 0)


@pytest.fixture
def activated() -> Iterator[Activated]:
    """A linkwright that has not been started, whose sockets are there already."""
    with Host("activated") as host:
        host.run(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1"])
        daemon = Activated(host)
        yield daemon
        daemon.stop()
        assert "Traceback" not in daemon.log.read_text()


def capabilities(daemon: Daemon) -> str:
    """Ask for the scope of networks."""
    return str(daemon.call("NetworkDriver.GetCapabilities")["Scope"])


@pytest.mark.netns
def test_r_08_connections_that_come_meanwhile_are_served_by_the_next_process(activated: Activated) -> None:
    """Before the first process, and between the first and the second, calls wait in the socket and are answered.

    The second process knows what the first was asked, and no socket has gone.
    """
    doors = [activated.socket(name).stat().st_ino for name in ("bridge", "ipam")]

    def ask(threads: ThreadPoolExecutor) -> list[Future[str]]:
        return [threads.submit(capabilities, activated) for _ in range(CALLS)]

    with ThreadPoolExecutor(CALLS) as threads, Player(activated) as player:
        early = ask(threads)
        activated.start()
        assert {answer.result() for answer in early} == {"local"}
        network = player.network()
        activated.stop()
        with pytest.raises((OSError, http.client.HTTPException)):
            player.address(network)  # this connection was the old process's
        late = ask(threads)
        assert not any(answer.done() for answer in late)
        activated.start()
        assert {answer.result() for answer in late} == {"local"}
        player.hang_up()
        player.remove_network(network)
    assert doors == [activated.socket(name).stat().st_ino for name in ("bridge", "ipam")]


NETWORKS = 10


def test_r_06_dockerd_does_not_wait_for_a_socket_that_is_held(engine: str) -> None:
    """Dockerd is started before linkwright: its calls wait in the sockets, it tries none again, and all is replayed."""
    with Host(engine) as host:
        daemon, dockerd = Activated(host), Dockerd(host, engine)
        daemon.start()
        dockerd.start()
        dockerd.load_image()
        for number in range(NETWORKS):
            create(dockerd, f"net{number}", f"--subnet=10.3.{number}.0/24")
        container = start(dockerd, "staying", "net0", "--restart=always", "--ip=10.3.0.77")
        dockerd.stop()
        daemon.stop()
        read = dockerd.log.stat().st_size
        with ThreadPoolExecutor(1) as thread:
            starting = thread.submit(dockerd.start)
            until(dockerd.running, "dockerd has begun")
            daemon.start()
            starting.result()
        until(lambda: live(dockerd) == {"10.3.0.77"}, "the container is back")
        assert container.reaches("10.3.0.1")
        assert allocated(daemon) == {"10.3.0.77"}
        assert daemon.metrics()[series("linkwright_ipam_events_total", event="replayed")] == NETWORKS
        assert "retrying" not in dockerd.log.read_text()[read:]
        dockerd.clean()
        daemon.stop()
