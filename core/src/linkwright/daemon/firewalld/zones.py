"""When firewalld is asked and told: one task, beside all requests, that looks whenever it may be needed.

Beside them because firewalld is a program in one thread that answers nobody while it reloads, and may hang: Docker gets
its answer without it, and a container that starts right after its network was made is some tens of milliseconds later
than the bridge's membership, which was begun before the bridge was made.
"""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from socket import if_nametoindex
from typing import Any, Final

import structlog
import trio

from linkwright.daemon.firewalld.asked import Declined, Firewalld, Gone, Talk
from linkwright.daemon.firewalld.membership import ZONE, Standing, changes, is_ours
from linkwright.engine.observation import Drift, Observer
from linkwright.errors import LinkwrightError

#: Where the system bus is (D-Bus specification, "Well-known Message Bus Instances").
BUS: Final = Path("/run/dbus/system_bus_socket")

#: Seconds until what failed is tried again: the first time, and at most.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 30.0

_log = structlog.get_logger(__name__)


async def talk(serve: Callable[[Firewalld], Awaitable[None]], told: trio.MemorySendChannel[Any]) -> None:
    """Talk to the firewalld of this host; a ``Talk``."""
    if not is_here(BUS):
        return
    from linkwright.daemon.firewalld import bus  # noqa: PLC0415 - many hosts have no bus, and need no library for it

    await bus.talk(BUS, serve, told)


def is_here(path: Path, sockets: Path = Path("/proc/self/net/unix")) -> bool:
    """Whether the socket at *path* was made in our network namespace: else the firewalld behind it is another host's.

    In a namespace that somebody made for linkwright (a container, a test, the demo), the machine's bus may be seen all
    the same. firewalld's own namespace in /proc could not be compared without CAP_SYS_PTRACE.
    """
    if not path.is_socket():
        return False
    with suppress(OSError):
        listed = {f"/{line.partition('/')[2]}" for line in sockets.read_text(errors="replace").splitlines()}
        return any(Path(one).resolve() == path.resolve() for one in listed if one.endswith(path.name))
    return False


def exists(link: str) -> bool:
    """Whether a link of that name is on this host."""
    try:
        return bool(if_nametoindex(link))
    except OSError:
        return False


class Zones:
    """Keeps the bridges of one instance in firewalld's zone."""

    def __init__(
        self,
        bridges: Callable[[], Awaitable[Iterable[str]]],
        observer: Observer,
        *,
        talk: Talk = talk,
        exists: Callable[[str], bool] = exists,
    ) -> None:
        """Take the parts. *bridges* reads the names of those that there have to be."""
        self._bridges = bridges
        self._observer = observer
        self._talk = talk
        self._exists = exists
        self._told, self._telling = trio.open_memory_channel[Any](1)
        self._kept: set[str] = set()  # those that were there at the last look, or that we put there
        self.standing = Standing()

    def look_again(self) -> None:
        """Say that something may have changed. Does not wait."""
        with suppress(trio.WouldBlock):
            self._told.send_nowait(None)

    async def run(self) -> None:
        """Keep them there, for ever; without firewalld, or without a bus, do nothing but look whether there is one."""
        while True:
            try:
                with self._told.clone() as told:
                    await self._talk(self._serve, told)
                self.standing = Standing()
            except Exception as error:  # noqa: BLE001 - what the library makes of nonsense on the bus ends no daemon
                _log.exception("the talk with firewalld broke off")
                self.standing = Standing(runs=True, error=f"the talk with firewalld broke off: {error!r}")
            await self._telling.receive()

    async def _serve(self, firewalld: Firewalld) -> None:
        pause = _FIRST_PAUSE
        while True:
            if await self._looked(firewalld):
                pause = _FIRST_PAUSE
                await self._telling.receive()
            else:
                with trio.move_on_after(pause):
                    await self._telling.receive()
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _looked(self, firewalld: Firewalld) -> bool:
        """Look once; whether all is as it should be. What failed is told when it begins to, not at each try."""
        try:
            self.standing = await self._look(firewalld)
        except Gone:
            self.standing = Standing()
        except LinkwrightError as error:
            if str(error) != self.standing.error:
                _log.warning("a bridge could not be kept in firewalld's zone", zone=ZONE, error=str(error))
            self.standing = Standing(runs=True, chosen=self.standing.chosen, error=str(error))
            return False
        return True

    async def _look(self, firewalld: Firewalld) -> Standing:
        if not await firewalld.runs():
            return Standing()
        bridges = frozenset(await self._bridges())
        zones = await firewalld.zones()
        wanted = changes(bridges, zones, kept=self._kept, exists=self._exists)
        failure: Declined | None = None
        for link, add in (*((link, True) for link in wanted.add), *((link, False) for link in wanted.remove)):
            try:
                await (firewalld.add if add else firewalld.remove)(ZONE, link)
            except Declined as error:
                failure = failure or error
            else:
                self._note(link, added=add)
        self._kept |= {link for link in bridges.intersection(zones.get(ZONE, ())) if is_ours(link)}
        if failure is not None:
            raise failure
        return Standing(runs=True, chosen=wanted.chosen)

    def _note(self, link: str, *, added: bool) -> None:
        """What was there before, and what a crash left, is drift; that a network comes or goes is none."""
        if added and link in self._kept:
            self._observer(Drift("zone", repaired=True, text=f"{link} was put back into firewalld's zone {ZONE}"))
        if not added and link not in self._kept:
            self._observer(Drift("leftover", repaired=True, text=f"{link} was left in firewalld's zone {ZONE}"))
        (self._kept.add if added else self._kept.discard)(link)
