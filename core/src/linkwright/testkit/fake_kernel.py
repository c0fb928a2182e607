"""A kernel in memory for tests: the port ``engine.ports.Kernel``, with failures on order.

It passes the same tests as ``kernel.linux`` (core/tests/kernel). What the kernel refuses is in ``fake_links`` and
``fake_kernel_state``, what somebody else does to the host in ``fake_strangers``; here are the async face and the
injected failures.
"""

import errno
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeVar

import trio
from attrs import evolve

from linkwright.errors import KernelError
from linkwright.model import Address, Announcement, Flows, Handover, HostFacts, LinkFact, Prefix
from linkwright.model.mac import Mac
from linkwright.plan.resources import (
    BridgeVlan,
    FdbEntry,
    Hairpin,
    Key,
    Link,
    Redirect,
    Resource,
    Shaper,
    Sysctl,
)
from linkwright.plan.steps import Snapshot, Step
from linkwright.testkit.fake_kernel_state import FakeKernelState
from linkwright.testkit.fake_links import refused
from linkwright.testkit.fake_strangers import FakeStrangers

#: How often it is looked whether a link is up in its sandbox, and seconds between looks.
_LOOKS, _LOOK = 100, 0.05

K = TypeVar("K")
V = TypeVar("V")


class FakeKernel(FakeStrangers):
    """The kernel of an imaginary host.

    ``fail_at`` maps the number of a step, counted from 1 over the fake's whole life, to the errno it fails with;
    ``attempted`` is how many there were so far, and ``fail_next`` counts from there. ``journal`` keeps the steps that
    stand, undone ones not. ``delay`` (seconds) is how long a started ``apply`` or ``hand_over`` takes: time to cancel
    its caller.
    ``flows`` are the connections that are tracked, ``forgotten`` those asked to be forgotten so far, ``announced`` what
    was told to neighbours; ``refuse_moments`` is an errno that both are refused with.
    """

    def __init__(
        self,
        *,
        instance: str = "default",
        fail_at: Mapping[int, int] | None = None,
        host: HostFacts | None = None,
        routes: Iterable[Prefix] = (),
        boot: str = "00000000-0000-4000-8000-000000000001",
        sandboxes: Iterable[str] = (),
    ) -> None:
        super().__init__(sandboxes)
        self.instance = instance
        self.fail_at = dict(fail_at or {})
        self.host = host or HostFacts()
        self.routes = tuple(routes)
        self.boot = boot
        self.attempted = 0
        self.journal: list[Step] = []
        self.delay = 0.0
        self.prepared = 0
        self.flows: list[Flows] = []
        self.forgotten: list[Flows] = []
        self.announced: list[Announcement] = []
        self.refuse_moments = 0
        self.handed: dict[str, Handover] = {}
        self.handover_fails = 0

    # --- the port ---

    async def apply(self, steps: Sequence[Step]) -> None:
        """Do *steps*, all or none; see ``engine.ports.Kernel.apply``."""
        await trio.lowlevel.checkpoint()  # cancelled before it started: withdrawn
        before, after = self.state, self.state.copy()
        for step in steps:
            self._attempt(after, step)
        self.state, done = after, after.copy()
        try:
            await trio.sleep(self.delay)
        except trio.Cancelled:
            self._take_back(before, done)
            raise
        self.journal.extend(steps)

    async def prepare(self) -> bool:
        """Make the fixed firewall table if it is not there."""
        await trio.lowlevel.checkpoint()
        made = not self.state.table
        self.state.table = True
        self.prepared += made
        return made

    async def observe(self, keys: Iterable[Key]) -> Snapshot:
        """Read what is there under *keys*."""
        await trio.lowlevel.checkpoint()
        found: dict[Key, Resource] = {}
        for key in keys:
            resource = self._read(key)
            if resource is not None:
                found[key] = resource
        return Snapshot(found, self._ours(found))

    async def snapshot(self) -> Snapshot:
        """Read all links, what lies on ours, and all that is ours; settings below /proc/sys only ``observe`` reads."""
        await trio.lowlevel.checkpoint()
        every = self.state.resources
        ours = self._ours(every)
        found = {
            key: resource
            for key, resource in every.items()
            if key in ours or isinstance(resource, Link) or ("link", getattr(resource, "link", "")) in ours
        }
        return Snapshot(found, ours)

    async def host_facts(self, links: Iterable[str] = ()) -> HostFacts:
        """Return ``host`` with those of its links that were asked for, and what links there are besides."""
        await trio.lowlevel.checkpoint()
        said = {fact.name: fact for fact in self.host.links}
        names = tuple(dict.fromkeys(links))
        here = {name: self._fact(link) for name in names if (link := self.state.link(name)) is not None}
        return evolve(self.host, links=tuple(fact for name in names if (fact := here.get(name) or said.get(name))))

    async def host_routes(self) -> tuple[Prefix, ...]:
        """Return ``routes``."""
        await trio.lowlevel.checkpoint()
        return self.routes

    async def sandbox_alive(self, key: str) -> bool:
        """Whether *key* is in ``sandboxes``."""
        await trio.lowlevel.checkpoint()
        return key in self.sandboxes

    async def addresses_inside(self, key: str) -> frozenset[Mac | Address]:
        """Return those of the links lent to *key*, and what the links that were handed over were given."""
        if not await self.sandbox_alive(key):
            raise KernelError(errno.ENOENT, step=f"look into {key}")
        there = {name: lent.link for name, lent in self.state.lent.items() if lent.sandbox == key}
        given = [interface.ip for name in there & self.handed.keys() for interface in self.handed[name].addresses]
        return frozenset([*given, *(link.mac for link in there.values() if link.mac is not None)])

    async def raise_mtu(self, key: str, known_by: Collection[Mac | Address], was: int, mtu: int) -> bool:
        """Raise that of the link lent to *key*; by its hardware address, or by whose it is. See ``hand_over``."""
        await trio.lowlevel.checkpoint()
        if self.handover_fails or key not in self.sandboxes:
            raise KernelError(self.handover_fails or errno.ENOENT, step=f"ip link set mtu {mtu} in {key}")
        for name, lent in self.state.lent.items():
            mark = lent.link.mark
            addresses = {lent.link.mac, *(one.ip for one in (mark.addresses if mark else ()))}
            if lent.sandbox == key and lent.link.mtu == was and not addresses.isdisjoint(known_by):
                self.state.lent[name] = evolve(lent, link=evolve(lent.link, mtu=mtu))
                return True
        return False

    def lowest_mtus(self) -> dict[str, int]:
        """Return the lowest MTU of links of which it has changed since this was last asked, by name."""
        lowest, self.state.lowest = self.state.lowest, {}
        return lowest

    async def hand_over(self, handover: Handover) -> str:
        """Lend the link; ``handed`` tells how it was dressed. With ``handover_fails`` it fails with that errno."""
        await trio.lowlevel.checkpoint()
        code = self.handover_fails or (errno.ENODEV if self.state.link(handover.link) is None else 0)
        if code:
            raise KernelError(code, step=f"ip link set {handover.link} netns {handover.sandbox}")
        self.lend(handover.link, handover.sandbox)
        self.handed[handover.link] = handover
        try:
            await trio.sleep(self.delay)
        except trio.Cancelled:
            del self.handed[handover.link]
            self._delete_lent(handover.link)
            raise
        return handover.name or f"{handover.prefix}0"

    def boot_id(self) -> str:
        """Return ``boot``."""
        return self.boot

    async def forget_flows(self, flows: Sequence[Flows]) -> int:
        """Forget those of ``flows`` that are meant."""
        await trio.lowlevel.checkpoint()
        if self.refuse_moments:
            raise KernelError(self.refuse_moments, step="conntrack -D", extack="injected by the test")
        self.forgotten += flows
        left = [tracked for tracked in self.flows if not any(_meant(tracked, one) for one in flows)]
        count = len(self.flows) - len(left)
        self.flows = left
        return count

    async def announce(self, announcement: Announcement) -> bool:
        """Tell, once a link with that hardware address is lent to the sandbox."""
        for _ in range(_LOOKS):
            if self._is_inside(announcement):
                break
            await trio.sleep(_LOOK)
        else:
            return False
        await trio.lowlevel.checkpoint()
        if self.refuse_moments:
            raise KernelError(self.refuse_moments, step="send a gratuitous ARP", extack="injected by the test")
        self.announced.append(announcement)
        return True

    # --- what a test reads and orders ---

    def fail_next(self, code: int = errno.EIO, *, step: int = 1) -> None:
        """Let the *step*-th step from now fail with errno *code*."""
        self.fail_at[self.attempted + step] = code

    def resources(self) -> dict[Key, Resource]:
        """Return all there is, whoever made it."""
        return dict(self.state.resources)

    def get(self, key: Key) -> Resource | None:
        """Return what is there under *key*."""
        return self._read(key)

    # --- inside ---

    def _attempt(self, state: FakeKernelState, step: Step) -> None:
        self.attempted += 1
        if self.attempted in self.fail_at:
            raise refused(self.fail_at[self.attempted], step, "injected by the test")
        state.do(step)

    def _take_back(self, before: FakeKernelState, done: FakeKernelState) -> None:
        """Undo what one ``apply`` did, leaving what others did since."""
        _put_back(self.state.resources, before.resources, done.resources)
        _put_back(self.state.sysctls, before.sysctls, done.sysctls)
        self.state.ours -= done.ours - before.ours
        self.state.ours |= before.ours & self.state.resources.keys()

    def _fact(self, link: Link) -> LinkFact:
        ours = link.mark is not None and link.mark.instance == self.instance
        mtu, up = link.mtu or 0, bool(link.up)
        return LinkFact(link.name, link.kind.kind, mtu, str(link.mac or ""), up, ours=ours, master=link.master or "")

    def _is_inside(self, announcement: Announcement) -> bool:
        where = (announcement.sandbox, announcement.mac)
        return any((lent.sandbox, lent.link.mac) == where for lent in self.state.lent.values())

    def _read(self, key: Key) -> Resource | None:
        if key[0] != "sysctl":
            return self.state.resources.get(key)
        value = self.state.read_sysctl(key[1])
        return None if value is None else Sysctl(key[1], value)

    def _ours(self, resources: Mapping[Key, Resource]) -> frozenset[Key]:
        return frozenset(key for key, resource in resources.items() if self._is_ours(key, resource))

    def _is_ours(self, key: Key, resource: Resource) -> bool:
        match resource:
            case Link(mark=mark):
                return mark is not None and mark.instance == self.instance
            case BridgeVlan() if self.state.is_default(resource):
                return False
            case (
                FdbEntry(link=name)
                | BridgeVlan(link=name)
                | Hairpin(link=name)
                | Shaper(link=name)
                | Redirect(link=name)
            ):
                # the kernel keeps no protocol with these
                link = self.state.link(name)
                return link is not None and self._is_ours(link.key, link)
        return key in self.state.ours


def _meant(tracked: Flows, wanted: Flows) -> bool:
    if (tracked.protocol, tracked.port) != (wanted.protocol, wanted.port):
        return False
    same_family = tracked.address.version == wanted.address.version
    return tracked.address == wanted.address or (same_family and wanted.address.is_unspecified)


def _put_back(now: dict[K, V], before: Mapping[K, V], done: Mapping[K, V]) -> None:
    for key in before.keys() | done.keys():
        was, became = before.get(key), done.get(key)
        if was == became or now.get(key) != became:
            continue
        if was is None:
            now.pop(key, None)
        else:
            now[key] = was
