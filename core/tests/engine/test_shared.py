"""Links that several networks or endpoints wish for alike: there from the first to the last, nobody's in particular."""

from typing import Any

import pytest
from attrs import evolve
from core.tests.engine.conftest import World
from core.tests.engine.paper import Paper, registered

from linkwright import sdk
from linkwright.engine.strangers import stranger
from linkwright.model import EndpointState
from linkwright.plan import SHARED, Mark, check

ONE, TWO = "a1" * 32, "b2" * 32
WIRE = sdk.Link("eth0", sdk.Veth("wire0"))
TAGGED = sdk.Link("eth0.50", sdk.Vlan("eth0", 50), shared=True)
BORROWED = sdk.Link("eth0", up=None, hold=sdk.Hold.BORROW)
SHIM = sdk.Link("lwshim", sdk.Bridge(), shared=True)


def own(network: sdk.Network[Any]) -> sdk.Link:
    """A link of the network's own."""
    return sdk.Link(sdk.link_name("b", network.id), sdk.Bridge())


def lent(endpoint: sdk.Endpoint) -> sdk.Link:
    """A link that a sandbox gets."""
    return sdk.Link(sdk.link_name("m", endpoint.id), sdk.Macvlan("eth0"), up=False, lent=True)


@pytest.fixture
async def shared(world: World) -> World:
    """A daemon whose one driver shares a VLAN between networks, and a bridge between endpoints."""
    driver = Paper(
        network=lambda network: sdk.Wishes.of(BORROWED, TAGGED, own(network)),
        endpoint=lambda _, endpoint: sdk.Wishes.of(lent(endpoint), SHIM),
        join=lambda _, endpoint: sdk.Join(sdk.link_name("m", endpoint.id)),
    )
    world.kernel.foreign_create(WIRE)
    world.drivers[:] = [registered(driver)]
    world.restart()
    return world


async def make(world: World, network: str) -> None:
    """CreateNetwork."""
    described = await world.engine.networks.described(
        "paper", network, subnets=(), ipv4=True, ipv6=False, internal=False, options={}
    )
    await world.engine.networks.create(described)


def link(world: World, name: str) -> sdk.Link | None:
    """The link of that name."""
    found = world.host().get(("link", name))
    return found if isinstance(found, sdk.Link) else None


async def test_it_is_marked_as_nobodys_and_goes_with_the_last_network(shared: World) -> None:
    """In both orders of coming and going."""
    for first, second in ((ONE, TWO), (TWO, ONE)):
        await make(shared, ONE)
        made = link(shared, "eth0.50")
        assert made is not None
        assert made.mark == Mark("default", SHARED)
        await make(shared, TWO)
        await shared.engine.networks.delete(first)
        assert link(shared, "eth0.50") == made
        await shared.engine.networks.delete(second)
        assert link(shared, "eth0.50") is None


async def test_it_is_put_back_although_the_endpoint_that_wishes_for_it_has_joined(shared: World) -> None:
    """What an endpoint has alone is lost with its sandbox; this is the host's."""
    await make(shared, ONE)
    await shared.endpoint(network=ONE)
    shared.kernel.sandboxes.add("/sandbox")
    await shared.engine.endpoints.join(ONE, "cd" * 32, "/sandbox", ())
    shared.kernel.lend("lwmcdcdcdcdcdcd", "/sandbox")
    before = link(shared, "lwshim")
    shared.kernel.foreign_delete(("link", "lwshim"))
    assert (await shared.engine.reconcile.heal()).reported == ()
    assert link(shared, "lwshim") == before


async def test_it_says_nothing_about_whether_an_endpoint_lives(shared: World) -> None:
    """Of an endpoint that is known by its mark alone, the links of its own tell that."""
    await make(shared, ONE)
    endpoint = await shared.endpoint(network=ONE)
    shared.kernel.foreign_delete(("link", "lwshim"))
    assert not await shared.engine.vitality.dead(evolve(endpoint, state=EndpointState.JOINED))


async def test_nobody_sweeps_it_while_a_network_is_frozen(shared: World) -> None:
    """Nobody knows then whether that one wishes for it."""
    await make(shared, ONE)
    made = link(shared, "eth0.50")
    shared.drivers.clear()
    shared.restart()
    await shared.load()
    assert shared.engine.reconcile.frozen.keys() == {ONE}
    assert link(shared, "eth0.50") == made


async def test_without_anybody_who_wishes_for_it_it_is_swept(shared: World) -> None:
    """A crash between the kernel and the store leaves it behind."""
    await make(shared, ONE)
    shared.store = type(shared.store)()
    shared.restart()
    await shared.load()
    assert link(shared, "eth0.50") is None


@pytest.mark.parametrize("marked", [True, False])
async def test_a_link_of_that_name_that_an_administrator_made_since_is_left(shared: World, *, marked: bool) -> None:
    """``eth0.50`` is a name that others give too: without our mark it is never ours, and not deleted for ours."""
    await make(shared, ONE)
    shared.kernel.foreign_delete(("link", "eth0.50"))
    mark = Mark("default", SHARED) if marked else None
    shared.kernel.foreign_create(sdk.Link("eth0.50", sdk.Vlan("eth0", 50), mark=mark))
    await shared.engine.networks.delete(ONE)
    assert (link(shared, "eth0.50") is None) is marked


def test_whose_a_link_is_by_name_and_mark() -> None:
    """A mark that was wiped is guessed only for names that begin with lw."""
    tagged = sdk.Link("eth0.50", sdk.Vlan("eth0", 50), mark=Mark("default", SHARED))
    bare = sdk.Link("eth0.50", sdk.Vlan("eth0", 50))
    assert stranger(tagged, tagged, made=True) == ""
    assert "'eth0.50' that is not linkwright's" in stranger(tagged, bare, made=True)
    assert stranger(SHIM, SHIM, made=True) == ""


def test_its_mark_is_read_back_and_its_name_let_pass() -> None:
    """A VLAN's name is that of what it is on; every other link of ours begins with lw."""
    mark = Mark("default", SHARED)
    assert Mark.parse(str(mark)) == mark
    assert check([BORROWED, TAGGED]) == ()
    assert [note.text for note in check([sdk.Link("eth0.50", sdk.Bridge())])] == ["a link of ours is named lw…"]
