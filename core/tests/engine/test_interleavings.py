"""Requests and the reconciler at the same time: nothing is swept that is being made, nothing shared is taken away."""

from ipaddress import ip_interface

import pytest
import trio
from core.tests.engine.conftest import ENDPOINT, NETWORK, SANDBOX, World
from core.tests.engine.paper import Paper, registered
from core.tests.engine.stubborn import refuse

from linkwright import sdk
from linkwright.engine.observation import Drift
from linkwright.errors import Unavailable
from linkwright.model import StoredNetwork
from linkwright.plan import Action, Bridge, Element, Link, Mark, Sysctl, Wishes

OTHER = "ef" * 32


async def paper_network(world: World, network: str = NETWORK) -> StoredNetwork:
    """CreateNetwork of the driver on paper."""
    described = await world.engine.networks.described(
        "paper", network, subnets=(), ipv4=True, ipv6=False, internal=False, options={}
    )
    await world.engine.networks.create(described)
    return described


def on_paper(world: World, driver: Paper) -> World:
    """Let *driver* be the only one."""
    world.drivers = [registered(driver)]
    world.restart()
    return world


ELEMENT = Element("bridges", ("br-of-a-stranger",))


@pytest.mark.parametrize("moment", [0.5, 1.5])
async def test_what_a_request_is_making_is_not_swept(world: World, moment: float, autojump_clock: object) -> None:
    """The kernel has it, the store not yet: a look at everything that moment leaves it alone.

    An element names no network, so no network's lock can tell that it is being made.
    """
    world.store = type(world.store)(delay=1.0)
    on_paper(world, Paper(network=lambda _: Wishes.of(ELEMENT)))
    world.kernel.delay = 1.0

    async with trio.open_nursery() as nursery:
        nursery.start_soon(paper_network, world)
        await trio.sleep(moment)
        await world.engine.reconcile.heal()

    assert ELEMENT.key in world.host()
    assert not [told for told in world.told if isinstance(told, Drift)]


async def test_a_leftover_is_swept_while_its_network_and_others_are_busy(world: World, autojump_clock: object) -> None:
    """On a host that always starts some container, "nobody is at work" never comes."""
    await world.network()
    await world.network(OTHER, "10.2.0.0/24")
    before = world.host()
    for network in (NETWORK, OTHER):
        world.kernel.foreign_create(
            Link(f"lwh{network[:8]}", Bridge(), mtu=1500, mark=Mark("default", network, "00" * 32))
        )
    world.kernel.delay = 1.0

    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.endpoint)
        await trio.sleep(0.5)
        world.kernel.delay = 0.0
        await world.engine.reconcile.heal()
        nursery.cancel_scope.cancel()

    assert before == world.host()


async def test_one_leftover_that_will_not_go_does_not_keep_the_others(world: World) -> None:
    """Each is a matter of its own; what failed is told and tried again at the next look."""
    await world.network()
    before = world.host()
    for digit in "123":
        leftover = Link(f"lwh{digit * 12}", Bridge(), mtu=1500, mark=Mark("default", NETWORK, digit * 64))
        world.kernel.foreign_create(leftover)

    refuse(world.kernel, ("link", "lwh222222222222"))
    await world.engine.reconcile.heal()
    left = {key for key in world.host() if key not in before}
    refuse(world.kernel)
    await world.engine.reconcile.heal()

    assert left == {("link", "lwh222222222222")}
    assert before == world.host()


async def test_deleting_one_network_leaves_what_another_is_just_making(world: World, autojump_clock: object) -> None:
    """Two networks want the same element; one goes while the other comes, and the element stays."""
    world.store = type(world.store)(delay=1.0)
    on_paper(world, Paper(network=lambda _: Wishes.of(ELEMENT)))
    await paper_network(world)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(paper_network, world, OTHER)
        await trio.sleep(0.5)
        nursery.start_soon(world.engine.networks.delete, NETWORK)

    assert ELEMENT.key in world.host()


async def test_a_network_made_while_the_other_holder_of_an_element_goes_has_it(
    world: World, autojump_clock: object
) -> None:
    """The kernel is taking the element away for one network when another asks for it: it is made again."""
    on_paper(world, Paper(endpoint=lambda _, __: Wishes.of(ELEMENT)))
    for network in (NETWORK, OTHER):
        await paper_network(world, network)
    endpoints = world.engine.endpoints
    address = ip_interface("10.1.0.2/24")
    first, second = (
        endpoints.described(network, identifier, ipv4=address, ipv6=None, mac=None)  # type: ignore[arg-type]
        for network, identifier in ((NETWORK, ENDPOINT), (OTHER, "01" * 32))
    )
    await endpoints.create(first)
    world.kernel.delay = 1.0

    async with trio.open_nursery() as nursery:
        nursery.start_soon(endpoints.delete, NETWORK, ENDPOINT)
        await trio.sleep(0.5)
        await endpoints.create(second)

    assert ELEMENT.key in world.host()


async def test_a_network_deleted_during_a_look_stays_deleted(world: World, autojump_clock: object) -> None:
    """The look has a snapshot in which the network is half gone; it looks again under the lock, and finds no wish."""
    await world.network()
    world.kernel.foreign_delete(("link", "lwbabababababab"))
    world.kernel.delay = 1.0

    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.engine.networks.delete, NETWORK)
        await trio.sleep(0.5)
        await world.engine.reconcile.heal()

    assert {("link", "lo")} == set(world.host())
    assert len(world.engine.networks.locks) == 0


async def test_an_endpoint_asked_for_while_its_network_goes_is_refused_and_leaves_nothing(
    world: World, autojump_clock: object
) -> None:
    """Whoever has the lock first decides; the endpoint never stands without its network."""
    await world.network()
    world.kernel.delay = 1.0

    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.engine.networks.delete, NETWORK)
        await trio.sleep(0.5)
        with pytest.raises(sdk.Refused, match="not known"):
            await world.endpoint()

    assert {("link", "lo")} == set(world.host())
    assert not await world.stored()


async def test_ten_thousand_events_are_one_look(world: World, autojump_clock: object) -> None:
    """A flood of events costs as many looks as there are pauses to gather them in, not as many as there are events."""
    await world.network()
    looks = 0
    observe = world.kernel.observe

    async def counted(keys: object) -> object:
        nonlocal looks
        looks += 1
        return await observe(keys)  # type: ignore[arg-type]

    world.kernel.observe = counted  # type: ignore[assignment, method-assign]
    bridge = world.kernel.get(("link", "lwbabababababab"))
    assert isinstance(bridge, Link)
    async with trio.open_nursery() as nursery:
        for number in range(10_000):
            world.kernel._tell("newlink", ("link", "lwbabababababab"), ("link", f"veth{number}"))
        nursery.start_soon(world.engine.reconcile.run, world.kernel.events)
        await trio.sleep(5)
        nursery.cancel_scope.cancel()

    assert 1 <= looks <= 3


async def test_a_link_that_docker_has_is_left_as_docker_has_it(world: World) -> None:
    """After Join the lent link is Docker's: renamed, down, moved or back on the host, it is not put right."""
    link = Link("lwpaper", Bridge(), mtu=1400, lent=True)
    on_paper(world, Paper(endpoint=lambda _, __: Wishes.of(link)))
    await paper_network(world)
    endpoints = world.engine.endpoints
    four = ip_interface("10.1.0.2/24")
    await endpoints.create(endpoints.described(NETWORK, ENDPOINT, ipv4=four, ipv6=None, mac=None))  # type: ignore[arg-type]
    await world.join()
    world.kernel.lend("lwpaper", SANDBOX)
    world.kernel.give_back("lwpaper")
    returned = world.kernel.get(link.key)

    await world.engine.reconcile.heal()
    await world.engine.reconcile.touched([link.key])
    await endpoints.leave(NETWORK, ENDPOINT)
    await world.engine.reconcile.heal()

    assert returned == world.kernel.get(link.key)
    assert isinstance(returned, Link)
    assert not returned.up
    assert not [told for told in world.told if isinstance(told, Drift)]


async def test_a_strangers_link_of_our_name_is_reported_and_left_alone(world: World) -> None:
    """Our bridge was deleted and somebody else's has its name: a look changes nothing of it, and puts nothing on it."""
    await world.network()
    world.kernel.foreign_delete(("link", "lwbabababababab"))
    world.kernel.foreign_create(Link("lwbabababababab", Bridge(), mtu=1400, mac=sdk.Mac.parse("02:00:00:00:00:07")))
    theirs = world.kernel.get(("link", "lwbabababababab"))

    report = await world.engine.reconcile.heal()
    await world.engine.reconcile.touched([("link", "lwbabababababab")])

    assert theirs == world.kernel.get(("link", "lwbabababababab"))
    assert ("address", "lwbabababababab", "10.1.0.1/24") not in world.host()
    assert ["lwbabababababab" in text and "not linkwright's" in text for text in report.reported] == [True]


async def test_a_mark_that_somebody_wiped_is_put_back(world: World) -> None:
    """The link has the hardware address that only ours has: it is ours, and says so again."""
    await world.network()
    before = world.host()
    bridge = world.kernel.get(("link", "lwbabababababab"))
    assert isinstance(bridge, Link)
    world.kernel.state.resources[bridge.key] = Link(
        bridge.name, bridge.kind, mtu=bridge.mtu, mac=bridge.mac, master="", up=True, mark=None
    )

    await world.engine.reconcile.heal()

    assert before == world.host()


async def test_a_repair_that_fails_in_one_endpoint_does_not_keep_the_network_down(world: World) -> None:
    """After a reboot the bridge is back, and the other endpoints too, though the kernel refuses one of them."""
    await world.network()
    for digit in "123":
        await world.endpoint(digit * 64, f"10.1.0.{digit}7/24")
    before = world.host()
    for digit in "123":
        world.kernel.foreign_delete(("link", f"lwh{digit * 12}"))
    world.kernel.foreign_delete(("link", "lwbabababababab"))

    refuse(world.kernel, ("link", "lwh222222222222"))
    await world.engine.reconcile.heal()

    missing = {key for key in before if key not in world.host()}
    assert missing == {("link", "lwh222222222222"), ("link", "lwc222222222222")}
    assert [told for told in world.told if isinstance(told, Drift) and told.kind == "kernel"]


async def test_a_setting_of_the_host_is_as_before_when_a_call_fails(world: World) -> None:
    """What an endpoint set below /proc/sys is set back when the store does not take the endpoint."""
    setting = Sysctl("net/ipv4/conf/all/route_localnet", "1")
    on_paper(world, Paper(endpoint=lambda _, __: Wishes.of(setting)))
    await paper_network(world)
    four = ip_interface("10.1.0.2/24")
    endpoints = world.engine.endpoints
    endpoint = endpoints.described(NETWORK, ENDPOINT, ipv4=four, ipv6=None, mac=None)  # type: ignore[arg-type]

    world.store.fail_next()
    with pytest.raises(Unavailable):
        await endpoints.create(endpoint)
    assert world.kernel.state.read_sysctl(setting.path) == "0"

    await endpoints.create(endpoint)
    assert world.kernel.state.read_sysctl(setting.path) == "1"


async def test_an_endpoint_may_borrow_what_the_host_has(world: World) -> None:
    """A borrowed link or setting is looked for before it is said to be missing."""
    world.kernel.foreign_create(Link("eth9", Bridge(), mtu=1500))
    borrowed = Link("eth9", up=None, hold=sdk.Hold.BORROW)
    forwarding = Sysctl("net/ipv4/ip_forward", "1", hold=sdk.Hold.BORROW)
    on_paper(world, Paper(endpoint=lambda _, __: Wishes.of(borrowed, forwarding)))
    await paper_network(world)
    before, journal = world.host(), len(world.kernel.journal)
    endpoints = world.engine.endpoints
    four = ip_interface("10.1.0.2/24")

    await endpoints.create(endpoints.described(NETWORK, ENDPOINT, ipv4=four, ipv6=None, mac=None))  # type: ignore[arg-type]

    assert before == world.host()
    assert not [step for step in world.kernel.journal[journal:] if step.action is not Action.CHANGE]
