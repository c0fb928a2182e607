"""A run of rtnetlink steps as one ``sendmsg``, and what takes it back. The order of runs is ``writer``'s.

Rule: a batch remembers what it really did, not what it was asked for: a delete that found nothing is not undone, a
change goes back to what was read just before it.
"""

import errno
import random
import socket
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from attrs import evolve, frozen

from linkwright.errors import KernelError
from linkwright.kernel import encode_link
from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.encode import encode
from linkwright.kernel.netlink import Failure, Request
from linkwright.kernel.reasons import explain, words
from linkwright.kernel.snapshot import Reader
from linkwright.kernel.transport import Rtnetlink
from linkwright.plan.resources import FdbEntry, Link, Resource
from linkwright.plan.steps import Action, Step

#: How the kernel says that what is to be deleted is not there.
_ABSENT = frozenset({errno.ENODEV, errno.ENOENT, errno.ESRCH, errno.EADDRNOTAVAIL})
#: The same for an entry of a bridge that the link is no longer a port of (rtnl_fdb_del).
_ABSENT_FDB = _ABSENT | {errno.EINVAL, errno.EOPNOTSUPP}


def is_absent(step: Step, failure: Failure) -> bool:
    """Whether *failure* only says that what *step* deletes is not there."""
    absent = _ABSENT_FDB if isinstance(step.resource, FdbEntry) else _ABSENT
    return step.action is Action.DELETE and failure.code in absent


class HostIndexes:
    """Interface indexes of the calling thread's namespace, and those we choose for links about to be made."""

    def __init__(self, draw: Callable[[], int] = lambda: random.randrange(*rt.INDEX_RANGE)) -> None:  # noqa: S311
        self._draw = draw
        self._known: dict[str, int] = {}
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
        with suppress(OSError):
            while socket.if_indextoname(index) or index in self._known.values():
                index = self._draw()
        self._known[name] = self.chosen[name] = index
        return index


@frozen
class _Operation:
    step: Step
    first: int  # the position of its first message
    was: Resource | None = None


class Batch:
    """Steps that go together."""

    def __init__(self, netlink: Rtnetlink, reader: Reader, protocol: int) -> None:
        self._netlink = netlink
        self._reader = reader
        self._protocol = protocol
        self._indexes = HostIndexes()
        self._done: list[_Operation] = []
        self.fallen: list[tuple[Resource, int]] = []  # what lay on links that it took down, and its protocol

    def run(self, steps: Sequence[Step]) -> None:
        """Do *steps*. KernelError of the first that failed; then ``take_back`` undoes the others."""
        operations: list[_Operation] = []
        requests: list[Request] = []
        for step in steps:
            operation = self._prepared(step, len(requests))
            try:
                encoded = encode(step, self._indexes, self._protocol, operation.was)
            except LookupError as error:
                if step.action is Action.DELETE:
                    continue
                raise KernelError(errno.ENODEV, step=words(step), extack=str(error)) from error
            if encoded:
                operations.append(operation)
                requests += encoded
        try:
            failures = self._netlink.execute(requests)
        except OSError as error:  # the answers are lost: anything may have been done
            self._done = operations
            raise self._error(steps[-1], Failure(error.errno or errno.EIO, error.strerror or "")) from error
        self._done = operations if not failures else list(self._settled(operations, failures))
        if failures:
            self._judge(operations, failures)

    def _prepared(self, step: Step, first: int) -> _Operation:
        """Read what a change will change. A link of this batch is not there yet, and goes with its making."""
        resource = step.resource
        if step.action is not Action.CHANGE:
            return _Operation(step, first)
        if not isinstance(resource, Link):
            was = step.before or self._reader.observe([resource.key]).resources.get(resource.key)
            return _Operation(step, first, was)
        row = None if resource.name in self._indexes.chosen else self._reader.link(resource.name)
        if row is None:
            return _Operation(step, first, step.before if resource.name in self._indexes.chosen else None)
        if row.up and resource.up is False:
            self.fallen += self._reader.lying_on(row)
        return _Operation(step, first, self._reader.value(row))

    def _settled(self, operations: Sequence[_Operation], failures: dict[int, Failure]) -> Iterator[_Operation]:
        """Yield those that did something: all whose first message succeeded, and every change that was begun."""
        for operation in operations:
            begun = isinstance(operation.step.resource, Link) and operation.step.action is Action.CHANGE
            if begun or operation.first not in failures:
                yield operation

    def _judge(self, operations: Sequence[_Operation], failures: dict[int, Failure]) -> None:
        firsts = [operation.first for operation in operations]
        for position in sorted(failures):
            step, failure = operations[bisect_right(firsts, position) - 1].step, failures[position]
            if not is_absent(step, failure):
                raise self._error(step, failure)

    def _error(self, step: Step, failure: Failure) -> KernelError:
        return KernelError(failure.code, step=words(step), extack=explain(step, failure, self._reader))

    def take_back(self) -> list[str]:
        """Undo what was done, last first, all but ``fallen``; return what could not be, in words."""
        made = {o.step.resource.name for o in self._done if _makes_link(o.step) and isinstance(o.step.resource, Link)}
        steps: list[Step] = []
        requests: list[Request] = []
        indexes = HostIndexes()
        for operation in reversed(self._done):
            step = operation.step
            on = step.resource.name if isinstance(step.resource, Link) else getattr(step.resource, "link", None)
            if on in made and not _makes_link(step):
                continue  # it goes with its link
            with suppress(LookupError):  # what it lay on has gone
                encoded = self._inverse(operation, indexes)
                steps += [step] * len(encoded)
                requests += encoded
        problems = []
        for position, failure in self._netlink.execute(requests).items():
            back = steps[position].inverse()
            if not is_absent(back, failure) and failure.code != errno.EEXIST:
                problems.append(f"could not undo `{words(steps[position])}`: {errno.errorcode.get(failure.code)}")
        return problems

    def _inverse(self, operation: _Operation, indexes: HostIndexes) -> list[Request]:
        step = operation.step
        if isinstance(step.resource, Link):
            if step.action is Action.CREATE:
                index = self._indexes.chosen[step.resource.name]
                return [encode_link.message(rt.RTM_DELLINK, 0, index)]
            was = operation.was
            return encode_link.restore(was, step.resource, indexes) if isinstance(was, Link) else []
        if step.action is Action.CHANGE:
            step = (
                evolve(step, before=operation.was) if operation.was is not None else Step(Action.CREATE, step.resource)
            )
        return encode(step.inverse(), indexes, self._protocol)


def _makes_link(step: Step) -> bool:
    return step.action is Action.CREATE and isinstance(step.resource, Link)
