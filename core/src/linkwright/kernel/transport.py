"""A blocking rtnetlink socket: requests in bulk, and dumps. It belongs in a worker thread, never in trio's.

rtnetlink runs inside ``sendmsg``: when that returns, the answers already lie in the receive queue, and a delete has
taken its 15 ms of RCU grace periods (measured). An "async" socket would stall the loop for them all the same.
"""

import errno
import socket
import struct
from collections.abc import Iterator, Sequence

from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.netlink import (
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_DUMP_INTR,
    NLMSG_DONE,
    NLMSG_ERROR,
    Failure,
    Message,
    Request,
    failure,
    frame,
    messages,
)

#: Asked for in both directions. 208 KiB, the default, holds 256 answers; a bulk of errors has a thousand.
BUFFER = 8 << 20
#: The kernel fills a dump's datagram up to 32 KiB, whatever is offered (netlink_dump).
_RECEIVE = 64 << 10
#: What one error takes of the receive buffer at most: a datagram of its own, its extended ack, the kernel's overhead.
_COST_OF_ANSWER = 2048
_MOST_IN_ONE_SEND = 1000
_DUMP_TRIES = 10
#: How the kernel says that what is asked for is not there, or that a link has no table it could be in.
_ABSENT = frozenset({errno.ENODEV, errno.ENOENT, errno.ESRCH, errno.EOPNOTSUPP, errno.EINVAL})
#: Seconds that an answer may take after ``sendmsg`` has returned, by which it must be there. A guard, no more.
_ANSWER_TIMEOUT = 10
#: A message's header, and its padding at most.
_FRAME = 16 + 3


def open_socket(protocol: int = rt.NETLINK_ROUTE) -> socket.socket:
    """Return a bound netlink socket of the calling thread's namespace, with large buffers and errors in words."""
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
    try:
        for forced, plain in ((rt.SO_SNDBUFFORCE, socket.SO_SNDBUF), (rt.SO_RCVBUFFORCE, socket.SO_RCVBUF)):
            try:
                opened.setsockopt(socket.SOL_SOCKET, forced, BUFFER)
            except PermissionError:  # in a user namespace: up to net.core.rmem_max
                opened.setsockopt(socket.SOL_SOCKET, plain, BUFFER)
        for option in (rt.NETLINK_CAP_ACK, rt.NETLINK_EXT_ACK, rt.NETLINK_GET_STRICT_CHK):
            opened.setsockopt(rt.SOL_NETLINK, option, 1)
        opened.bind((0, 0))
    except OSError:
        opened.close()
        raise
    return opened


def open_events(groups: Sequence[int] = rt.EVENT_GROUPS) -> socket.socket:
    """Return a socket that hears of all changes, for trio: it does not block. A loss is told (ENOBUFS), not hidden."""
    opened = open_socket()
    try:
        for group in groups:
            opened.setsockopt(rt.SOL_NETLINK, rt.NETLINK_ADD_MEMBERSHIP, group)
        opened.setblocking(False)
    except OSError:
        opened.close()
        raise
    return opened


def buffer_size(opened: socket.socket) -> int:
    """Return the bytes that its receive queue holds; the kernel counts its own overhead in, hence the doubling."""
    return opened.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


class Rtnetlink:
    """One rtnetlink conversation. Not for use by two threads at once."""

    def __init__(self, protocol: int = rt.NETLINK_ROUTE) -> None:
        """Open it; *protocol* may be another part of the kernel that answers in the same manner, as netfilter does."""
        self._socket = open_socket(protocol)
        # Not settimeout(), which would poll before each call.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", _ANSWER_TIMEOUT, 0))
        self._sequence = 0
        self._most = max(16, min(_MOST_IN_ONE_SEND, buffer_size(self._socket) // _COST_OF_ANSWER))
        self._send_limit = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // 2
        self.port: int = self._socket.getsockname()[0]

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def execute(self, requests: Sequence[Request]) -> dict[int, Failure]:
        """Do *requests* in order and return the failures by position: what is not in there succeeded.

        One that fails does not keep the later ones from being done. Only the last of a send asks to be acknowledged:
        errors come anyway, and the silence of the others is their success. OSError if the answers are lost.
        """
        failures: dict[int, Failure] = {}
        first = size = 0
        for position, request in enumerate(requests):
            length = len(request.body) + _FRAME
            if position - first == self._most or (size and size + length > self._send_limit):
                self._exchange(requests[first:position], first, failures)
                first, size = position, 0
            size += length
        if first < len(requests):
            self._exchange(requests[first:], first, failures)
        return failures

    def _exchange(self, requests: Sequence[Request], first: int, failures: dict[int, Failure]) -> None:
        base = self._next(len(requests))
        last = base + len(requests) - 1
        frames = [frame(request, sequence) for sequence, request in enumerate(requests[:-1], base)]
        frames.append(frame(requests[-1], last, NLM_F_ACK))
        self._socket.send(b"".join(frames))
        while True:
            for message in messages(self._socket.recv(_RECEIVE)):
                if message.type != NLMSG_ERROR or not base <= message.sequence <= last:
                    continue  # left over from an exchange whose answers were lost
                failed = failure(message)
                if failed is not None:
                    failures[first + message.sequence - base] = failed
                if message.sequence == last:
                    return

    def dump(self, kind: int, body: bytes) -> list[Message]:
        """Return all objects of a get request. OSError with the kernel's errno if it refuses.

        A dump during which the table changed is marked so by the kernel and done again. One that never comes out
        unmarked is taken as it is: what it missed arrives as events.
        """
        found: list[Message] = []
        for _ in range(_DUMP_TRIES):
            found, interrupted = self._dump(kind, body)
            if not interrupted:
                break
        return found

    def _dump(self, kind: int, body: bytes) -> tuple[list[Message], bool]:
        found: list[Message] = []
        interrupted = False
        for message in self._answers(Request(kind, NLM_F_DUMP, body)):
            interrupted |= bool(message.flags & NLM_F_DUMP_INTR)
            if message.type == NLMSG_DONE:
                break
            found.append(message)
        return found, interrupted

    def walk(self, kind: int, body: bytes) -> Iterator[Message]:
        """Yield the objects of a get request as they come, for tables too large to hold; ``dump`` otherwise."""
        for message in self._answers(Request(kind, NLM_F_DUMP, body)):
            if message.type == NLMSG_DONE:
                return
            yield message

    def get(self, kind: int, body: bytes, flags: int = 0) -> Message | None:
        """Return the one object that a get request names; None if it is not there. OSError if the kernel refuses."""
        try:
            return next(self._answers(Request(kind, flags, body)))
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            raise

    def _answers(self, request: Request) -> Iterator[Message]:
        sequence = self._next(1)
        self._socket.send(frame(request, sequence))
        while True:
            for message in messages(self._socket.recv(_RECEIVE)):
                if message.sequence != sequence:
                    continue  # left over from an answer that was not read to its end
                failed = failure(message) if message.type in {NLMSG_ERROR, NLMSG_DONE} else None
                if failed is not None:
                    raise OSError(failed.code, failed.text or errno.errorcode.get(failed.code, "netlink"))
                yield message

    def _next(self, count: int) -> int:
        if self._sequence + count >= 1 << 32:
            self._sequence = 0
        first = self._sequence + 1
        self._sequence += count
        return first
