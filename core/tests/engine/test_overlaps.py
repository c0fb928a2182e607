"""Two networks on one subnet: refused where the host would know the way to one of them only, and else nobody's matter.

What is in the way and has been given back goes first (I-19).
"""

from collections.abc import Callable
from ipaddress import ip_interface, ip_network
from typing import Any

import pytest
import trio
from attrs import evolve
from core.tests.engine.conftest import ENDPOINT, NETWORK, World
from core.tests.engine.paper import Paper, registered

from linkwright import sdk
from linkwright.engine.observation import Collected
from linkwright.errors import Conflict
from linkwright.model import StoredNetwork, Subnet
from linkwright.plan import Wishes

OTHER = "ef" * 32
POOL = "10.1.0.0/24"


class Docker:
    """How many requests Docker holds for a subnet; None where another allocator does."""

    def __init__(self, requests: int | None) -> None:
        """Hold that many of every subnet."""
        self.requests = requests

    def references(self) -> Callable[[Subnet], int | None]:
        """Take stock."""
        return lambda _: self.requests


def network(world: World, network_id: str, pool: str = POOL, space: str = "test", driver: str = "bridge") -> Any:
    """CreateNetwork of a subnet in *space*."""
    prefix = ip_network(pool)
    subnet = Subnet(prefix, ip_interface(f"{prefix[1]}/{prefix.prefixlen}"), space=space)

    async def create() -> StoredNetwork:
        described = await world.engine.networks.described(
            driver, network_id, subnets=(subnet,), ipv4=True, ipv6=False, internal=False, options={}
        )
        await world.engine.networks.create(described)
        return described

    return create()


def gateways(network: sdk.Network[Any]) -> Wishes:
    """A bridge with the gateway's addresses, as many a driver has it."""
    name = sdk.link_name("p", network.id)
    gateways = (subnet.gateway for subnet in network.subnets)
    return Wishes.of(sdk.Link(name, sdk.Bridge()), *(sdk.Address(name, one) for one in gateways if one is not None))


@pytest.mark.parametrize("pool", [POOL, "10.1.0.128/25", "10.0.0.0/8"])
async def test_another_drivers_network_on_a_subnet_is_refused_with_the_first_ones_name(world: World, pool: str) -> None:
    """The host has one route to it, and no driver sees the other's networks. Nothing is changed."""
    world.drivers = [*world.drivers, registered(Paper(network=gateways))]
    world.restart()
    first = await network(world, NETWORK)
    before = world.host()

    with pytest.raises(Conflict, match=f"overlaps 10.1.0.0/24 of network {NETWORK[:12]}.*Choose another subnet"):
        await network(world, OTHER, pool, driver="paper")
    with pytest.raises(Conflict, match=r"overlaps 10\.1\.0\.0/24"):
        await world.engine.networks.plan(evolve(first, id=OTHER, driver="paper"))

    assert before == world.host()
    assert set(world.engine.state.networks) == {NETWORK}


async def test_another_address_space_makes_no_second_route(world: World) -> None:
    """Spaces keep leases apart; the host's routing table is one."""
    world.drivers = [registered(Paper(network=gateways))]
    world.restart()
    await network(world, NETWORK, driver="paper")
    with pytest.raises(Conflict):
        await network(world, OTHER, space="blue", driver="paper")


async def test_m_12_networks_in_which_the_host_has_no_address_may_share_a_subnet(world: World) -> None:
    """As macvlan does on two parents: which container has which address is the address space's matter."""
    world.drivers = [*world.drivers, registered(Paper(network=lambda _: Wishes()))]
    world.restart()
    await network(world, NETWORK)

    for number in range(3):
        await network(world, f"{number}" * 64, driver="paper")

    assert len(world.engine.state.networks) == 4


async def test_link_local_gateways_are_of_their_link_alone(world: World) -> None:
    """Every bridge may have fe80::1."""

    def wishes(network: sdk.Network[Any]) -> Wishes:
        name = sdk.link_name("b", network.id)
        return Wishes.of(sdk.Link(name, sdk.Bridge()), sdk.Address(name, ip_interface("fe80::1/64")))

    world.drivers = [registered(Paper(network=wishes))]
    world.restart()
    await network(world, NETWORK, driver="paper")
    await network(world, OTHER, driver="paper")
    assert len(world.engine.state.networks) == 2


async def test_i_19_a_network_whose_pool_was_given_back_goes_first(world: World) -> None:
    """``docker network rm`` and create again, fifty times: the old DeleteNetwork comes after the new CreateNetwork."""
    docker = Docker(1)
    world.restart(references=docker.references)
    old = NETWORK
    await network(world, old)
    for number in range(50):
        new = f"{number:064x}"
        await network(world, new)
        await world.engine.networks.delete(old)
        assert list(world.engine.state.networks) == [new]
        old = new
    assert len([told for told in world.told if isinstance(told, Collected)]) == 50


async def test_a_network_whose_pool_docker_still_holds_is_not_evicted(world: World) -> None:
    """Two references, two networks: the second one is refused, and the first one serves on."""
    world.restart(references=Docker(2).references)
    await network(world, NETWORK)
    with pytest.raises(Conflict):
        await network(world, OTHER)
    assert list(world.engine.state.networks) == [NETWORK]


async def test_a_network_that_was_given_back_under_a_living_container_is_not_evicted(world: World) -> None:
    """Docker would have to be wrong; the container is not cut for that."""
    world.restart(references=Docker(1).references)
    await network(world, NETWORK)
    await world.endpoint()
    await world.join()
    with pytest.raises(Conflict):
        await network(world, OTHER)
    assert ENDPOINT in world.engine.state.endpoints


async def test_what_dockers_own_allocator_gives_out_again_was_given_back(world: World) -> None:
    """It never gives a subnet out twice, so the network that had it has gone, and we were not told."""
    world.restart(references=Docker(None).references)
    await network(world, NETWORK, space="LocalDefault")
    await network(world, OTHER, space="LocalDefault")
    assert list(world.engine.state.networks) == [OTHER]


async def test_what_another_allocator_gives_out_again_may_be_held(world: World) -> None:
    """Of somebody's own IPAM driver nothing is known: it may count requests as ours does."""
    world.restart(references=Docker(None).references)
    await network(world, NETWORK, space="infoblox")
    with pytest.raises(Conflict):
        await network(world, OTHER, space="infoblox")


async def test_two_that_are_made_at_once_are_one_network_and_one_refusal(world: World, autojump_clock: object) -> None:
    """The second one sees the first one coming, before the kernel or the store has it."""
    world.drivers = [registered(Paper(network=gateways))]
    world.restart()
    world.kernel.delay = 1.0
    refused: list[Conflict] = []

    async def attempt(network_id: str) -> None:
        try:
            await network(world, network_id, driver="paper")
        except Conflict as error:
            refused.append(error)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(attempt, NETWORK)
        nursery.start_soon(attempt, OTHER)

    assert len(refused) == 1
    assert len(world.engine.state.networks) == 1
