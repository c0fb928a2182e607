"""Bridges of Docker's own are in the firewall's set ``others``, and in it is nothing else, whatever happens to them."""

import errno

import pytest
import trio
from core.tests.engine.conftest import NETWORK, World
from core.tests.engine.paper import Paper, registered

from linkwright.engine.observation import Drift
from linkwright.plan import Bridge, Element, Key, Link, Mark, Veth, Wishes

NAME = "br-0123456789ab"
DOCKERS = Link(NAME, Bridge())
CUSTOM = Link("dmz", Bridge())


def others(world: World) -> list[str]:
    """What the set holds."""
    return sorted(key[2] for key in world.host() if key[:2] == ("element", "others"))


def drifts(world: World) -> list[tuple[str, bool]]:
    """What was told of drift."""
    return [(told.kind, told.repaired) for told in world.told if isinstance(told, Drift)]


async def happen(world: World) -> None:
    """Have the events of what somebody did followed, as the service does."""
    keys: set[Key] = set()
    while True:
        try:
            keys |= world.kernel.events.receive_nowait().keys
        except trio.WouldBlock:
            break
    await world.engine.reconcile.touched(keys)


@pytest.mark.parametrize("name", ["docker0", "docker_gwbridge", NAME])
async def test_a_bridge_that_docker_makes_is_in_the_set_until_it_goes(world: World, name: str) -> None:
    """Told by the events of links, without a look at everything; and it is no drift, for nobody took anything away."""
    await world.load()

    world.kernel.foreign_create(Link(name, Bridge()))
    await happen(world)
    assert others(world) == [name]

    world.kernel.foreign_delete(("link", name))
    await happen(world)
    assert others(world) == []
    assert drifts(world) == []


@pytest.mark.parametrize(
    "link",
    [
        Link("dmz", Bridge()),
        Link("br-0123456789aB", Bridge()),
        Link("docker0", Veth("peer0")),
        Link(NAME, Bridge(), mark=Mark("blue", NETWORK)),
    ],
    ids=["a bridge of somebody's", "nearly its name", "no bridge", "another instance's"],
)
async def test_what_is_not_dockers_own_is_not(world: World, link: Link) -> None:
    """Cutting off a bridge of virtual machines, or one of ours, is worse than not knowing one of Docker's."""
    world.kernel.foreign_create(link)
    await world.load()
    await happen(world)
    assert others(world) == []


async def test_those_that_are_there_at_the_start_are_in_it_before_the_first_call(world: World) -> None:
    """And after a crash those that went meanwhile are out."""
    world.kernel.foreign_create(DOCKERS)
    world.kernel.state._put(Element("others", ("br-ffffffffffff",)))

    await world.load()

    assert others(world) == [NAME]


async def test_a_restart_changes_nothing(world: World) -> None:
    """The set stands while the daemon is away, and is not told of as drift when it is back."""
    world.kernel.foreign_create(DOCKERS)
    await world.load()
    steps = len(world.kernel.journal)
    world.told.clear()

    world.restart()
    await world.load()

    assert others(world) == [NAME]
    assert drifts(world) == []
    assert {step.resource.key for step in world.kernel.journal[steps:]} <= {("element", "others", NAME)}


async def test_a_flushed_firewall_has_them_again(world: World) -> None:
    """``nft flush ruleset`` opens the way from Docker's containers to ours for no longer than until it is seen."""
    world.kernel.foreign_create(DOCKERS)
    await world.load()
    world.told.clear()

    world.kernel.foreign_flush()
    await world.engine.reconcile.heal()

    assert others(world) == [NAME]
    assert ("element", True) in drifts(world)


async def test_an_element_that_nobody_knows_why_goes(world: World) -> None:
    """The set is ours alone: a bridge in it that is not Docker's would be cut off from its own."""
    await world.load()
    world.kernel.state._put(Element("others", ("virbr0",)))
    await world.engine.reconcile.heal()
    assert others(world) == []


async def test_plan_shows_it_and_does_nothing(world: World) -> None:
    """What would be added and what would be removed, apart from the networks' own."""
    await world.load()
    world.kernel.foreign_create(DOCKERS)
    world.kernel.state._put(Element("others", ("virbr0",)))

    report = await world.engine.reconcile.plan()

    steps = {(step.action.value, step.resource.key[2]) for step in report.host.steps}
    assert steps == {("create", NAME), ("delete", "virbr0")}
    assert (report.leftovers.steps, report.plans) == ((), {})
    assert others(world) == ["virbr0"]


async def test_what_the_kernel_refuses_is_told_and_tried_again(world: World) -> None:
    """A look goes on without it, and the next one has it."""
    await world.load()
    world.kernel.foreign_create(DOCKERS)
    world.kernel.fail_next(errno.EBUSY)
    await happen(world)
    assert (others(world), drifts(world)) == ([], [("element", False)])

    await world.engine.reconcile.heal()
    assert others(world) == [NAME]


async def test_bridges_that_the_operator_names_are_dockers(world: World) -> None:
    """For networks with a ``com.docker.network.bridge.name``; only what is named, and only bridges."""
    world.restart(docker_bridges=("dmz", "dmz1"))
    await world.load()
    for link in (CUSTOM, Link("dmz1", Veth("dmz2")), Link("lan", Bridge())):
        world.kernel.foreign_create(link)
    await happen(world)
    assert others(world) == ["dmz"]


async def test_bridges_that_the_witness_tells_of_are_dockers(world: World) -> None:
    """They are in the set as soon as Docker has told, and out when it tells of them no more."""
    world.restart(witnessed=True)
    world.kernel.foreign_create(CUSTOM)
    await world.load()
    assert others(world) == []

    await world.engine.others.learn(["dmz"])
    assert others(world) == ["dmz"]
    await world.engine.reconcile.heal()
    assert others(world) == ["dmz"]

    await world.engine.others.learn([])
    assert others(world) == []


async def test_until_the_witness_has_told_what_it_told_before_stands(world: World) -> None:
    """At a start Docker may be slow, or not there yet: its containers do not reach ours for that."""
    world.restart(witnessed=True)
    world.kernel.foreign_create(CUSTOM)
    await world.load()
    await world.engine.others.learn(["dmz"])

    world.restart(witnessed=True)
    await world.load()
    await world.engine.reconcile.heal()
    assert others(world) == ["dmz"]

    await world.engine.others.learn([])
    assert others(world) == []


class Adopting(Paper):
    """A driver whose networks stand on a bridge of the host's; it has its moods."""

    def __init__(self) -> None:
        """Be well."""
        super().__init__(network=self._network)
        self.well = True

    def _network(self, _: object) -> Wishes:
        if not self.well:
            raise ValueError("not today")
        return Wishes.of(Element("bridges", (NAME,)))


async def adopt(world: World) -> Adopting:
    """Have a network of ours on Docker's bridge."""
    driver = Adopting()
    world.drivers = [registered(driver)]
    world.restart()
    world.kernel.foreign_create(DOCKERS)
    await world.load()
    assert others(world) == [NAME]
    described = await world.engine.networks.described(
        "paper", NETWORK, subnets=(), ipv4=True, ipv6=False, internal=False, options={}
    )
    await world.engine.networks.create(described)
    return driver


async def test_a_bridge_that_a_network_of_ours_has_adopted_is_ours(world: World) -> None:
    """From the answer to CreateNetwork on, through looks and events, until the network has gone."""
    await adopt(world)
    assert others(world) == []
    await world.engine.reconcile.touched({("link", NAME)})
    await world.engine.reconcile.heal()
    assert others(world) == []

    await world.engine.networks.delete(NETWORK)
    assert others(world) == [NAME]


async def test_a_bridge_that_a_frozen_network_has_adopted_is_ours_too(world: World) -> None:
    """Its driver cannot say so; that the firewall knows it as a bridge of ours does."""
    driver = await adopt(world)
    driver.well = False
    world.restart()

    await world.load()
    await world.engine.reconcile.touched({("link", NAME)})

    assert world.engine.reconcile.frozen
    assert others(world) == []
