"""What the kernel has, read as resource values: everything, or what is under a few keys. Runs in the request thread.

Rule 1: it reads and never writes. Rule 2: what the kernel makes by itself (connected routes, link-local addresses) and
what is doomed already is not there. A lent link is simply absent.
"""

import errno
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from attrs import frozen

from linkwright.kernel import decode
from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.condemn import is_doomed
from linkwright.kernel.decode import Found, LinkRow, Names
from linkwright.kernel.netlink import Message, text, u32
from linkwright.kernel.single import is_single, single
from linkwright.kernel.transport import Rtnetlink
from linkwright.plan.mark import Mark
from linkwright.plan.resources import Address, FdbEntry, Key, Link, Neighbour, Resource, Route
from linkwright.plan.steps import Snapshot

Lying = Address | Route | Neighbour | FdbEntry


def _route(message: Message, names: Names) -> Found | None:
    row = decode.route(message)
    return None if row is None else row.found(names)


def _addresses(index: int) -> bytes:
    return rt.IFADDR.pack(rt.AF_UNSPEC, 0, 0, 0, index)


def _routes(family: int) -> Callable[[int], bytes]:
    return lambda index: rt.RTMSG.pack(family, 0, 0, 0, 0, 0, 0, 0, 0) + (u32(rt.RTA_OIF, index) if index else b"")


def _neighbours(family: int, flags: int = 0) -> Callable[[int], bytes]:
    return lambda index: rt.NDMSG.pack(family, 0, 0, flags, 0) + (u32(rt.NDA_IFINDEX, index) if index else b"")


@frozen
class _Source:
    """Where resources of a kind are dumped from, all or those on one link."""

    request: int
    body: Callable[[int], bytes]
    decode: Callable[[Message, Names], Found | None]


_SOURCES: dict[str, tuple[_Source, ...]] = {
    "address": (_Source(rt.RTM_GETADDR, _addresses, decode.address),),
    "route": tuple(_Source(rt.RTM_GETROUTE, _routes(family), _route) for family in (rt.AF_INET, rt.AF_INET6)),
    "neighbour": tuple(
        _Source(rt.RTM_GETNEIGH, _neighbours(family, flags), decode.neighbour)
        for family in (rt.AF_INET, rt.AF_INET6)
        for flags in (0, rt.NTF_PROXY)
    ),
    "fdb": (_Source(rt.RTM_GETNEIGH, _neighbours(rt.AF_BRIDGE), decode.neighbour),),
}

#: Every link, without its counters.
ALL_LINKS = rt.IFINFO.pack(rt.AF_UNSPEC, 0, 0, 0, 0) + u32(rt.IFLA_EXT_MASK, rt.RTEXT_FILTER_SKIP_STATS)

#: Up to so many entries of a link are asked for one by one; a link may have ten thousand, and a dump brings all.
_FEW = 16

#: A filter names a link, a family or a table that is not there: then nothing is in it.
_NOTHING_THERE = frozenset({errno.ENODEV, errno.ENOENT, errno.EAFNOSUPPORT, errno.EOPNOTSUPP})


class Reader:
    """Reads for one instance: *protocol* and marks of *instance* tell what is ours."""

    def __init__(self, netlink: Rtnetlink, instance: str, protocol: int = rt.PROTOCOL) -> None:
        self._netlink = netlink
        self._instance = instance
        self._protocol = protocol

    def links(self) -> dict[int, LinkRow]:
        """All links by index, doomed ones too."""
        rows = (decode.link(message) for message in self._netlink.dump(rt.RTM_GETLINK, ALL_LINKS))
        return {row.ifindex: row for row in rows}

    def link(self, name: str) -> LinkRow | None:
        """The link of that name; None if there is none."""
        body = rt.IFINFO.pack(rt.AF_UNSPEC, 0, 0, 0, 0) + text(rt.IFLA_IFNAME, name)
        message = self._netlink.get(rt.RTM_GETLINK, body + u32(rt.IFLA_EXT_MASK, rt.RTEXT_FILTER_SKIP_STATS))
        return None if message is None else decode.link(message)

    def link_at(self, index: int) -> LinkRow | None:
        """The link with that index; None if there is none."""
        body = rt.IFINFO.pack(rt.AF_UNSPEC, 0, index, 0, 0) + u32(rt.IFLA_EXT_MASK, rt.RTEXT_FILTER_SKIP_STATS)
        message = self._netlink.get(rt.RTM_GETLINK, body)
        return None if message is None else decode.link(message)

    def value(self, row: LinkRow) -> Link:
        """Return *row* as a value; the names of other links are read one by one."""
        return row.link(_Rows(self).name)

    def snapshot(self) -> Snapshot:
        """All links, what lies on ours, and all that is ours."""
        every = self.links()
        doomed = {index for index, row in every.items() if is_doomed(row.name)}
        rows = {index: row for index, row in every.items() if not doomed & {index, row.parent}}
        names = {index: row.name for index, row in rows.items()}
        marks = {row.name: row.mark for row in rows.values()}
        resources: dict[Key, Resource] = {}
        ours: set[Key] = set()
        for row in rows.values():
            link = row.link(names.get)
            resources[link.key] = link
            if self.is_marked(row.mark):
                ours.add(link.key)
        for kind in _SOURCES:
            for found in self._lying(kind, 0, names.get):
                mine = self._is_ours(found, marks.get)
                if mine or self.is_marked(marks.get(getattr(found.resource, "link", None) or "")):
                    resources[found.resource.key] = found.resource
                    if mine:
                        ours.add(found.resource.key)
        return Snapshot(resources, frozenset(ours))

    def observe(self, keys: Iterable[Key]) -> Snapshot:
        """What is under *keys*: one filtered dump for each kind and link, so a thousand keys cost as much as one."""
        wanted = frozenset(keys)
        rows = _Rows(self)
        resources: dict[Key, Resource] = {}
        ours: set[Key] = set()
        for key in wanted:
            row = rows.by_name(key[1]) if key[0] == "link" and not is_doomed(key[1]) else None
            if row is not None and not (row.parent and rows.name(row.parent) is None):
                resources[key] = row.link(rows.name)
                if self.is_marked(row.mark):
                    ours.add(key)
        for found in self._found(wanted, rows):
            if found.resource.key in wanted:
                resources[found.resource.key] = found.resource
                if self._is_ours(found, rows.mark):
                    ours.add(found.resource.key)
        return Snapshot(resources, frozenset(ours))

    def _found(self, wanted: Iterable[Key], rows: "_Rows") -> Iterator[Found]:
        """Yield what lies under *wanted*, and maybe more: one dump for a kind and link, or a few single questions."""
        groups: dict[tuple[str, str], list[Key]] = {}
        for key in wanted:
            if key[0] in _SOURCES:
                groups.setdefault((key[0], "" if key[0] == "route" else key[1]), []).append(key)
        for (kind, name), keys in groups.items():
            on = rows.by_name(name) if name else None
            if on is not None and len(keys) <= _FEW and all(is_single(key) for key in keys):
                for key in keys:
                    yield from self._single(key, on.ifindex, rows.name)
            elif on is not None or not name:
                yield from self._lying(kind, on.ifindex if on else 0, rows.name)

    def _single(self, key: Key, index: int, names: Names) -> Iterator[Found]:
        for body in single(key, index):
            message = self._netlink.get(rt.RTM_GETNEIGH, body)
            found = None if message is None else decode.neighbour(message, names)
            if found is not None:
                yield found

    def lying_on(self, row: LinkRow) -> list[tuple[Resource, int]]:
        """All that lies on one link and would go with it, and by which protocol it was made."""
        rows = _Rows(self)
        found = [found for kind in _SOURCES for found in self._lying(kind, row.ifindex, rows.name)]
        return [(one.resource, one.protocol) for one in found if getattr(one.resource, "link", None) == row.name]

    def _lying(self, kind: str, index: int, names: Names) -> Iterator[Found]:
        for source in _SOURCES[kind]:
            messages: list[Message] = []
            try:
                messages = self._netlink.dump(source.request, source.body(index))
            except OSError as error:
                if error.errno not in _NOTHING_THERE:
                    raise
            for message in messages:
                found = source.decode(message, names)
                if found is not None and not found.by_kernel:
                    yield found

    def is_marked(self, mark: Mark | None) -> bool:
        """Whether *mark* is of our instance."""
        return mark is not None and mark.instance == self._instance

    def _is_ours(self, found: Found, marks: Callable[[str], Mark | None]) -> bool:
        """By the protocol, unless it lies on another instance's link; forwarding entries keep none, so by the link."""
        mark = marks(getattr(found.resource, "link", None) or "")
        if isinstance(found.resource, FdbEntry):
            return self.is_marked(mark)
        return found.protocol == self._protocol and (mark is None or self.is_marked(mark))


class _Rows:
    """Links read one by one as they are needed, each once."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._rows: dict[str, LinkRow | None] = {}
        self._names: dict[int, str | None] = {}

    def by_name(self, name: str) -> LinkRow | None:
        if name not in self._rows:
            row = self._reader.link(name)
            self._rows[name] = row
            if row is not None:
                self._names[row.ifindex] = row.name
        return self._rows[name]

    def name(self, index: int) -> str | None:
        if index not in self._names:
            self._names[index] = None
            with suppress(OSError):
                name = socket.if_indextoname(index)
                self._names[index] = None if is_doomed(name) else name
        return self._names[index]

    def mark(self, name: str) -> Mark | None:
        row = self.by_name(name) if name else None
        return None if row is None else row.mark
