"""Run by itself in a network namespace: answers on ports, or knocks on them and tells which answered.

``knocking.py answer NAME PORT…``      answers TCP, UDP and SCTP on each port, on all addresses, with NAME; until its
                                      input ends.
``knocking.py knock SECONDS``         reads ``[[protocol, address, port], …]`` and writes the names that answered, in
                                      the same order, and null for those that were silent or refused.

SCTP is spoken by raw sockets, because kernels without SCTP sockets track its connections all the same: an INIT is
answered with an ABORT (RFC 9260), whose verification tag has to be the one of the INIT. Whose it is cannot be said in
an ABORT, so SCTP answers with an empty name.
"""

import json
import select
import socket
import struct
import sys
import threading
import time

SCTP = 132
_INIT, _ABORT = 1, 6
_TAG = 0x4C57_0001
_HEADER = struct.Struct("!HHII")
_WAIT_BETWEEN = 0.3
_FIRST_SOURCE = 20000


def crc32c(octets: bytes) -> int:
    """The checksum of RFC 9260, appendix A."""
    crc = 0xFFFF_FFFF
    for octet in octets:
        crc ^= octet
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F6_3B78 if crc & 1 else 0)
    return crc ^ 0xFFFF_FFFF


def packet(source: int, destination: int, tag: int, chunk: bytes) -> bytes:
    """An SCTP packet with one chunk."""
    bare = _HEADER.pack(source, destination, tag, 0) + chunk
    return bare[:8] + struct.pack("<I", crc32c(bare)) + chunk


def family_of(address: str) -> int:
    """The address family of a literal."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def payload(received: bytes, family: int) -> bytes:
    """What follows the IP header: a raw IPv4 socket gets that too."""
    return received[(received[0] & 0x0F) * 4 :] if family == socket.AF_INET else received


# --- answering -----------------------------------------------------------------------------------------------------


def answer(name: bytes, ports: set[int]) -> None:
    """Answer on *ports* until our input ends."""
    doors: list[socket.socket] = []
    for port in ports:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            door = socket.socket(socket.AF_INET6, kind)
            door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            door.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            door.bind(("::", port))
            if kind == socket.SOCK_STREAM:
                door.listen(1024)
            doors.append(door)
    raw = {family: socket.socket(family, socket.SOCK_RAW, SCTP) for family in (socket.AF_INET, socket.AF_INET6)}
    print("ready", flush=True)
    everything = [sys.stdin, *doors, *raw.values()]
    while True:
        ready, _, _ = select.select(everything, [], [])
        for one in ready:
            if one is sys.stdin:
                return
            if one in raw.values():
                answer_sctp(one, ports)
            elif one.type == socket.SOCK_DGRAM:
                _, sender = one.recvfrom(2048)
                one.sendto(name, sender)
            else:
                connection, _ = one.accept()
                with connection:
                    connection.sendall(name)


def answer_sctp(raw: socket.socket, ports: set[int]) -> None:
    """Answer one INIT."""
    received, sender = raw.recvfrom(2048)
    octets = payload(received, raw.family)
    source, destination, _, _ = _HEADER.unpack_from(octets)
    if destination in ports and octets[_HEADER.size] == _INIT:
        tag = struct.unpack_from("!I", octets, _HEADER.size + 4)[0]
        raw.sendto(packet(destination, source, tag, struct.pack("!BBH", _ABORT, 0, 4)), (sender[0], 0, *sender[2:]))


# --- knocking ------------------------------------------------------------------------------------------------------


def knock_tcp(address: str, port: int, deadline: float) -> str | None:
    """Connect, and read a name."""
    with socket.socket(family_of(address), socket.SOCK_STREAM) as one:
        one.settimeout(max(0.01, deadline - time.monotonic()))
        # connect() alone leaves out the scope of a link-local address
        one.connect(socket.getaddrinfo(address, port, flags=socket.AI_NUMERICHOST)[0][4])
        return one.recv(64).decode()


def knock_udp(address: str, port: int, deadline: float) -> str | None:
    """Ask until somebody answers."""
    with socket.socket(family_of(address), socket.SOCK_DGRAM) as one:
        one.connect((address, port))
        while time.monotonic() < deadline:
            one.send(b"who?")
            if select.select([one], [], [], _WAIT_BETWEEN)[0]:
                return one.recv(64).decode()
    return None


def knock_sctp(knocks: list[tuple[int, str, int]], deadline: float) -> dict[int, str]:
    """Send INITs to every address and port until the ABORTs of ours have come back; what came, by place.

    All at once: every raw socket sees what comes for any other. Each knock has a source port of its own.
    """
    raw = {family: socket.socket(family, socket.SOCK_RAW, SCTP) for family in (socket.AF_INET, socket.AF_INET6)}
    waiting = {_FIRST_SOURCE + place: (place, address, port) for place, address, port in knocks}
    answered: dict[int, str] = {}
    init = struct.pack("!BBHIIHHI", _INIT, 0, 20, _TAG, 65536, 1, 1, 1)
    while waiting and time.monotonic() < deadline:
        for source, (_, address, port) in waiting.items():
            try:
                raw[family_of(address)].sendto(packet(source, port, 0, init), (address, 0))
            except OSError:
                continue  # no route: silence
        until = time.monotonic() + _WAIT_BETWEEN
        while ready := select.select(list(raw.values()), [], [], max(0.0, until - time.monotonic()))[0]:
            for one in ready:
                octets = payload(one.recv(2048), one.family)
                port, to, tag, _ = _HEADER.unpack_from(octets)
                if to in waiting and waiting[to][2] == port and (tag, octets[_HEADER.size]) == (_TAG, _ABORT):
                    answered[waiting.pop(to)[0]] = ""
    return answered


KNOCK = {"tcp": knock_tcp, "udp": knock_udp}


def knock(seconds: float) -> None:
    """Knock at everything that our input names."""
    wanted = json.loads(sys.stdin.read())
    found: list[str | None] = [None] * len(wanted)
    deadline = time.monotonic() + seconds

    def one(place: int, protocol: str, address: str, port: int) -> None:
        try:
            found[place] = KNOCK[protocol](address, port, deadline)
        except OSError:
            found[place] = None

    threads = [
        threading.Thread(target=one, args=(place, *what)) for place, what in enumerate(wanted) if what[0] in KNOCK
    ]
    for thread in threads:
        thread.start()
    raw = [(place, what[1], what[2]) for place, what in enumerate(wanted) if what[0] == "sctp"]
    for place, name in (knock_sctp(raw, deadline) if raw else {}).items():
        found[place] = name
    for thread in threads:
        thread.join()
    print(json.dumps(found))


if __name__ == "__main__":
    if sys.argv[1] == "answer":
        answer(sys.argv[2].encode(), {int(port) for port in sys.argv[3:]})
    else:
        knock(float(sys.argv[2]))
