"""Events of changes by others: which are told, by which keys, and what happens when there are too many."""

import errno
import math
import socket
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_address, ip_interface, ip_network

import pytest
import trio

from linkwright.kernel.decode import LinkRow
from linkwright.kernel.echoes import Echoes
from linkwright.kernel.monitor import Monitor
from linkwright.kernel.netns import run_inside
from linkwright.kernel.snapshot import Reader
from linkwright.kernel.transport import Rtnetlink, open_events
from linkwright.model.mac import Mac
from linkwright.plan.mark import Mark
from linkwright.plan.resources import Address, Bridge, Key, Link, Neighbour, Redirect, Resource, Route, Shaper, Veth
from linkwright.plan.steps import Action, KernelEvent, Step
from linkwright.testkit.hosts import RealHost, real_host, told_of
from linkwright.testkit.namespaces import Namespace

pytestmark = pytest.mark.netns

MARK = Mark("default", "network1")
M1 = Mac.parse("02:00:00:00:00:01")
BRIDGE = Link("lwb0", Bridge(), mac=M1, mark=MARK)
PAIR = Link("lwv0", Veth("lwv0p"), master="lwb0", mark=MARK)
SENTINEL = ("link", "sentinel")


@pytest.fixture
async def host(new_namespace: Callable[[], Namespace]) -> AsyncIterator[RealHost]:
    """A host with a bridge and an endpoint of ours, and a stranger's bridge."""
    async with real_host(new_namespace(), new_namespace()) as real:
        steps: list[Resource] = [BRIDGE, PAIR, Address("lwb0", ip_interface("10.0.0.1/24"))]
        await real.kernel.apply([Step(Action.CREATE, resource) for resource in steps])
        for command in ("link add ext0 type bridge", "link set ext0 up", "address add 10.7.0.1/24 dev ext0"):
            real.namespace.run("ip", *command.split())
        await told(real)
        yield real


async def told(host: RealHost) -> set[Key]:
    """All keys told up to now: a link is made, and when that is told all before it has been."""
    host.namespace.run("ip", "link", "add", "sentinel", "type", "bridge")
    keys = await told_of(host, SENTINEL)
    host.namespace.run("ip", "link", "del", "sentinel")
    await told_of(host, SENTINEL)
    return keys - {SENTINEL}


TOLD: dict[str, tuple[str, set[Key]]] = {
    "a link is renamed": ("ip link set ext0 name ext1", {("link", "ext0"), ("link", "ext1")}),
    "a link is set down": ("ip link set lwv0 down", {("link", "lwv0")}),
    "a stranger's link is changed": ("ip link set ext0 mtu 1300", {("link", "ext0")}),
    "a link loses its mark": ("ip link set lwv0 alias ''", {("link", "lwv0")}),
    "a port's settings": ("bridge link set dev lwv0 hairpin on", {("link", "lwv0")}),
    "a port leaves": ("ip link set lwv0 nomaster", {("link", "lwv0")}),
    "an address of ours goes": ("ip address del 10.0.0.1/24 dev lwb0", {("address", "lwb0", "10.0.0.1/24")}),
    "an address of the host comes": ("ip address add 10.7.0.2/24 dev ext0", {("address", "ext0", "10.7.0.2/24")}),
    "a route over our bridge": ("ip route add 10.8.0.0/16 dev lwb0", {("route", "254", "10.8.0.0/16", "0")}),
    "a default route": ("ip route add default via 10.7.0.9", {("route", "254", "0.0.0.0/0", "0")}),
    "a route of our protocol": ("ip route add 10.8.0.0/16 dev ext0 proto 213", {("route", "254", "10.8.0.0/16", "0")}),
    "a qdisc on a link of ours": ("tc qdisc add dev lwv0 root pfifo", {("shaper", "lwv0")}),
    "a filter on a link of ours": (
        "tc qdisc add dev lwv0 ingress && tc filter add dev lwv0 ingress u32 match u32 0 0 classid 1:",
        {("redirect", "lwv0")},
    ),
    "a static entry in our bridge": (
        "bridge fdb add 02:00:00:00:00:09 dev lwv0 master static",
        {("fdb", "lwv0", "02:00:00:00:00:09", "")},
    ),
}


@pytest.mark.parametrize(("command", "expected"), TOLD.values(), ids=TOLD)
async def test_what_concerns_us_is_told_by_its_keys(host: RealHost, command: str, expected: set[Key]) -> None:
    """Links and addresses of everybody; routes and entries where they are ours, on ours, or the way out."""
    host.namespace.run("sh", "-c", command)
    keys = await told(host)
    assert expected <= keys
    assert set() == {key for key in keys - expected if key[0] != "link"}


NOT_TOLD = {
    "what nobody wished of a link of ours": "ip link set lwv0 mtu 1300",
    "a stranger's qdisc": "tc qdisc add dev ext0 root pfifo",
    "a stranger's filter": "tc qdisc add dev ext0 ingress && "
    "tc filter add dev ext0 ingress u32 match u32 0 0 classid 1:",
    "a stranger's route": "ip route add 10.9.0.0/16 dev ext0",
    "a neighbour found out": "ip neighbour replace 10.7.0.7 lladdr 02:00:00:00:00:07 dev ext0 nud reachable",
    "a stranger's neighbour": "ip neighbour add 10.7.0.7 lladdr 02:00:00:00:00:07 dev ext0 nud permanent",
}


@pytest.mark.parametrize("command", NOT_TOLD.values(), ids=NOT_TOLD)
async def test_what_does_not_concern_us_is_not_told(host: RealHost, command: str) -> None:
    """A host with a routing daemon, or with thousands of neighbours, does not keep the reconciler busy."""
    host.namespace.run("sh", "-c", command)
    assert set() == await told(host)


async def test_the_end_of_a_neighbour_of_ours_is_told(host: RealHost) -> None:
    """By then it is no longer permanent, but it has our protocol still."""
    neighbour = Neighbour("lwb0", ip_address("10.0.0.7"), M1)
    await host.kernel.apply([Step(Action.CREATE, neighbour)])
    host.namespace.run("ip", "neighbour", "del", "10.0.0.7", "dev", "lwb0")
    assert {neighbour.key} == await told(host)


async def test_what_we_delete_is_not_told_nor_what_goes_with_it(host: RealHost) -> None:
    """A link on its way out says nothing of its addresses and routes, under neither of its names."""
    route = Route(ip_network("10.8.0.0/16"), "lwb0")
    await host.kernel.apply([Step(Action.CREATE, route)])
    await told(host)
    await host.kernel.apply([Step(Action.DELETE, PAIR, PAIR), Step(Action.DELETE, BRIDGE, BRIDGE)])
    assert await host.kernel.wait_swept()
    assert set() == {key for key in await told(host) if key not in {PAIR.key, ("link", "lwv0p"), BRIDGE.key}}


async def test_how_we_shape_is_not_told_nor_that_we_look(host: RealHost) -> None:
    """Traffic control says whose doing it was; the answer to a question for a qdisc is a notification to all."""
    shaping = (Shaper("lwv0", 8_000_000, 10_000), Redirect("lwv0", "lwb0"))
    await host.kernel.apply([Step(Action.CREATE, resource) for resource in shaping])
    assert len((await host.kernel.observe(resource.key for resource in shaping)).resources) == len(shaping)
    await host.kernel.apply([Step(Action.CHANGE, Redirect("lwv0", "lwv0p"), shaping[1])])
    await host.kernel.apply([Step(Action.DELETE, resource, resource) for resource in shaping])
    assert set() == await told(host)


async def test_what_was_made_and_is_changed_by_a_stranger_is_news_again(host: RealHost) -> None:
    """That we asked for a state once does not hide that it is no longer so, the second time as little as the first."""
    host.namespace.run("ip", "link", "set", "lwv0", "down")
    assert PAIR.key in await told(host)
    address = Address("lwb0", ip_interface("10.0.0.1/24"))
    for _ in range(2):
        await host.delete(address)
        assert address.key in await told(host)
        await host.kernel.apply([Step(Action.CREATE, address)])


@pytest.mark.parametrize("refusals", [0, 1], ids=["read again", "the kernel has no memory for that"])
async def test_too_many_events_at_once_are_told_as_an_overrun(namespace: Namespace, refusals: int) -> None:
    """What is lost is not known: everything has to be looked at. Afterwards all is told again, by the right names."""
    sending, events = trio.open_memory_channel[KernelEvent](math.inf)
    netlink = await run_inside(namespace.path, Rtnetlink)
    reader = Reader(netlink, "default")

    async def small() -> socket.socket:
        opened = await run_inside(namespace.path, open_events)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        return opened

    refused = [OSError(errno.ENOMEM, "")] * refusals

    async def links() -> dict[int, LinkRow]:
        if monitor.overruns and refused:
            raise refused.pop()
        return await trio.to_thread.run_sync(reader.links)

    monitor = Monitor(
        sending,
        opened=small,
        links=links,
        instance="default",
        own_ports=(),
        echoes=Echoes(),
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(monitor.run)
        # This blocks the loop on purpose: nobody reads meanwhile.
        batch = "".join(f"link add b{number} type bridge\n" for number in range(50))
        namespace.run("ip", "-batch", "-", stdin=batch)
        with trio.fail_after(10):
            while (await events.receive()).name != "overrun":
                pass
        namespace.run("ip", "link", "set", "b49", "mtu", "1400")
        with trio.fail_after(10):
            while ("link", "b49") not in (await events.receive()).keys:
                pass
        assert monitor.overruns == 1
        assert not refused
        nursery.cancel_scope.cancel()
    netlink.close()


async def test_m_07_an_mtu_that_is_as_it_was_is_told_if_it_was_another_meanwhile(host: RealHost) -> None:
    """What hung on the link may have been lowered with it; and the lowest is kept, from the first on, once."""
    host.namespace.run("ip", "-batch", "-", stdin="link set ext0 mtu 1400\nlink set ext0 mtu 1500\n")
    assert {("link", "ext0")} == await told(host)
    assert host.kernel.lowest_mtus() == {"ext0": 1400}
    host.namespace.run("ip", "-batch", "-", stdin="link set ext0 mtu 1600\nlink set lwv0 mtu 1300\n")
    await told(host)
    assert host.kernel.lowest_mtus() == {"ext0": 1500, "lwv0": 1300, "lwb0": 1300}  # a bridge goes by its ports
    host.namespace.run("ip", "link", "set", "ext0", "down")
    await told(host)
    assert host.kernel.lowest_mtus() == {}


async def test_a_storm_is_read_without_loss(host: RealHost) -> None:
    """Thousands of changes while nobody listens fit the buffer; each link is told, and none is lost."""
    batch = "".join(f"link set ext0 mtu {1400 + number % 100}\n" for number in range(3000))
    host.namespace.run("ip", "-batch", "-", stdin=batch)
    assert {("link", "ext0")} == await told(host)
    assert host.kernel.statistics().overruns == 0
