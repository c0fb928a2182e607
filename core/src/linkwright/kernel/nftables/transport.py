"""One blocking netlink socket: transactions and dumps. It decides nothing and knows no table.

It belongs in a thread of its own: the kernel does the work inside ``send``, and when that returns the answers already
lie in the receive queue (netlink(7)), so nothing here ever waits for a reply.
"""

import errno
import os
import socket
from collections.abc import Container, Iterator, Sequence

from attrs import frozen

from linkwright.kernel import netlink
from linkwright.kernel.netlink import NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, Message
from linkwright.kernel.nftables import nfnetlink
from linkwright.kernel.nftables.nfnetlink import Request
from linkwright.kernel.nftables.numbers import GROUP_NFTABLES, NETLINK_NETFILTER
from linkwright.kernel.rtnetlink import NETLINK_ADD_MEMBERSHIP, SOL_NETLINK
from linkwright.kernel.transport import open_socket

_RECEIVE = 1 << 16  # the kernel's dumps come in pieces of at most 32 KiB
_LAST_SEQUENCE = (1 << 32) - 1
_DUMPS = 20  # how often a dump is begun again when the tables change under it
_TOGETHER = 64  # requests in one send; each answer takes 4 KiB of the receive buffer (nft_get_set_elem)


def open_events() -> socket.socket:
    """Return a socket that hears of all changes in nf_tables, for trio: it does not block. OSError as ``Transport``."""
    opened = open_socket(NETLINK_NETFILTER)
    try:
        opened.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, GROUP_NFTABLES)
        opened.setblocking(False)
    except OSError:
        opened.close()
        raise
    return opened


@frozen
class Failure:
    """What the kernel said of one request of a transaction: its place in it, an errno, the extended ack's words."""

    index: int
    code: int
    extack: str = ""


class Transport:
    """A socket of NETLINK_NETFILTER in the calling thread's network namespace. Not for use by two threads at once."""

    def __init__(self) -> None:
        """Open it. OSError if the kernel has no nfnetlink."""
        self._socket = open_socket(NETLINK_NETFILTER)
        self._sequence = 0
        self.port: int = self._socket.getsockname()[0]

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def transact(self, requests: Sequence[Request]) -> tuple[Failure, ...]:
        """Do all *requests* or none; return what failed, which is nothing when all were done.

        The kernel looks at every request even after one failed, so the answer names all that cannot be, or as many as
        the receive buffer holds. A failure of the transaction itself has the index -1. OSError if it could not be
        sent (EMSGSIZE: too large), or if the answer is lost (ENOBUFS).
        """
        if not requests:
            return ()
        first = self._take(len(requests) + 2)
        last = first + len(requests) + 1
        framed = [request.framed(first + place) for place, request in enumerate(requests[:-1], 1)]
        framed.append(requests[-1].framed(last - 1, NLM_F_ACK))
        self._socket.send(b"".join([nfnetlink.begin(first), *framed, nfnetlink.end(last)]))
        failures, acknowledged = [], False
        for message in self._replies():
            if message.type == NLMSG_ERROR and first <= message.sequence <= last:
                failed = netlink.failure(message)
                index = message.sequence - first - 1 if first < message.sequence < last else -1
                if failed is None:
                    acknowledged = True
                else:
                    failures.append(Failure(index, failed.code, failed.text))
        if not failures and not acknowledged:
            raise OSError(errno.ENOBUFS, "the kernel's answer did not fit in the receive buffer")
        return tuple(sorted(failures, key=lambda failure: failure.index))

    def get(self, request: Request) -> Message | None:
        """Read one object; None if there is no such thing. OSError for any other refusal."""
        return next(iter(self._ask(request, NLM_F_ACK)), None)

    def get_each(self, requests: Sequence[Request], *, absent: Container[int]) -> list[Message | None]:
        """Read one object for each of *requests*; None for one that is refused with an errno of *absent*.

        OSError for any other refusal, or if an answer is lost (ENOBUFS).
        """
        found: list[Message | None] = []
        for start in range(0, len(requests), _TOGETHER):
            found += self._get_some(requests[start : start + _TOGETHER], absent)
        return found

    def _get_some(self, requests: Sequence[Request], absent: Container[int]) -> list[Message | None]:
        first = self._take(len(requests))
        self._socket.send(b"".join(request.framed(first + at) for at, request in enumerate(requests)))
        answers: dict[int, Message | None] = {}
        for message in self._replies():
            failed = netlink.failure(message) if message.type == NLMSG_ERROR else None
            if failed is None:
                answers[message.sequence - first] = message
            elif failed.code in absent:
                answers[message.sequence - first] = None
            else:
                raise OSError(failed.code, failed.text or os.strerror(failed.code))
        try:
            return [answers[at] for at in range(len(requests))]
        except KeyError:
            raise OSError(errno.ENOBUFS, "the kernel's answers did not fit in the receive buffer") from None

    def dump(self, request: Request) -> list[Message]:
        """Read all objects of a kind; none if what they would be in does not exist. OSError for any other refusal."""
        for _ in range(_DUMPS):
            found = self._ask(request, NLM_F_DUMP)
            if not any(message.flags & NLM_F_DUMP_INTR for message in found):
                return found
        raise OSError(errno.EINTR, "the tables changed under each try to read them")

    def _ask(self, request: Request, flags: int) -> list[Message]:
        sequence = self._take(1)
        self._socket.send(request.framed(sequence, flags))
        found = []
        for message in self._replies():
            if message.sequence != sequence:
                continue
            if message.type not in {NLMSG_ERROR, NLMSG_DONE}:
                found.append(message)
            # The end of a dump carries an errno where an error does.
            elif (failed := netlink.failure(message)) is not None and failed.code not in {0, errno.ENOENT}:
                raise OSError(failed.code, failed.text or os.strerror(failed.code))
        return found

    def _take(self, count: int) -> int:
        """Take *count* sequence numbers; return the first."""
        if self._sequence + count > _LAST_SEQUENCE:
            self._sequence = 0
        first = self._sequence + 1
        self._sequence += count
        return first

    def _replies(self) -> Iterator[Message]:
        while True:
            try:
                data = self._socket.recv(_RECEIVE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                continue  # only a flood of errors can do this, and the first of them are still there to be read
            yield from netlink.messages(data)
