"""Networks of the bridge driver beside each other, through the engine: one that Docker let go of is in nobody's way."""

import pytest
from core.tests.engine.conftest import World

from linkwright.engine.registry import register
from linkwright.errors import Conflict
from linkwright.model import HostFacts, Sandbox
from linkwright.store import MemoryStore
from linkwright.testkit.fake_kernel import FakeKernel
from linkwright_bridge import Bridge

FIRST, SECOND = "aa" * 32, "bb" * 32


@pytest.fixture
async def world() -> World:
    """A host that forwards, whose IPAM is ours and holds each pool once."""
    kernel = FakeKernel(host=HostFacts(), sandboxes={"/run/alive"})
    kernel.state.sysctls |= {"net/ipv4/ip_forward": "1"}
    await kernel.prepare()
    world = World(kernel, MemoryStore(), [register("bridge", Bridge)])
    world.restart(references=lambda: lambda _: 1)
    return world


async def test_a_network_that_docker_holds_no_pool_of_any_more_makes_way(world: World) -> None:
    """Its DeleteNetwork is on its way, or was lost: Docker gives the pool back before."""
    await world.network(FIRST)
    await world.network(SECOND)
    assert list(world.engine.state.networks) == [SECOND]
    assert {key for key in world.host() if key[0] == "link"} == {("link", "lo"), ("link", f"lwb{SECOND[:12]}")}


async def test_one_that_a_container_lives_on_does_not_and_is_named(world: World) -> None:
    """Whatever Docker says of its pool, its packets still find their way there."""
    await world.network(FIRST)
    endpoint = await world.endpoint(network=FIRST)
    await world.engine.endpoints.join(FIRST, endpoint.id, "/run/alive", ())
    with pytest.raises(Conflict, match=f"conflicts with network {FIRST[:12]}.*overlapping IPv4, 10.1.0.0/24 and"):
        await world.network(SECOND)
    assert list(world.engine.state.networks) == [FIRST]
    assert world.engine.state.endpoints[endpoint.id].sandbox == Sandbox("/run/alive", world.kernel.boot_id())


async def test_where_another_ipam_holds_the_pools_both_count(world: World) -> None:
    """Nobody tells us then that a pool was given back; the refusal names the network in the way."""
    world.restart(references=lambda: lambda _: None)
    await world.network(FIRST)
    with pytest.raises(Conflict, match=f"cannot create network {SECOND[:12]} .*conflicts with network {FIRST[:12]}"):
        await world.network(SECOND)
