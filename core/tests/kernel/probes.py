"""One packet, or one exchange of two, of each protocol: what the tests of the firewall's traffic send. No judgement.

The kernel of the tests tracks SCTP connections but has no sockets for them, so those packets are made by hand: an INIT
and its answer (RFC 9260), as raw sockets take them.
"""

import itertools
import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType

from linkwright.testkit.namespaces import Namespace

Place = tuple[str, int]  # address and port

#: Ports that single packets come from, which is what counters know them by.
FIRST, LAST = 47000, 47999
_ports = itertools.cycle(range(FIRST, LAST + 1))
_SECONDS = 0.2
_COMMON = struct.Struct("!HHII")  # source, destination, verification tag, checksum
_INIT = struct.Struct("!BBHIIHHI")  # type, flags, length, initiate tag, window, streams out and in, first number
_INIT_CHUNK, _INIT_ACK_CHUNK = 1, 2


#: Version → an echo request: type, code, checksum (the kernel fills in that of ICMPv6 only), identifier, number.
_ECHO = {4: struct.pack("!BBHHH", 8, 0, 0xF7FD, 1, 1), 6: struct.pack("!BBHHH", 128, 0, 0, 1, 1)}


def _crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for octet in data:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def _sctp(kind: int, source: int, target: int, tag: int) -> bytes:
    chunk = _INIT.pack(kind, 0, _INIT.size, 7, 65536, 1, 1, 1)
    crc = _crc32c(_COMMON.pack(source, target, tag, 0) + chunk)
    return _COMMON.pack(source, target, tag, int.from_bytes(crc.to_bytes(4, "little"), "big")) + chunk


def _read_sctp(data: bytes, version: int) -> tuple[int, int, int]:
    """Source port, destination port and type of the first chunk; ValueError if the checksum is wrong."""
    packet = data[(data[0] & 0xF) * 4 :] if version == 4 else data
    source, target, tag, _ = _COMMON.unpack_from(packet)
    kind = packet[_COMMON.size]
    if packet != _sctp(kind, source, target, tag):
        raise ValueError(f"a broken SCTP packet: {packet.hex()}")
    return source, target, kind


def _family(version: int) -> socket.AddressFamily:
    return socket.AF_INET if version == 4 else socket.AF_INET6


def _at(place: Place) -> tuple[str, int] | tuple[str, int, int, int]:
    """As sockets take it: the number of the link that a link-local address is on stands apart (RFC 4007)."""
    host, _, scope = place[0].partition("%")
    return (host, place[1], 0, int(scope)) if scope else place


# --- one packet ----------------------------------------------------------------------------------------------


def _one_udp(machine: Namespace, version: int, target: Place) -> None:
    with machine.socket(_family(version), socket.SOCK_DGRAM) as out:
        out.bind(("", next(_ports)))
        out.sendto(b"probe", _at(target))


def _one_tcp(machine: Namespace, version: int, target: Place) -> None:
    with machine.socket(_family(version), socket.SOCK_STREAM) as out:
        out.bind(("", next(_ports)))
        out.setblocking(False)
        out.connect_ex(_at(target))


def _one_sctp(machine: Namespace, version: int, target: Place) -> None:
    with machine.socket(_family(version), socket.SOCK_RAW, socket.IPPROTO_SCTP) as out:
        out.sendto(_sctp(_INIT_CHUNK, next(_ports), target[1], 0), _at((target[0], 0)))


def _one_echo(machine: Namespace, version: int, target: Place) -> None:
    with _icmp(machine, version) as out:
        out.sendto(_ECHO[version], (target[0], 0))


def _icmp(machine: Namespace, version: int) -> socket.socket:
    return machine.socket(
        _family(version), socket.SOCK_RAW, socket.IPPROTO_ICMP if version == 4 else socket.IPPROTO_ICMPV6
    )


#: Protocol → send one packet of it.
SEND: Mapping[str, Callable[[Namespace, int, Place], None]] = MappingProxyType(
    {"udp": _one_udp, "tcp": _one_tcp, "sctp": _one_sctp, "echo": _one_echo}
)


# --- one exchange --------------------------------------------------------------------------------------------


def _exchange_udp(sender: Namespace, receiver: Namespace, version: int, target: Place, at: Place) -> str:
    with (
        sender.socket(_family(version), socket.SOCK_DGRAM) as out,
        receiver.socket(_family(version), socket.SOCK_DGRAM) as listening,
    ):
        listening.bind(at)
        for one in (out, listening):
            one.settimeout(_SECONDS)
        out.connect(target)  # so that an answer from elsewhere is none
        out.send(b"probe")
        source = listening.recvfrom(64)[1]
        listening.sendto(b"reply", source)
        if out.recv(64) != b"reply":
            raise ConnectionError("another answer")
        return str(source[0])


def _exchange_tcp(sender: Namespace, receiver: Namespace, version: int, target: Place, at: Place) -> str:
    with (
        sender.socket(_family(version), socket.SOCK_STREAM) as out,
        receiver.socket(_family(version), socket.SOCK_STREAM) as listening,
    ):
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(at)
        listening.listen()
        for one in (out, listening):
            one.settimeout(_SECONDS)
        out.connect(target)
        accepted, source = listening.accept()
        with accepted:
            accepted.sendall(b"reply")
            if out.recv(64) != b"reply":
                raise ConnectionError("another answer")
        return str(source[0])


def _exchange_sctp(sender: Namespace, receiver: Namespace, version: int, target: Place, at: Place) -> str:
    port = next(_ports)
    with (
        sender.socket(_family(version), socket.SOCK_RAW, socket.IPPROTO_SCTP) as out,
        receiver.socket(_family(version), socket.SOCK_RAW, socket.IPPROTO_SCTP) as listening,
    ):
        listening.bind((at[0], 0))
        for one in (out, listening):
            one.settimeout(_SECONDS)
        out.sendto(_sctp(_INIT_CHUNK, port, target[1], 0), (target[0], 0))
        source, back = _await_sctp(listening, version, at[1], _INIT_CHUNK)
        listening.sendto(_sctp(_INIT_ACK_CHUNK, at[1], back, 7), (source, 0))
        if _await_sctp(out, version, port, _INIT_ACK_CHUNK) != target:
            raise ConnectionError("the answer comes from elsewhere")
        return source


def _exchange_echo(sender: Namespace, receiver: Namespace, version: int, target: Place, at: Place) -> str:
    """The kernel of the receiver answers, and does not tell whom: the address that it answered from."""
    with _icmp(sender, version) as out:
        out.settimeout(_SECONDS)
        out.sendto(_ECHO[version], (target[0], 0))
        while True:
            data, source = out.recvfrom(2048)
            if data[20 if version == 4 else 0] == (0 if version == 4 else 129):
                return str(source[0])


def _await_sctp(listening: socket.socket, version: int, port: int, kind: int) -> Place:
    """Where the next such chunk to *port* came from. A raw socket hears all SCTP, its own among it where it loops."""
    while True:
        data, source = listening.recvfrom(2048)
        with suppress(ValueError):
            back, to, found = _read_sctp(data, version)
            if (to, found) == (port, kind):
                return str(source[0]), back


#: Protocol → send one packet to *target*, receive it bound to *at*, answer it, and receive the answer: the source that
#: the receiver saw. OSError, of which TimeoutError is one, if that is not to be.
EXCHANGE: Mapping[str, Callable[[Namespace, Namespace, int, Place, Place], str]] = MappingProxyType(
    {"udp": _exchange_udp, "tcp": _exchange_tcp, "sctp": _exchange_sctp, "echo": _exchange_echo}
)
