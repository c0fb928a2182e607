"""The thread that removes condemned links, many at once. It decides nothing about which: that is the writer's.

Rule 1: a condemned link is known by its name *and* our mark, so a crash cannot leak it: the next start finds it.
Rule 2: deleting by group kills whatever is in the group. Its number is random and new each time, and its members are
looked at first; with a stranger among them ours are deleted one by one.
"""

import errno
import secrets
import threading
from collections.abc import Callable, Iterable, Sequence

from attrs import frozen

from linkwright.errors import KernelError
from linkwright.kernel import decode, encode_link
from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.condemn import Condemned, is_doomed
from linkwright.kernel.decode import LinkRow
from linkwright.kernel.netlink import Failure, Request, attributes, number, text, u32
from linkwright.kernel.netns import enter
from linkwright.kernel.snapshot import ALL_LINKS
from linkwright.kernel.transport import Rtnetlink
from linkwright.plan.resources import Key

#: Seconds to wait for more before a sweep: what a container's stop deletes comes within a few milliseconds.
LINGER = 0.02
_RETRY = 1.0
#: The kernel holds the RTNL lock for all of one group: 250 links take it for some 100 ms.
_MOST_AT_ONCE = 250


@frozen
class DoomStatistics:
    """How it goes: links that wait to be removed, links removed, sweeps, and what could not be removed at first."""

    waiting: int = 0
    removed: int = 0
    sweeps: int = 0
    failures: int = 0


class Doom:
    """Condemned links, and the thread that removes them. ``open`` finds those of an earlier life."""

    def __init__(
        self,
        instance: str,
        *,
        netns: str | None = None,
        linger: float = LINGER,
        draw: Callable[[], int] = lambda: secrets.randbelow((1 << 31) - 1) + 1,  # 0 is everybody's group
    ) -> None:
        """Remove links marked by *instance*; *draw* says which group number the next sweep takes."""
        self._instance = instance
        self._draw = draw
        self._netns = netns
        self._linger = linger
        self._waiting: dict[str, Key | None] = {}  # what each still holds
        self._changed = threading.Condition()
        self._closing = False
        self._removed = self._sweeps = self._failures = 0
        self._ready = threading.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._main, name="linkwright-doom", daemon=True)
        self.port = 0  # of its socket, once it is open

    def open(self) -> None:
        """Start the thread, and return when what an earlier life left is removed. Blocks; OSError if it cannot work."""
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            raise self._error

    def close(self, seconds: float) -> bool:
        """Remove what waits and end; False if that takes longer than *seconds*. Blocks."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def add(self, condemned: Iterable[Condemned]) -> None:
        """Hand over links that nobody will want back."""
        with self._changed:
            idle = not self._waiting
            self._waiting.update((one.name, one.exclusive) for one in condemned)
            if idle:  # else the thread is at it, or waits a little for more and need not be woken
                self._changed.notify_all()

    def clear(self, netlink: Rtnetlink, exclusive: Key) -> None:
        """Remove now, in the calling thread, what still holds *exclusive*. KernelError if it cannot be."""
        with self._changed:
            names = [name for name, held in self._waiting.items() if held == exclusive]
        failures = netlink.execute([_delete(name) for name in names])
        for position, failed in failures.items():
            if failed.code != errno.ENODEV:
                raise KernelError(failed.code, step=f"ip link del {names[position]}", extack=failed.text)
        self._forget(names)

    def wait_empty(self, seconds: float) -> bool:
        """Wait until nothing waits any more; False if that takes longer than *seconds*. Blocks."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting, seconds)

    def statistics(self) -> DoomStatistics:
        """Return the counts so far."""
        with self._changed:
            return DoomStatistics(len(self._waiting), self._removed, self._sweeps, self._failures)

    # --- in the thread ---

    def _main(self) -> None:
        netlink: Rtnetlink | None = None
        try:
            netlink = self._begin()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is for whoever waits in `open`
            self._error = error
        self._ready.set()
        if netlink is None:
            return
        while self._gathered():
            before = self._failures
            self._sweep(netlink)
            if self._failures != before:
                self._rest()
        netlink.close()

    def _begin(self) -> Rtnetlink:
        if self._netns is not None:
            enter(self._netns)
        netlink = Rtnetlink()
        self.port = netlink.port
        try:
            self._waiting.update((row.name, None) for row in self._links(netlink) if self._ours(row))
        except OSError:
            netlink.close()
            raise
        self._sweep(netlink)
        return netlink

    def _gathered(self) -> bool:
        """Wait for something to do, and a little for more; False when there is nothing left and we are to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closing)
            self._changed.wait_for(lambda: self._closing, self._linger)
            return bool(self._waiting) or not self._closing  # `clear` may have been at it meanwhile

    def _rest(self) -> None:
        with self._changed:
            if self._closing:
                self._waiting.clear()  # they are found by name and mark at the next start
            self._changed.wait_for(lambda: self._closing, _RETRY)

    def _sweep(self, netlink: Rtnetlink) -> None:
        with self._changed:
            names = list(self._waiting)
        for first in range(0, len(names), _MOST_AT_ONCE):
            some = names[first : first + _MOST_AT_ONCE]
            try:
                gone = self._by_group(netlink, some) if len(some) > 1 else self._one_by_one(netlink, some)
            except OSError:
                self._failures += 1
                return
            self._sweeps += 1
            self._removed += len(gone)
            self._failures += len(some) - len(gone)
            self._forget(gone)

    def _by_group(self, netlink: Rtnetlink, names: Sequence[str]) -> Sequence[str]:
        group = self._draw()
        netlink.execute(
            [
                encode_link.message(rt.RTM_SETLINK, 0, 0, text(rt.IFLA_IFNAME, n), u32(rt.IFLA_GROUP, group))
                for n in names
            ]
        )
        members = self._links(netlink, group)
        if all(self._ours(row) for row in members):
            failures = netlink.execute([encode_link.message(rt.RTM_DELLINK, 0, 0, u32(rt.IFLA_GROUP, group))])
            if not failures or failures[0].code == errno.ENODEV:  # all have gone by themselves
                return names
        return self._one_by_one(netlink, names)

    def _one_by_one(self, netlink: Rtnetlink, names: Sequence[str]) -> Sequence[str]:
        failures: dict[int, Failure] = netlink.execute([_delete(name) for name in names])
        return [name for at, name in enumerate(names) if at not in failures or failures[at].code == errno.ENODEV]

    def _links(self, netlink: Rtnetlink, group: int | None = None) -> list[LinkRow]:
        """All links, or those in *group*."""
        found = netlink.dump(rt.RTM_GETLINK, ALL_LINKS)
        if group is not None:
            size = rt.IFINFO.size
            held = [(one, attributes(one.data, one.start + size, one.end).get(rt.IFLA_GROUP, b"")) for one in found]
            found = [one for one, payload in held if number(payload) == group]
        return [decode.link(one) for one in found]

    def _ours(self, row: LinkRow) -> bool:
        return is_doomed(row.name) and row.mark is not None and row.mark.instance == self._instance

    def _forget(self, names: Iterable[str]) -> None:
        with self._changed:
            for name in names:
                self._waiting.pop(name, None)
            self._changed.notify_all()


def _delete(name: str) -> Request:
    return encode_link.message(rt.RTM_DELLINK, 0, 0, text(rt.IFLA_IFNAME, name))
