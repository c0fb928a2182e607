"""What the engine promises of the host's own things, on the real kernel: bridges of Docker's, and what is borrowed."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from ipaddress import ip_interface
from typing import Any

import pytest
import trio
from core.tests.engine.conftest import NETWORK
from core.tests.engine.paper import Paper, registered

from linkwright.engine.engine import Engine
from linkwright.plan import Address, Bridge, Element, Hold, Link, Resource, Sysctl, Wishes
from linkwright.store import MemoryStore
from linkwright.testkit.fake_host_ports import FakeHostPorts
from linkwright.testkit.hosts import RealHost, real_host
from linkwright.testkit.namespaces import made

pytestmark = pytest.mark.netns

NAME = "br-0123456789ab"
ADOPTED: tuple[Resource, ...] = (
    Link("br0", Bridge(multicast_snooping=False), mtu=1400, up=True, hold=Hold.BORROW),
    Address("br0", ip_interface("10.1.0.1/24")),
    Address("br0", ip_interface("fd00:1::1/64")),
    Sysctl("net/ipv6/conf/br0/accept_ra", "0", before_up="br0"),
    Element("bridges", ("br0",)),
)


class World:
    """A host in a namespace, and the daemon's engine on it."""

    def __init__(self, host: RealHost, store: MemoryStore) -> None:
        """Have one driver, whose networks adopt br0."""
        self.host = host
        self.store = store
        self.engine = self._engine()

    def _engine(self) -> Engine:
        return Engine(
            kernel=self.host.kernel,
            host_ports=FakeHostPorts(),
            commit=self.store.commit,
            drivers=[registered(Paper(network=lambda _: Wishes.of(*ADOPTED)))],
            clock=lambda: 0.0,
            timer=lambda: 0.0,
        )

    async def restart(self) -> None:
        """Be killed, and start."""
        self.engine = self._engine()
        self.engine.state.load(await self.store.load())
        await self.engine.reconcile.start()

    async def network(self) -> None:
        """CreateNetwork."""
        described = await self.engine.networks.described(
            "paper", NETWORK, subnets=(), ipv4=True, ipv6=False, internal=False, options={}
        )
        await self.engine.networks.create(described)

    async def others(self) -> set[str]:
        """What the firewall's set holds."""
        seen = await self.host.kernel.snapshot()
        return {key[2] for key in seen.resources if key[:2] == ("element", "others")}

    async def until(self, expected: set[str]) -> None:
        """Wait until it holds that."""
        with trio.fail_after(10):
            while await self.others() != expected:
                await trio.lowlevel.checkpoint()

    def shown(self) -> dict[str, Any]:
        """The bridge, its settings, its ports and all that lies on it, as ip(8) and sysctl(8) say."""
        run = self.host.namespace.run
        (link,) = json.loads(run("ip", "-j", "-d", "addr", "show", "dev", "br0"))
        link.pop("qdisc")  # the kernel attaches one when a link is first set up, and never takes it away
        for name in ("gc_timer", "hello_timer", "tcn_timer", "topology_change_timer", "root_path_cost"):
            link["linkinfo"]["info_data"].pop(name, None)
        return {
            "link": link,
            "ports": json.loads(run("bridge", "-j", "-d", "link", "show")),
            "routes": run("ip", "route", "show", "dev", "br0"),
            "accept_ra": run("sysctl", "-n", "net.ipv6.conf.br0.accept_ra"),
        }


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A host with a bridge that an administrator made, with a port and an address."""
    async with AsyncExitStack() as stack:
        namespace, sandbox = stack.enter_context(made()), stack.enter_context(made())
        for command in (
            "ip link add br0 mtu 9000 type bridge mcast_snooping 1",
            "ip link add tap0 mtu 9000 type veth peer name tap1 mtu 9000",
            "ip link set tap0 master br0",
            "ip addr add 192.0.2.1/24 dev br0",
            "sysctl -q -w net.ipv6.conf.br0.accept_ra=2",
        ):
            namespace.run(*command.split())
        host = await stack.enter_async_context(real_host(namespace, sandbox))
        world = World(host, MemoryStore())
        await world.restart()
        yield world


async def test_b_08_a_bridge_that_is_adopted_is_left_exactly_as_found(world: World) -> None:
    """Every attribute that ip(8) shows is as it was, through a restart in between; while adopted it is as wished."""
    before = world.shown()

    await world.network()
    meanwhile = world.shown()
    assert (meanwhile["link"]["mtu"], "UP" in meanwhile["link"]["flags"], meanwhile["accept_ra"]) == (1400, True, "0\n")
    assert {one["local"] for one in meanwhile["link"]["addr_info"]} >= {"192.0.2.1", "10.1.0.1", "fd00:1::1"}
    assert meanwhile["link"]["linkinfo"]["info_data"]["mcast_snooping"] == 0
    await world.restart()
    await world.engine.networks.delete(NETWORK)

    assert before == world.shown()
    assert (await world.store.load()).found == ()


async def test_dockers_bridges_are_told_by_the_events_of_links(world: World) -> None:
    """Made, renamed and deleted by somebody else, with no look at everything in between."""
    run: Callable[..., str] = world.host.namespace.run
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.engine.reconcile.run, world.host.events)
        run("ip", "link", "add", NAME, "type", "bridge")
        await world.until({NAME})
        run("ip", "link", "add", "docker_gwbridge", "type", "bridge")
        await world.until({NAME, "docker_gwbridge"})
        run("ip", "link", "set", NAME, "name", "lan")
        await world.until({"docker_gwbridge"})
        run("ip", "link", "del", "docker_gwbridge")
        await world.until(set())
        nursery.cancel_scope.cancel()


async def test_a_flushed_firewall_has_them_again(world: World) -> None:
    """After nft(8) flush ruleset tables, rules and elements come back at the next look."""
    run: Callable[..., str] = world.host.namespace.run
    run("ip", "link", "add", NAME, "type", "bridge")
    await world.engine.reconcile.heal()
    assert await world.others() == {NAME}

    run("nft", "flush", "ruleset")
    await world.engine.reconcile.heal()

    assert await world.others() == {NAME}
