"""What is chosen for a network: taken before its driver is asked for wishes, kept in its record, given back once."""

from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
import trio
from attrs import define, evolve, field
from core.tests.engine.conftest import World
from core.tests.engine.paper import Paper, registered

from linkwright import sdk
from linkwright.engine.observation import Drift
from linkwright.errors import Conflict, DriverFault, LinkwrightError, Refused, Unavailable
from linkwright.model import StoredNetwork, Subnet

NETWORK = "ab" * 32
FOUR, SIX = Subnet(ip_network("10.1.0.0/24")), Subnet(ip_network("fd00:1::/64"))
BRIDGE = sdk.Link("lwpaper", sdk.Bridge())


class Claimant(Paper):
    """A driver on paper that claims what it was told to."""

    def __init__(self, *claims: Any, admits: bool = True) -> None:
        super().__init__(network=self._wishes)
        self.to_claim, self.admits = claims, admits
        self.seen: list[Mapping[str, str]] = []

    def _wishes(self, network: sdk.Network[Any]) -> sdk.Wishes:
        self.seen.append(network.claims)
        return sdk.Wishes.of(BRIDGE)

    def admit(self, network: sdk.Network[Any], others: object, host: object) -> None:  # noqa: ARG002 - the core's
        """Refuse, if it was told to."""
        if not self.admits:
            raise sdk.Conflict("not beside those")

    def claims(self, network: sdk.Network[Any]) -> Any:  # noqa: ARG002 - the core's
        """What was handed in."""
        return self.to_claim


@define
class Shelf:
    """An allocator that has what it was given, and remembers who holds it."""

    free: list[str]
    held: dict[str, str] = field(factory=dict)
    broken: LinkwrightError | None = None
    slow: float = 0.0

    async def take(self, network: StoredNetwork, claim: sdk.Claim) -> str:
        """Give the next one, or the one asked for."""
        await trio.sleep(self.slow)
        if not self.free:
            raise Refused("the shelf is empty")
        text = str(claim.address or self.free[0])
        self.free.remove(text)
        self.held[text] = network.id
        return text

    async def give_back(self, network: StoredNetwork, claims: Mapping[str, str]) -> None:
        """Take them back."""
        if self.broken is not None:
            raise self.broken
        await trio.lowlevel.checkpoint()
        for text in claims.values():
            assert self.held.pop(text) == network.id
            self.free.append(text)


FIRST = sdk.AddressClaim("first", FOUR)
CHOSEN = sdk.AddressClaim("chosen", SIX, ip_address("fd00:1::7"))
FIRST_AGAIN = evolve(FIRST, name="second")


def equipped(world: World, driver: Claimant, shelf: Shelf) -> Shelf:
    """Give *world* a daemon with *driver* and *shelf*."""
    world.drivers[:] = [registered(driver)]
    world.restart(allocator=shelf)
    return shelf


async def make(world: World, network: str = NETWORK) -> StoredNetwork:
    """CreateNetwork; the network as it is known then."""
    described = await world.engine.networks.described(
        "paper", network, subnets=(FOUR, SIX), ipv4=True, ipv6=True, internal=False, options={}
    )
    await world.engine.networks.create(described)
    return world.engine.state.networks[network]


def a_shelf() -> Shelf:
    """One with two addresses."""
    return Shelf(["10.1.0.9", "fd00:1::7"])


async def test_what_is_claimed_is_there_when_wishes_are_asked_for_and_stays(world: World) -> None:
    """Also after a restart, which takes nothing anew; and it is given back when the network is gone."""
    driver = Claimant(FIRST, CHOSEN)
    shelf = equipped(world, driver, a_shelf())
    claims = {"first": "10.1.0.9", "chosen": "fd00:1::7"}
    assert (await make(world)).claims == claims
    assert driver.seen == [claims]
    assert (await world.store.load()).networks[0].claims == claims
    world.restart(allocator=shelf)
    await world.load()
    assert driver.seen == [claims, claims]
    assert shelf.free == []
    await world.engine.networks.delete(NETWORK)
    assert (sorted(shelf.free), shelf.held) == (["10.1.0.9", "fd00:1::7"], {})


async def test_the_same_network_asked_for_again_claims_nothing_more(world: World) -> None:
    """Docker asks again when it did not hear the answer."""
    shelf = equipped(world, Claimant(FIRST), a_shelf())
    assert await make(world) == await make(world)
    assert shelf.free == ["fd00:1::7"]


@pytest.mark.parametrize("why", ["not admitted", "the second is not to be had", "kernel", "store", "nonsense"])
async def test_a_network_that_is_not_made_holds_nothing(world: World, why: str) -> None:
    """Whatever it fails at; one that is refused beside others has not even asked."""
    driver = Claimant(FIRST, CHOSEN, admits=why != "not admitted")
    shelf = equipped(world, driver, a_shelf())
    error: type[LinkwrightError] = Refused
    if why == "not admitted":
        error = Conflict
    elif why == "the second is not to be had":
        shelf.free[:] = ["10.1.0.9"]
        driver.to_claim = (FIRST, FIRST_AGAIN)
    elif why == "kernel":
        world.kernel.fail_next()
        error = LinkwrightError
    elif why == "store":
        world.store.fail_next()
        error = Unavailable
    else:
        driver.to_claim = ("an address, please",)
        error = DriverFault
    free = list(shelf.free)
    before = world.host()
    with pytest.raises(error):
        await make(world)
    assert (shelf.free, shelf.held, world.host()) == (free, {}, before)


async def test_a_caller_that_goes_away_meanwhile_leaves_nothing_held(world: World, autojump_clock: object) -> None:
    """Docker's deadline, or a closed connection."""
    shelf = equipped(world, Claimant(FIRST, CHOSEN), evolve(a_shelf(), slow=1.0))
    with trio.move_on_after(1.5):
        await make(world)
    assert (sorted(shelf.free), shelf.held) == (["10.1.0.9", "fd00:1::7"], {})


async def test_what_cannot_be_given_back_is_told_and_the_network_is_gone_all_the_same(world: World) -> None:
    """Docker would not ask again."""
    shelf = equipped(world, Claimant(FIRST), a_shelf())
    await make(world)
    shelf.broken = Unavailable("the disk is full")
    await world.engine.networks.delete(NETWORK)
    assert world.engine.state.networks == {}
    assert world.told[-1] == Drift(
        "claim",
        repaired=False,
        text="first 10.1.0.9 of network abababababab could not be given back: the disk is full",
        network=NETWORK,
    )


async def test_without_an_allocator_the_refusal_says_what_was_not_to_be_had(world: World) -> None:
    """A daemon that gives out no addresses."""
    world.drivers[:] = [registered(Claimant(FIRST))]
    world.restart()
    with pytest.raises(Refused, match=r"no address of 10\.1\.0\.0/24 can be had for network abababababab here"):
        await make(world)


@pytest.mark.parametrize(
    ("claims", "text"),
    [
        (["first"], "claims are a tuple of Claim"),
        ((FIRST, FIRST), "each needs a name of its own"),
        ((evolve(FIRST, name=""),), "each needs a name of its own"),
        ((evolve(FIRST, address=ip_address("10.2.0.1")),), "which does not lie in 10.1.0.0/24"),
    ],
)
async def test_a_claim_that_makes_no_sense_is_the_drivers_fault(world: World, claims: Any, text: str) -> None:
    """It is named, with its package."""
    driver = Claimant()
    equipped(world, driver, a_shelf())
    driver.to_claim = claims
    with pytest.raises(DriverFault, match=r"driver paper of linkwright-paper 1\.2 broke its contract") as caught:
        await make(world)
    assert text in str(caught.value)
