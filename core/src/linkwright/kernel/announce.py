"""Telling the neighbours of a container that its addresses are here now, from inside its sandbox.

Rule 1: it is told from the sandbox's own link: what is sent on the parent of a macvlan does not reach its siblings.
Rule 2: nothing is told that is not so: each telling looks first whether the link is up there and has the address.
Rule 3: no thread waits. Sockets stay in the namespace that they were opened in (network_namespaces(7)), whoever uses
them; so a thread goes in, opens them and ends. They also keep it alive: when its path is gone they are closed.
"""

import errno
import socket
from collections.abc import Awaitable, Callable, Collection
from contextlib import ExitStack, closing
from functools import partial
from ipaddress import ip_address

import trio

from linkwright.errors import KernelError
from linkwright.kernel import gratuitous
from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.netlink import attributes, string
from linkwright.kernel.netns import appear, is_alive, run_inside
from linkwright.kernel.snapshot import ALL_LINKS
from linkwright.kernel.transport import Rtnetlink, open_events
from linkwright.model import Address, Announcement, Mac

#: How often, and how many seconds apart: Docker's own defaults (libnetwork's advertise_addr_nmsgs, advertise_addr_ms).
TIMES, INTERVAL = 3, 1.0
#: Seconds that the engine has to make the sandbox and to dress the link, both of which it does after Join's answer.
PATIENCE = 10.0
#: Threads at work for all announcements together: the kernel answers such questions one at a time.
_THREADS = 4
#: Seconds that ending waits for a thread that closes the sockets.
_CLOSE_SECONDS = 5.0

_EVENTS = (rt.RTNLGRP_LINK, rt.RTNLGRP_IPV4_IFADDR, rt.RTNLGRP_IPV6_IFADDR)
_READY = rt.IFF_UP | 0x40  # IFF_RUNNING: the other end is up too, or what is sent goes nowhere
_UNUSABLE = 0x08 | 0x40  # IFA_F_DADFAILED, IFA_F_TENTATIVE: it is somebody else's, or may be
#: How the kernel says that the link has gone, or down, since it was looked at; or that its queue is full.
_NOT_NOW = frozenset({errno.ENODEV, errno.ENXIO, errno.ENETDOWN, errno.ENOBUFS, errno.EAGAIN})
_RECEIVE = 64 << 10


class Announcer:
    """Makes announcements, any number at a time, each in the task that asks for it."""

    def __init__(
        self,
        forget: Callable[[Announcement], Awaitable[None]],
        *,
        times: int = TIMES,
        interval: float = INTERVAL,
        patience: float = PATIENCE,
    ) -> None:
        """*forget* makes the host forget earlier holders of the addresses. *interval* and *patience* are seconds."""
        self._forget = forget
        self._times = times
        self._interval = interval
        self._patience = patience
        self._limiter = trio.CapacityLimiter(_THREADS)

    async def announce(self, announcement: Announcement) -> bool:
        """Tell each address as soon as it is there, and then again; whether all came in time. KernelError.

        What is told at first is told *times* in all, *interval* apart, as long as it stays true.
        """
        deadline = trio.current_time() + self._patience
        await self._forget(announcement)
        while (inside := await self._enter(announcement, deadline)) is None:
            if trio.current_time() >= deadline:
                return False
        try:
            return await self._tell(inside, announcement, deadline)
        except OSError as error:
            raise _refused(announcement, error) from error
        finally:
            with trio.move_on_after(_CLOSE_SECONDS, shield=True):
                await trio.to_thread.run_sync(inside.close, limiter=self._limiter)

    async def _enter(self, announcement: Announcement, deadline: float) -> "_Inside | None":
        """Open sockets in the sandbox once it is there; None if it was not to be, or has just gone again."""
        with trio.move_on_at(deadline):
            await appear(announcement.sandbox, self._limiter)
            try:
                async with self._limiter:
                    return await run_inside(announcement.sandbox, _Inside, regret=_Inside.close)
            except OSError as error:
                if await trio.to_thread.run_sync(is_alive, announcement.sandbox, limiter=self._limiter):
                    raise _refused(announcement, error) from error
        return None

    async def _tell(self, inside: "_Inside", announcement: Announcement, deadline: float) -> bool:
        wanted = {interface.ip for interface in announcement.addresses}
        left = dict.fromkeys(wanted, self._times)
        due: dict[Address, float] = {}  # those told already, and when again
        while left:
            now = trio.current_time()
            asked = [address for address in left if due.get(address, now) <= now]
            look = partial(inside.tell, announcement.mac, asked, announcement.sandbox)
            told = await trio.to_thread.run_sync(look, limiter=self._limiter)
            if told is None:
                break
            if not told <= due.keys():  # what the host has learnt while the link was not there yet
                await self._forget(announcement)
            for address in told:
                left[address] -= 1
                due[address] = now + self._interval
            # From the deadline on, what is not there (any more) is not waited for.
            kept = {one for one in left if now < deadline or one in told or one not in asked}
            left = {one: count for one, count in left.items() if count and one in kept}
            if left:
                moments = (now + self._interval, deadline, *due.values())
                with trio.move_on_at(min(moment for moment in moments if moment > now)):
                    await inside.change()
        return wanted <= due.keys()


class _Inside:
    """Sockets of the namespace of the thread that makes it, for use from any other. OSError if it has none to give."""

    def __init__(self) -> None:
        with ExitStack() as opened:
            self._events = opened.enter_context(open_events(_EVENTS))
            self._netlink = opened.enter_context(closing(Rtnetlink()))
            # Of no protocol, which receives nothing.
            link_layer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
            self._link_layer = opened.enter_context(link_layer)
            self._opened = opened.pop_all()

    def close(self) -> None:
        """Close them. Blocks: a link-layer socket goes only after an RCU grace period, 12 to 20 ms (measured)."""
        self._opened.close()

    async def change(self) -> None:
        """Return when a link or an address of the namespace has changed since this was asked last."""
        await trio.lowlevel.wait_readable(self._events)
        try:
            while True:
                self._events.recv(_RECEIVE)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:  # more than it holds: that is a change as well
                raise

    def tell(self, mac: Mac, asked: Collection[Address], sandbox: str) -> set[Address] | None:
        """Tell of those of *asked* that are at *mac* now, and return them; None if *sandbox* has gone. Blocks."""
        if not is_alive(sandbox):
            return None
        places = self._places(mac) if asked else {}
        return {address for address in asked if address in places and self._send(mac, address, places[address])}

    def _places(self, mac: Mac) -> dict[Address, str]:
        """The addresses that can be used on links with *mac* that are up, and the names of these."""
        links: dict[int, str] = {}
        for message in self._netlink.dump(rt.RTM_GETLINK, ALL_LINKS):
            _, _, index, flags, _ = rt.IFINFO.unpack_from(message.data, message.start)
            found = attributes(message.data, message.start + rt.IFINFO.size, message.end)
            if flags & _READY == _READY and found.get(rt.IFLA_ADDRESS) == mac.octets:
                links[index] = string(found[rt.IFLA_IFNAME])
        places: dict[Address, str] = {}
        for message in self._netlink.dump(rt.RTM_GETADDR, rt.IFADDR.pack(rt.AF_UNSPEC, 0, 0, 0, 0)) if links else ():
            _, _, flags, _, index = rt.IFADDR.unpack_from(message.data, message.start)
            found = attributes(message.data, message.start + rt.IFADDR.size, message.end)
            octets = found.get(rt.IFA_LOCAL) or found.get(rt.IFA_ADDRESS)
            if octets is not None and index in links and not flags & _UNUSABLE:
                places[ip_address(octets)] = links[index]
        return places

    def _send(self, mac: Mac, address: Address, link: str) -> bool:
        """Say on *link* that *address* is at *mac*; False if the link cannot now."""
        ethertype, frame = gratuitous.announcement(mac, address)
        try:
            self._link_layer.sendto(frame, (link, ethertype))
        except OSError as error:
            if error.errno not in _NOT_NOW:
                raise
            return False
        return True


def _refused(announcement: Announcement, error: OSError) -> KernelError:
    addresses = ", ".join(str(interface.ip) for interface in announcement.addresses)
    said = f"announce {addresses} at {announcement.mac} from {announcement.sandbox}"
    return KernelError(error.errno or errno.EIO, step=said, extack=error.strerror or "")
