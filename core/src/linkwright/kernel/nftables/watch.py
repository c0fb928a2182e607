"""Changes that others make to our tables, and to the one chain of Docker's that we have a rule in, as events.

The kernel tells of each transaction what changed and, last, that a new generation begins; it names the port of the
socket that asked, so our own work is known and left out. One event for each transaction and name, however many
messages it was. Chains of iptables-legacy are not in nf_tables: nothing is told of them, look by timer.
"""

import errno
import socket
from collections import Counter
from collections.abc import Container, Sequence

import trio

from linkwright.kernel import netlink
from linkwright.kernel.netlink import Message, string
from linkwright.kernel.nftables import nfnetlink as nf
from linkwright.kernel.nftables.numbers import SUBSYSTEM, ChainAttribute, Family, Kind, RuleAttribute
from linkwright.kernel.nftables.table import Table
from linkwright.plan.steps import KernelEvent

DOCKER_USER = "DOCKER-USER"

_RECEIVE = 1 << 16
_OF_CHAINS = {Kind.NEWCHAIN: ChainAttribute.NAME, Kind.DELCHAIN: ChainAttribute.NAME}
_OF_RULES = {Kind.NEWRULE: RuleAttribute.CHAIN, Kind.DELRULE: RuleAttribute.CHAIN}
#: Kind of message → the attribute that holds the chain's name.
_CHAIN_NAMES = {**_OF_CHAINS, **_OF_RULES}
_TABLE_NAME = 1  # NFTA_*_TABLE, and NFTA_TABLE_NAME: the first attribute of each kind


async def watch(
    listening: socket.socket,
    tables: Sequence[Table],
    own_port: int,
    events: trio.MemorySendChannel[KernelEvent],
    told: Counter[str],
) -> None:
    """Send *events* for what is heard on *listening*, for ever, and count them by name in *told*.

    "ruleset": one of *tables* or something in it was changed by another than *own_port*. "docker-user": chain
    DOCKER-USER of ``ip filter`` or ``ip6 filter`` was. "overrun": the kernel had more to tell than the buffer holds;
    look everywhere.
    """
    ours = {(int(table.family), table.name) for table in tables}
    pending: set[str] = set()
    while True:
        await trio.lowlevel.checkpoint()
        try:
            data = listening.recv(_RECEIVE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            await trio.lowlevel.wait_readable(listening)
            continue
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            await _drain(listening)
            pending.clear()
            told["overrun"] += 1
            await events.send(KernelEvent("overrun"))
            continue
        for message in netlink.messages(data):
            kind = message.type & 0xFF
            if message.type >> 8 != SUBSYSTEM:
                continue
            if kind == Kind.NEWGEN:
                told.update(pending)
                for name in sorted(pending):
                    await events.send(KernelEvent(name))
                pending.clear()
            elif message.port != own_port:
                pending |= _names(message, kind, ours)


async def _drain(listening: socket.socket) -> None:
    """Read until nothing is left.

    After it has said ENOBUFS once, the kernel drops all that is new, without saying so again, until the queue is empty
    (NETLINK_S_CONGESTED in net/netlink/af_netlink.c). So whoever is told to look must be told after that.
    """
    while True:
        await trio.lowlevel.checkpoint()
        try:
            listening.recv(_RECEIVE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise


def _names(message: Message, kind: int, ours: Container[tuple[int, str]]) -> set[str]:
    """Names of the events that *message* is a reason for."""
    found = nf.read(message)
    owner = string(found.get(_TABLE_NAME, b""))
    if (nf.family(message), owner) in ours:
        return {"ruleset"}
    if nf.family(message) in {Family.IP, Family.IP6} and owner == "filter" and kind in _CHAIN_NAMES:
        chain = string(found.get(_CHAIN_NAMES[Kind(kind)], b""))
        return {"docker-user"} if chain == DOCKER_USER else set()
    return set()
