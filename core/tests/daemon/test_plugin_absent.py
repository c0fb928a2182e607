"""Drivers that are not there: Docker is told which package to install, and what it deletes is deleted all the same."""

from pathlib import Path

import pytest
import trio
from attrs import evolve
from core.tests.daemon.desk import ENDPOINT, NETWORK, SANDBOX, SPACE, Desk, a_desk, network_request

from linkwright.daemon.config import Config
from linkwright.daemon.parts import absent_drivers

POOL = f"{SPACE}/10.1.0.0/24"
DELETION = {"NetworkID": NETWORK, "EndpointID": ENDPOINT}


async def opened(desk: Desk, nursery: trio.Nursery) -> Desk:
    """Start it, as the daemon does."""
    await desk.start()
    await nursery.start(desk.parts.ipam.run)
    await desk.parts.engine.reconcile.start()
    return desk


@pytest.fixture
async def desk(nursery: trio.Nursery) -> Desk:
    """A daemon with the bridge driver alone."""
    both = a_desk()
    return await opened(evolve(both, drivers=both.drivers[:1]), nursery)


@pytest.fixture
async def bereft(nursery: trio.Nursery) -> Desk:
    """A daemon whose bridge driver was uninstalled while a container was on a network of it."""
    desk = await opened(a_desk(), nursery)
    await desk.network()
    await desk.endpoint(address=await desk.address(POOL))
    await desk.join()
    desk.kernel.lend("lwccdcdcdcdcdcd", SANDBOX)
    return await opened(evolve(desk, drivers=()), nursery)


@pytest.mark.parametrize(("name", "package"), [("macvlan", "macvlan"), ("ipvlan", "macvlan"), ("vxlan", "vxlan")])
async def test_s_05_an_official_driver_that_is_not_installed_answers_with_its_package(
    desk: Desk, name: str, package: str
) -> None:
    """Without a socket Docker stalls for 15 s, and then says "not found".

    An HTTP error makes it ask again next time: a success without the interface, or capabilities that fail, would
    disable the driver until dockerd restarts.
    """
    said = await desk.call("Plugin.Activate", plugin=f"lw-{name}")

    assert said.status == 500
    assert f"pip install linkwright-{package}" in said.error
    for call in ("NetworkDriver.GetCapabilities", "NetworkDriver.GwAllocCheck"):
        assert "pip install" in (await desk.call(call, {"Options": {}}, plugin=f"lw-{name}")).error


async def test_a_refused_activation_begins_no_epoch(desk: Desk) -> None:
    """Docker tries again with each command; nothing has been activated."""
    await desk.call("Plugin.Activate", plugin="lw-vxlan")

    assert desk.epoch("lw-vxlan") == 0


async def test_addresses_are_served_without_the_driver(desk: Desk) -> None:
    """A network of Docker's own bridge may have its addresses from this name."""
    assert await desk.pool(plugin="lw-macvlan") == POOL
    said = await desk.call("IpamDriver.RequestAddress", {"PoolID": POOL, "Address": ""}, plugin="lw-macvlan")

    assert said.document["Address"] == "10.1.0.1/24"


async def test_what_docker_deletes_is_deleted_without_the_driver(bereft: Desk) -> None:
    """Leave, DeleteEndpoint and DeleteNetwork cannot be vetoed; what could only be known with it waits for the end."""
    for method in ("Leave", "DeleteEndpoint"):
        assert (await bereft.about(method)).ok
    assert (await bereft.call("IpamDriver.ReleaseAddress", {"PoolID": POOL, "Address": "10.1.0.2"})).ok
    assert bereft.endpoints[ENDPOINT].state.value == "deleting"

    assert (await bereft.call("NetworkDriver.DeleteNetwork", {"NetworkID": NETWORK})).ok
    bereft.kernel.destroy_sandbox(SANDBOX)
    await bereft.parts.engine.reconcile.heal()

    assert not bereft.networks
    assert set(bereft.kernel.resources()) == {("link", "lo")}


@pytest.mark.parametrize("method", ["Join", "EndpointOperInfo"])
async def test_what_is_there_can_still_be_looked_at_and_not_be_used(bereft: Desk, method: str) -> None:
    """The reason is the missing package, and nothing of the network has been touched."""
    before = bereft.kernel.resources()

    said = await (bereft.join() if method == "Join" else bereft.about(method))

    assert ("pip install linkwright-bridge" in said.error) == (method == "Join")
    refused = await bereft.call("NetworkDriver.CreateNetwork", network_request("77" * 32, "10.7.0.0/24", "10.7.0.1/24"))
    assert "pip install linkwright-bridge" in refused.error
    assert before == bereft.kernel.resources()


@pytest.mark.parametrize(
    ("drivers", "loaded", "stored", "handed", "expected"),
    [
        (None, ["bridge"], [], [], ["ipvlan", "macvlan", "vxlan"]),
        (None, ["bridge", "ipvlan", "macvlan", "vxlan"], [], [], []),
        (("bridge",), ["bridge"], [], [], []),
        (("bridge",), ["bridge"], ["vxlan", "ours"], [], ["ours", "vxlan"]),
        (("bridge",), ["bridge"], [], ["/p/lw-macvlan.sock", "/p/lw-bridge.sock", "/p/lw-ipam.sock"], ["macvlan"]),
        (("bridge",), ["bridge"], [], ["/p/other.sock", "/q/lw-macvlan.sock", "/p/lw-.sock", "/p/lw-Bad.sock"], []),
    ],
)
def test_which_drivers_are_absent(
    drivers: tuple[str, ...] | None, loaded: list[str], stored: list[str], handed: list[str], expected: list[str]
) -> None:
    """The official ones unless the operator chose, those of networks that are stored, those systemd has sockets for.

    A socket that systemd holds and nobody answers at would hang Docker for ever: a plugin has no response timeout.
    """
    config = Config(plugin_dir=Path("/p"), drivers=drivers)

    assert absent_drivers(config, loaded=loaded, stored=stored, handed=map(Path, handed)) == tuple(expected)
