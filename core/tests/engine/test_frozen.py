"""Networks whose driver cannot be asked: nothing of them is touched, and everything goes on when it can be again."""

import pytest
from core.tests.engine.conftest import ENDPOINT, NETWORK, World
from core.tests.engine.paper import Paper, registered

from linkwright import sdk
from linkwright.engine.observation import Collected
from linkwright.errors import Unavailable
from linkwright.model import EndpointState
from linkwright.plan import Bridge, Element, Link, Mark, Wishes

OTHER = "ef" * 32
ELEMENT = Element("bridges", ("of-paper",))


class Moody(Paper):
    """A driver that has its moods."""

    def __init__(self) -> None:
        """Be well."""
        super().__init__(network=self._network, endpoint=self._endpoint, join=lambda _, __: sdk.Join("lwpaper"))
        self.well = True

    def _network(self, _: object) -> Wishes:
        if not self.well:
            raise ValueError("not today")
        return Wishes.of(ELEMENT)

    def _endpoint(self, _: object, __: object) -> Wishes:
        return Wishes.of(Link("lwpaper", Bridge()))


@pytest.fixture
async def moody(world: World) -> Moody:
    """A network of such a driver with one endpoint, and a restart on a bad day."""
    driver = Moody()
    world.drivers = [*world.drivers, registered(driver)]
    world.restart()
    described = await world.engine.networks.described(
        "paper", NETWORK, subnets=(), ipv4=True, ipv6=False, internal=False, options={}
    )
    await world.engine.networks.create(described)
    await world.endpoint()
    driver.well = False
    world.restart()
    await world.load()
    assert "not today" in world.engine.reconcile.frozen[NETWORK]
    return driver


async def test_it_thaws_at_the_next_look(world: World, moody: Moody) -> None:
    """One slow start is not for ever: it is asked for again, and what drifted meanwhile is put right."""
    world.kernel.foreign_delete(("link", "lwpaper"))
    await world.engine.reconcile.heal()
    assert NETWORK in world.engine.reconcile.frozen
    assert ("link", "lwpaper") not in world.host()

    moody.well = True
    report = await world.engine.reconcile.heal()

    assert not report.frozen
    assert ("link", "lwpaper") in world.host()


async def test_a_call_that_needs_it_asks_again(world: World, moody: Moody) -> None:
    """Join would else blame the driver for a link that it did not wish for."""
    with pytest.raises(Unavailable, match=r"left as it is.*not today"):
        await world.join()
    with pytest.raises(Unavailable, match="left as it is"):
        await world.endpoint("ee" * 32, "10.1.0.3/24")

    moody.well = True
    assert (await world.join()).join.source == "lwpaper"
    assert not world.engine.reconcile.frozen


async def test_an_endpoint_deleted_meanwhile_goes_when_it_is_known_what_it_has(world: World, moody: Moody) -> None:
    """Docker is told at once that it is done; the intent is stored, and nothing is forgotten in the kernel."""
    await world.engine.endpoints.delete(NETWORK, ENDPOINT)
    await world.engine.collecting.collect()
    assert world.engine.state.endpoints[ENDPOINT].state is EndpointState.DELETING
    assert ("link", "lwpaper") in world.host()

    moody.well = True
    await world.engine.collecting.collect()

    assert ("link", "lwpaper") not in world.host()
    assert not world.engine.state.endpoints
    assert [told.id for told in world.told if isinstance(told, Collected)] == [ENDPOINT]


async def test_a_network_deleted_meanwhile_goes_and_is_frozen_no_more(world: World, moody: Moody) -> None:
    """Its marks say whose its links are, and with nothing frozen the rest is nobody's either."""
    await world.network(OTHER, "10.2.0.0/24")
    before = world.host()
    await world.engine.networks.delete(NETWORK)
    assert not world.engine.reconcile.frozen

    await world.engine.reconcile.heal()

    assert {key for key in before if key not in world.host()} == {("link", "lwpaper"), ELEMENT.key}
    assert ("link", "lwbefefefefefef") in world.host()


async def test_leftovers_of_others_are_swept_and_what_could_be_its_own_is_not(world: World, moody: Moody) -> None:
    """Of links the mark tells; an element could be the frozen network's, so it stays until that is known."""
    await world.network(OTHER, "10.2.0.0/24")
    theirs = Link("lwhothers", Bridge(), mtu=1500, mark=Mark("default", OTHER, "00" * 32))
    its = Link("lwhits", Bridge(), mtu=1500, mark=Mark("default", NETWORK, "00" * 32))
    for link in (theirs, its):
        world.kernel.foreign_create(link)
    element = Element("bridges", ("left-over",))
    world.kernel.state._put(element)

    await world.engine.reconcile.heal()
    assert (theirs.key in world.host(), its.key in world.host(), element.key in world.host()) == (False, True, True)

    moody.well = True
    await world.engine.reconcile.heal()
    assert (its.key in world.host(), element.key in world.host()) == (False, False)


async def test_a_dry_run_does_not_even_thaw(world: World, moody: Moody) -> None:
    """It says what is frozen, and why."""
    moody.well = True

    report = await world.engine.reconcile.plan()

    assert "not today" in report.frozen[NETWORK]


async def test_two_networks_whose_wishes_exclude_each_other_freeze_one_of_them(world: World) -> None:
    """A new version of a driver wants one thing in two ways: the daemon starts, and says so."""
    text = "one"
    driver = Paper(network=lambda network: Wishes.of(Element("bridges", ("shared",), (text or network.id,))))
    world.drivers = [registered(driver)]
    world.restart()
    for network in (NETWORK, OTHER):
        described = await world.engine.networks.described(
            "paper", network, subnets=(), ipv4=True, ipv6=False, internal=False, options={}
        )
        await world.engine.networks.create(described)
    before = world.host()

    text = ""
    world.restart()
    await world.load()

    assert len(world.engine.reconcile.frozen) == 1
    assert "wants it otherwise" in next(iter(world.engine.reconcile.frozen.values()))
    assert set(before) == set(world.host())
