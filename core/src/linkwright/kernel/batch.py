"""A run of rtnetlink steps as one ``sendmsg``, and what takes it back. The order of runs is ``writer``'s.

Rule: a batch remembers what it really did, not what it was asked for: a delete that found nothing is not undone, a
change goes back to what was read just before it.
"""

import errno
import random
import socket
from bisect import bisect_right
from collections.abc import Callable, Sequence
from contextlib import suppress

from attrs import evolve

from linkwright.errors import KernelError
from linkwright.kernel import encode_link
from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.encode import encode
from linkwright.kernel.netlink import Failure, Request
from linkwright.kernel.reasons import explain, words
from linkwright.kernel.snapshot import Reader
from linkwright.kernel.transport import Rtnetlink
from linkwright.plan.resources import BridgeVlan, FdbEntry, Hairpin, Key, Link, Redirect, Resource, Shaper
from linkwright.plan.steps import Action, Step

#: How the kernel says that what is to be deleted is not there.
_ABSENT = frozenset({errno.ENODEV, errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL})
#: The same for what a link has as a port of a bridge, when it is none any more (rtnl_fdb_del, rtnl_bridge_dellink), and
#: for a qdisc in whose place there is another (tc_get_qdisc).
_LOOSELY_ABSENT = _ABSENT | {errno.EINVAL, errno.EOPNOTSUPP}
_LOOSE = (FdbEntry, BridgeVlan, Hairpin, Shaper, Redirect)


def is_absent(step: Step, failure: Failure) -> bool:
    """Whether *failure* only says that what *step* deletes is not there."""
    absent = _LOOSELY_ABSENT if isinstance(step.resource, _LOOSE) else _ABSENT
    return step.action is Action.DELETE and failure.code in absent


class HostIndexes:
    """Interface indexes of the calling thread's namespace, and those we choose for links about to be made."""

    def __init__(self, draw: Callable[[], int] = lambda: random.randrange(*rt.INDEX_RANGE)) -> None:  # noqa: S311
        self._draw = draw
        self._known: dict[str, int] = {}
        self._taken: set[int] = set()
        self.chosen: dict[str, int] = {}

    def of(self, name: str) -> int:
        """The index of link *name*; LookupError if there is none."""
        if name not in self._known:
            try:
                self._known[name] = socket.if_nametoindex(name)
            except OSError as error:
                raise LookupError(f"there is no link {name!r}") from error
        return self._known[name]

    def choose(self, name: str) -> int:
        """An index that no link has: else what follows by index would meet a stranger."""
        index = self._draw()
        while index in self._taken or _is_taken(index):
            index = self._draw()
        self._taken.add(index)
        self._known[name] = self.chosen[name] = index
        return index


def _is_taken(index: int) -> bool:
    try:
        return bool(socket.if_indextoname(index))
    except OSError:
        return False


class Batch:
    """Steps that go together."""

    def __init__(self, netlink: Rtnetlink, reader: Reader, protocol: int) -> None:
        self._netlink = netlink
        self._reader = reader
        self._protocol = protocol
        self._indexes = HostIndexes()
        self._was: dict[Key, Resource] = {}  # what the changes among them find
        self._done: Sequence[Step] = ()

    def run(self, steps: Sequence[Step]) -> None:
        """Do *steps*. KernelError of the first that failed; then ``take_back`` undoes the others."""
        sent: list[Step] = []
        firsts: list[int] = []  # the positions of their first messages
        requests: list[Request] = []
        for step in steps:
            encoded = self._encoded(step)
            if encoded:
                sent.append(step)
                firsts.append(len(requests))
                requests += encoded
        try:
            failures = self._netlink.execute(requests)
        except OSError as error:  # the answers are lost: anything may have been done
            self._done = sent
            raise self._error(steps[-1], Failure(error.errno or errno.EIO, error.strerror or "")) from error
        self._done = sent
        if failures:
            # Done is what had its first message done, and every change of a link: the kernel keeps half of one.
            pairs = zip(sent, firsts, strict=True)
            self._done = [step for step, first in pairs if first not in failures or _changes_link(step)]
            self._judge(sent, firsts, failures)

    def _encoded(self, step: Step) -> list[Request]:
        was = self._found(step) if step.action is Action.CHANGE else None
        try:
            return encode(step, self._indexes, self._protocol, was)
        except LookupError as error:
            if step.action is Action.DELETE:
                return []
            raise KernelError(errno.ENODEV, step=words(step), extack=str(error)) from error
        except ValueError as error:
            raise KernelError(errno.EOPNOTSUPP, step=words(step), extack=str(error)) from error

    def _found(self, step: Step) -> Resource | None:
        """Read what a change will change. A link of this batch is not there yet, and goes with its making."""
        resource, found = step.resource, step.before
        if not isinstance(resource, Link):
            found = found or self._reader.observe([resource.key]).resources.get(resource.key)
        elif resource.name in self._indexes.chosen:
            return found
        else:
            row = self._reader.link(resource.name)
            found = None if row is None else self._reader.value(row)
        if found is not None:
            self._was[resource.key] = found
        return found

    def _judge(self, sent: Sequence[Step], firsts: Sequence[int], failures: dict[int, Failure]) -> None:
        for position in sorted(failures):
            step, failure = sent[bisect_right(firsts, position) - 1], failures[position]
            if not is_absent(step, failure):
                raise self._error(step, failure)

    def _error(self, step: Step, failure: Failure) -> KernelError:
        return KernelError(failure.code, step=words(step), extack=explain(step, failure, self._reader))

    def take_back(self) -> list[str]:
        """Undo what was done, last first; return what could not be, in words."""
        made = {step.resource.key[1] for step in self._done if _makes_link(step)}
        steps: list[Step] = []
        requests: list[Request] = []
        indexes = HostIndexes()
        for step in reversed(self._done):
            on = step.resource.name if isinstance(step.resource, Link) else getattr(step.resource, "link", None)
            if on in made and not _makes_link(step):
                continue  # it goes with its link
            with suppress(LookupError):  # what it lay on has gone
                encoded = self._inverse(step, indexes)
                steps += [step] * len(encoded)
                requests += encoded
        problems = []
        for position, failure in self._netlink.execute(requests).items():
            if not is_absent(steps[position].inverse(), failure) and failure.code != errno.EEXIST:
                problems.append(f"could not undo `{words(steps[position])}`: {errno.errorcode.get(failure.code)}")
        return problems

    def _inverse(self, step: Step, indexes: HostIndexes) -> list[Request]:
        was = self._was.get(step.resource.key)
        if isinstance(step.resource, Link):
            if step.action is Action.CREATE:
                return [encode_link.message(rt.RTM_DELLINK, 0, self._indexes.chosen[step.resource.name])]
            return encode_link.restore(was, step.resource, indexes) if isinstance(was, Link) else []
        if step.action is Action.CHANGE:
            step = Step(Action.CREATE, step.resource) if was is None else evolve(step, before=was)
        return encode(step.inverse(), indexes, self._protocol)


def _changes_link(step: Step) -> bool:
    return step.action is Action.CHANGE and isinstance(step.resource, Link)


def _makes_link(step: Step) -> bool:
    return step.action is Action.CREATE and isinstance(step.resource, Link)
