"""What is borrowed of the host is left exactly as found: over restarts, crashes and whoever else borrows it."""

import errno
from collections.abc import Callable
from ipaddress import ip_interface

import pytest
import trio
from attrs import evolve
from core.tests.engine.conftest import NETWORK, World
from core.tests.engine.paper import Paper, registered
from core.tests.engine.stubborn import refuse

from linkwright.engine.observation import Drift
from linkwright.engine.registry import register
from linkwright.errors import KernelError, Unavailable
from linkwright.model.change import Drop
from linkwright.plan import Address, Bridge, Hold, Key, Link, Macvlan, Resource, Sysctl, Veth, Wishes
from linkwright_bridge import Bridge as BridgeDriver

OTHER = "ef" * 32
BRIDGE, ACCEPT_RA = ("link", "br0"), "net/ipv6/conf/br0/accept_ra"
THEIRS = ip_interface("192.0.2.1/24")
FOUND = Link("br0", Bridge(), mtu=9000, up=False)
ADOPTED: tuple[Resource, ...] = (
    Link("br0", Bridge(), mtu=1400, up=True, hold=Hold.BORROW),
    Address("br0", ip_interface("10.1.0.1/24")),
    Sysctl(ACCEPT_RA, "0", before_up="br0"),
)


class Borrowing(Paper):
    """A driver whose networks wish for what the test says."""

    def __init__(self, *wishes: Resource) -> None:
        """Wish for *wishes*."""
        super().__init__(network=lambda _: self._answer())
        self.wishes = wishes
        self.well = True

    def _answer(self) -> Wishes:
        if not self.well:
            raise ValueError("not today")
        return Wishes.of(*self.wishes)


@pytest.fixture
def driver(world: World) -> Borrowing:
    """Such a driver, on a host with a bridge of its own that has an address."""
    driver = Borrowing(*ADOPTED)
    world.drivers = [registered(driver)]
    world.restart()
    appear(world, FOUND)
    world.kernel.foreign_create(Address("br0", THEIRS))
    return driver


def appear(world: World, link: Link) -> None:
    """Somebody makes *link*."""
    world.kernel.foreign_create(link)
    world.kernel.state.sysctls[f"net/ipv6/conf/{link.name}/accept_ra"] = "2"


async def make(world: World, network: str = NETWORK) -> None:
    """CreateNetwork."""
    described = await world.engine.networks.described(
        "paper", network, subnets=(), ipv4=True, ipv6=False, internal=False, options={}
    )
    await world.engine.networks.create(described)


def now(world: World) -> dict[Key, Resource | None]:
    """The bridge, all that lies on it, and the setting."""
    lying = {key: value for key, value in world.host().items() if key == BRIDGE or key[:2] == ("address", "br0")}
    return {**lying, ("sysctl", ACCEPT_RA): world.kernel.get(("sysctl", ACCEPT_RA))}


def link(world: World) -> Link:
    """The bridge."""
    found = world.host()[BRIDGE]
    assert isinstance(found, Link)
    return found


async def kept(world: World) -> dict[str, dict[str, str]]:
    """What the store has of it."""
    return {record.key: dict(record.attributes) for record in (await world.store.load()).found}


async def test_b_08_an_adopted_bridge_is_left_exactly_as_found(world: World, driver: Borrowing) -> None:
    """Attributes and settings that we changed are put back, our address goes; its own address stays all the time."""
    before = now(world)

    await make(world)
    assert (link(world).mtu, link(world).up) == (1400, True)
    assert world.kernel.get(("sysctl", ACCEPT_RA)) == Sysctl(ACCEPT_RA, "0")
    assert await kept(world) == {
        "link br0": {"mtu": "9000", "up": "false"},
        f"sysctl {ACCEPT_RA}": {"value": "2"},
    }
    await world.engine.networks.delete(NETWORK)

    assert before == now(world)
    assert await kept(world) == {}


async def test_b_08_it_is_left_as_found_after_a_restart_as_well(world: World, driver: Borrowing) -> None:
    """What it was is read from the store, not from the host as we have made it."""
    before = now(world)
    await make(world)

    world.restart()
    await world.load()
    await world.engine.networks.delete(NETWORK)

    assert before == now(world)
    assert await kept(world) == {}


async def test_what_it_was_is_durable_before_it_is_changed(world: World, driver: Borrowing) -> None:
    """A disk that does not take it: the host is as it was, and so it is where the kernel refuses."""
    before = now(world)
    for call in (1, 2):  # what it was, and the network
        world.store._fail_on.add(world.store._calls + call)
        with pytest.raises(Unavailable):
            await make(world)
        assert (before, await kept(world)) == (now(world), {})

    world.kernel.fail_next(errno.EPERM, step=2)
    with pytest.raises(KernelError):
        await make(world)
    assert (before, await kept(world)) == (now(world), {})


async def test_b_08_a_crash_before_the_network_is_stored_leaves_it_as_found(world: World, driver: Borrowing) -> None:
    """The next start finds a record that nobody's wish stands behind, and puts back what it says."""
    before = now(world)
    await make(world)
    contents = await world.store.load()
    await world.store.commit([Drop(network) for network in contents.networks])

    world.restart()
    await world.load()

    assert before == now(world)
    assert await kept(world) == {}


async def test_two_networks_on_one_link_and_it_is_put_back_with_the_last(world: World, driver: Borrowing) -> None:
    """The second one found it as the first one had made it; that is not what is put back."""
    before = now(world)
    await make(world)
    driver.wishes = (*ADOPTED, Sysctl("net/ipv6/conf/br0/autoconf", "0"))
    await make(world, OTHER)

    await world.engine.networks.delete(NETWORK)
    assert (link(world).mtu, link(world).up) == (1400, True)
    await world.engine.networks.delete(OTHER)

    assert before == now(world)
    assert world.kernel.get(("sysctl", "net/ipv6/conf/br0/autoconf")) == Sysctl("net/ipv6/conf/br0/autoconf", "1")
    assert await kept(world) == {}


@pytest.mark.parametrize("ticks", range(30))
async def test_a_network_that_comes_while_the_last_one_goes_takes_nothing_from_what_it_was(
    world: World, driver: Borrowing, ticks: int
) -> None:
    """Whenever it comes: it finds the link as it was, or knows what it was, and never ours as the host's own."""
    before = now(world)
    await make(world)

    async def come() -> None:
        for _ in range(ticks):
            await trio.lowlevel.checkpoint()
        await make(world, OTHER)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.engine.networks.delete, NETWORK)
        nursery.start_soon(come)
    assert (link(world).mtu, link(world).up) == (1400, True)
    await world.engine.networks.delete(OTHER)

    assert before == now(world)
    assert await kept(world) == {}


async def test_what_the_host_is_under_another_boot_is_found_anew(world: World, driver: Borrowing) -> None:
    """The administrator's configuration may say otherwise by then: that is what is put back."""
    await make(world)
    world.kernel.boot = "another boot"
    world.kernel.foreign_delete(BRIDGE)
    appear(world, evolve(FOUND, mtu=4000, up=True))
    before = link(world)

    world.restart()
    await world.load()
    assert link(world).mtu == 1400
    assert (await kept(world))["link br0"] == {"mtu": "4000", "up": "true"}
    await world.engine.networks.delete(NETWORK)

    assert before == link(world)


async def test_nothing_of_another_boot_is_put_back(world: World, driver: Borrowing) -> None:
    """The network went, and the kernel refused to put the link back; then the host was started anew."""
    await make(world)
    refuse(world.kernel, BRIDGE)
    await world.engine.networks.delete(NETWORK)
    assert await kept(world)

    refuse(world.kernel)
    world.kernel.boot = "another boot"
    world.restart()
    await world.load()

    assert link(world).mtu == 1400
    assert await kept(world) == {}


async def test_a_link_that_was_unplugged_is_found_anew_when_it_is_back(world: World, driver: Borrowing) -> None:
    """While it is missing that is reported; there is nothing to put back, and a link of that name is another one."""
    await make(world)
    world.kernel.foreign_delete(BRIDGE)
    report = await world.engine.reconcile.heal()
    assert any("there is no link 'br0'" in text for text in report.reported)

    appear(world, evolve(FOUND, mtu=2000))
    await world.engine.reconcile.heal()
    assert link(world).mtu == 1400
    await world.engine.networks.delete(NETWORK)

    assert (link(world).mtu, link(world).up) == (2000, False)


async def test_a_disk_that_takes_nothing_keeps_a_link_from_being_changed_and_nothing_else(
    world: World, driver: Borrowing
) -> None:
    """What a link is that came back cannot be noted: it stays as it is until it can, and other networks are healed."""
    await make(world)
    world.drivers = [*world.drivers, register("bridge", BridgeDriver)]
    world.restart()
    await world.load()
    await world.network(OTHER, "10.2.0.0/24")
    world.kernel.foreign_delete(BRIDGE)
    await world.engine.reconcile.heal()
    appear(world, evolve(FOUND, mtu=2000))
    world.kernel.foreign_delete(("link", "lwbefefefefefef"))
    world.store.fail_next(count=9)

    await world.engine.reconcile.heal()
    assert link(world).mtu == 2000
    assert ("link", "lwbefefefefefef") in world.host()

    world.store._fail_on.clear()
    await world.engine.reconcile.heal()
    assert link(world).mtu == 1400


async def test_a_network_goes_although_its_parent_link_has_gone_before(world: World, driver: Borrowing) -> None:
    """An unplugged card is no reason to keep a network, or a record of what it was."""
    await make(world)
    world.kernel.foreign_delete(BRIDGE)

    await world.engine.networks.delete(NETWORK)

    assert await world.stored() == []
    assert await kept(world) == {}


async def test_what_the_kernel_will_not_put_back_is_told_and_tried_again(world: World, driver: Borrowing) -> None:
    """Docker is told that the network is gone; the link follows when it can."""
    before = now(world)
    await make(world)
    refuse(world.kernel, BRIDGE)
    await world.engine.networks.delete(NETWORK)
    assert [told.text for told in world.told if isinstance(told, Drift) and "as it was found" in told.text]
    assert link(world).mtu == 1400

    refuse(world.kernel)
    await world.engine.reconcile.heal()

    assert before == now(world)
    assert await kept(world) == {}


async def test_a_frozen_network_keeps_what_it_borrowed_as_it_is(world: World, driver: Borrowing) -> None:
    """Its driver cannot say that it wishes for it no more, so nothing is put back under a living container."""
    before = now(world)
    await make(world)
    driver.well = False
    world.restart()
    await world.load()
    assert link(world).mtu == 1400

    driver.well = True
    await world.engine.reconcile.heal()
    await world.engine.networks.delete(NETWORK)
    assert before == now(world)


async def test_what_a_new_version_wishes_for_no_more_goes_back_at_once(world: World, driver: Borrowing) -> None:
    """The link stays borrowed, and one attribute of it is nobody's wish any more."""
    await make(world)
    driver.wishes = (Link("br0", Bridge(), up=True, hold=Hold.BORROW), *ADOPTED[1:])

    world.restart()
    await world.load()

    assert (link(world).mtu, link(world).up) == (9000, True)


PARENT = Link("eth0", Veth("peer0"), mtu=1500, up=False)

#: What a driver may wish of a parent, and of the parent what is kept then.
PARENTS: list[tuple[Callable[[], Resource], dict[str, str] | None]] = [
    (lambda: Link("eth0", up=None, hold=Hold.BORROW), None),
    (lambda: Link("eth0", up=True, hold=Hold.BORROW), {"up": "false"}),
    (lambda: Link("eth0", up=None, mtu=9000, hold=Hold.BORROW), {"mtu": "1500"}),
]


@pytest.mark.parametrize(("wish", "expected"), PARENTS)
async def test_of_a_parent_link_only_what_we_may_change_is_kept(
    world: World, driver: Borrowing, wish: Callable[[], Resource], expected: dict[str, str] | None
) -> None:
    """A parent that is only stood upon is left alone from beginning to end, whatever the administrator does to it."""
    world.kernel.foreign_create(PARENT)
    before = world.host()[PARENT.key]
    driver.wishes = (wish(), Link("lwm0", Macvlan("eth0")))
    await make(world)
    assert (await kept(world)).get("link eth0") == expected

    await world.engine.networks.delete(NETWORK)
    assert before == world.host()[PARENT.key]


async def test_two_parents_are_two_records(world: World, driver: Borrowing) -> None:
    """The one goes back when its network does, the other stays."""
    world.kernel.foreign_create(PARENT)
    await make(world)
    driver.wishes = (Link("eth0", up=True, hold=Hold.BORROW),)
    await make(world, OTHER)
    await world.engine.networks.delete(NETWORK)

    assert await kept(world) == {"link eth0": {"up": "false"}}


async def test_a_setting_of_a_link_of_ours_is_what_it_was_when_nobody_wishes_for_it(
    world: World, driver: Borrowing
) -> None:
    """Two endpoints need it on the network's bridge, which stays: with the second of them it goes back."""
    path = "net/ipv4/conf/lwb1/route_localnet"
    driver.wishes = (Link("lwb1", Bridge()),)
    driver.answers["endpoint"] = lambda _, __: Wishes.of(Sysctl(path, "1", otherwise="0"))
    await make(world)
    for number in (2, 3):
        await world.endpoint(f"{number}" * 64, f"10.1.0.{number}/24")

    def value() -> str:
        found = world.kernel.get(("sysctl", path))
        assert isinstance(found, Sysctl)
        return found.value

    await world.engine.endpoints.delete(NETWORK, "2" * 64)
    assert value() == "1"
    await world.engine.endpoints.delete(NETWORK, "3" * 64)
    assert value() == "0"
    assert await kept(world) == {}
