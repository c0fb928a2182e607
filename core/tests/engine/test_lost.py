"""A network that the state has lost and that marks on links tell of: nothing of it is cut until somebody says so."""

import pytest
from core.tests.engine.conftest import ENDPOINT, NETWORK, World

from linkwright.errors import NotFound
from linkwright.model.change import Drop
from linkwright.plan import Element, Key, Resource

OTHER = "ef" * 32
BRIDGE, PORT = ("link", "lwbabababababab"), ("link", "lwhcdcdcdcdcdcd")


@pytest.fixture
async def before(world: World) -> dict[Key, Resource]:
    """A container on a network whose records are lost, and a network whose are not; what the host had before."""
    await world.network()
    await world.endpoint()
    await world.join()
    await world.network(OTHER, "10.2.0.0/24")
    before = world.host()
    contents = await world.store.load()
    await world.store.commit([Drop(one) for one in (*contents.networks, *contents.endpoints) if one.id != OTHER])
    world.restart()
    world.engine.state.lost.add(NETWORK)
    await world.load()
    return before


async def test_nothing_of_it_is_swept_or_changed(world: World, before: dict[Key, Resource]) -> None:
    """Links, what lies on them, and elements that could be its own; look after look, and ``plan`` has no other idea."""
    assert before == world.host()
    await world.engine.collecting.collect()
    report = await world.engine.reconcile.heal()
    assert before == world.host()
    assert report.steps == ()
    assert "docker network rm" in report.frozen[NETWORK]
    plan = await world.engine.reconcile.plan()
    assert (plan.steps, plan.frozen) == ((), report.frozen)


async def test_other_networks_are_looked_after_as_ever(world: World, before: dict[Key, Resource]) -> None:
    """They drift and are put right, are made and go."""
    world.kernel.foreign_delete(("link", "lwbefefefefefef"))
    await world.engine.reconcile.heal()
    assert before == world.host()
    await world.network("11" * 32, "10.3.0.0/24")
    await world.engine.networks.delete("11" * 32)
    assert before == world.host()


async def test_calls_about_it_say_that_it_is_not_known(world: World, before: dict[Key, Resource]) -> None:
    """A new container cannot be connected, one that goes can be disconnected."""
    with pytest.raises(NotFound, match="is not known here"):
        await world.endpoint("ee" * 32, "10.1.0.3/24")
    await world.engine.endpoints.leave(NETWORK, ENDPOINT)
    await world.engine.endpoints.delete(NETWORK, ENDPOINT)
    assert before == world.host()


async def test_it_goes_when_docker_says_so(world: World, before: dict[Key, Resource]) -> None:
    """``docker network rm``: then its marks are nobody's, and what is left of it is swept."""
    await world.engine.networks.delete(NETWORK)
    assert not world.engine.reconcile.frozen

    await world.engine.reconcile.heal()

    assert {BRIDGE, PORT}.isdisjoint(world.host())
    assert Element("bridges", (BRIDGE[1],)).key not in world.host()
    assert ("link", "lwbefefefefefef") in world.host()


async def test_it_is_lost_no_more_when_its_links_are_gone(world: World, before: dict[Key, Resource]) -> None:
    """Removed by hand, or by a reboot: nothing tells of it, and nothing else waits for it."""
    for key in (PORT, BRIDGE):
        world.kernel.foreign_delete(key)

    report = await world.engine.reconcile.heal()

    assert not report.frozen
    assert {key for key in before if key not in world.host()} >= {Element("bridges", (BRIDGE[1],)).key}
