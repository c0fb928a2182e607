"""Somebody else's driver: installed by pip beside a daemon that runs, used through a real Docker, and taken away again.

The daemon is the one of a clean environment that has the core, the bridge driver, and what is installed on the way.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cleanroom import CleanRoom, Wheels
from tests.docker.containers import create, refused, start
from tests.docker.daemon import Daemon
from tests.docker.leaks import difference, nothing_leaked, snapshot
from tests.docker.until import until
from tests.engines import Dockerd, Host, Outside, busybox

#: Docker waits this long for a plugin that has no socket (moby, pkg/plugins: 15 s), and must not have to.
_STALLS = 10.0

_MISSING = "no driver 'ptp' is installed; pip install linkwright-ptp, then restart linkwright"

_EXAMPLE, _PACKAGE = "examples/driver-skeleton", "linkwright-ptp"

_BACKEND = "linkwright-ipam-file"


@pytest.fixture(scope="module")
def module_beside(engine: str, cleanroom: CleanRoom) -> Iterator[tuple[Dockerd, Daemon]]:
    """An engine, and a linkwright of a clean environment with whatever is installed there."""
    with Outside() as world, Host("third-party") as host:
        world.plug(host, 1)
        dockerd = Dockerd(host, engine)
        dockerd.start()
        dockerd.load_image()
        daemon = Daemon(host, every=True, program=cleanroom.programs / "linkwright")
        daemon.start()
        yield dockerd, daemon
        daemon.stop()
        dockerd.stop()
        for package in (_PACKAGE, _BACKEND):
            cleanroom.uninstall(package)


@pytest.fixture
def beside(module_beside: tuple[Dockerd, Daemon]) -> Iterator[tuple[Dockerd, Daemon]]:
    """The same, with no containers and networks."""
    yield module_beside
    dockerd, _ = module_beside
    dockerd.clean()
    until(lambda: "lwx" not in dockerd.host.run(["ip", "-o", "link"]).stdout, "links on their way out are gone")


def loaded(daemon: Daemon) -> dict[str, str]:
    """The drivers that the daemon has, and the distributions that they came in."""
    return {one["name"]: f"{one['distribution']} {one['version']}" for one in daemon.cli_json("drivers")["drivers"]}


def test_the_wheels_have_all_that_is_needed(cleanroom: CleanRoom) -> None:
    """Commands, drivers and templates come with them, and nothing is read from the sources."""
    shown = cleanroom.run("linkwright.cli.manual")
    assert "linkwright new-driver" in shown
    folder = cleanroom.folder.parent / "made"
    cleanroom.says(f"from linkwright.cli import main; main(['new-driver', 'mine', '--directory', {str(folder)!r}])")
    assert (folder / "linkwright-mine/src/linkwright_mine/driver.py").exists()
    where = cleanroom.says("import linkwright, linkwright_bridge as b; print(linkwright.__file__, b.__file__)")
    assert all(path.startswith(str(cleanroom.folder)) for path in where.split())


def test_s_05_with_the_bridge_alone_it_works_and_docker_is_told_what_the_others_need(
    beside: tuple[Dockerd, Daemon],
) -> None:
    """At once and by name, instead of after a stall."""
    dockerd, daemon = beside
    assert loaded(daemon) == {"bridge": "linkwright-bridge 0.1.0"}
    create(dockerd, "plain", "--subnet=10.7.0.0/24")
    assert start(dockerd, "one", "plain").reaches("10.7.0.1")
    for name, package in (("macvlan", "macvlan"), ("ipvlan", "macvlan"), ("vxlan", "vxlan")):
        began = time.monotonic()
        said = refused(dockerd, "network", "create", "-d", f"lw-{name}", "other")
        assert time.monotonic() - began < _STALLS
        assert f"no driver '{name}' is installed; pip install linkwright-{package}, then restart linkwright" in said


def test_a_driver_comes_and_goes_as_a_package(
    beside: tuple[Dockerd, Daemon], cleanroom: CleanRoom, wheels: Wheels
) -> None:
    """Installed while the daemon runs it is there after a restart; uninstalled, its networks stay as they are."""
    dockerd, daemon = beside
    clean = snapshot(dockerd.host)
    cleanroom.install(wheels.of(_EXAMPLE))
    assert "ptp" not in loaded(daemon)
    daemon.restart()
    assert loaded(daemon)["ptp"] == f"{_PACKAGE} 0.1.0"

    create(dockerd, "wires", "--subnet=10.8.0.0/24", driver="lw-ptp")
    first, second = start(dockerd, "first", "wires"), start(dockerd, "second", "wires")
    assert first.default_routes() == {"10.8.0.1": "eth0"}
    assert first.reaches("10.8.0.1")
    assert first.reaches("10.8.0.3")
    assert second.reaches("192.0.2.2")  # the outside, which knows of no container: by the host's own address

    cleanroom.uninstall(_PACKAGE)
    before = snapshot(dockerd.host)
    daemon.restart()
    assert "ptp" not in loaded(daemon)
    assert _MISSING in daemon.cli("status")
    assert _MISSING in refused(dockerd, "run", "--network", "wires", "--name", "third", busybox.IMAGE)
    assert _MISSING in refused(dockerd, "network", "create", "-d", "lw-ptp", "more")
    assert difference(before, snapshot(dockerd.host)) == []
    assert first.reaches("10.8.0.3")

    cleanroom.install(wheels.of(_EXAMPLE))
    daemon.restart()
    assert first.reaches("10.8.0.3")
    dockerd.docker("rm", "-f", "first", "second", "third")
    dockerd.docker("network", "rm", "wires")
    nothing_leaked(clean, lambda: snapshot(dockerd.host))


def test_addresses_come_from_somebody_elses_back_end(
    beside: tuple[Dockerd, Daemon], cleanroom: CleanRoom, wheels: Wheels, tmp_path: Path
) -> None:
    """Installed and named, it chooses; what it does not give is refused in its words; what goes is free there."""
    dockerd, daemon = beside
    path = tmp_path / "addresses"
    path.write_text("10.6.0.2 printer\n")
    cleanroom.install(wheels.of("examples/ipam-skeleton"))
    daemon.stop()
    daemon.under = ("env", f"IPAM_FILE={path}", "IPAM_HOST=here")
    daemon.start(options=("--ipam=file", "--period=1"))

    create(dockerd, "shared", "--subnet=10.6.0.0/29")
    assert start(dockerd, "one", "shared").addresses() == {"10.6.0.3/29"}
    assert path.read_text() == "10.6.0.2 printer\n10.6.0.1 here:gateway\n10.6.0.3 here:endpoint\n"
    assert "10.6.0.2 is printer's in" in refused(
        dockerd, "run", "--network", "shared", "--ip", "10.6.0.2", "--name", "two", busybox.IMAGE
    )
    assert "add --subnet" in refused(dockerd, "network", "create", "-d", "lw-bridge", "--ipam-driver", "lw-ipam", "any")
    daemon.restart()
    dockerd.docker("rm", "-f", "one", "two")
    dockerd.docker("network", "rm", "shared")
    until(lambda: path.read_text() == "10.6.0.2 printer\n", "what was given back is free in the file")

    daemon.stop()
    daemon.under = ()
    daemon.start(options=())
