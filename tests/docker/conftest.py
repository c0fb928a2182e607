"""Fixtures of the level docker for tests of linkwright itself: each engine with a linkwright at its side.

One pair serves a test module. Around each test stand the counter window and the judge of leaks; both are asked when
the test's containers and networks are gone, so every test is also a test that nothing stays behind.
"""

from collections.abc import Iterator

import pytest

from tests.docker.daemon import Daemon
from tests.docker.leaks import nothing_leaked, snapshot
from tests.docker.window import Window
from tests.engines import Dockerd, Host


@pytest.fixture(scope="module")
def module_daemon(module_dockerd: Dockerd) -> Iterator[Daemon]:
    """A linkwright beside the module's dockerd. Tests take ``daemon``."""
    # Docker switches IPv4 forwarding on itself; IPv6 is the administrator's part.
    module_dockerd.host.run(["sysctl", "-q", "-w", "net.ipv6.conf.all.forwarding=1"])
    daemon = Daemon(module_dockerd.host)
    daemon.start()
    yield daemon
    daemon.stop()


@pytest.fixture
def window(module_daemon: Daemon) -> Iterator[Window]:
    """What may be expected of the counters; closed when the test has been cleared away, and nothing is left behind."""
    if not module_daemon.running():
        module_daemon.start()
    before = snapshot(module_daemon.host, module_daemon)
    window = Window(module_daemon)
    yield window
    nothing_leaked(before, lambda: snapshot(module_daemon.host, module_daemon))
    window.close()


@pytest.fixture
def dockerd(window: Window, dockerd: Dockerd) -> Dockerd:
    """The module's dockerd, with the window around it: what the test leaves is cleared away before that closes."""
    return dockerd


@pytest.fixture
def daemon(module_daemon: Daemon, dockerd: Dockerd) -> Daemon:
    """The linkwright beside ``dockerd``."""
    return module_daemon


@pytest.fixture
def fresh_daemon(fresh_dockerd: Dockerd) -> Iterator[Daemon]:
    """A linkwright, not started, beside a dockerd of the test's own."""
    daemon = Daemon(fresh_dockerd.host)
    yield daemon
    daemon.stop()


@pytest.fixture(scope="module")
def module_alone() -> Iterator[Daemon]:
    """A linkwright in a host that forwards, without any engine: the tests themselves play Docker on its sockets."""
    with Host("alone") as host:
        host.run(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"])
        daemon = Daemon(host)
        daemon.start()
        yield daemon
        daemon.stop()


@pytest.fixture
def alone(module_alone: Daemon) -> Iterator[Daemon]:
    """The module's linkwright without any engine, judged for leaks and for tracebacks."""
    before, read = snapshot(module_alone.host, module_alone), module_alone.log.stat().st_size
    yield module_alone
    nothing_leaked(before, lambda: snapshot(module_alone.host, module_alone))
    assert "Traceback" not in module_alone.log.read_text()[read:]
