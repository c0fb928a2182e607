"""Who is checked sends as nobody else: frames with another hardware or IP address are dropped and counted (B-20)."""

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from attrs import frozen
from core.tests.kernel.laboratory import Fate, Laboratory, address, counted, creates, deletes, host_address
from core.tests.kernel.probes import SEND

from linkwright.kernel.nftables.firewall import Firewall
from linkwright.model import Mac
from linkwright.plan.resources import Element

pytestmark = pytest.mark.netns

BOTH = pytest.mark.parametrize("version", [4, 6])
_ALL = 3  # ETH_P_ALL
_IP, _ARP, _IP6, _TAG, _LOCAL = 0x0800, 0x0806, 0x86DD, 0x8100, 0x88B5  # the last: IEEE 802, for local experiments
_BROADCAST = Mac.parse("ff:ff:ff:ff:ff:ff")
_STRANGER = Mac.parse("02:00:00:00:00:99")

#: Container a's own addresses, and ones that it may not use.
OWN4, OWN6 = IPv4Address(address("a", 4)), IPv6Address(address("a", 6))
GATEWAY4, GATEWAY6 = IPv4Address(host_address("lw0", 4)), IPv6Address(host_address("lw0", 6))
NONE4, NONE6, LOCAL6 = IPv4Address(0), IPv6Address(0), IPv6Address("fe80::1234")


@frozen
class Frame:
    """What container a sends: from which hardware address (None: its own), a type, and what is in it."""

    type: int
    body: Callable[[Mac], bytes]  # of its own hardware address
    source: Mac | None = None

    def packed(self, own: Mac) -> bytes:
        """As it is sent, to everybody."""
        sender = self.source or own
        return _BROADCAST.octets + sender.octets + self.type.to_bytes(2, "big") + self.body(own)


def ipv4(source: IPv4Address, *, to: int = 7000) -> Callable[[Mac], bytes]:
    """A datagram over IPv4 to everybody. br_netfilter looks at the checksum of its header (br_validate_ipv4)."""
    udp = struct.pack("!HHHH", 68, to, 12, 0) + b"data"
    first = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP)
    addresses = source.packed + b"\xff" * 4
    total = sum(struct.unpack("!9H", first + addresses))
    checksum = 0xFFFF - (total % 0xFFFF or 0xFFFF)
    return lambda _: first + checksum.to_bytes(2, "big") + addresses + udp


def ipv6(source: IPv6Address) -> Callable[[Mac], bytes]:
    """A datagram over IPv6 to everybody."""
    udp = struct.pack("!HHHH", 68, 7000, 12, 0) + b"data"
    head = struct.pack("!IHBB", 6 << 28, len(udp), socket.IPPROTO_UDP, 64)
    return lambda _: head + source.packed + IPv6Address("ff02::1").packed + udp


def arp(sender: IPv4Address, mac: Mac | None = None) -> Callable[[Mac], bytes]:
    """A question for the gateway, by which those who hear it learn where *sender* is."""

    def packed(own: Mac) -> bytes:
        return struct.pack("!HHBBH", 1, _IP, 6, 4, 1) + (mac or own).octets + sender.packed + bytes(6) + GATEWAY4.packed

    return packed


def tagged(kind: int, body: Callable[[Mac], bytes]) -> Callable[[Mac], bytes]:
    """What is behind the tag of VLAN 7."""
    return lambda own: struct.pack("!HH", 7, kind) + body(own)


SPOOFED = {
    "another MAC": Frame(_IP, ipv4(OWN4), _STRANGER),
    "another MAC over IPv6": Frame(_IP6, ipv6(OWN6), _STRANGER),
    "another MAC over ARP": Frame(_ARP, arp(OWN4), _STRANGER),
    "the sibling's IPv4 address": Frame(_IP, ipv4(IPv4Address(address("b", 4)))),
    "the gateway's IPv6 address": Frame(_IP6, ipv6(GATEWAY6)),
    "no IPv4 address, and no DHCP": Frame(_IP, ipv4(NONE4)),
    "the gateway's address by ARP": Frame(_ARP, arp(GATEWAY4)),
    "its own address at another MAC by ARP": Frame(_ARP, arp(OWN4, _STRANGER)),
    "a probe for another MAC by ARP": Frame(_ARP, arp(NONE4, _STRANGER)),
    "another protocol": Frame(_LOCAL, lambda _: b"data" * 12),
    "the gateway's IPv4 address behind a tag": Frame(_TAG, tagged(_IP, ipv4(GATEWAY4))),
    "the gateway's address by ARP behind a tag": Frame(_TAG, tagged(_ARP, arp(GATEWAY4))),
    "another protocol behind a tag": Frame(_TAG, tagged(_TAG, tagged(_IP, ipv4(GATEWAY4)))),
}
HONEST = {
    "its IPv4 address": Frame(_IP, ipv4(OWN4)),
    "its IPv6 address": Frame(_IP6, ipv6(OWN6)),
    "its address by ARP": Frame(_ARP, arp(OWN4)),
    "a probe by ARP": Frame(_ARP, arp(NONE4)),
    "no IPv4 address, for DHCP": Frame(_IP, ipv4(NONE4, to=67)),
    "no IPv6 address": Frame(_IP6, ipv6(NONE6)),
    "a link-local address": Frame(_IP6, ipv6(LOCAL6)),
}


@frozen
class Wire:
    """Container a's link, to send on, and its sibling's, to hear what came through."""

    out: socket.socket
    heard: socket.socket
    own: Mac

    def passes(self, frame: Frame) -> bool:
        """Send *frame* and, behind it, one that nothing can stop; whether it was heard before that."""
        last = Frame(_IP, ipv4(OWN4, to=7777)).packed(self.own)
        packed = frame.packed(self.own)
        self.out.send(packed)
        self.out.send(last)
        found = False
        while (data := self.heard.recv(2048)) != last:
            found = found or data == packed
        return found


@pytest.fixture
def wire(laboratory: Laboratory) -> Iterator[Wire]:
    """Sockets that send and hear whole frames."""
    with (
        closing(laboratory.machines["a"].socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))) as out,
        closing(laboratory.machines["b"].socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))) as heard,
    ):
        for one in (out, heard):
            one.bind(("eth0", _ALL))
            one.settimeout(5)
        yield Wire(out, heard, mac_of(laboratory, "a"))


def mac_of(laboratory: Laboratory, machine: str) -> Mac:
    """The hardware address of a machine's link."""
    shown = laboratory.machines[machine].run("ip", "-o", "link", "show", "eth0")
    return Mac.parse(shown.split("link/ether ")[1].split()[0])


def checks(laboratory: Laboratory, machine: str) -> list[Element]:
    """What a driver wishes where a machine's end of the pair is to be checked."""
    end = f"v-{machine}"
    return [
        Element("checked", (end,)),
        Element("macs", (end, str(mac_of(laboratory, machine)))),
        Element("senders4", (end, address(machine, 4))),
        Element("senders6", (end, address(machine, 6))),
    ]


@pytest.mark.parametrize("name", SPOOFED)
async def test_b_20_what_is_spoofed_is_dropped_and_counted(
    laboratory: Laboratory, firewall: Firewall, wire: Wire, name: str
) -> None:
    """It reaches neither the neighbours nor the host, and the counter says so; unchecked, it would have."""
    await firewall.apply(creates(*checks(laboratory, "a")))
    before = (await firewall.drops())["spoof"]
    assert not wire.passes(SPOOFED[name])
    assert (await firewall.drops())["spoof"] == before + 1
    await firewall.apply(deletes(*checks(laboratory, "a")))
    if "tag" not in name:  # a packet socket hears what was behind the tag
        assert wire.passes(SPOOFED[name])


@pytest.mark.parametrize("name", HONEST)
async def test_b_20_what_is_honest_passes(laboratory: Laboratory, firewall: Firewall, wire: Wire, name: str) -> None:
    """Its own addresses, and what those send who have none yet, with br_netfilter on or off; nothing is counted."""
    await firewall.apply(creates(*checks(laboratory, "a")))
    before = (await firewall.drops())["spoof"]
    for calls in (True, False):
        laboratory.set_calls(calls)
        assert wire.passes(HONEST[name])
    assert (await firewall.drops())["spoof"] == before


@BOTH
async def test_b_20_a_checked_container_is_as_any_other(
    laboratory: Laboratory, firewall: Firewall, version: int
) -> None:
    """It finds its neighbours and its gateway, and they find it, from the beginning."""
    await firewall.apply(creates(*checks(laboratory, "a"), *checks(laboratory, "b")))
    for machine in ("a", "b"):
        laboratory.machines[machine].run("ip", f"-{version}", "neigh", "flush", "dev", "eth0")
    laboratory.host.run("ip", f"-{version}", "neigh", "flush", "dev", "lw0")
    assert laboratory.arrives("a", "b", version) == address("a", version)
    assert laboratory.arrives("a", "outside", version) == host_address("up0", version)
    assert laboratory.arrives("host", "a", version)
    assert (await firewall.drops())["spoof"] == 0


@BOTH
async def test_b_20_addresses_are_each_containers_own(laboratory: Laboratory, firewall: Firewall, version: int) -> None:
    """That an address is somebody's does not make it another's; who is not checked may send what he likes."""
    await firewall.apply(creates(*checks(laboratory, "a"), *checks(laboratory, "b")))
    taken = f"{address('b', version)}/{32 if version == 4 else 128}"
    outside, container = address("outside", version), laboratory.machines["a"]
    container.run("ip", "addr", "add", taken, "dev", "lo", *(["nodad"] if version == 6 else []))
    route = (outside, "via", host_address("lw0", version), "src", address("b", version))
    container.run("ip", f"-{version}", "route", "add", *route)
    try:
        before = (await firewall.drops())["spoof"]
        SEND["udp"](container, version, (outside, 7000))
        assert await counted(firewall, "spoof", before + 1)
        await firewall.apply(deletes(Element("checked", ("v-a",))))
        assert laboratory.fate("a", outside) is Fate.FORWARDED
    finally:
        container.run("ip", f"-{version}", "route", "del", *route)
        container.run("ip", "addr", "del", taken, "dev", "lo")


def test_frames_are_what_they_say() -> None:
    """The honest ones differ from the forged in what is forged, so that a broken frame is not taken for a drop."""
    own = Mac.parse("02:00:00:00:00:01")
    frame = HONEST["its IPv4 address"].packed(own)
    assert (frame[6:12], frame[12:14]) == (own.octets, b"\x08\x00")
    assert ip_address(frame[26:30]) == OWN4
    assert ip_address(HONEST["its IPv6 address"].packed(own)[22:38]) == OWN6
    assert ip_address(HONEST["its address by ARP"].packed(own)[28:32]) == OWN4
