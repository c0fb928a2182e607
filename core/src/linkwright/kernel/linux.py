"""The kernel as the engine wants it (``engine.ports.Kernel``): threads, sockets, reader, writer, monitor, put together.

What each part does is in its own module; here is only who gets what, and in which thread it runs.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Protocol, Self, TypeVar

import trio
from attrs import frozen

from linkwright.errors import KernelError, Unavailable
from linkwright.kernel import host
from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.announce import Announcer
from linkwright.kernel.conntrack import Conntrack
from linkwright.kernel.doom import LINGER, Doom
from linkwright.kernel.echoes import Echoes
from linkwright.kernel.features import probe
from linkwright.kernel.following import raise_mtu_here
from linkwright.kernel.live import live_addresses
from linkwright.kernel.monitor import Monitor
from linkwright.kernel.neighbours import forget_holders
from linkwright.kernel.netns import is_alive, run_inside
from linkwright.kernel.rebuild import addresses_here, hand_over, take_away
from linkwright.kernel.snapshot import Reader
from linkwright.kernel.sysctls import Sysctls
from linkwright.kernel.transport import Rtnetlink, open_events
from linkwright.kernel.worker import Worker
from linkwright.kernel.writer import Applied, Writer
from linkwright.model import Announcement, Flows, Handover, HostFacts, Mac, Prefix
from linkwright.plan.render import table_name
from linkwright.plan.resources import Element, Key, Resource, Sysctl
from linkwright.plan.steps import KernelEvent, Snapshot, Step

T = TypeVar("T")

#: Seconds that ending may take: a sweep of what is condemned, and the job under way.
_CLOSE_SECONDS = 5.0


class Elements(Protocol):
    """The firewall, as far as a plan needs it; ``kernel.nftables.firewall`` is the real one."""

    async def prepare(self) -> bool:
        """Put the fixed table there; True if it had to."""

    async def apply(self, steps: Sequence[Step]) -> None:
        """Do element steps, all or none."""

    async def elements(self) -> frozenset[Element]:
        """All elements there are."""

    async def elements_of(self, keys: Iterable[Key]) -> frozenset[Element]:
        """The elements under *keys* that are there, at a cost that does not depend on how many others there are."""


@frozen
class KernelStatistics:
    """What the kernel half has done since it was opened. Sizes in bytes."""

    operations: Mapping[tuple[str, str], int]  # by action and kind of resource, as keys call it
    batches: int
    failures: int
    not_undone: int
    doomed_waiting: int
    doomed_removed: int
    events: Mapping[str, int]
    overruns: int
    receive_buffer: int


class LinuxKernel:
    """The kernel of this host, or of the network namespace at path *netns*. Enter it (``async with``) before use.

    ``run`` tells *events* of changes by others, and is for the daemon's nursery.
    """

    def __init__(
        self,
        *,
        events: trio.MemorySendChannel[KernelEvent],
        firewall: Elements,
        instance: str = "default",
        netns: str | None = None,
        protocol: int = rt.PROTOCOL,
        proc_sys: Path = Path("/proc/sys"),
        linger: float = LINGER,
    ) -> None:
        """Describe it. *firewall* is entered, run and left by whoever made it; *linger* (seconds) is ``doom``'s."""
        self._firewall = firewall
        self._events = events
        self._instance = instance
        self._protocol = protocol
        self._proc_sys = proc_sys
        self._worker = Worker("linkwright-rtnetlink", netns=netns)
        self._conntrack = Conntrack(netns=netns)
        self._announcer = Announcer(self._forget_holders)
        self._doom = Doom(instance, netns=netns, linger=linger)
        self._sysctls = Sysctls(proc_sys)
        self._echoes = Echoes()
        self._features: frozenset[str] | None = None
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start the threads, and remove what an earlier life condemned. Unavailable if they cannot work."""
        self._token = trio.lowlevel.current_trio_token()
        try:
            await self._open(self._stack)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def _open(self, stack: AsyncExitStack) -> None:
        self._worker.open()
        stack.push_async_callback(self._worker.close, _CLOSE_SECONDS)
        try:
            self._netlink = await self._worker.do(Rtnetlink, regret=Rtnetlink.close)
            stack.push_async_callback(self._worker.do, self._netlink.close)
            await trio.to_thread.run_sync(self._doom.open)
        except OSError as error:
            raise Unavailable(f"could not open an rtnetlink socket: {error}") from error
        stack.push_async_callback(trio.to_thread.run_sync, self._doom.close, _CLOSE_SECONDS)
        await stack.enter_async_context(self._conntrack)
        self._reader = Reader(self._netlink, self._instance, self._protocol)
        self._writer = Writer(
            self._netlink,
            self._reader,
            self._doom,
            sysctls=self._sysctls,
            elements=self._set_elements,
            table=table_name(self._instance),
            protocol=self._protocol,
        )
        self._monitor = Monitor(
            self._events,
            opened=partial(self._worker.do, open_events),
            links=partial(self._worker.do, self._reader.links),
            instance=self._instance,
            own_ports=(self._netlink.port, self._doom.port),
            echoes=self._echoes,
            protocol=self._protocol,
        )

    async def __aexit__(self, *_: object) -> None:
        """End: sweep what is condemned, finish what was begun, within a few seconds."""
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 2 * _CLOSE_SECONDS):
            await self._stack.aclose()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Tell of changes by others until cancelled; started when none can be missed any more."""
        await self._monitor.run(task_status=task_status)

    # --- the port ---

    async def apply(self, steps: Sequence[Step]) -> None:
        """Do *steps*, all or none; see ``engine.ports.Kernel.apply``."""
        work = partial(self._apply, tuple(steps))
        await self._worker.do(work, keep=self._writer.keep, regret=partial(self._regret, tuple(steps)))

    async def prepare(self) -> bool:
        """Put the fixed firewall table there if it is missing or not as it should be; True if it had to."""
        return await self._firewall.prepare()

    async def observe(self, keys: Iterable[Key]) -> Snapshot:
        """Read what is there under *keys*; absent ones are absent from the answer."""
        wanted = frozenset(keys)
        found: dict[Key, Resource] = {}
        ours: set[Key] = set()
        elements = frozenset(key for key in wanted if key[0] == "element")
        if elements:
            found.update({element.key: element for element in await self._firewall.elements_of(elements)})
            ours.update(found)
        rest = wanted - elements
        if rest:
            read = await self._do(partial(self._observe, rest), "read a few things")
            found.update(read.resources)
            ours |= read.ours
        return Snapshot(found, frozenset(ours))

    async def snapshot(self) -> Snapshot:
        """Read all links, what lies on ours, and all that is ours; settings below /proc/sys only ``observe`` reads."""
        read = await self._do(self._reader.snapshot, "read everything")
        elements = {element.key: element for element in await self._firewall.elements()}
        return Snapshot({**read.resources, **elements}, read.ours | elements.keys())

    async def host_facts(self, links: Iterable[str] = ()) -> HostFacts:
        """Read the uplink, the named *links* and the kernel's features (those once only)."""
        return await self._do(partial(self._facts, tuple(links)), "read the host's facts")

    async def host_routes(self) -> tuple[Prefix, ...]:
        """Read the destinations of all unicast routes of the host, default routes among them."""
        return await self._do(partial(host.routes, self._netlink), "read the host's routes")

    async def live_addresses(self) -> frozenset[IPv4Address | IPv6Address]:
        """Read the addresses in use: the host's own, and its neighbours'."""
        return await self._do(partial(live_addresses, self._netlink), "read addresses and neighbours")

    async def sandbox_alive(self, key: str) -> bool:
        """Whether there is a network namespace at path *key*."""
        return await trio.to_thread.run_sync(is_alive, key)

    async def addresses_inside(self, key: str) -> frozenset[Mac | IPv4Address | IPv6Address]:
        """Read the addresses, those of the hardware too, of the network namespace at path *key*."""
        return await _reading(run_inside(key, addresses_here), f"look into {key}")

    async def raise_mtu(
        self, key: str, known_by: Collection[Mac | IPv4Address | IPv6Address], was: int, mtu: int
    ) -> bool:
        """Hand a parent's larger MTU on to its child in the network namespace at path *key*; see ``following``."""
        work = partial(raise_mtu_here, frozenset(known_by), was, mtu)
        return await _reading(run_inside(key, work), f"ip link set mtu {mtu} in {key}")

    def lowest_mtus(self) -> dict[str, int]:
        """Return the lowest MTU of links of which it has changed since this was last asked, by name."""
        return self._monitor.lowest_mtus()

    async def hand_over(self, handover: Handover) -> str:
        """Move a link into a sandbox and dress it there, both or neither; see ``rebuild``."""
        work = self._worker.do(partial(hand_over, handover), regret=partial(take_away, handover))
        return await _reading(work, f"enter {handover.sandbox}")

    def boot_id(self) -> str:
        """The kernel's boot id."""
        return host.boot_id()

    async def forget_flows(self, flows: Sequence[Flows]) -> int:
        """Delete the tracked connections of *flows* and nothing else; see ``conntrack``."""
        return await self._conntrack.forget(flows)

    async def announce(self, announcement: Announcement) -> bool:
        """Tell the neighbours of a container where its addresses are now; see ``announce``."""
        return await self._announcer.announce(announcement)

    # --- what a test or an operator asks ---

    async def wait_swept(self, seconds: float = _CLOSE_SECONDS) -> bool:
        """Wait until all condemned links are gone; False if that takes longer than *seconds*."""
        return await trio.to_thread.run_sync(self._doom.wait_empty, seconds)

    def statistics(self) -> KernelStatistics:
        """Return the counts so far."""
        counts, doom = self._writer.counts, self._doom.statistics()
        return KernelStatistics(
            operations=dict(counts.operations),
            batches=counts.batches,
            failures=counts.failures + doom.failures,
            not_undone=counts.not_undone,
            doomed_waiting=doom.waiting,
            doomed_removed=doom.removed,
            events=dict(self._monitor.counts),
            overruns=self._monitor.overruns,
            receive_buffer=self._monitor.buffer,
        )

    async def _forget_holders(self, announcement: Announcement) -> None:
        await self._do(partial(forget_holders, self._netlink, announcement), "ip neigh show")

    # --- in the request thread ---

    def _apply(self, steps: Sequence[Step]) -> Applied:
        self._echoes.expect(steps)
        try:
            return self._writer.apply(steps)
        except BaseException:
            self._echoes.forget(steps)
            raise

    def _regret(self, steps: Sequence[Step], applied: Applied) -> None:
        self._echoes.forget(steps)
        self._writer.take_back(applied)

    def _set_elements(self, steps: Sequence[Step]) -> None:
        """Hand steps to the firewall, which lives with trio, and wait for it."""
        try:
            trio.from_thread.run(self._firewall.apply, steps, trio_token=self._token)
        except trio.RunFinishedError as error:
            raise Unavailable("linkwright has ended; the firewall can no longer be told") from error

    def _observe(self, keys: frozenset[Key]) -> Snapshot:
        read = self._reader.observe(keys)
        values = {key: self._sysctls.read(key[1]) for key in keys if key[0] == "sysctl"}
        settings = {key: Sysctl(key[1], value) for key, value in values.items() if value is not None}
        return Snapshot({**read.resources, **settings}, read.ours)

    def _facts(self, links: Sequence[str]) -> HostFacts:
        if self._features is None:
            self._features = probe(self._netlink, self._proc_sys)
        return host.facts(self._netlink, self._reader, links, self._features)

    async def _do(self, work: Callable[[], T], what: str) -> T:
        """Do *work*, which only reads, in the request thread."""
        return await _reading(self._worker.do(work), what)


async def _reading(work: Awaitable[T], what: str) -> T:
    """Wait for *work*, which an OSError may end, and then *what* was not to be had."""
    try:
        return await work
    except OSError as error:
        raise KernelError(error.errno or 0, step=what, extack=error.strerror or "") from error
