"""What others do to the kernel, as events: the multicast groups of rtnetlink, read by trio.

Rule 1: an event says where to look again, never what is there; looking is the reconciler's.
Rule 2: told is what can concern us: every link and address, what has our protocol or lies on our links, and default
routes. Not told is our own work, and what is on its way out.
Rule 3: what looking cannot find any more is kept until it is asked for: how low the MTU of a link was meanwhile.
Rule 4: when more happens than the buffer holds, that is told ("overrun"), and means: look everywhere.
"""

import errno
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

import trio

from linkwright.kernel import bridge_vlans, decode
from linkwright.kernel import rtnetlink as rt
from linkwright.kernel import traffic_control as tc
from linkwright.kernel.condemn import is_doomed
from linkwright.kernel.decode import LinkRow
from linkwright.kernel.echoes import Echoes
from linkwright.kernel.netlink import Message, messages, number, repeated
from linkwright.kernel.transport import buffer_size
from linkwright.plan.resources import FdbEntry, Key, Link
from linkwright.plan.steps import KernelEvent

#: Datagrams taken from the socket before any is looked at: a storm is moved out of its buffer first.
_TAKEN_AT_ONCE = 8192
#: Messages looked at before other tasks have their turn: 10 to 20 µs each.
_LOOKED_AT_ONCE = 128
_RECEIVE = 64 << 10


class _Known(NamedTuple):
    """A link as it was last told."""

    link: Link
    ours: bool


class Monitor:
    """Sends KernelEvents to *events*. ``counts`` are messages told, by name; ``overruns`` the times some were lost."""

    def __init__(
        self,
        events: trio.MemorySendChannel[KernelEvent],
        *,
        opened: Callable[[], Awaitable[socket.socket]],
        links: Callable[[], Awaitable[dict[int, LinkRow]]],
        instance: str,
        own_ports: Iterable[int],
        echoes: Echoes,
        protocol: int = rt.PROTOCOL,
    ) -> None:
        """Read the socket that *opened* returns and know the links that *links* reads, both in the request thread."""
        self._events = events
        self._opened = opened
        self._read_links = links
        self._instance = instance
        self._own_ports = frozenset(own_ports)
        self._echoes = echoes
        self._protocol = protocol
        self._known: dict[int, _Known] = {}
        self._lowest: dict[str, int] = {}
        self.counts: Counter[str] = Counter()
        self.overruns = 0
        self.buffer = 0  # bytes

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Tell events until cancelled; started when none can be missed any more."""
        with await self._opened() as opened:
            self.buffer = buffer_size(opened)
            await self._learn()
            task_status.started()
            while True:
                await trio.lowlevel.wait_readable(opened)
                taken, overrun = _take(opened)
                await self._tell(taken)
                if overrun:
                    self.overruns += 1
                    with suppress(OSError):  # then names are old ones, until the look at everything that this leads to
                        await self._learn()
                    await self._events.send(KernelEvent("overrun"))

    def lowest_mtus(self) -> dict[str, int]:
        """Return, and forget, the lowest MTU of each link of which it has changed, by name."""
        lowest, self._lowest = self._lowest, {}
        return lowest

    async def _learn(self) -> None:
        rows = await self._read_links()
        names = {index: row.name for index, row in rows.items()}
        self._known = {index: self._know(row.link(names.get)) for index, row in rows.items()}

    def _know(self, link: Link) -> _Known:
        return _Known(link, link.mark is not None and link.mark.instance == self._instance)

    async def _tell(self, taken: Iterable[bytes]) -> None:
        """Send one event for each name, with all keys of that name."""
        told: dict[str, set[Key]] = {}
        for place, message in enumerate(_latest([message for data in taken for message in messages(data)])):
            name, look = _LOOKS.get(message.type, ("", None))
            keys = set(look(self, message)) if look else set()
            if keys:
                self.counts[name] += 1
                told.setdefault(name, set()).update(keys)
            if place % _LOOKED_AT_ONCE == _LOOKED_AT_ONCE - 1:
                await trio.lowlevel.checkpoint()
        for name, keys in told.items():
            await self._events.send(KernelEvent(name, frozenset(keys)))

    def _name(self, index: int) -> str | None:
        """The name of a link that may be told of."""
        known = self._known.get(index)
        return None if known is None or is_doomed(known.link.name) else known.link.name

    # --- one kind of message each: which keys it tells of ---

    def _link(self, message: Message) -> Iterator[Key]:
        family, _, index, *_ = rt.IFINFO.unpack_from(message.data, message.start)
        before = self._known.get(index)
        if family == rt.AF_BRIDGE:  # a port's settings changed, or it left its bridge: RTM_DELLINK, but it is there
            if before is not None and not self._is_own(message) and not is_doomed(before.link.name):
                yield before.link.key
            return
        row = decode.link(message)
        self._known[index] = now = self._know(row.link(lambda other: self._linked(other, row)))
        if before is not None and before.link.mtu and now.link.mtu and before.link.mtu != now.link.mtu:
            name = now.link.name
            self._lowest[name] = min(self._lowest.get(name, before.link.mtu), now.link.mtu)
        if self._is_own(message) or (before is not None and before.link == now.link):
            return
        if before is not None and before.link.name != now.link.name and self._is_gone(before.link.key):
            yield before.link.key
        if not is_doomed(now.link.name) and not self._echoes.is_made(now.link):
            yield now.link.key

    def _linked(self, index: int, row: LinkRow) -> str | None:
        return row.name if index == row.ifindex else (k.link.name if (k := self._known.get(index)) else None)

    def _no_link(self, message: Message) -> Iterator[Key]:
        family, _, index, *_ = rt.IFINFO.unpack_from(message.data, message.start)
        if family == rt.AF_BRIDGE:
            yield from self._link(message)
            return
        before = self._known.pop(index, None)
        if before is not None and not self._is_own(message) and self._is_gone(before.link.key):
            yield before.link.key

    def _address(self, message: Message) -> Iterator[Key]:
        found = decode.address(message, self._name)
        if found is None or found.by_kernel or self._is_own(message):
            return
        new = message.type == rt.RTM_NEWADDR
        if not (self._echoes.is_made(found.resource) if new else not self._is_gone(found.resource.key)):
            yield found.resource.key

    def _route(self, message: Message) -> Iterator[Key]:
        row = None if self._is_own(message) else decode.route(message)
        found = None if row is None else row.found(self._name)
        if row is None or found is None:
            return
        known = self._known.get(row.output)
        concerns = row.protocol == self._protocol or (known is not None and known.ours and not found.by_kernel)
        leaving = message.type == rt.RTM_DELROUTE and known is not None and self._echoes.is_leaving(known.link.name)
        if (concerns and not leaving) or row.destination.prefixlen == 0:
            yield found.resource.key

    def _neighbour(self, message: Message) -> Iterator[Key]:
        if self._is_own(message):
            return
        found = decode.neighbour(message, self._name, any_state=True)
        if found is None:
            return
        _, index, *_ = rt.NDMSG.unpack_from(message.data, message.start)
        new = message.type == rt.RTM_NEWNEIGH
        echo = self._echoes.is_made(found.resource) if new else not self._is_gone(found.resource.key)
        ours = self._known[index].ours if isinstance(found.resource, FdbEntry) else found.protocol == self._protocol
        if ours and not echo:
            yield found.resource.key

    def _traffic_control(self, message: Message) -> Iterator[Key]:
        index, incoming = tc.place(message)
        known = self._known.get(index)
        if known is not None and known.ours and self._name(index) is not None and not self._is_own(message):
            yield ("redirect" if incoming else "shaper", known.link.name)

    def _vlan(self, message: Message) -> Iterator[Key]:
        _, index = rt.BR_VLAN_MSG.unpack_from(message.data, message.start)
        known, new = self._known.get(index), message.type == rt.RTM_NEWVLAN
        if known is None or not known.ours:
            return
        for found in bridge_vlans.memberships(message, self._name):
            if not (self._echoes.is_made(found.resource) if new else not self._is_gone(found.resource.key)):
                yield found.resource.key

    def _is_own(self, message: Message) -> bool:
        return message.port in self._own_ports

    def _is_gone(self, key: Key) -> bool:
        """Whether the absence of *key* is somebody else's doing, and worth telling."""
        ours = self._echoes.is_unmade(key) or (key[0] != "link" and self._echoes.is_leaving(key[1]))
        return not ours and not is_doomed(key[1])


_LOOKS: dict[int, tuple[str, Callable[[Monitor, Message], Iterator[Key]]]] = {
    rt.RTM_NEWLINK: ("newlink", Monitor._link),  # noqa: SLF001 - the table belongs to the class
    rt.RTM_DELLINK: ("dellink", Monitor._no_link),  # noqa: SLF001
    rt.RTM_NEWADDR: ("newaddr", Monitor._address),  # noqa: SLF001
    rt.RTM_DELADDR: ("deladdr", Monitor._address),  # noqa: SLF001
    rt.RTM_NEWROUTE: ("newroute", Monitor._route),  # noqa: SLF001
    rt.RTM_DELROUTE: ("delroute", Monitor._route),  # noqa: SLF001
    rt.RTM_NEWNEIGH: ("newneigh", Monitor._neighbour),  # noqa: SLF001
    rt.RTM_DELNEIGH: ("delneigh", Monitor._neighbour),  # noqa: SLF001
    rt.RTM_NEWQDISC: ("newqdisc", Monitor._traffic_control),  # noqa: SLF001
    rt.RTM_DELQDISC: ("delqdisc", Monitor._traffic_control),  # noqa: SLF001
    rt.RTM_NEWTFILTER: ("newtfilter", Monitor._traffic_control),  # noqa: SLF001
    rt.RTM_DELTFILTER: ("deltfilter", Monitor._traffic_control),  # noqa: SLF001
    rt.RTM_NEWVLAN: ("newvlan", Monitor._vlan),  # noqa: SLF001
    rt.RTM_DELVLAN: ("delvlan", Monitor._vlan),  # noqa: SLF001
}


def _take(opened: socket.socket) -> tuple[list[bytes], bool]:
    """Take what the socket holds; and whether the kernel had to drop some."""
    taken: list[bytes] = []
    overrun = False
    for _ in range(_TAKEN_AT_ONCE):
        try:
            taken.append(opened.recv(_RECEIVE, socket.MSG_DONTWAIT))
        except BlockingIOError:
            break
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            overrun = True  # what came before the loss is still there to be read
    return taken, overrun


def _latest(received: list[Message]) -> Iterator[Message]:
    """Leave out what is overtaken: of the states that a link went through only the last of each MTU counts."""
    overtaken: set[int] = set()
    seen: dict[int, tuple[int, int]] = {}  # index → place, MTU
    for place, message in enumerate(received):
        if message.type in {rt.RTM_NEWLINK, rt.RTM_DELLINK}:
            family, _, index, *_ = rt.IFINFO.unpack_from(message.data, message.start)
            if family == rt.AF_BRIDGE:
                continue
            if message.type == rt.RTM_DELLINK:
                seen.pop(index, None)
                continue
            before, had = seen.get(index, (place, -1))
            mtu = _mtu(message)
            if mtu == had:
                overtaken.add(before)
            seen[index] = (place, mtu)
    return (message for place, message in enumerate(received) if place not in overtaken)


def _mtu(message: Message) -> int:
    """The MTU alone: it is among the first things that are said of a link (rtnl_fill_ifinfo)."""
    said = repeated(message.data, message.start + rt.IFINFO.size, message.end)
    return next((number(value) for kind, value in said if kind == rt.IFLA_MTU), 0)
