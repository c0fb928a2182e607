"""What is told of the firewall calls its tables as the instance does: a person types it as it stands."""

import pytest
from core.tests.engine.conftest import World

from linkwright.engine.observation import Drift
from linkwright.plan import Bridge, Element, Link

DOCKERS = Link("docker0", Bridge())


@pytest.fixture
async def blue(world: World) -> World:
    """The daemon as ``linkwright serve --instance blue-2``, with one network, on a host that has Docker's bridge."""
    world.kernel.instance = "blue-2"
    world.restart(instance="blue-2")
    await world.network()
    world.kernel.foreign_create(DOCKERS)
    await world.load()
    world.told.clear()
    return world


def told(world: World, kind: str) -> list[str]:
    """The drift of *kind* that was put right, as far as it is the firewall's."""
    found = [one.text for one in world.told if isinstance(one, Drift) and one.kind == kind and one.repaired]
    return [text for text in found if text.startswith("nft ")]


async def test_an_element_put_back_is_told_with_the_instances_table(blue: World) -> None:
    """A network's, and the host's: Docker's bridges."""
    (bridge,) = (key[2] for key in blue.host() if key[:2] == ("element", "bridges"))

    blue.kernel.foreign_flush()
    await blue.engine.reconcile.heal()

    assert f"nft add element inet linkwright_blue_2 bridges {{ {bridge} }}" in told(blue, "element")
    assert "nft add element inet linkwright_blue_2 others { docker0 }" in told(blue, "element")


async def test_a_leftover_is_told_with_the_instances_table(blue: World) -> None:
    """An element that nobody wishes for is swept."""
    blue.kernel.state._put(Element("bridges", ("lwbgone",)))

    await blue.engine.reconcile.heal()

    assert told(blue, "leftover") == ["nft delete element inet linkwright_blue_2 bridges { lwbgone }"]
