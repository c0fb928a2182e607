"""What the kernel makes of held ports: who can still bind what, what answers there, and what it does not have."""

import errno
import socket
from ipaddress import ip_address

import pytest
import trio
from core.tests.hostports.conftest import ANY4, ANY6, ONE4, ONE6, RealHost, bind, both, numbers

from linkwright.errors import Conflict, Exhausted, Refused
from linkwright.hostports import HeldPorts
from linkwright.model import Protocol

pytestmark = pytest.mark.netns

TCP, UDP, SCTP = Protocol.TCP, Protocol.UDP, Protocol.SCTP
TARGETS = (ONE4,)
LOOPBACK = ip_address("127.0.0.1")


# --- who can bind what ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shy", [False, True], ids=["SO_REUSEADDR", "plain"])
async def test_b_27_no_other_server_can_have_it_in_either_order(real: RealHost, shy: bool) -> None:
    """One that binds with SO_REUSEADDR would steal a port that is bound and not listened on."""
    await real.ports.hold("a", [both(8080)], TARGETS)
    for address in (ANY4, ONE4, LOOPBACK, ANY6, ONE6):
        with pytest.raises(Conflict):
            real.take(TCP, address, 8080, shy=shy)
    real.ports.release("a")

    real.take(TCP, LOOPBACK, 8080, shy=shy)
    with pytest.raises(Conflict):
        await real.ports.hold("a", [both(8080)], TARGETS)


async def test_b_27_a_server_of_both_families_is_in_the_way_of_either(real: RealHost) -> None:
    """Most listen on [::] and take IPv4 along; the message names the family that failed."""
    real.take(TCP, ANY6, 8080, dual=True)

    with pytest.raises(Conflict, match=r"tcp 0\.0\.0\.0:8080 \(IPv4\)"):
        await real.ports.hold("a", [both(8080)], TARGETS)
    with pytest.raises(Conflict, match=r"tcp \[::\]:8080 \(IPv6\)"):
        await real.ports.hold("a", [(bind(ANY6, 8080),)], TARGETS)

    await real.ports.hold("b", [both(8081)], TARGETS)
    with pytest.raises(Conflict):
        real.take(TCP, ANY6, 8081, dual=True)


async def test_a_conflict_with_one_of_ours_names_it(real: RealHost) -> None:
    """The engine's book finds most of them first."""
    await real.ports.hold("first", [both(8080)], TARGETS)

    with pytest.raises(Conflict, match="the endpoint first of ours"):
        await real.ports.hold("second", [(bind(ONE4, 8080),)], TARGETS)


async def test_an_address_that_the_host_has_not_is_refused(real: RealHost) -> None:
    """As Docker does; a typing error would otherwise be a port that never answers."""
    for address in ("192.0.2.99", "2001:db8::99"):
        with pytest.raises(Refused, match="no interface of this host has that address"):
            await real.ports.hold("a", [(bind(ip_address(address), 8080),)], TARGETS)


async def test_what_was_lost_with_its_address_comes_back_with_it(real: RealHost) -> None:
    """At a boot the address may come later than we do."""
    late = ip_address("192.0.2.7")
    binding = bind(late, 8080)
    await real.ports.restore("a", [binding], TARGETS)
    assert "no interface of this host has that address" in real.ports.lost()[binding]

    real.namespace.run("ip", "address", "add", "192.0.2.7/32", "dev", "lo")
    await real.ports.restore("a", [binding], TARGETS)

    assert real.ports.lost() == {}


async def test_a_stored_binding_without_a_port_is_lost_and_no_reason_to_stop(real: RealHost) -> None:
    """Restoring never raises: a start does not depend on what an earlier version wrote."""
    binding = bind(ANY4, 0)

    await real.ports.restore("a", [binding], TARGETS)

    assert list(real.ports.lost()) == [binding]


# --- which ports are chosen ----------------------------------------------------------------------------------------


async def test_b_11_ports_are_chosen_where_the_kernel_keeps_its_own(real: RealHost) -> None:
    """In ip_local_port_range but for the reserved ones, until none is left."""
    real.give_out("40000 40009", reserved="40000-40004")

    chosen = [numbers(await real.ports.hold(f"e{number}", [both(0)], TARGETS))[0] for number in range(5)]

    assert sorted(chosen) == list(range(40005, 40010))
    with pytest.raises(Exhausted, match="ip_local_port_range"):
        await real.ports.hold("late", [both(0)], TARGETS)
    real.ports.release("e0")
    assert numbers(await real.ports.hold("late", [both(0)], TARGETS)) == [chosen[0]] * 2


async def test_b_11_a_port_that_is_taken_for_one_family_is_passed_over(real: RealHost) -> None:
    """The kernel gives it out for the other, and prefers some; then all are tried in turn."""
    real.give_out("40000 40009")
    for port in range(40000, 40009):
        real.take(TCP, ANY6, port)

    held = await real.ports.hold("a", [both(0)], TARGETS)

    assert numbers(held) == [40009, 40009]


async def test_a_thousand_ports_leave_the_others_their_turn(real: RealHost) -> None:
    """Docker's calls go on meanwhile: the loop turns about once for each port."""
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(count)
        held = await real.ports.hold("a", [both(port, 80) for port in range(10000, 11000)], TARGETS)
        nursery.cancel_scope.cancel()

    assert len(held) == 2000
    assert turns > 900


async def test_cancelled_at_any_point_it_has_done_nothing(real: RealHost) -> None:
    """Docker gives up, or we stop: before the first port, and between any two."""
    groups = [both(port) for port in range(8080, 8085)]
    await real.ports.hold("a", [both(8080), both(9000)], TARGETS)
    for number in range(4):
        with trio.CancelScope() as scope:

            async def cancel(scope: trio.CancelScope = scope, turns: int = number) -> None:
                for _ in range(turns):
                    await trio.lowlevel.checkpoint()
                scope.cancel()

            async with trio.open_nursery() as nursery:
                nursery.start_soon(cancel)
                await real.ports.hold("a", groups, TARGETS)
        assert scope.cancelled_caught, number

        for port in (8081, 8084):
            real.take(TCP, ANY6, port)()
        for port in (8080, 9000):
            with pytest.raises(Conflict):
                real.take(TCP, ANY4, port)


# --- what answers there --------------------------------------------------------------------------------------------


async def test_nothing_answers_at_a_held_ipv4_port(real: RealHost) -> None:
    """No SYN-ACK and no RST: the client sends its SYN again, and by then the firewall leads it to the container."""
    await real.ports.hold("a", [(bind(ANY4, 8080),)], TARGETS)
    with (
        real.make(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0003)) as seen,
        real.make(socket.AF_INET, socket.SOCK_STREAM) as client,
        real.make(socket.AF_INET, socket.SOCK_STREAM) as other,
    ):
        seen.settimeout(10)
        client.setblocking(False)
        assert client.connect_ex(("127.0.0.1", 8080)) == errno.EINPROGRESS
        with pytest.raises(ConnectionRefusedError):
            other.connect(("127.0.0.1", 8081))  # to a port that nobody has, which is answered

        answers = set()
        while 8081 not in answers:
            packet = seen.recv(2048)
            source = int.from_bytes(packet[20:22], "big")
            answers |= {source} & {8080, 8081}

    assert answers == {8081}


async def test_nothing_answers_at_a_held_ipv4_port_of_udp(real: RealHost) -> None:
    """No ICMP that would make a client give up."""
    await real.ports.hold("a", [(bind(ANY4, 8080, protocol=UDP),)], TARGETS)
    with (
        real.make(socket.AF_INET, socket.SOCK_DGRAM) as client,
        real.make(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        client.connect(("127.0.0.1", 8080))
        other.connect(("127.0.0.1", 8081))
        client.send(b"hello")
        other.send(b"hello")
        other.settimeout(10)
        with pytest.raises(ConnectionRefusedError):
            other.recv(100)

        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(100)


# --- what this kernel has not ----------------------------------------------------------------------------------------


async def test_sctp_is_given_out_once_also_where_no_socket_can_hold_it(real: RealHost) -> None:
    """Many kernels have no SCTP sockets but lead its packets: the port is ours by our own book, and never lost."""
    held = await real.ports.hold("a", [both(3868, protocol=SCTP), both(0, protocol=SCTP)], TARGETS)

    assert numbers(held)[:2] == [3868, 3868]
    assert held[2].host_port == held[3].host_port > 0
    with pytest.raises(Conflict, match=r"sctp 192\.0\.2\.1:3868"):
        await real.ports.hold("b", [(bind(ONE4, 3868, protocol=SCTP),)], TARGETS)
    other = await real.ports.hold("b", [both(0, protocol=SCTP)], TARGETS)
    assert other[0].host_port != held[2].host_port

    await real.ports.restore("a", held, TARGETS)
    assert real.ports.lost() == {}
    real.ports.release("a")
    await real.ports.hold("b", [both(3868, protocol=SCTP)], TARGETS)


async def test_a_kernel_without_ipv6_is_told_by_name() -> None:
    """Booted with ipv6.disable=1: not everybody knows, and the other family can be had."""

    def make(family: int, kind: int, protocol: int) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return socket.socket(family, kind, protocol)

    with pytest.raises(Refused, match="this kernel has no IPv6"):
        await HeldPorts(make=make).hold("a", [(bind(ANY6, 8080),)], TARGETS)


async def test_without_descriptors_it_says_which_limit(real: RealHost) -> None:
    """And nothing of the request is held."""
    made = 0

    def make(family: int, kind: int, protocol: int) -> socket.socket:
        nonlocal made
        made += 1
        if made > 3:
            raise OSError(errno.EMFILE, "Too many open files")
        return real.make(family, kind, protocol)

    with pytest.raises(Exhausted, match="LimitNOFILE"):
        await HeldPorts(make=make).hold("a", [both(8080), both(8081)], TARGETS)

    real.take(TCP, ANY4, 8080)
