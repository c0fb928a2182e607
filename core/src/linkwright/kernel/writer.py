"""Doing the steps of a plan, all or none. Runs in the request thread; the order of steps is the plan's, not ours.

Rule 1: consecutive rtnetlink steps go in one ``sendmsg``. A failing message does not stop the later ones of its send,
so after a failure *all* that succeeded is taken back, last first.
Rule 2: deleting a link condemns it; it is really removed (``doom``) only when nobody can want it back.
"""

import errno
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import groupby

from attrs import define, field

from linkwright.errors import KernelError
from linkwright.kernel import encode_link
from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.batch import Batch, HostIndexes, is_absent
from linkwright.kernel.condemn import Condemned, condemn, put_back, rescue
from linkwright.kernel.decode import ELSEWHERE, LinkRow
from linkwright.kernel.doom import Doom
from linkwright.kernel.reasons import explain, words
from linkwright.kernel.snapshot import Reader
from linkwright.kernel.sysctls import Sysctls
from linkwright.kernel.transport import Rtnetlink
from linkwright.plan.resources import Element, Key, Link, Resource, Sysctl
from linkwright.plan.steps import Action, Step, undo

#: Does steps on firewall elements, all or none; KernelError if it cannot.
Elements = Callable[[Sequence[Step]], None]

#: Undoes something; returns what could not be undone, in words, or raises.
_WayBack = Callable[[], Sequence[str] | None]


@define
class Applied:
    """What an ``apply`` has done, as the ways to take it back, and the links it condemned."""

    ways_back: list[_WayBack] = field(factory=list)
    condemned: list[Condemned] = field(factory=list)
    at_stake: Sequence[tuple[Resource, int]] = ()  # what lay on links that went or went down, and its protocol


@define
class Counts:
    """What the writer has done since it was made."""

    operations: Counter[tuple[str, str]] = field(factory=Counter)  # by action and kind of resource, as keys call it
    batches: int = 0
    failures: int = 0
    not_undone: int = 0


class Writer:
    """Applies plans for one instance."""

    def __init__(
        self,
        netlink: Rtnetlink,
        reader: Reader,
        doom: Doom,
        *,
        sysctls: Sysctls,
        elements: Elements,
        table: str,
        protocol: int = rt.PROTOCOL,
    ) -> None:
        """Take the parts. *elements* does steps on the firewall's elements, whose tables are called *table*."""
        self._netlink = netlink
        self._reader = reader
        self._doom = doom
        self._sysctls = sysctls
        self._elements = elements
        self._table = table
        self._protocol = protocol
        self.counts = Counts()

    def apply(self, steps: Sequence[Step]) -> Applied:
        """Do *steps* in order. On the first KernelError what was done is undone and the error goes on."""
        applied = Applied()
        at = 0
        try:
            applied.at_stake = self._at_stake(steps)
            for lane, group in groupby(steps, _lane):
                some = list(group)
                at += len(some)
                _LANES[lane](self, some, steps[at:], applied)
        except OSError as error:
            refused = KernelError(
                error.errno or errno.EIO, step=words(steps[at - 1], self._table), extack=error.strerror or ""
            )
            self._fail(refused, applied)
            raise refused from error
        except Exception as error:  # a KernelError, or a fault of ours: neither may leave a half behind
            self._fail(error, applied)
            raise
        self.counts.operations.update((step.action.value, step.resource.key[0]) for step in steps)
        return applied

    def _fail(self, error: Exception, applied: Applied) -> None:
        self.counts.failures += 1
        for problem in self.take_back(applied):
            error.add_note(problem)

    def keep(self, applied: Applied) -> None:
        """Let what *applied* condemned be removed: it will not be taken back."""
        if applied.condemned:
            self._doom.add(applied.condemned)

    def take_back(self, applied: Applied) -> list[str]:
        """Undo *applied*, last first; return what could not be undone, in words."""
        problems: list[str] = []
        ways_back: list[_WayBack] = [partial(self._put_back, applied), *applied.ways_back]
        for way_back in reversed(ways_back):
            try:
                problems += way_back() or ()
            except (KernelError, OSError, LookupError, ValueError) as error:  # a link has gone; no set holds it
                problems.append(f"could not undo: {error}")
        self.counts.not_undone += len(problems)
        return problems

    def _at_stake(self, steps: Iterable[Step]) -> list[tuple[Resource, int]]:
        """What may fall with links that go, go down or leave: on them, and on the bridge that they are ports of."""
        rows: dict[int, tuple[LinkRow, bool]] = {}
        for step in steps:
            link = step.resource
            row = self._reader.link(link.name) if isinstance(link, Link) and _may_cost(step, link) else None
            if row is None or not isinstance(link, Link):
                continue
            master = self._reader.link_at(row.master) if row.master else None
            if master is not None:
                rows.setdefault(master.ifindex, (master, False))
            at_once = link.exclusive is not None or not self._reader.is_marked(row.mark)
            rows[row.ifindex] = (row, step.action is Action.DELETE and at_once)
        return [lying for row, gone in rows.values() for lying in self._reader.lying_on(row, gone=gone)]

    # --- one kind of steps each ---

    def set_elements(self, steps: list[Step], _: Sequence[Step], applied: Applied) -> None:
        """Steps on firewall elements: one transaction of nftables, which is all or none by itself."""
        try:
            self._elements(steps)
        except ValueError as error:  # a driver's wish that no set can hold
            raise KernelError(errno.EINVAL, step=words(steps[0], self._table), extack=str(error)) from error
        applied.ways_back.append(partial(self._elements, undo(steps)))

    def set_sysctls(self, steps: list[Step], _: Sequence[Step], applied: Applied) -> None:
        """Steps on settings below /proc/sys, one file each."""
        for step in steps:
            back = self._sysctls.do(step)
            if back is not None:
                applied.ways_back.append(partial(self._set_back, back))

    def talk(self, steps: list[Step], _: Sequence[Step], applied: Applied) -> None:
        """Steps that are rtnetlink messages: one batch."""
        for exclusive in {key for step in steps if (key := _exclusive(step)) is not None}:
            self._doom.clear(self._netlink, exclusive)
        batch = Batch(self._netlink, self._reader, self._protocol)
        applied.ways_back.append(batch.take_back)
        self.counts.batches += 1
        batch.run(steps)

    def remove_links(self, steps: list[Step], later: Sequence[Step], applied: Applied) -> None:
        """Deletions of links; *later* are the steps that may yet fail, and make these be wanted back."""
        wanted = {_exclusive(step) for step in later} - {None}
        for step in steps:
            row = self._reader.link(step.resource.key[1])
            if row is not None:
                self._remove(step, row, wanted, applied)

    def _remove(self, step: Step, row: LinkRow, wanted: set[Key | None], applied: Applied) -> None:
        link = self._reader.value(row)
        if link.exclusive in wanted or not self._reader.is_marked(row.mark):
            # It must be gone before the next step, or no sweep would know it as ours: no going easy.
            self._delete(step, row)
            applied.ways_back.append(partial(self._make_again, link))
            return
        peer = self._reader.link_at(row.lower) if row.kind == "veth" and not row.elsewhere else None
        condemned = condemn(self._netlink, row, link, peer)
        if condemned is not None:
            applied.condemned.append(condemned)
            applied.ways_back.append(partial(rescue, self._netlink, condemned))

    def _set_back(self, step: Step) -> None:
        self._sysctls.do(step)

    def _delete(self, step: Step, row: LinkRow) -> None:
        failure = self._netlink.execute([encode_link.message(rt.RTM_DELLINK, 0, row.ifindex)]).get(0)
        if failure is not None and not is_absent(step, failure):
            raise KernelError(failure.code, step=words(step), extack=explain(step, failure, self._reader))

    def _put_back(self, applied: Applied) -> None:
        put_back(self._netlink, applied.at_stake, HostIndexes())

    def _make_again(self, link: Link) -> None:
        if getattr(link.kind, "peer", None) == ELSEWHERE:
            raise KernelError(
                errno.EOPNOTSUPP, step=words(Step(Action.CREATE, link)), extack="its other end was in another namespace"
            )
        Batch(self._netlink, self._reader, self._protocol).run([Step(Action.CREATE, link)])


def _may_cost(step: Step, link: Link) -> bool:
    """Whether something that lies on *link* may be gone after *step*."""
    if step.action is not Action.CHANGE:
        return step.action is Action.DELETE
    return link.up is False or (link.master is not None and link.master != getattr(step.before, "master", None))


_Lane = Callable[[Writer, list[Step], Sequence[Step], Applied], None]

#: How steps are done, by lane: consecutive ones of one lane go together. What is unmade never goes with what is made:
#: were both in one send, a refusal of the one would not keep the other from being done.
_LANES: dict[str, _Lane] = {
    "elements": Writer.set_elements,
    "sysctls": Writer.set_sysctls,
    "remove": Writer.remove_links,
    "unmake": Writer.talk,
    "make": Writer.talk,
}


_LANE_OF: Mapping[type, str] = {Element: "elements", Sysctl: "sysctls"}


def _lane(step: Step) -> str:
    kind = type(step.resource)
    if kind in _LANE_OF:
        return _LANE_OF[kind]
    if step.action is not Action.DELETE:
        return "make"
    return "remove" if kind is Link else "unmake"


def _exclusive(step: Step) -> Key | None:
    link = step.resource
    return link.exclusive if step.action is Action.CREATE and isinstance(link, Link) else None
