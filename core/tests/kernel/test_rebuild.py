"""A link made anew in a living sandbox, on the real kernel: there it looks as Docker would have made it."""

import errno
import json
import socket
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import pytest
import trio
from attrs import evolve

from linkwright.errors import KernelError
from linkwright.model import Handover, Mac
from linkwright.plan.mark import Mark
from linkwright.plan.resources import Address, Bridge, Link, Macvlan, Veth
from linkwright.plan.steps import Action, Step
from linkwright.testkit.hosts import RealHost, real_host
from linkwright.testkit.namespaces import Namespace

pytestmark = pytest.mark.netns

MARK = Mark("default", "network1", "endpoint1")
MAC = Mac.parse("02:42:0a:09:00:02")
BRIDGE = Link("lwb0", Bridge(), mtu=1400, mark=Mark("default", "network1"))
GATEWAYS = [Address("lwb0", ip_interface("10.9.0.1/24")), Address("lwb0", ip_interface("fd00:9::1/64"))]
PAIR = Link("lwh0", Veth("lwc0", peer_mac=MAC), mtu=1400, master="lwb0", mark=MARK)
CHILD = Link("lwm0", Macvlan("lwb0"), mac=MAC, up=None, mark=MARK)
ADDRESSES = (ip_interface("10.9.0.2/24"), ip_interface("fd00:9::2/64"))


@pytest.fixture
async def host(new_namespace: Callable[[], Namespace]) -> AsyncIterator[RealHost]:
    """The real kernel in a namespace of its own, with a bridge."""
    async with real_host(new_namespace(), new_namespace()) as real:
        await real.kernel.apply([Step(Action.CREATE, one) for one in (BRIDGE, *GATEWAYS)])
        yield real


@pytest.fixture
def sandbox(new_namespace: Callable[[], Namespace]) -> Namespace:
    """A sandbox as an engine leaves one: lo up, IPv6 off."""
    sandbox = new_namespace()
    sandbox.run("ip", "link", "set", "lo", "up")
    sandbox.run("sysctl", "-q", "-w", "net.ipv6.conf.all.disable_ipv6=1")
    return sandbox


def to(sandbox: Namespace, link: str = "lwc0", **changes: Any) -> Handover:
    """Hand *link* over to *sandbox*."""
    gateways = (ip_address("10.9.0.1"), ip_address("fd00:9::1"))
    handover = Handover(link, sandbox.path, mac=MAC, addresses=ADDRESSES, gateways=gateways)
    return evolve(handover, **changes)


def shown(sandbox: Namespace, name: str) -> dict[str, Any]:
    """What ip(8) says of a link in *sandbox*."""
    (found,) = json.loads(sandbox.run("ip", "-j", "addr", "show", "dev", name))
    return dict(found)


def reached(sandbox: Namespace, address: str) -> bool:
    """Whether *address* answers, if only by refusing the connection."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with sandbox.socket(family, socket.SOCK_STREAM) as opened:
        opened.settimeout(10)
        return opened.connect_ex((address, 9)) == errno.ECONNREFUSED


@pytest.mark.parametrize("wish", [PAIR, CHILD], ids=["veth", "macvlan"])
async def test_it_is_called_addressed_up_and_routed(host: RealHost, sandbox: Namespace, wish: Link) -> None:
    """Both families, though IPv6 is off in the sandbox; and packets get through at once."""
    await host.kernel.apply([Step(Action.CREATE, wish)])
    link = wish.kind.peer if isinstance(wish.kind, Veth) else wish.name

    assert await host.kernel.hand_over(to(sandbox, link)) == "eth0"

    found = shown(sandbox, "eth0")
    assert (found["address"], found["mtu"], "UP" in found["flags"]) == (str(MAC), 1400, True)
    assert {f"{one['local']}/{one['prefixlen']}" for one in found["addr_info"] if one["scope"] == "global"} == {
        str(address) for address in ADDRESSES
    }
    assert "default via 10.9.0.1 dev eth0" in sandbox.run("ip", "route")
    assert "default via fd00:9::1 dev eth0" in sandbox.run("ip", "-6", "route")
    if wish is PAIR:  # a macvlan does not reach what it stands on
        assert reached(sandbox, "10.9.0.1")
        assert reached(sandbox, "fd00:9::1")


async def test_it_is_known_by_its_addresses(host: RealHost, sandbox: Namespace) -> None:
    """Before, the sandbox has none of them; afterwards it has all."""
    before = await host.kernel.addresses_inside(sandbox.path)
    assert ip_address("127.0.0.1") in before
    assert not before & {MAC, *(address.ip for address in ADDRESSES)}
    await host.kernel.apply([Step(Action.CREATE, PAIR)])

    await host.kernel.hand_over(to(sandbox))

    assert await host.kernel.addresses_inside(sandbox.path) >= {MAC, *(address.ip for address in ADDRESSES)}


async def test_it_takes_the_first_name_that_is_free(host: RealHost, sandbox: Namespace) -> None:
    """What other networks are called stays, and so does what they are the way to."""
    for name in ("eth0", "eth2"):
        sandbox.run("ip", "link", "add", name, "type", "veth", "peer", "name", f"peer{name}")
        sandbox.run("ip", "link", "set", name, "up")
    sandbox.run("ip", "addr", "add", "192.0.2.2/24", "dev", "eth0")
    sandbox.run("ip", "route", "add", "default", "via", "192.0.2.1")
    await host.kernel.apply([Step(Action.CREATE, PAIR)])

    assert await host.kernel.hand_over(to(sandbox)) == "eth1"

    (default,) = sandbox.run("ip", "route", "show", "default").splitlines()
    assert default.startswith("default via 192.0.2.1 dev eth0")
    assert "fd00:9::1 dev eth1" in sandbox.run("ip", "-6", "route", "show", "default")


async def test_a_name_that_was_asked_for_is_had_and_routes_of_the_join_too(host: RealHost, sandbox: Namespace) -> None:
    """An interface name of the user's (``com.docker.network.endpoint.ifname``), and static routes of either form."""
    await host.kernel.apply([Step(Action.CREATE, PAIR)])
    routes = ((ip_network("198.51.100.0/24"), ip_address("10.9.0.9")), (ip_network("203.0.113.0/24"), None))

    assert await host.kernel.hand_over(to(sandbox, name="lan", routes=routes, gateways=())) == "lan"

    found = sandbox.run("ip", "route")
    assert "198.51.100.0/24 via 10.9.0.9 dev lan" in found
    assert "203.0.113.0/24 dev lan" in found
    assert "default" not in found


async def test_what_cannot_be_dressed_is_in_no_sandbox(host: RealHost, sandbox: Namespace) -> None:
    """A name that is taken: the container has no half of a link, and the error says what was refused."""
    await host.kernel.apply([Step(Action.CREATE, PAIR)])
    with pytest.raises(KernelError, match="name lo") as refused:
        await host.kernel.hand_over(to(sandbox, name="lo"))
    assert refused.value.code == errno.EEXIST
    assert [one["ifname"] for one in json.loads(sandbox.run("ip", "-j", "link"))] == ["lo"]
    assert ("link", "lwh0") not in (await host.kernel.observe([PAIR.key])).resources


@pytest.mark.parametrize("wish", [PAIR, CHILD], ids=["veth", "macvlan"])
async def test_a_caller_that_goes_away_meanwhile_leaves_all_of_it_or_nothing(
    host: RealHost, sandbox: Namespace, wish: Link
) -> None:
    """At whatever moment: what was moved and not yet dressed would be known there, and missed by nobody."""
    link, moment = wish.kind.peer if isinstance(wish.kind, Veth) else wish.name, 0.0002
    while True:
        await host.kernel.apply([Step(Action.CREATE, wish)])
        with trio.move_on_after(moment) as deadline:
            assert await host.kernel.hand_over(to(sandbox, link)) == "eth0"
        if not deadline.cancelled_caught:
            break
        await host.kernel.apply([Step(Action.DELETE, wish)])  # as its maker does; by then the sandbox is clear
        assert [one["ifname"] for one in json.loads(sandbox.run("ip", "-j", "link"))] == ["lo"]
        moment *= 1.5
    assert {one["local"] for one in shown(sandbox, "eth0")["addr_info"]} >= {str(one.ip) for one in ADDRESSES}


async def test_a_sandbox_that_is_none_is_refused_in_words(host: RealHost) -> None:
    """It has gone meanwhile: the link is on the host still, and whoever made it removes it."""
    await host.kernel.apply([Step(Action.CREATE, PAIR)])
    with pytest.raises(KernelError, match="netns"):
        await host.kernel.hand_over(Handover("lwc0", "/run/netns/gone"))
    with pytest.raises(KernelError, match="look into /run/netns/gone"):
        await host.kernel.addresses_inside("/run/netns/gone")
    assert ("link", "lwc0") in (await host.kernel.observe([("link", "lwc0")])).resources
