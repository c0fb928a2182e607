"""How fast a link is, on the real kernel: as tc(8) shows it, as packets feel it, and what becomes of it."""

import json
import socket
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_interface

import pytest
import trio
from attrs import evolve

from linkwright.errors import KernelError
from linkwright.model.mac import Mac
from linkwright.plan import Resource, diff, render
from linkwright.plan.compare import changed
from linkwright.plan.mark import Mark
from linkwright.plan.resources import Address, Bridge, BridgeVlan, Ifb, Link, Redirect, Shaper, Veth
from linkwright.plan.steps import Action, Step
from linkwright.testkit.hosts import RealHost, real_host, told_of
from linkwright.testkit.namespaces import Namespace

pytestmark = pytest.mark.netns

MARK = Mark("default", "network1")
RATE = 10_000_000
BURST = 68 * 1024  # as ``sdk.rate_limits`` has it: a whole segment of TCP's before it is cut
BRIDGE = Link("lwb0", Bridge(), mac=Mac.parse("02:00:00:00:00:01"), mark=MARK)
PAIR = Link("lwh0", Veth("lwc0"), master="lwb0", mark=MARK)
QUEUE = Link("lwi0", Ifb(), mark=MARK)
TO_IT, FROM_IT, LED = Shaper("lwh0", RATE, BURST), Shaper("lwi0", RATE, BURST), Redirect("lwh0", "lwi0")
NETWORK = (BRIDGE, Address("lwb0", ip_interface("10.0.0.1/24")))
ENDPOINT = (PAIR, QUEUE, TO_IT, FROM_IT, LED)


@pytest.fixture
def container(new_namespace: Callable[[], Namespace]) -> Namespace:
    """Where the other end of the pair goes."""
    return new_namespace()


@pytest.fixture
async def host(new_namespace: Callable[[], Namespace], container: Namespace) -> AsyncIterator[RealHost]:
    """A host with a network."""
    async with real_host(new_namespace(), container) as real:
        await make(real, *NETWORK)
        yield real


async def make(host: RealHost, *resources: Resource) -> None:
    """Let our kernel make *resources*, in the order that the planner gives them."""
    await host.kernel.apply(diff({}, {resource.key: resource for resource in resources}).steps)


async def remove(host: RealHost, *resources: Resource) -> None:
    """Let our kernel remove them."""
    await host.kernel.apply(diff({resource.key: resource for resource in resources}, {}).steps)


async def observed(host: RealHost, *resources: Resource) -> dict[str, Resource]:
    """What is there under the keys of *resources*, by key."""
    found = (await host.kernel.observe(resource.key for resource in resources)).resources
    return {" ".join(key): resource for key, resource in found.items()}


def discipline(host: RealHost, link: str, kind: str) -> dict[str, object] | None:
    """What tc(8) says of the link's queueing discipline of that kind."""
    found = json.loads(host.namespace.run("tc", "-json", "qdisc", "show", "dev", link))
    return next((one for one in found if one["kind"] == kind), None)


# --- as packets feel it --------------------------------------------------------------------------------------

LEAST, MOST = 8_000_000, 11_000_000
#: A busy machine makes it slower, never faster: of so many tries one has to be fast enough, and none may be too fast.
TRIES = 3
#: A second's worth, and what of it arrives at once, before the clock begins.
_BYTES, _FIRST = RATE // 8, BURST


async def measured(sending: socket.socket, receiving: socket.socket) -> float:
    """Send for about a second and return what arrived, in bits per second: TCP's payload."""
    begun = 0.0
    with trio.socket.from_stdlib_socket(sending) as out, trio.socket.from_stdlib_socket(receiving) as into:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.SocketStream(out).send_all, bytes(_BYTES))
            seen = counted = 0
            with trio.fail_after(10):
                while seen < _BYTES:
                    seen += len(await into.recv(1 << 16))
                    if not begun and seen >= _FIRST:
                        begun, counted = trio.current_time(), seen
    return 8 * (seen - counted) / (trio.current_time() - begun)


def connected(host: RealHost, container: Namespace) -> tuple[socket.socket, socket.socket]:
    """A TCP connection from the host to the container: both ends."""
    with container.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.bind(("10.0.0.2", 0))
        listening.listen(1)
        one = host.namespace.socket(socket.AF_INET, socket.SOCK_STREAM)
        one.connect(listening.getsockname())
        other, _ = listening.accept()
    for end in (one, other):
        end.setblocking(False)
    return one, other


async def test_b_21_ten_megabits_are_ten_megabits_both_ways_and_nothing_is_left(
    host: RealHost, container: Namespace
) -> None:
    """Eight to eleven measured, to the container and from it; what was made for it goes with the endpoint."""
    before = await host.kernel.snapshot()
    await make(host, *ENDPOINT)
    await host.lend("lwc0")
    container.run("ip", "address", "add", "10.0.0.2/24", "dev", "eth0")
    container.run("ip", "link", "set", "eth0", "up")
    for turned in (False, True):
        rates = [0.0]
        while max(rates) < LEAST and len(rates) <= TRIES:
            one, other = connected(host, container)
            rates.append(await measured(*((other, one) if turned else (one, other))))
        assert LEAST < max(rates) < MOST
    await remove(host, *ENDPOINT)
    assert await host.kernel.wait_swept()
    assert before == await host.kernel.snapshot()
    shown = json.loads(host.namespace.run("tc", "-json", "qdisc", "show"))
    assert {"tbf", "ingress"}.isdisjoint(one["kind"] for one in shown)


# --- as tc(8) shows it ---------------------------------------------------------------------------------------


async def test_a_shaper_is_what_tc_would_make_of_the_rendered_command(host: RealHost) -> None:
    """The same rate, burst and limit: so a plan may be read, and typed, as it is shown."""
    typed = Link("lwh1", Veth("lwc1"), mark=MARK)
    await make(host, PAIR, typed, QUEUE)
    for rate, burst in ((RATE, BURST), (8_000, 1600), (40_000_000_000, 50_000_000)):
        wish = Shaper("lwh0", rate, burst)
        await host.kernel.apply([Step(Action.CREATE, wish)])
        host.namespace.run(*render(Step(Action.CREATE, evolve(wish, link="lwh1"))).split())
        assert discipline(host, "lwh0", "tbf") == discipline(host, "lwh1", "tbf")
        # What tc made is read as what was wished: it has our handle.
        read = (await observed(host, evolve(wish, link="lwh1")))["shaper lwh1"]
        assert frozenset() == changed(read, evolve(wish, link="lwh1"))
    await host.kernel.apply([Step(Action.CREATE, LED)])
    for line in render(Step(Action.CREATE, Redirect("lwh1", "lwi0"))).splitlines():
        host.namespace.run(*line.split())
    shown = [host.namespace.run("tc", "filter", "show", "dev", link, "ingress") for link in ("lwh0", "lwh1")]
    assert "mirred (Egress Redirect to device lwi0) stolen" in shown[0]
    assert shown[0].replace("index 1", "index 2") == shown[1]
    assert Redirect("lwh1", "lwi0") == (await observed(host, Redirect("lwh1", "")))["redirect lwh1"]


@pytest.mark.parametrize("wish", [TO_IT, LED], ids=["shaper", "redirect"])
async def test_what_is_rendered_for_the_end_ends_it(host: RealHost, wish: Resource) -> None:
    """What a person types to take it away is understood as such."""
    await make(host, *ENDPOINT)
    host.namespace.run(*render(Step(Action.DELETE, wish)).split())
    assert await observed(host, wish) == {}


# --- what becomes of it --------------------------------------------------------------------------------------


DISTURBANCES = {
    "the root is deleted": ("tc qdisc del dev lwh0 root", TO_IT),
    "the root is another's": ("tc qdisc replace dev lwh0 root pfifo limit 5", TO_IT),
    "the root is slower": ("tc qdisc change dev lwh0 root handle 6c77: tbf rate 1mbit burst 9000b limit 20000b", TO_IT),
    "the filter is deleted": ("tc filter del dev lwh0 ingress", LED),
    "the ingress qdisc is deleted": ("tc qdisc del dev lwh0 ingress", LED),
}


@pytest.mark.parametrize(("command", "wish"), DISTURBANCES.values(), ids=DISTURBANCES)
async def test_b_21_what_others_do_to_it_is_told_and_put_right(host: RealHost, command: str, wish: Resource) -> None:
    """The event names the key, the difference is a step, and after that all is as wished."""
    await make(host, *ENDPOINT)
    host.namespace.run(*command.split())
    assert wish.key in await told_of(host, wish.key)
    found = (await host.kernel.observe([wish.key])).resources
    plan = diff(found, {wish.key: wish})
    assert len(plan.steps) == 1
    await host.kernel.apply(plan.steps)
    found = (await host.kernel.observe([wish.key])).resources
    assert not diff(found, {wish.key: wish})


async def test_a_queue_that_is_deleted_is_put_back_and_led_to_again(host: RealHost) -> None:
    """The kernel forgets where it led, and tells nobody: what leads to a link that has gone differs from the wish."""
    await make(host, *ENDPOINT)
    host.namespace.run("ip", "link", "del", "lwi0")
    await told_of(host, QUEUE.key)
    wanted = {resource.key: resource for resource in ENDPOINT}
    found = (await host.kernel.observe(wanted)).resources
    assert Redirect("lwh0", "?") == found[LED.key]
    plan = diff(found, wanted)
    assert [step.resource for step in plan.steps] == [QUEUE, FROM_IT, LED]
    await host.kernel.apply(plan.steps)
    assert not diff((await host.kernel.observe(wanted)).resources, wanted)


async def test_what_others_queue_on_our_link_is_theirs(host: RealHost) -> None:
    """A qdisc or filter that an administrator put where we wish for none is neither read nor removed."""
    await make(host, PAIR, QUEUE)
    for command in (
        "tc qdisc add dev lwh0 root tbf rate 1mbit burst 9000b limit 20000b",
        "tc qdisc add dev lwh0 ingress",
        "tc filter add dev lwh0 ingress u32 match u32 0 0 action mirred egress redirect dev lwi0",
    ):
        host.namespace.run(*command.split())
    assert {PAIR.key, QUEUE.key} < (await host.kernel.snapshot()).ours
    assert await observed(host, TO_IT, LED) == {}
    assert not {TO_IT.key, LED.key} & (await host.kernel.snapshot()).resources.keys()
    await remove(host, TO_IT)
    assert discipline(host, "lwh0", "tbf") is not None


async def test_on_a_borrowed_link_it_is_made_and_removed_but_never_found_as_ours(host: RealHost) -> None:
    """Whose it is the kernel does not say; so the link says it, and a stranger's link says it is the stranger's."""
    host.namespace.run("ip", "link", "add", "eth9", "type", "bridge")
    wish = Shaper("eth9", RATE, BURST)
    await make(host, wish)
    snapshot = await host.kernel.snapshot()
    assert wish.key not in {*snapshot.resources, *snapshot.ours}
    assert list(await observed(host, wish)) == ["shaper eth9"]
    await remove(host, wish)
    assert discipline(host, "eth9", "tbf") is None


# --- what cannot be ------------------------------------------------------------------------------------------


async def test_a_redirect_that_cannot_be_leaves_nothing_half_made(host: RealHost) -> None:
    """Another program's classifier holds the place: nothing is changed, and the words say where to look."""
    await make(host, PAIR, QUEUE)
    host.namespace.run("tc", "qdisc", "add", "dev", "lwh0", "clsact")  # of the same module as ours, sch_ingress
    before = await host.kernel.snapshot()
    with pytest.raises(KernelError, match="there is another qdisc for what comes in by that link"):
        await host.kernel.apply([Step(Action.CREATE, LED)])
    assert before == await host.kernel.snapshot()
    assert discipline(host, "lwh0", "clsact") is not None


async def test_a_vlan_that_a_link_cannot_have_is_refused_in_words(host: RealHost) -> None:
    """What is no port; and any port, on a kernel whose bridges keep no VLANs: of both the kernel says the same."""
    await make(host, PAIR, QUEUE)
    kept = "vlan_filtering" in (await host.kernel.host_facts()).features
    words = "the link is no port of a bridge, or the kernel has no bridge VLAN filtering"
    for link in (QUEUE, *(() if kept else (PAIR,))):
        with pytest.raises(KernelError, match=words):
            await host.kernel.apply([Step(Action.CREATE, BridgeVlan(link.name, 10))])
