"""What containers of the bridge driver send, on the real kernel: as whom, from which address, how fast."""

import socket
from contextlib import suppress

import pytest
import trio
from plugins.bridge.tests.hosted import (
    OUTSIDE4,
    OUTSIDE6,
    Docker,
    id_of,
    reached,
)

from linkwright.testkit.place import Place

pytestmark = pytest.mark.netns


# --- who sends ---------------------------------------------------------------------------------------------------


async def test_b_20_a_container_sends_as_itself_or_is_dropped_and_counted(docker: Docker) -> None:
    """With another IP address, and with another hardware address; what it sends as itself arrives."""
    await docker.network("web", "10.1.0.0/24", "fd00:1::/64", spoof_check="true")
    one = await docker.run("web", "one", "10.1.0.2/24", "fd00:1::2/64")
    two = await docker.run("web", "two", "10.1.0.3/24", "fd00:1::3/64")
    assert await reached((one, "10.1.0.3"), (two, "fd00:1::2"), (one, OUTSIDE4), (two, OUTSIDE6)) == [True] * 4

    one.ip("addr add 10.1.0.77/24 dev eth0")
    one.ip("addr add fd00:1::77/64 dev eth0 nodad")
    for source, target in (("10.1.0.77", "10.1.0.3"), ("fd00:1::77", "fd00:1::3")):
        assert not await arrives(docker, one, source, two, target)
    one.ip("link set eth0 address 02:00:00:00:00:99")
    assert not await arrives(docker, one, "10.1.0.2", two, "10.1.0.3")

    await docker.remove("web", "one")
    await docker.remove("web", "two")
    for name in ("checked", "macs", "senders4", "senders6"):
        assert "elements" not in docker.host.run("nft", "list", "set", "bridge", "linkwright", name)


async def arrives(docker: Docker, sender: Place, source: str, receiver: Place, target: str) -> bool:
    """Send until something arrives or the firewall has dropped two for the sake of the sender; whether it arrived."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    before = docker.dropped("spoof", "bridge")
    with sender.socket(family, socket.SOCK_DGRAM) as out, receiver.socket(family, socket.SOCK_DGRAM) as listening:
        out.bind((source, 0))
        listening.bind((target, 7000))
        listening.settimeout(0.1)
        with trio.fail_after(10):
            while docker.dropped("spoof", "bridge") < before + 2:
                out.sendto(b"it is me", (target, 7000))
                with suppress(TimeoutError):
                    await trio.to_thread.run_sync(listening.recv, 64)
                    return True
    return False


@pytest.mark.parametrize(("listening", "target"), [("192.0.2.9", "192.0.2.77"), ("2001:db8::9", "2001:db8::77")])
async def test_b_24_what_leaves_has_the_address_that_was_named(docker: Docker, listening: str, target: str) -> None:
    """One of several that the host has; of each family its own."""
    docker.host.ip("addr add 192.0.2.77/24 dev up0")
    docker.host.ip("addr add 2001:db8::77/64 dev up0 nodad")
    await docker.network("web", "10.1.0.0/24", "fd00:1::/64", host_ipv4="192.0.2.77", host_ipv6="2001:db8::77")
    one = await docker.run("web", "one", "10.1.0.2/24", "fd00:1::2/64")
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    with one.socket(family, socket.SOCK_DGRAM) as out, docker.outside.socket(family, socket.SOCK_DGRAM) as heard:
        heard.bind((listening, 7000))
        heard.settimeout(10)
        out.sendto(b"hello", (listening, 7000))
        _, sender = await trio.to_thread.run_sync(heard.recvfrom, 64)
    assert sender[0] == target
    assert one.reaches(listening)


# --- how fast ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_b_21_ten_megabits_a_second_are_ten_both_ways(docker: Docker) -> None:
    """Measured behind the burst, both ways at once; a container that may do more does; and all goes with it."""
    await docker.network("web", "10.1.0.0/24", rate="10mbit")
    one = await docker.run("web", "one", "10.1.0.2/24")
    fast = await docker.run("web", "fast", "10.1.0.3/24", rate="0")
    found: dict[str, float] = {}

    async def measure(name: str, sender: Place, receiver: Place, address: str) -> None:
        found[name] = await megabits(sender, receiver, address)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(measure, "in", docker.host, one, "10.1.0.2")
        nursery.start_soon(measure, "out", one, docker.outside, OUTSIDE4)
    await measure("free", fast, docker.outside, OUTSIDE4)
    assert 8 <= found["in"] <= 11, found
    assert 8 <= found["out"] <= 11, found
    assert found["free"] > 20, found

    await docker.remove("web", "one")
    await docker.remove("web", "fast")
    left = await docker.swept()
    assert [name for name in left if name.startswith("lw")] == [f"lwb{id_of('web')[:12]}"]
    assert "tbf" not in docker.host.run("tc", "qdisc", "show")


async def megabits(sender: Place, receiver: Place, address: str) -> float:
    """Send over TCP and return the rate behind the first half megabyte, over three more."""
    listening = trio.socket.from_stdlib_socket(receiver.socket(socket.AF_INET, socket.SOCK_STREAM))
    sending = trio.socket.from_stdlib_socket(sender.socket(socket.AF_INET, socket.SOCK_STREAM))
    with listening, sending:
        await listening.bind((address, 0))
        listening.listen()
        await sending.connect(listening.getsockname())
        taking, _ = await listening.accept()
        with taking, trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_send, sending)
                await _take(taking, 1 << 19)
                began = trio.current_time()
                taken = await _take(taking, 3 << 20)
                seconds = trio.current_time() - began
                nursery.cancel_scope.cancel()
    return taken * 8 / seconds / 1e6


async def _send(sending: trio.socket.SocketType) -> None:
    while True:
        await sending.send(bytes(1 << 16))


async def _take(taking: trio.socket.SocketType, least: int) -> int:
    taken = 0
    while taken < least:
        taken += len(await taking.recv(1 << 16))
    return taken
