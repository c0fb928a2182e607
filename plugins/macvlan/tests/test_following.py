"""A parent's MTU in sandboxes, on an imaginary host and on a real one: what the kernel hands on, and what we do."""

import errno
from ipaddress import ip_interface

import pytest

from linkwright import sdk
from linkwright.errors import KernelError
from linkwright.plan import Action, Mark, Step
from linkwright.testkit.hosts import Host, RealHost

WIRE = sdk.Link("eth0", sdk.Veth("lan0"), mtu=1400)
MAC, ADDRESS = sdk.Mac.parse("02:42:0a:01:00:09"), ip_interface("192.0.2.9/24")
MARK = Mark("default", "n", "e", MAC, (ADDRESS,))
STRANGER = sdk.Mac.parse("02:42:0a:01:00:0a")


async def joined(host: Host, mode: sdk.MacvlanMode = sdk.MacvlanMode.BRIDGE) -> None:
    """A child of eth0 in the sandbox, with an address where that is a real one; and eth0 has a larger MTU since."""
    await host.create(WIRE)
    mac = None if mode is sdk.MacvlanMode.PASSTHRU else MAC
    child = sdk.Link("lwm0", sdk.Macvlan("eth0", mode), mac=mac, up=False, mark=MARK)
    await host.kernel.apply([Step(Action.CREATE, child)])
    await host.lend("lwm0")
    if isinstance(host, RealHost):
        host._sandbox.run("ip", "addr", "add", str(ADDRESS), "dev", "eth0")
    await host.kernel.apply([Step(Action.CHANGE, sdk.Link("eth0", up=None, mtu=9000), WIRE)])


async def test_m_07_a_larger_mtu_is_handed_on_to_the_child_that_had_the_old_one(host: Host) -> None:
    """Once: then it has the new one, and what is another's, or has another MTU, stays."""
    await joined(host)
    raise_mtu = host.kernel.raise_mtu
    assert not await raise_mtu(host.sandbox, {STRANGER}, 1400, 9000)
    assert not await raise_mtu(host.sandbox, {MAC}, 1300, 9000)
    assert await raise_mtu(host.sandbox, {MAC}, 1400, 9000)
    assert not await raise_mtu(host.sandbox, {MAC}, 1400, 9000)
    assert await raise_mtu(host.sandbox, {MAC}, 9000, 9000)


async def test_m_07_a_child_without_an_address_of_its_own_is_known_by_its_ip_address(host: Host) -> None:
    """In mode passthru, and ipvlan's."""
    await joined(host, sdk.MacvlanMode.PASSTHRU)
    assert not await host.kernel.raise_mtu(host.sandbox, {ip_interface("192.0.2.10/24").ip}, 1400, 9000)
    assert await host.kernel.raise_mtu(host.sandbox, {ADDRESS.ip}, 1400, 9000)


async def test_a_sandbox_that_is_gone_is_an_error(host: Host) -> None:
    """Whoever asks knows what that means."""
    with pytest.raises(KernelError) as caught:
        await host.kernel.raise_mtu("/run/netns/nosuch", {MAC}, 1400, 9000)
    assert caught.value.code == errno.ENOENT
