"""The firewall as a service: keeps a fixed table there, and its elements as the steps of a plan say.

What the table is, ``kernel.ruleset`` says; the bytes are ``messages``, the socket ``transport``. This is their order.
All kernel work is done in one thread, in the order asked for. Changes by others are told by ``watch``.
"""

import contextlib
import errno
import socket
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Self

import trio
from attrs import frozen

from linkwright.errors import KernelError, Unavailable
from linkwright.kernel.nftables import installed, messages
from linkwright.kernel.nftables.nfnetlink import Request
from linkwright.kernel.nftables.table import Table, element_text
from linkwright.kernel.nftables.transport import Failure, Transport, open_events
from linkwright.kernel.nftables.watch import watch
from linkwright.kernel.worker import Worker
from linkwright.plan.resources import Element
from linkwright.plan.steps import Action, KernelEvent, Step, undo

#: What an errno means where the kernel adds no words of its own (it seldom does for elements).
_MEANINGS = {
    errno.EEXIST: "the key, or a range that it overlaps, is there already with other data",
    errno.EPERM: "the process lacks CAP_NET_ADMIN in this network namespace",
    errno.EMSGSIZE: "too much for one transaction; net.core.wmem_max limits it in a user namespace",
}


#: Seconds that ending waits for the jobs under way.
_CLOSE_SECONDS = 5.0


@frozen
class _Change:
    """One element to add or to delete, and how a person would write that."""

    text: str
    request: Request
    deletes: bool


class Firewall:
    """One table in one network namespace. Enter it (``async with``) before use."""

    def __init__(self, table: Table, *, netns: str | None = None) -> None:
        """Keep *table* (``ruleset.ruleset`` says which); *netns* is the path of another network namespace for it."""
        self.table = table
        self._worker = Worker("linkwright-nft", netns=netns)

    async def __aenter__(self) -> Self:
        """Start the thread and open its socket. Unavailable if it has no nf_tables, or the namespace is gone."""
        self._worker.open()
        try:
            self._transport = await self._worker.do(Transport, regret=Transport.close)
        except BaseException as error:
            await self._close()
            if isinstance(error, OSError):
                raise Unavailable(f"could not open a netfilter socket; has this kernel nf_tables? {error}") from error
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """End. The table stays: traffic goes on without us."""
        await self._close()
        self._transport.close()

    async def _close(self) -> None:
        with trio.move_on_after(2 * _CLOSE_SECONDS, shield=True):
            await self._worker.close(_CLOSE_SECONDS)

    async def verify(self) -> bool:
        """Whether the table is there as it should be, whatever elements it holds."""
        return await self._worker.do(partial(_verify, self._transport, self.table))

    async def prepare(self) -> bool:
        """Put the table there if it is missing or not as it should be; True if it had to.

        A wrong one is replaced in one transaction that keeps the elements of its sets, so that isolation has no gap.
        """
        return await self._worker.do(partial(_prepare, self._transport, self.table))

    async def apply(self, steps: Sequence[Step]) -> None:
        """Do the element *steps* in one transaction: all or none.

        Adding what is there and deleting what is not are fine. KernelError names the first step that cannot be. When
        the table is gone it is made again first. ValueError, before anything is done, for a step that is none of ours.
        Cancelled once it has begun, the inverse steps are done when it ends.
        """
        changes = [change for step in steps for change in _changes(self.table, step)]
        inverse = [change for step in undo(steps) for change in _changes(self.table, step)]
        if changes:
            work = partial(_apply, self._transport, self.table, changes)
            await self._worker.do(work, regret=lambda _: _take_back(self._transport, self.table, inverse))

    async def elements(self) -> frozenset[Element]:
        """All elements of the table; none if it is not there."""
        return await self._worker.do(partial(_elements, self._transport, self.table))

    async def remove(self) -> None:
        """Delete the table with all in it; fine if there is none."""
        await self._worker.do(partial(_remove, self._transport, self.table))

    async def run(
        self,
        *,
        events: trio.MemorySendChannel[KernelEvent],
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Tell *events* of changes that others made, until cancelled; started when none can be missed any more."""
        with await self._worker.do(open_events, regret=socket.socket.close) as listening:
            task_status.started()
            await watch(listening, self.table, self._transport.port, events)


# --- in the worker's thread ----------------------------------------------------------------------------------


def _verify(transport: Transport, table: Table) -> bool:
    with _reading(table):
        return installed.is_right(transport, table)


def _elements(transport: Transport, table: Table) -> frozenset[Element]:
    with _reading(table):
        return frozenset(installed.elements(transport, table))


def _prepare(transport: Transport, table: Table) -> bool:
    if _verify(transport, table):
        return False
    kept = [messages.new_element(table, element) for element in _elements(transport, table)]
    failures = _transact(transport, [*messages.install(table), *kept], f"add table {table.label}")
    if failures:
        raise _failed(failures[0], f"add table {table.label}")
    return True


def _remove(transport: Transport, table: Table) -> None:
    text = f"delete table {table.label}"
    failures = _transact(transport, [messages.delete_table(table)], text)
    if any(failure.code != errno.ENOENT for failure in failures):
        raise _failed(failures[0], text)


def _apply(transport: Transport, table: Table, changes: list[_Change]) -> None:
    prepared = False
    while changes:
        failures = _transact(transport, [change.request for change in changes], changes[0].text)
        if not failures:
            return
        for failure in failures:
            if failure.code != errno.ENOENT:
                raise _failed(failure, _text(changes, failure))
        # Something is missing: the table, the set, or only an element that was to be deleted anyway.
        if not prepared and _prepare(transport, table):
            prepared = True
            continue
        missing = {failure.index for failure in failures}
        for failure in failures:
            if failure.index < 0 or not changes[failure.index].deletes:
                raise _failed(failure, _text(changes, failure))
        changes = [change for place, change in enumerate(changes) if place not in missing]


def _take_back(transport: Transport, table: Table, inverse: list[_Change]) -> None:
    """Undo what a caller who left had done. What cannot be undone is drift, and found as such."""
    with contextlib.suppress(KernelError):
        _apply(transport, table, inverse)


def _transact(transport: Transport, requests: Sequence[Request], text: str) -> tuple[Failure, ...]:
    try:
        return transport.transact(requests)
    except OSError as error:
        raise _refused(text, error) from error


@contextlib.contextmanager
def _reading(table: Table) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _refused(f"list table {table.label}", error) from error


# --- steps and errors ----------------------------------------------------------------------------------------


def _changes(table: Table, step: Step) -> list[_Change]:
    """What *step* is made of: a change of data is a deletion and an addition, in that order."""
    element, before = step.resource, step.before or step.resource
    if not isinstance(element, Element) or not isinstance(before, Element):
        raise ValueError(f"the firewall does steps on elements, not {step}")  # noqa: TRY004 - the value's kind is wrong
    try:
        add, delete = messages.new_element(table, element), messages.delete_element(table, before)
    except (LookupError, ValueError) as error:
        raise ValueError(f"cannot {step.action.value} {element}: {error}") from error
    adds = [_Change(_words(table, "add", element), add, deletes=False)]
    deletes = [_Change(_words(table, "delete", before), delete, deletes=True)]
    return {Action.CREATE: adds, Action.DELETE: deletes, Action.CHANGE: deletes + adds}[step.action]


def _words(table: Table, verb: str, element: Element) -> str:
    return f"{verb} element {table.label} {element.set} {{ {element_text(table, element)} }}"


def _text(changes: list[_Change], failure: Failure) -> str:
    """The step that failed, or all of them where the transaction as a whole did."""
    if failure.index >= 0:
        return changes[failure.index].text
    return "; ".join(change.text for change in changes)


def _failed(failure: Failure, text: str) -> KernelError:
    return KernelError(failure.code, step=text, extack=_MEANINGS.get(failure.code, failure.extack))


def _refused(text: str, error: OSError) -> KernelError:
    code = error.errno or errno.EIO
    return KernelError(code, step=text, extack=_MEANINGS.get(code, error.strerror or ""))
