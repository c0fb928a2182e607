"""What ``traffic`` runs inside containers' networks: a program of its own, of the standard library only.

``ping ADDRESS…`` sends an echo request to each address every 10 ms. ``serve ADDRESS PORT`` takes one connection and
checks what comes by it; ``send ADDRESS PORT`` makes one and sends numbered lines, a few every 10 ms. Each says "ready"
once there was an answer, goes on until its input ends, and then prints what came of it as JSON.
"""

import json
import select
import socket
import struct
import sys
import time
from collections.abc import Callable

EVERY = 0.01
"""Seconds between two rounds."""

PATIENCE = 2.0
"""Seconds that the last answers may take: for a machine that does something else, too."""

LINE = struct.Struct("!Q")
LINES = 64
"""Numbers in one write: half a kilobyte, 50 kB a second."""

ECHO = struct.Struct("!BBHHHQ")
ECHO_REQUEST, ECHO_REPLY = 8, 0

SO_RCVBUFFORCE = 33  # linux/socket.h; Python has no name for it


def request(identifier: int, number: int) -> bytes:
    """An ICMP echo request (RFC 792) that carries *number*."""
    packed = ECHO.pack(ECHO_REQUEST, 0, 0, identifier, number & 0xFFFF, number)
    total = sum(struct.unpack(f"!{len(packed) // 2}H", packed))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ECHO.pack(ECHO_REQUEST, 0, total ^ 0xFFFF, identifier, number & 0xFFFF, number)


class Pinger:
    """What was sent to each address, and what has not come back."""

    def __init__(self, addresses: list[str]) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        self.socket.setblocking(False)
        self.identifier = time.monotonic_ns() & 0xFFFF
        self.number = 0
        self.missing: dict[str, set[int]] = {address: set() for address in addresses}
        self.sent = dict.fromkeys(addresses, 0)

    def round(self) -> None:
        """Send one to each."""
        self.number += 1
        packet = request(self.identifier, self.number)
        for address in self.missing:
            self.missing[address].add(self.number)
            self.sent[address] += 1
            self.socket.sendto(packet, (address, 0))

    def collect(self, until: float) -> bool:
        """Take answers until the moment *until*; whether the input has ended meanwhile."""
        while (left := until - time.monotonic()) > 0:
            ready, _, _ = select.select([self.socket, sys.stdin], [], [], left)
            if self.socket in ready:
                self.take()
            elif sys.stdin in ready:
                return True
        return False

    def take(self) -> None:
        """Take all answers there are."""
        while True:
            try:
                packet, (address, _) = self.socket.recvfrom(2048)
            except BlockingIOError:
                return
            kind, _, _, identifier, _, number = ECHO.unpack_from(packet, (packet[0] & 15) * 4)
            if kind == ECHO_REPLY and identifier == self.identifier and address in self.missing:
                self.missing[address].discard(number)

    def finish(self) -> None:
        """Wait for the last answers."""
        latest = time.monotonic() + PATIENCE
        while any(self.missing.values()) and (left := latest - time.monotonic()) > 0:
            select.select([self.socket], [], [], left)
            self.take()


def ping(*addresses: str) -> object:
    """Send, and tell how many were sent to each address and how many were never answered."""
    pinger = Pinger(list(addresses))
    while not pinger.number or any(pinger.missing.values()):  # learning who is who
        pinger.round()
        pinger.finish()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    pinger.sent = dict.fromkeys(addresses, 0)
    due, ended = time.monotonic(), False
    while not ended:
        pinger.round()
        due = max(due + EVERY, time.monotonic())
        ended = pinger.collect(due)
    pinger.finish()
    return {address: [pinger.sent[address], len(pinger.missing[address])] for address in addresses}


def serve(address: str, port: str) -> object:
    """Take one connection, and tell how many numbers came by it in order, and why it ended."""
    with socket.create_server((address, int(port))) as door:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        connection, _ = door.accept()
    expected, rest = 0, b""
    with connection:
        while True:
            try:
                arrived = connection.recv(65536)
            except OSError as error:
                return [expected, str(error)]
            if not arrived:
                return [expected, ""]
            rest += arrived
            whole = len(rest) - len(rest) % LINE.size
            for (number,) in LINE.iter_unpack(rest[:whole]):
                if number != expected:
                    return [expected, f"{number} came instead"]
                expected += 1
            rest = rest[whole:]


def send(address: str, port: str) -> object:
    """Make a connection, and tell how many numbers were sent by it, and why it ended."""
    number = 0
    with socket.create_connection((address, int(port)), timeout=60) as connection:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while not select.select([sys.stdin], [], [], EVERY)[0]:
            try:
                connection.sendall(b"".join(LINE.pack(number + step) for step in range(LINES)))
            except OSError as error:
                return [number, str(error)]
            number += LINES
    return [number, ""]


if __name__ == "__main__":
    commands: dict[str, Callable[..., object]] = {"ping": ping, "serve": serve, "send": send}
    result = commands[sys.argv[1]](*sys.argv[2:])
    sys.stdout.write(json.dumps(result) + "\n")
