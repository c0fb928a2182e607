"""Forgetting tracked connections, so that a client that never changes its port is led to where the port leads now.

Rule 1: forgotten is what went to an address of this host, which is what the firewall publishes ports of: one that a
local route leads to, in any table. This host may be a router, and a connection through it to another machine's port of
the same number is none of our business, even if somebody's rule translated it (a cluster's service address). Only what
went to an address named as such, which the host has lost since, is known by having been translated.
Rule 2: it has a thread of its own: a table may hold a million entries, and a hundred thousand take a third of a second.
"""

import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from functools import partial
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Self

import trio

from linkwright.errors import KernelError, Unavailable
from linkwright.kernel import ctnetlink
from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.ctnetlink import Tracked
from linkwright.kernel.netlink import Request, attributes
from linkwright.kernel.nftables.numbers import NETLINK_NETFILTER
from linkwright.kernel.transport import Rtnetlink
from linkwright.kernel.worker import Worker
from linkwright.model import Flows, Prefix

#: Up to so many ports are asked for one by one: for each the kernel looks at the whole table (30 ms with a hundred
#: thousand entries), but tells only what was asked for. Of more, all of a protocol are told.
_FEW = 8

#: An empty table takes 5 ms to look through, as long as the reading of a thousand entries takes: the kernel locks each
#: bucket, and has 262144 by default from 4 GiB on. So rather than have one more look, be told so many entries more.
_TOLD_PER_LOOK = 500

#: How the kernel says that it has no netfilter sockets, or no ctnetlink behind them (nfnetlink_rcv_msg).
_MISSING = frozenset({errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.EINVAL, errno.EOPNOTSUPP})

_RTN_LOCAL = 2  # linux/rtnetlink.h
_OF_FAMILY: dict[int, tuple[int, Callable[[tuple[bytes, int]], Prefix]]] = {
    rt.AF_INET: (4, IPv4Network),
    rt.AF_INET6: (16, IPv6Network),
}

#: Port → the addresses it is meant at; the empty one is all that the host has. By family and protocol.
_Wanted = dict[tuple[int, int], dict[int, set[bytes]]]

_EVERY = b""

#: Seconds that ending waits for the job under way.
_CLOSE_SECONDS = 5.0


def _open() -> Rtnetlink:
    return Rtnetlink(NETLINK_NETFILTER)


class Conntrack:
    """The connections that one network namespace tracks. Enter it (``async with``) before use."""

    def __init__(self, *, netns: str | None = None, opened: Callable[[], Rtnetlink] = _open) -> None:
        """Forget in the namespace at path *netns*, over the socket that *opened* returns."""
        self._worker = Worker("linkwright-conntrack", netns=netns)
        self._opened = opened
        self._netfilter: Rtnetlink | None = None
        self._is_missing = False

    async def __aenter__(self) -> Self:
        """Start the thread, and open the socket where this kernel has one: it is asked for again when needed."""
        self._worker.open()
        try:
            with suppress(OSError):
                self._netfilter = await self._worker.do(self._opened, regret=Rtnetlink.close)
        except BaseException:  # cancelled: nobody will leave what was not entered
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """End, after what is under way."""
        with trio.move_on_after(2 * _CLOSE_SECONDS, shield=True):
            await self._worker.close(_CLOSE_SECONDS)
        if self._netfilter is not None:
            self._netfilter.close()

    async def forget(self, flows: Sequence[Flows]) -> int:
        """Delete the entries of *flows* and nothing else; how many there were. KernelError.

        Unavailable if this kernel tells nobody about its connections; that is said once, and then there are none.
        """
        return await self._worker.do(partial(self._forget, tuple(flows))) if flows else 0

    # --- in the thread ---

    def _forget(self, flows: Sequence[Flows]) -> int:
        said = f"conntrack -D {_words(flows)}"
        try:
            return self._delete(_wanted(flows), said)
        except OSError as error:
            raise KernelError(error.errno or errno.EIO, step=said, extack=error.strerror or "") from error

    def _delete(self, wanted: _Wanted, said: str) -> int:
        found = self._read(wanted, said)
        if not found:
            return 0
        is_local = _locals({family for family, _ in wanted})
        requests = [one.deletion for one in found.values() if _is_meant(one, wanted, is_local)]
        failures = self._conversation().execute(requests)
        for failure in failures.values():
            if failure.code != errno.ENOENT:  # it has ended by itself
                raise KernelError(failure.code, step=said, extack=failure.text)
        return len(requests) - len(failures)

    def _read(self, wanted: _Wanted, said: str) -> dict[Request, Tracked]:
        """By request: a kernel without filters tells an entry each time that it is asked anything."""
        try:
            found = {entry.deletion: entry for entry in _entries(self._conversation(), wanted)}
        except OSError as error:
            if error.errno not in _MISSING:
                raise
            if self._is_missing:
                return {}
            self._is_missing = True
            raise Unavailable(
                f"could not forget connections ({said}): this kernel has no nf_conntrack_netlink ({error}); load it, "
                "or clients that keep their source port are led to a port's former place until they pause"
            ) from error
        self._is_missing = False
        return found

    def _conversation(self) -> Rtnetlink:
        if self._netfilter is None:
            self._netfilter = self._opened()
        return self._netfilter


def _wanted(flows: Sequence[Flows]) -> _Wanted:
    wanted: _Wanted = {}
    for flow in flows:
        ports = wanted.setdefault((rt.FAMILY[flow.address.version], int(flow.protocol)), {})
        ports.setdefault(flow.port, set()).add(_EVERY if flow.address.is_unspecified else flow.address.packed)
    return wanted


def _entries(netfilter: Rtnetlink, wanted: _Wanted) -> Iterator[Tracked]:
    """Yield what was sent to the ports that are wanted, at whatever address."""
    every = set[int]().union(*wanted.values())
    for question in _questions(netfilter, wanted):
        for message in netfilter.walk(*question):
            went = ctnetlink.goal(message, every)
            if went is not None and went.port in wanted.get((went.family, went.protocol), ()):
                yield ctnetlink.tracked(message, went)


def _questions(netfilter: Rtnetlink, wanted: _Wanted) -> Sequence[tuple[int, bytes]]:
    """Return the dumps that tell what is wanted soonest: none at all where nothing is tracked."""
    asked = [
        ctnetlink.question(family, protocol, port)
        for (family, protocol), ports in wanted.items()
        for port in (ports if len(ports) <= _FEW else (None,))
    ]
    said = netfilter.get(*ctnetlink.COUNT)
    if said is None:
        return asked
    count = ctnetlink.count(said)
    if not count:
        return ()
    return (ctnetlink.EVERYTHING,) if count <= _TOLD_PER_LOOK * (len(asked) - 1) else asked


def _is_meant(entry: Tracked, wanted: _Wanted, is_local: Callable[[bytes], bool]) -> bool:
    family, protocol, address, port = entry.goal
    addresses = wanted[family, protocol][port]
    if is_local(address):
        return _EVERY in addresses or address in addresses
    return address in addresses and entry.translated


def _locals(families: Iterable[int]) -> Callable[[bytes], bool]:
    """Return whether an address of *families* is the host's own, as ``fib daddr type local`` sees it. OSError."""
    single, ranges = set(), list[Prefix]()
    with closing(Rtnetlink()) as netlink:
        for family in families:
            octets, prefix = _OF_FAMILY[family]
            # Of any table: a VRF has its own.
            body = rt.RTMSG.pack(family, 0, 0, 0, rt.RT_TABLE_UNSPEC, 0, 0, _RTN_LOCAL, 0)
            for message in netlink.dump(rt.RTM_GETROUTE, body):
                _, length, _, _, _, _, _, kind, _ = rt.RTMSG.unpack_from(message.data, message.start)
                found = attributes(message.data, message.start + rt.RTMSG.size, message.end)
                if kind != _RTN_LOCAL:
                    continue
                address = found.get(rt.RTA_DST, bytes(octets))
                if length == octets * 8:
                    single.add(address)
                else:
                    ranges.append(prefix((address, length)))
    return lambda address: address in single or any(ip_address(address) in one for one in ranges)


def _words(flows: Sequence[Flows]) -> str:
    """The first of *flows* as conntrack(8) is told, and how many more there are."""
    first = flows[0]
    destination = "" if first.address.is_unspecified else f" --dst {first.address}"
    more = f" (and {len(flows) - 1} more)" if len(flows) > 1 else ""
    family = "ipv4" if first.address.version == 4 else "ipv6"  # noqa: PLR2004
    return f"-f {family} -p {first.protocol}{destination} --dport {first.port}{more}"
