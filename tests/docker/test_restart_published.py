"""Published ports while linkwright, dockerd or the host end and start: they answer all the while, or again at once.

What the kernel leads goes on without linkwright; what linkwright relays itself, from IPv6 of the host to a container
of IPv4 alone, is back with it.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

import pytest

from tests.docker.ageing import an_hour_passes
from tests.docker.containers import Container, create, refused, start
from tests.docker.daemon import Daemon
from tests.docker.ports import Knock, answering, answers, heard
from tests.docker.until import until
from tests.docker.window import Window
from tests.engines import Dockerd, Outside

HOST4, HOST6 = "192.0.2.1", "2001:db8::1"
LED: list[Knock] = [("tcp", HOST4, 8080), ("udp", HOST4, 8080)]
RELAYED: list[Knock] = [("tcp", HOST6, 8080), ("udp", HOST6, 8080)]
PUBLISHED = ("-p", "8080:80", "-p", "8080:80/udp")


def answered(container: Container, origin: Outside, knocks: list[Knock]) -> bool:
    """Whether all of *knocks* are answered by *container*, which serves them for that long."""
    with answering(container, container.name, [80]):
        return answers(origin, knocks) == [container.name] * len(knocks)


def runs(container: Container) -> Callable[[], bool]:
    """A look: whether *container* is running."""
    return lambda: container.dockerd.api("GET", f"/containers/{container.name}/json")[1]["State"]["Running"]


@pytest.mark.parametrize("how", ["stop", "kill9"])
def test_r_01_ports_answer_while_linkwright_is_away(
    dockerd: Dockerd, daemon: Daemon, window: Window, outside: Outside, how: str
) -> None:
    """Ended gracefully or not; relays are there again when it is; and when the container goes, so do its ports."""
    create(dockerd, "one", "--subnet=10.3.0.0/24")
    web = start(dockerd, "web", "one", *PUBLISHED)
    window.expect_restart()
    with answering(web, "web", [80]):
        assert answers(outside, LED + RELAYED) == ["web"] * 4
        getattr(daemon, how)()
        assert answers(outside, LED) == ["web"] * 2
        daemon.start()
        assert answers(outside, LED + RELAYED) == ["web"] * 4
    said = refused(dockerd, "run", "-d", "--name=late", "--network=one", "-p", "8080:80", "busybox:lw")
    assert "8080" in said
    window.expect_refusal("NetworkDriver.ProgramExternalConnectivity")
    dockerd.docker("rm", "-f", "web", "late")
    with answering(dockerd.host, "the host", [8080]):
        assert answers(outside, LED + RELAYED) == ["the host"] * 4


def test_r_04_ports_of_a_container_that_comes_back_after_dockerd_was_killed_answer(
    dockerd: Dockerd, daemon: Daemon, window: Window, outside: Outside
) -> None:
    """Nobody told that the old container has gone; the new one has its port, and what is published afterwards too."""
    create(dockerd, "one", "--subnet=10.3.0.0/24")
    web = start(dockerd, "web", "one", "--restart=always", *PUBLISHED)
    daemon.stop()
    an_hour_passes(daemon)
    daemon.start()
    window.expect_restart()
    dockerd.kill9()
    dockerd.start()
    until(runs(web), "the container is back")
    until(lambda: answered(web, outside, LED + RELAYED), "its ports answer")
    late = start(dockerd, "late", "one", "-p", "8081:80")
    assert answered(late, outside, [("tcp", HOST4, 8081)])
    dockerd.docker("restart", "web")
    assert answered(web, outside, LED + RELAYED)
    dockerd.docker("rm", "-f", "web")
    assert heard(outside, LED + RELAYED) == []
    for event in ("replayed", "confirmed"):
        window.allow("linkwright_ipam_events_total", event=event)
    for what in ("endpoint", "ports"):
        window.allow("linkwright_collected_total", what=what)


@pytest.mark.parametrize("how", ["stop", "kill9"])
def test_ports_of_a_container_that_outlives_dockerd_answer(
    dockerd: Dockerd, daemon: Daemon, window: Window, outside: Outside, how: str
) -> None:
    """With live-restore, before, meanwhile and afterwards; and when the container goes, so do its ports."""
    dockerd.restart(live_restore=True)
    create(dockerd, "one", "--subnet=10.3.0.0/24")
    web = start(dockerd, "web", "one", *PUBLISHED)
    with answering(web, "web", [80]):
        getattr(dockerd, how)()
        assert answers(outside, LED + RELAYED) == ["web"] * 4
        dockerd.start()
        assert answers(outside, LED + RELAYED) == ["web"] * 4
    late = start(dockerd, "late", "one", "-p", "8081:80")
    assert answered(late, outside, [("tcp", HOST4, 8081)])
    dockerd.docker("restart", "-t0", "web")
    assert answered(web, outside, LED + RELAYED)
    dockerd.docker("rm", "-f", "web")
    assert heard(outside, LED + RELAYED) == []
    for event in ("replayed", "confirmed"):
        window.allow("linkwright_ipam_events_total", event=event)


@pytest.mark.parametrize("first", ["linkwright", "dockerd"])
def test_r_05_ports_answer_after_a_reboot(fresh_dockerd: Dockerd, fresh_daemon: Daemon, first: str) -> None:
    """Of containers that come back, at once and without anybody's doing; those of others are free."""
    dockerd, daemon = fresh_dockerd, fresh_daemon
    daemon.start()
    create(dockerd, "one", "--subnet=10.3.0.0/24")
    start(dockerd, "passing", "one", "-p", "8081:80")
    web = start(dockerd, "web", "one", "--restart=always", *PUBLISHED)
    dockerd.host.reboot()
    dockerd.host.run(["sysctl", "-q", "-w", "net.ipv6.conf.all.forwarding=1"])
    if first == "linkwright":
        daemon.start()
        dockerd.start()
    else:
        with ThreadPoolExecutor(1) as thread:
            starting = thread.submit(dockerd.start)
            until(dockerd.running, "dockerd has begun")
            daemon.start()
            starting.result()
    with Outside() as outside:
        outside.plug(dockerd.host, 1)
        until(runs(web), "the container is back")
        until(lambda: answered(web, outside, LED + RELAYED), "its ports answer")
        other = start(dockerd, "other", "one", "-p", "8081:80")
        assert answered(other, outside, [("tcp", HOST4, 8081)])
        assert dockerd.api("DELETE", "/containers/web?force=1")[0] == HTTPStatus.NO_CONTENT
        assert heard(outside, LED + RELAYED) == []
    dockerd.clean()
    assert "Traceback" not in daemon.log.read_text()


def test_r_04_a_container_comes_back_though_somebody_looks_into_the_old_one(
    dockerd: Dockerd, daemon: Daemon, window: Window, outside: Outside
) -> None:
    """The old network namespace is held by another process, so its link stays; the port is the new container's."""
    create(dockerd, "one", "--subnet=10.3.0.0/24")
    web = start(dockerd, "web", "one", "--restart=always", *PUBLISHED)
    looking = web.popen("sleep", "infinity")
    dockerd.kill9()
    dockerd.start()
    until(runs(web), "the container is back")
    assert answered(web, outside, LED)
    looking.kill()
    looking.wait()
    for event in ("replayed", "confirmed"):
        window.allow("linkwright_ipam_events_total", event=event)
    for what in ("endpoint", "ports"):
        window.allow("linkwright_collected_total", what=what)
