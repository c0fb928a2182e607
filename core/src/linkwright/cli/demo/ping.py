"""ICMP echo (RFC 792) in Python, for sandboxes that have no ping(8): one by one, or without a pause in a thread.

A raw socket: root of the namespace may open one, whoever that is outside. It hears every echo reply of the namespace,
so each of ours carries an identifier of its own.
"""

import secrets
import select
import socket
import struct
import threading
import time
from ipaddress import IPv4Address
from typing import Final

from attrs import frozen

from linkwright.kernel.netns import enter

_ECHO, _REPLY = 8, 0
_HEADER = struct.Struct("!BBHHH")  # type, code, checksum, identifier, sequence number

#: Seconds between echoes of the one that goes on and on, and that the last of them may take: a link takes 0.0001.
INTERVAL: Final = 0.02
PATIENCE: Final = 0.25


class Echoes:
    """Echo requests to *address* from the network namespace of the calling thread, and their replies."""

    def __init__(self, address: IPv4Address) -> None:
        """Open the socket; OSError if we may not."""
        self._address = str(address)
        self._identifier = secrets.randbelow(1 << 16)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self._sent: dict[int, float] = {}
        self.times: dict[int, float] = {}  # sequence number → seconds that the reply took
        self.sent = 0

    def close(self) -> None:
        """Close it."""
        self._socket.close()

    def send(self) -> None:
        """Send one more. What the namespace cannot even send (no route, link down) counts as sent and lost."""
        sequence, self.sent = self.sent & 0xFFFF, self.sent + 1
        packet = _packet(self._identifier, sequence)
        self._sent[sequence] = time.monotonic()
        try:
            self._socket.sendto(packet, (self._address, 0))
        except OSError:
            return

    def hear(self, seconds: float) -> bool:
        """Take replies for *seconds*, or until one has come for each that was sent; whether that is so."""
        end = time.monotonic() + seconds
        while len(self.times) < self.sent:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._socket], [], [], left)[0]:
                break
            self._read(self._socket.recv(2048))
        return len(self.times) == self.sent

    def _read(self, packet: bytes) -> None:
        start = (packet[0] & 0x0F) * 4  # behind the IP header, whose length is in words
        kind, _, _, identifier, sequence = _HEADER.unpack_from(packet, start)
        if (kind, identifier) == (_REPLY, self._identifier) and sequence in self._sent:
            self.times.setdefault(sequence, time.monotonic() - self._sent[sequence])


def ping(namespace: str, address: IPv4Address, *, within: float = 3.0) -> float | None:
    """Return the seconds that a reply took from *address* to the network namespace at path *namespace*.

    The second one's, since the first waits for ARP; None if there was none *within* so many seconds.
    """
    found: list[float] = []

    def main() -> None:
        enter(namespace)
        echoes = Echoes(address)
        end = time.monotonic() + within
        while len(echoes.times) < 2 and time.monotonic() < end:  # noqa: PLR2004
            echoes.send()
            echoes.hear(PATIENCE)
        found.extend(list(echoes.times.values())[1:2])
        echoes.close()

    thread = threading.Thread(target=main, daemon=True)
    thread.start()
    thread.join()
    return found[0] if found else None


@frozen
class Count:
    """How many echoes were sent, and answered."""

    sent: int
    answered: int

    @property
    def lost(self) -> int:
        """Those without an answer."""
        return self.sent - self.answered


class Pinging(threading.Thread):
    """An echo every ``INTERVAL`` seconds from *namespace* to *address* until ``stop``."""

    def __init__(self, namespace: str, address: IPv4Address) -> None:
        """Describe it; ``start`` starts it."""
        super().__init__(daemon=True)
        self._namespace = namespace
        self._address = address
        self._stopping = threading.Event()
        self._answered = threading.Condition()
        self._count = Count(0, 0)

    def run(self) -> None:
        """Send and hear; a late answer is an answer."""
        enter(self._namespace)
        echoes = Echoes(self._address)
        while not self._stopping.is_set():
            echoes.send()
            following = time.monotonic() + INTERVAL
            echoes.hear(INTERVAL)
            self._note(echoes)
            self._stopping.wait(max(0.0, following - time.monotonic()))
        echoes.hear(PATIENCE)
        self._note(echoes)
        echoes.close()

    def _note(self, echoes: Echoes) -> None:
        with self._answered:
            self._count = Count(echoes.sent, len(echoes.times))
            self._answered.notify_all()

    @property
    def count(self) -> Count:
        """How it goes."""
        with self._answered:
            return self._count

    def wait_for(self, answered: int, *, within: float = 5.0) -> bool:
        """Wait until so many echoes have been *answered*; whether that came within so many seconds."""
        with self._answered:
            return self._answered.wait_for(lambda: self._count.answered >= answered, within)

    def stop(self) -> Count:
        """End it, and return how it went."""
        self._stopping.set()
        self.join()
        return self.count


def _packet(identifier: int, sequence: int) -> bytes:
    payload = b"linkwright demo "
    bare = _HEADER.pack(_ECHO, 0, 0, identifier, sequence) + payload
    return _HEADER.pack(_ECHO, 0, checksum(bare), identifier, sequence) + payload


def checksum(octets: bytes) -> int:
    """Return the Internet checksum (RFC 1071) of *octets*."""
    padded = octets + b"\0" * (len(octets) % 2)
    total = sum(int.from_bytes(padded[at : at + 2]) for at in range(0, len(padded), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
