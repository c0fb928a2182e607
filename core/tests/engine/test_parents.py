"""Links that containers' own stand on: what happens to those children where the host cannot see them."""

import errno
from typing import Any

import pytest
from attrs import evolve
from core.tests.engine.conftest import World
from core.tests.engine.paper import Paper, registered

from linkwright import sdk
from linkwright.engine.observation import Drift

NETWORK, ENDPOINT, SANDBOX = "ab" * 32, "cd" * 32, "/sandbox"
CHILD = "lwmcdcdcdcdcdcd"
GONE = (
    f"link {CHILD} of endpoint cdcdcdcdcdcd went with eth0; restart its container, or have it made anew with "
    "`linkwright repair`"
)
LATER = 1000.0  # seconds: no longer young


def a_driver(mtu: int | None = None) -> Paper:
    """Endpoints are links on eth0."""

    def lent(endpoint: sdk.Endpoint) -> sdk.Link:
        name = sdk.link_name("m", endpoint.id)
        return sdk.Link(name, sdk.Macvlan("eth0"), mtu=mtu, mac=endpoint.mac, up=False, lent=True)

    return Paper(
        network=lambda _: sdk.Wishes.of(sdk.Link("eth0", up=None, hold=sdk.Hold.BORROW)),
        endpoint=lambda _, endpoint: sdk.Wishes.of(lent(endpoint)),
        join=lambda _, endpoint: sdk.Join(sdk.link_name("m", endpoint.id)),
    )


async def joined(world: World, driver: Paper) -> World:
    """A container whose link Docker has moved into its sandbox a while ago."""
    world.kernel.foreign_create(sdk.Link("eth0", sdk.Veth("wire0"), mtu=1400))
    world.drivers[:] = [registered(driver)]
    world.restart()
    described = await world.engine.networks.described(
        "paper", NETWORK, subnets=(), ipv4=True, ipv6=False, internal=False, options={}
    )
    await world.engine.networks.create(described)
    await world.endpoint(ENDPOINT)
    world.kernel.sandboxes.add(SANDBOX)
    await world.engine.endpoints.join(NETWORK, ENDPOINT, SANDBOX, ())
    world.kernel.lend(CHILD, SANDBOX)
    world.now += LATER
    return world


@pytest.fixture
async def standing(world: World) -> World:
    """With the parent's MTU."""
    return await joined(world, a_driver())


def inside(world: World) -> Any:
    """The child in its sandbox."""
    return world.kernel.state.lent[CHILD].link


async def touch(world: World, heard: bool = True, /, **changes: Any) -> None:
    """Somebody changes eth0, and the reconciler hears of it."""
    parent = world.kernel.get(("link", "eth0"))
    assert isinstance(parent, sdk.Link)
    world.kernel.foreign_change(evolve(parent, kind=sdk.Existing(), **changes))
    if heard:
        await world.engine.reconcile.touched([("link", "eth0")])


async def replace_parent(world: World) -> None:
    """The link is unplugged, and another of its name is there."""
    world.kernel.foreign_delete(("link", "eth0"))
    await world.engine.reconcile.touched([("link", "eth0")])
    world.kernel.foreign_create(sdk.Link("eth0", sdk.Veth("wire0"), mtu=1400))
    await world.engine.reconcile.touched([("link", "eth0")])


# --- children that went ----------------------------------------------------------------------------------------------


async def test_m_09_a_child_that_went_with_its_parent_is_told_at_each_look(standing: World) -> None:
    """Also when a new parent of that name is there; nobody makes it anew unasked."""
    assert (await standing.engine.reconcile.heal()).reported == ()
    await replace_parent(standing)
    for _ in range(2):
        standing.told.clear()
        assert (await standing.engine.reconcile.heal()).reported == (GONE,)
        assert Drift("joined", repaired=False, text=CHILD, network=NETWORK) in standing.told


async def test_m_09_it_is_found_after_a_restart_too(standing: World) -> None:
    """The parent was replaced while linkwright was away."""
    standing.kernel.foreign_delete(("link", "eth0"))
    standing.kernel.foreign_create(sdk.Link("eth0", sdk.Veth("wire0"), mtu=1400))
    standing.restart()
    await standing.load()
    assert (await standing.engine.reconcile.heal()).reported == (GONE,)


async def test_m_09_it_is_told_no_more_when_it_was_made_anew(standing: World) -> None:
    """``linkwright repair`` does that."""
    await replace_parent(standing)
    assert (await standing.engine.reconcile.heal()).reported == (GONE,)
    await standing.engine.rebuilding.rebuild()
    assert CHILD in standing.kernel.state.lent
    assert (await standing.engine.reconcile.heal()).reported == ()


async def test_m_09_nor_when_its_container_has_gone(standing: World) -> None:
    """That is for ``collecting`` then."""
    await replace_parent(standing)
    standing.kernel.sandboxes.clear()
    assert (await standing.engine.reconcile.heal()).reported == ()


async def test_one_that_is_young_is_not_missed(standing: World) -> None:
    """Docker may be moving it at this moment."""
    standing.now -= LATER
    await replace_parent(standing)
    assert (await standing.engine.reconcile.heal()).reported == ()
    standing.now += LATER
    assert (await standing.engine.reconcile.heal()).reported == (GONE,)


async def test_an_endpoint_that_is_gone_is_suspected_no_more(standing: World) -> None:
    """Ids of endpoints never return, and parents may flap for years."""
    await standing.engine.reconcile.heal()
    await replace_parent(standing)
    assert standing.engine.parents._suspects == {ENDPOINT}
    await standing.engine.endpoints.delete(NETWORK, ENDPOINT)
    await standing.engine.reconcile.heal()
    assert standing.engine.parents._suspects == set()


async def test_a_plan_says_it_and_tells_nobody(standing: World) -> None:
    """It only looks."""
    await standing.engine.reconcile.heal()
    await replace_parent(standing)
    standing.told.clear()
    assert (await standing.engine.reconcile.plan()).reported == (GONE,)
    assert standing.told == []


async def test_a_link_that_has_not_been_moved_yet_is_not_missed(standing: World) -> None:
    """Docker gives it back at the end, and takes it late at the beginning."""
    standing.kernel.give_back(CHILD)
    await touch(standing, up=False)
    assert (await standing.engine.reconcile.heal()).reported == ()


# --- MTU -------------------------------------------------------------------------------------------------------------


async def test_m_07_an_mtu_that_is_raised_is_handed_on(standing: World) -> None:
    """The kernel lowers a parent's children with it, and raises none."""
    await standing.engine.reconcile.heal()
    await touch(standing, mtu=9000)
    assert inside(standing).mtu == 9000


async def test_m_07_at_the_next_look_too(standing: World) -> None:
    """An event was lost, or not told."""
    await standing.engine.reconcile.heal()
    standing.kernel.foreign_change(sdk.Link("eth0", up=None, mtu=9000))
    await standing.engine.reconcile.plan()
    assert inside(standing).mtu == 1400
    await standing.engine.reconcile.heal()
    assert inside(standing).mtu == 9000


async def test_m_07_lowered_and_raised_again_before_anybody_looked(standing: World) -> None:
    """The children are as low as the parent was in between, though that looks as it did."""
    await standing.engine.reconcile.heal()
    await touch(standing, False, mtu=1300)
    assert inside(standing).mtu == 1300
    await touch(standing, mtu=1400)
    assert inside(standing).mtu == 1400


async def test_m_07_nor_need_it_have_been_looked_at_before(standing: World) -> None:
    """The container is younger than the last look at everything."""
    await touch(standing, mtu=9000)
    assert inside(standing).mtu == 9000


async def test_m_07_and_at_the_next_look_too(standing: World) -> None:
    """Of links of ours not every change is told. A plan only looks."""
    await standing.engine.reconcile.heal()
    await touch(standing, False, mtu=1300)
    await touch(standing, False, mtu=1400)
    await standing.engine.reconcile.plan()
    assert inside(standing).mtu == 1300
    await standing.engine.reconcile.heal()
    assert inside(standing).mtu == 1400


async def test_m_07_one_that_the_container_chose_stays_though_the_parent_was_lower(standing: World) -> None:
    """What it has is not what the parent had."""
    await standing.engine.reconcile.heal()
    lent = standing.kernel.state.lent[CHILD]
    standing.kernel.state.lent[CHILD] = evolve(lent, link=evolve(lent.link, mtu=1280))
    await touch(standing, False, mtu=1300)
    await touch(standing, mtu=1400)
    assert inside(standing).mtu == 1280


async def test_m_07_one_that_the_container_chose_stays(standing: World) -> None:
    """It was another than the parent's before."""
    lent = standing.kernel.state.lent[CHILD]
    standing.kernel.state.lent[CHILD] = evolve(lent, link=evolve(lent.link, mtu=1280))
    await standing.engine.reconcile.heal()
    await touch(standing, mtu=9000)
    assert inside(standing).mtu == 1280


async def test_m_07_one_that_the_network_names_stays(world: World) -> None:
    """``-o mtu=1400`` is 1400 whatever the parent has."""
    named = await joined(world, a_driver(mtu=1400))
    await named.engine.reconcile.heal()
    await touch(named, mtu=9000)
    assert inside(named).mtu == 1400


async def test_m_07_a_sandbox_that_cannot_be_entered_is_told_unless_it_is_gone(standing: World) -> None:
    """And is no obstacle to the others."""
    await standing.engine.reconcile.heal()
    standing.kernel.handover_fails = errno.EPERM
    await touch(standing, mtu=9000)
    (told,) = [one for one in standing.told if isinstance(one, Drift)]
    assert told.text.startswith(f"{CHILD} has not the 9000 of its parent eth0: ")
    standing.told.clear()
    standing.kernel.sandboxes.clear()
    await touch(standing, mtu=9200)
    assert standing.told == []


# --- the gauge -------------------------------------------------------------------------------------------------------


async def test_m_09_whether_a_parent_is_up_can_be_seen(standing: World) -> None:
    """At the next look, and at once when somebody changes it; gone is not up."""
    await standing.engine.reconcile.heal()
    assert standing.engine.parents.up == {"eth0": True}
    await touch(standing, up=False)
    assert standing.engine.parents.up == {"eth0": False}
    await touch(standing, up=True)
    standing.kernel.foreign_delete(("link", "eth0"))
    await standing.engine.reconcile.touched([("link", "eth0")])
    assert standing.engine.parents.up == {"eth0": False}
    await standing.engine.networks.delete(NETWORK)
    await standing.engine.reconcile.heal()
    assert standing.engine.parents.up == {}
