"""A pytest plugin: engines, hosts and dockerds for tests of the level docker. Holds fixtures and nothing else.

Named in the root conftest's ``pytest_plugins``. A test that uses ``dockerd`` runs once for each engine, and is marked
``docker`` by that. One dockerd serves a test module; containers and networks are cleared away after each test.
"""

from collections.abc import Iterator

import pytest

from tests.engines import ENGINES, Dockerd, Host, Outside, missing


@pytest.hookimpl(tryfirst=True)  # before -m chooses by mark
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark whatever needs an engine, so that ``-m docker`` finds it."""
    for item in items:
        if "docker_level" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.docker)


@pytest.fixture(scope="session")
def docker_level() -> None:
    """Go on only where real engines can run. Where the level is required, the root conftest has refused before this."""
    if reason := missing():
        pytest.skip(f"level docker: {reason}")


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest, docker_level: None) -> str:
    """The engine the test runs against: each of them in turn."""
    return str(request.param)


@pytest.fixture(scope="module")
def module_dockerd(engine: str) -> Iterator[Dockerd]:
    """A running dockerd with the test image in a host of its own, shared by a module. Tests take ``dockerd``."""
    with Host(engine) as host:
        dockerd = Dockerd(host, engine)
        dockerd.start()
        dockerd.load_image()
        yield dockerd


@pytest.fixture
def dockerd(module_dockerd: Dockerd) -> Iterator[Dockerd]:
    """The module's dockerd, with no containers, networks or options; a test may stop it, kill it, give it options."""
    yield module_dockerd
    if not module_dockerd.running():
        module_dockerd.start(options=(), live_restore=False)
    module_dockerd.clean()
    if module_dockerd.options or module_dockerd.live_restore:
        module_dockerd.restart(options=(), live_restore=False)


@pytest.fixture
def docker_host(dockerd: Dockerd) -> Host:
    """The host that ``dockerd`` runs in."""
    return dockerd.host


@pytest.fixture
def fresh_dockerd(engine: str) -> Iterator[Dockerd]:
    """A dockerd of the test's own, with the image, in a host of its own: for what leaves traces, as reboots do."""
    with Host(engine) as host:
        dockerd = Dockerd(host, engine)
        dockerd.start()
        dockerd.load_image()
        yield dockerd


@pytest.fixture
def outside(docker_host: Host) -> Iterator[Outside]:
    """The outside world, with ``docker_host`` plugged in as 192.0.2.1 and 2001:db8::1 on ``up0``."""
    with Outside() as world:
        world.plug(docker_host, 1)
        yield world
