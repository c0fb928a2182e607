"""An endpoint whose traffic is shaped: what goes silently with a link is put back with it, and leaves with it."""

import pytest
from core.tests.engine.conftest import NETWORK, World
from core.tests.engine.paper import Paper, registered

from linkwright.plan import Bridge, Ifb, Key, Link, Redirect, Shaper, Sysctl, Veth, Wishes

ENDPOINT = "cd" * 32
LOCALNET = "net/ipv4/conf/lwb0/route_localnet"
RATE, BURST = 10_000_000, 68 * 1024
SHAPED = Wishes.of(
    Link("lwh0", Veth("lwc0"), master="lwb0"),
    Link("lwi0", Ifb()),
    Shaper("lwh0", RATE, BURST),
    Shaper("lwi0", RATE, BURST),
    Redirect("lwh0", "lwi0"),
    Sysctl(LOCALNET, "1", otherwise="0"),
)


@pytest.fixture
async def shaped(world: World) -> World:
    """A host with a network and one such endpoint."""
    bridge = Wishes.of(Link("lwb0", Bridge()))
    world.drivers = [registered(Paper(network=lambda _: bridge, endpoint=lambda _, __: SHAPED))]
    world.restart()
    described = await world.engine.networks.described(
        "paper", NETWORK, subnets=(), ipv4=True, ipv6=False, internal=False, options={}
    )
    await world.engine.networks.create(described)
    await world.endpoint(ENDPOINT)
    return world


@pytest.mark.parametrize(
    "gone", [("link", "lwi0"), ("link", "lwh0"), ("shaper", "lwh0"), ("redirect", "lwh0")], ids=" ".join
)
async def test_b_21_what_is_deleted_is_put_back_with_what_went_with_it(shaped: World, gone: Key) -> None:
    """One event names one key; what lay on that link, or led to it, is looked at too: of that the kernel is silent."""
    before = shaped.host()
    shaped.kernel.foreign_delete(gone)
    assert before != shaped.host()
    await shaped.engine.reconcile.touched({gone})
    assert before == shaped.host()


async def test_a_setting_of_a_bridge_that_was_deleted_is_put_back_with_it(shaped: World) -> None:
    """Though an endpoint wished for it, and the network for the bridge."""
    shaped.kernel.foreign_delete(("link", "lwb0"))
    await shaped.engine.reconcile.touched({("link", "lwb0")})
    assert shaped.kernel.get(("sysctl", LOCALNET)) == Sysctl(LOCALNET, "1")


async def test_b_21_with_the_endpoint_goes_all_that_was_made_for_it(shaped: World) -> None:
    """Links, shapers and the way between them; the bridge stays, with its setting as it is otherwise."""
    assert shaped.kernel.get(("sysctl", LOCALNET)) == Sysctl(LOCALNET, "1")
    await shaped.engine.endpoints.delete(NETWORK, ENDPOINT)
    await shaped.engine.reconcile.heal()
    assert {("link", "lo"), ("link", "lwb0")} == shaped.host().keys()
    assert shaped.kernel.get(("sysctl", LOCALNET)) == Sysctl(LOCALNET, "0")
