"""Announcing: once, after Join, when the link is up in the sandbox; a moment not to be had is told and forgotten."""

import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from attrs import evolve
from core.tests.engine.conftest import ENDPOINT, NETWORK, SANDBOX, World
from core.tests.engine.paper import registered

from linkwright import sdk
from linkwright.engine.moments import WORKERS
from linkwright.engine.observation import Announced
from linkwright.model import Announcement
from linkwright_bridge import Bridge

LENT = "lwccdcdcdcdcdcd"


class Herald(Bridge):
    """A bridge driver that wishes its endpoints announced, or not."""

    def __init__(self, *, announce: bool = True) -> None:
        self.announce = announce

    def join(self, network: Any, endpoint: sdk.Endpoint) -> sdk.Join:
        """As a bridge has it."""
        return evolve(super().join(network, endpoint), announce=self.announce)


async def made(world: World, *, announce: bool = True) -> None:
    """A network of such a driver with one endpoint."""
    world.drivers = [registered(Herald(announce=announce))]
    world.restart()
    await world.network()
    await world.endpoint()


@asynccontextmanager
async def at_work(world: World) -> AsyncIterator[None]:
    """While the service runs."""
    async with trio.open_nursery() as nursery:
        for _ in range(WORKERS):
            nursery.start_soon(world.engine.moments.run)
        yield
        nursery.cancel_scope.cancel()


def told(world: World) -> list[Announced]:
    """What the observer heard."""
    return [one for one in world.told if isinstance(one, Announced)]


async def test_b_25_a_new_endpoint_is_announced_when_docker_has_moved_its_link(
    world: World, autojump_clock: object
) -> None:
    """Up to engine 27 the sandbox is made after Join: the answer does not wait for it. A repeat announces nothing."""
    await made(world)
    async with at_work(world):
        began = trio.current_time()
        await world.join()
        await world.join()
        assert trio.current_time() == began
        await trio.sleep(1)
        assert not world.kernel.announced

        world.kernel.lend(LENT, SANDBOX)
        await trio.sleep(1)

    endpoint = world.engine.state.endpoints[ENDPOINT]
    assert endpoint.mac is not None
    assert world.kernel.announced == [
        Announcement(ENDPOINT, SANDBOX, endpoint.mac, endpoint.addresses, link="lwbabababababab")
    ]
    assert told(world) == [Announced(ENDPOINT)]


async def test_what_its_driver_does_not_wish_announced_is_not(world: World, autojump_clock: object) -> None:
    """A link that shares its parent's hardware address has nothing to say."""
    await made(world, announce=False)
    async with at_work(world):
        await world.join()
        world.kernel.lend(LENT, SANDBOX)
        await trio.sleep(10)

    assert (world.kernel.announced, told(world)) == ([], [])


async def test_a_link_that_never_comes_up_is_told(world: World, autojump_clock: object) -> None:
    """And nothing else waits for it longer than a few seconds."""
    await made(world)
    async with at_work(world):
        await world.join()
        await trio.sleep(10)

    assert [one.reason for one in told(world)] == ["its link did not come up in the sandbox in time"]


async def test_a_kernel_that_refuses_is_told_and_ends_nothing(world: World, autojump_clock: object) -> None:
    """The next one is announced."""
    await made(world)
    world.kernel.refuse_moments = errno.EPERM
    async with at_work(world):
        await world.join()
        world.kernel.lend(LENT, SANDBOX)
        await trio.sleep(1)
        world.kernel.refuse_moments = 0
        await world.endpoint("ef" * 32, "10.1.0.3/24")
        await world.join("ef" * 32, "/run/docker/netns/other")
        world.kernel.lend("lwcefefefefefef", "/run/docker/netns/other")
        await trio.sleep(1)

    assert ["EPERM" in one.reason for one in told(world)] == [True, False]


@pytest.mark.parametrize("when", ["before", "meanwhile"])
async def test_one_that_has_left_is_not_announced_nor_told(world: World, when: str, autojump_clock: object) -> None:
    """A container of a second: its address may be another's by now."""
    await made(world)
    await world.join()
    if when == "before":
        world.kernel.lend(LENT, SANDBOX)
        await world.engine.endpoints.leave(NETWORK, ENDPOINT)
    async with at_work(world):
        await trio.sleep(1)
        await world.engine.endpoints.leave(NETWORK, ENDPOINT)
        await world.engine.endpoints.delete(NETWORK, ENDPOINT)
        await trio.sleep(10)

    assert (world.kernel.announced, told(world)) == ([], [])


async def test_many_are_announced_side_by_side(world: World, autojump_clock: object) -> None:
    """Those that come up late keep nobody but themselves waiting."""
    await made(world)
    ids = [f"{number + 1:02x}" * 32 for number in range(WORKERS)]
    async with at_work(world):
        for number, endpoint in enumerate(ids):
            await world.endpoint(endpoint, f"10.1.0.{number + 10}/24")
            await world.join(endpoint, f"/run/docker/netns/{number}")
        world.kernel.lend(f"lwc{ids[-1][:12]}", f"/run/docker/netns/{WORKERS - 1}")
        await trio.sleep(1)
        assert [one.endpoint for one in world.kernel.announced] == [ids[-1]]


async def test_a_queue_that_is_full_is_told_and_holds_nobody_up(world: World) -> None:
    """Nobody announces, and containers start all the same."""
    await made(world)
    await world.join()
    endpoint = world.engine.state.endpoints[ENDPOINT]
    assert endpoint.mac is not None
    for _ in range(5000):
        world.engine.moments.announce(Announcement(ENDPOINT, SANDBOX, endpoint.mac, endpoint.addresses))

    assert {one.reason for one in told(world)} == {"too many were waiting"}
    assert len(told(world)) == 5000 + 1 - 4096
