"""What the kernel has, read as resource values: everything, or what is under a few keys. Runs in the request thread.

Rule 1: it reads and never writes. Rule 2: what the kernel makes by itself (connected routes, link-local addresses) and
what is doomed already is not there. A lent link is simply absent.
"""

import errno
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress

from attrs import frozen

from linkwright.kernel import bridge_vlans, decode
from linkwright.kernel import rtnetlink as rt
from linkwright.kernel import traffic_control as tc
from linkwright.kernel.condemn import is_doomed
from linkwright.kernel.decode import Found, LinkRow, Names
from linkwright.kernel.netlink import NLM_F_ECHO, Message, text, u32
from linkwright.kernel.single import is_single, single
from linkwright.kernel.transport import Rtnetlink
from linkwright.plan.mark import Mark
from linkwright.plan.resources import Address, BridgeVlan, FdbEntry, Hairpin, Key, Link, Redirect, Resource, Shaper
from linkwright.plan.steps import Snapshot


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

#: Kinds that the kernel knows nobody's name for: whose the link is, theirs they are.
_OF_THEIR_LINK = (FdbEntry, BridgeVlan, Hairpin, Shaper, Redirect)

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

    def addresses(self, names: Names, index: int = 0) -> list[Address]:
        """The addresses on the link with *index*, 0 for those on all links: what the kernel itself put there, too."""
        found = (decode.address(message, names) for message in self._netlink.dump(rt.RTM_GETADDR, _addresses(index)))
        return [one.resource for one in found if one is not None and isinstance(one.resource, Address)]

    def snapshot(self) -> Snapshot:
        """All links, what lies on ours, and all that is ours."""
        every = self.links()
        doomed = {index for index, row in every.items() if is_doomed(row.name)}
        rows = {index: row for index, row in every.items() if not doomed & {index, row.parent}}
        names = {index: row.name for index, row in rows.items()}
        by_name = {row.name: row for row in rows.values()}
        resources: dict[Key, Resource] = {}
        ours: set[Key] = set()
        for row in rows.values():
            link = row.link(names.get)
            resources[link.key] = link
            if self.is_marked(row.mark):
                ours.add(link.key)
        for found in self._all_lying(rows, names.get):
            lies_on = by_name.get(getattr(found.resource, "link", None) or "")
            mine = self._is_ours(found, lies_on, rows.get)
            if mine or (lies_on is not None and self.is_marked(lies_on.mark)):
                resources[found.resource.key] = found.resource
                if mine:
                    ours.add(found.resource.key)
        return Snapshot(resources, frozenset(ours))

    def _all_lying(self, rows: Mapping[int, LinkRow], names: Names) -> Iterator[Found]:
        """Yield what lies on all links; how fast they are and where they lead only of those of ours."""
        for kind in _SOURCES:
            yield from self._lying(kind, 0, names)
        yield from self._memberships(0, names)
        yield from (Found(Hairpin(row.name)) for row in rows.values() if row.sends_back and names(row.master))
        for message in self._dump(rt.RTM_GETQDISC, tc.ALL_QDISCS):
            index, incoming = tc.place(message)
            if index in rows and self.is_marked(rows[index].mark):
                if incoming:
                    yield from self._redirection(index, names)
                elif (found := tc.shaper(message, names)) is not None:
                    yield found

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
                if self._is_ours(found, rows.by_name(getattr(found.resource, "link", None) or ""), rows.at):
                    ours.add(found.resource.key)
        return Snapshot(resources, frozenset(ours))

    def _found(self, wanted: Iterable[Key], rows: "_Rows") -> Iterator[Found]:
        """Yield what lies under *wanted*, and maybe more: one dump for a kind and link, or a few single questions."""
        groups: dict[tuple[str, str], list[Key]] = {}
        for key in wanted:
            if key[0] in _SOURCES or key[0] in _ON_LINK:
                groups.setdefault((key[0], "" if key[0] == "route" else key[1]), []).append(key)
        for (kind, name), keys in groups.items():
            on = rows.by_name(name) if name else None
            if kind in _ON_LINK:
                yield from _ON_LINK[kind](self, on.ifindex, rows.name) if on is not None else ()
            elif on is not None and len(keys) <= _FEW and all(is_single(key) for key in keys):
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

    def lying_on(self, row: LinkRow, *, gone: bool) -> list[tuple[Resource, int]]:
        """All that lies on one link and goes when that goes down and leaves its bridge, and the protocol of each.

        With *gone* also what goes only with the link itself.
        """
        rows, index = _Rows(self), row.ifindex

        def names(other: int) -> str | None:
            return row.name if other == index else rows.name(other)

        found = [found for kind in _SOURCES for found in self._lying(kind, index, names)]
        if self._filters_vlans(row, rows):
            found += self._memberships(index, names)
        found += [Found(Hairpin(row.name))] if row.sends_back else []
        if gone:
            found += [*self._shaper(index, names), *self._redirection(index, names)]
        return [(one.resource, one.protocol) for one in found if getattr(one.resource, "link", None) == row.name]

    @staticmethod
    def _filters_vlans(row: LinkRow, rows: "_Rows") -> bool:
        bridge = rows.at(row.master) if row.master else row
        return bridge is not None and bridge.filters_vlans

    def _lying(self, kind: str, index: int, names: Names) -> Iterator[Found]:
        for source in _SOURCES[kind]:
            for message in self._dump(source.request, source.body(index)):
                found = source.decode(message, names)
                if found is not None and not found.by_kernel:
                    yield found

    def _dump(self, request: int, body: bytes) -> list[Message]:
        try:
            return self._netlink.dump(request, body)
        except OSError as error:
            if error.errno not in _NOTHING_THERE:
                raise
            return []

    def _shaper(self, index: int, names: Names) -> Iterator[Found]:
        # The answer is a notification to all who listen, which comes to us if we ask for its echo (qdisc_notify).
        message = self._netlink.get(rt.RTM_GETQDISC, tc.shaper_of(index), NLM_F_ECHO)
        found = None if message is None else tc.shaper(message, names)
        if found is not None:
            yield found

    def _redirection(self, index: int, names: Names) -> Iterator[Found]:
        for message in self._dump(rt.RTM_GETTFILTER, tc.filters_of(index)):
            found = tc.redirection(message, names)
            if found is not None:
                yield found

    def _hairpin(self, index: int, names: Names) -> Iterator[Found]:
        row = self.link_at(index)
        if row is not None and row.sends_back and names(row.master):
            yield Found(Hairpin(row.name))

    def _memberships(self, index: int, names: Names) -> Iterator[Found]:
        for message in self._dump(rt.RTM_GETVLAN, bridge_vlans.members_of(index)):
            yield from bridge_vlans.memberships(message, names)

    def is_marked(self, mark: Mark | None) -> bool:
        """Whether *mark* is of our instance."""
        return mark is not None and mark.instance == self._instance

    def _is_ours(self, found: Found, lies_on: LinkRow | None, rows: Callable[[int], LinkRow | None]) -> bool:
        """By the protocol, unless it lies on another instance's link; by the link, where the kernel keeps none."""
        mark = None if lies_on is None else lies_on.mark
        if isinstance(found.resource, BridgeVlan) and lies_on is not None:
            bridge = rows(lies_on.master) if lies_on.master else lies_on
            if bridge is not None and bridge.default_pvid == found.resource.vid:
                return False  # the kernel's own doing
        if isinstance(found.resource, _OF_THEIR_LINK):
            return self.is_marked(mark)
        return found.protocol == self._protocol and (mark is None or self.is_marked(mark))


#: Kinds that are asked for link by link, and how.
_ON_LINK: dict[str, Callable[[Reader, int, Names], Iterator[Found]]] = {
    "shaper": Reader._shaper,  # noqa: SLF001 - the table belongs to the class
    "redirect": Reader._redirection,  # noqa: SLF001
    "vlan": Reader._memberships,  # noqa: SLF001
    "hairpin": Reader._hairpin,  # noqa: SLF001
}


class _Rows:
    """Links read one by one as they are needed, each once."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._rows: dict[str, LinkRow | None] = {}
        self._names: dict[int, str | None] = {}
        self._at: dict[int, LinkRow | None] = {}

    def by_name(self, name: str) -> LinkRow | None:
        if not name:
            return None
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

    def at(self, index: int) -> LinkRow | None:
        if index not in self._at:
            self._at[index] = self._reader.link_at(index)
        return self._at[index]
