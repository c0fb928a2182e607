"""A new version of a driver wishes otherwise while containers run: what only a new object could change is pending.

It is told and shown, and no container that runs is cut for it; when nobody needs the old any more it goes.
"""

from ipaddress import ip_interface
from typing import Any

import pytest
from core.tests.engine.conftest import ENDPOINT, NETWORK, SANDBOX, World
from core.tests.engine.paper import Paper, registered

from linkwright import sdk
from linkwright.engine.observation import Drift
from linkwright.engine.reconcile import Report
from linkwright.plan import Action, Address, Bridge, Key, Link, Macvlan, MacvlanMode, Resource, Veth, Vxlan, Wishes

PARENT = Link("lwv1", Vxlan(42, proxy=False), mtu=1450)
CHILD = Link("lwm1", Macvlan("lwv1", MacvlanMode.BRIDGE), lent=True, up=None)
SHIM = Address("lwv1", ip_interface("10.1.0.1/24"))


class Versions(Paper):
    """A driver whose versions differ in what they wish for."""

    def __init__(self, network: list[Resource], endpoint: list[Resource]) -> None:
        """The first version."""
        self.wishes = (network, endpoint)
        super().__init__(
            network=lambda _: Wishes.of(*self.wishes[0]),
            endpoint=lambda _, __: Wishes.of(*self.wishes[1]),
            join=lambda _, __: sdk.Join("lwm1"),
        )


async def running(world: World, network: list[Resource], endpoint: list[Resource], lent: str) -> Versions:
    """A container on a network of the first version, with its link *lent* to the sandbox."""
    driver = Versions(network, endpoint)
    world.drivers = [registered(driver)]
    world.restart()
    described = await world.engine.networks.described(
        "paper", NETWORK, subnets=(), ipv4=True, ipv6=False, internal=False, options={}
    )
    await world.engine.networks.create(described)
    await world.endpoint()
    driver.answers["join"] = lambda _, __: sdk.Join(lent)
    await world.join()
    world.kernel.lend(lent, SANDBOX)
    return driver


async def upgrade(world: World, driver: Versions, network: list[Resource], endpoint: list[Resource]) -> Report:
    """Start with a new version that wishes for this; return what ``plan`` shows then."""
    driver.wishes = (network, endpoint)
    world.restart()
    await world.load()
    return await world.engine.reconcile.plan()


def pending(report: Report) -> set[Key]:
    """What waits."""
    return {step.resource.key for plan in report.plans.values() for step in plan.pending}


async def gone(world: World) -> None:
    """The container stops."""
    world.kernel.destroy_sandbox(SANDBOX)
    await world.engine.endpoints.leave(NETWORK, ENDPOINT)
    await world.engine.endpoints.delete(NETWORK, ENDPOINT)


async def test_a_fixed_attribute_of_a_link_in_use_is_pending_and_shown(world: World) -> None:
    """Another VNI would need another link: the old one stays as it is, with all that lies on it, and lent children."""
    driver = await running(world, [PARENT, SHIM], [CHILD], "lwm1")
    before = world.host()

    report = await upgrade(world, driver, [Link("lwv1", Vxlan(43, proxy=False), mtu=1450), SHIM], [CHILD])

    assert pending(report) == {PARENT.key}
    assert any("id 43" in text for text in report.reported if text.startswith("pending: "))
    assert before == world.host()
    assert "lwm1" in world.kernel.state.lent
    told = [one for one in world.told if isinstance(one, Drift) and "id 43" in one.text]
    assert [(one.kind, one.repaired) for one in told] == [("link", False)]


async def test_what_can_be_changed_beside_it_is(world: World) -> None:
    """A link whose VNI waits has its MTU and its state put right meanwhile."""
    driver = await running(world, [PARENT, SHIM], [CHILD], "lwm1")

    report = await upgrade(world, driver, [Link("lwv1", Vxlan(43, learning=False), mtu=1400), SHIM], [CHILD])

    link = world.host()[PARENT.key]
    assert isinstance(link, Link)
    assert isinstance(link.kind, Vxlan)
    assert (link.mtu, link.kind.vni, link.kind.learning) == (1400, 42, False)
    assert pending(report) == {PARENT.key}
    assert report.steps == ()


async def test_a_link_of_another_kind_is_pending_whole(world: World) -> None:
    """Nothing of the old one is made to look like the new one."""
    driver = await running(world, [PARENT], [CHILD], "lwm1")
    before = world.host()

    report = await upgrade(world, driver, [Link("lwv1", Bridge(), mtu=1400)], [CHILD])

    assert pending(report) == {PARENT.key}
    assert before == world.host()


async def test_a_link_that_a_new_version_calls_otherwise_stays_while_it_is_in_use(world: World) -> None:
    """A parent whose children are in sandboxes: nothing on the host shows them, and its deletion would be theirs."""
    driver = await running(world, [PARENT, SHIM], [CHILD], "lwm1")
    other = Link("lwn1", Vxlan(43, proxy=False), mtu=1450)

    report = await upgrade(world, driver, [other], [Link("lwm1", Macvlan("lwn1"), lent=True, up=None)])

    assert {PARENT.key, SHIM.key, other.key} <= world.host().keys()
    assert "lwm1" in world.kernel.state.lent
    assert [text for text in report.reported if text.startswith("pending: link lwv1 of ")]
    assert report.leftovers.steps == ()

    await gone(world)
    await world.engine.reconcile.heal()
    assert not {PARENT.key, SHIM.key} & world.host().keys()


async def test_an_endpoints_own_link_that_a_new_version_calls_otherwise_stays(world: World) -> None:
    """The container has the other end of it."""
    network: list[Resource] = [Link("lwb1", Bridge())]
    driver = await running(world, network, [Link("lwh1", Veth("lwc1"), master="lwb1")], "lwc1")

    report = await upgrade(world, driver, network, [Link("lwh2", Veth("lwc2"), master="lwb1")])

    host: Any = world.host()
    assert host["link", "lwh1"].master == "lwb1"
    assert ("link", "lwh2") not in host
    assert [text for text in report.reported if text.startswith("pending: link lwh1 of ")]
    await gone(world)
    await world.engine.reconcile.heal()
    assert ("link", "lwh1") not in world.host()


async def test_a_bridge_that_a_new_version_calls_otherwise_goes_when_its_ports_have_moved(world: World) -> None:
    """That can be done under a running container: its end becomes a port of the new bridge."""
    network: list[Resource] = [Link("lwb1", Bridge()), Address("lwb1", ip_interface("10.1.0.1/24"))]
    driver = await running(world, network, [Link("lwh1", Veth("lwc1"), master="lwb1")], "lwc1")

    moved: list[Resource] = [Link("lwb2", Bridge()), Address("lwb2", ip_interface("10.1.0.1/24"))]
    report = await upgrade(world, driver, moved, [Link("lwh1", Veth("lwc1"), master="lwb2")])

    host: Any = world.host()
    assert host["link", "lwh1"].master == "lwb2"
    assert "lwc1" in world.kernel.state.lent
    await world.engine.reconcile.heal()
    assert ("link", "lwb1") not in world.host()
    assert (await world.engine.reconcile.plan()).steps == ()
    assert report.reported == ()


@pytest.mark.parametrize("joined", [True, False])
async def test_what_is_left_of_a_network_that_nobody_uses_goes(world: World, joined: bool) -> None:
    """Being of a network that is known is no reason to stay: a container must run on it."""
    driver = await running(world, [PARENT], [CHILD], "lwm1")
    if not joined:
        await gone(world)
    await upgrade(world, driver, [], [])
    assert (PARENT.key in world.host()) is joined
    assert not [step for step in world.kernel.journal if step.action is Action.DELETE and joined]
