"""The tables kept: verified, put right, changed, read. Runs in the worker's thread and blocks for each call it makes.

A transaction is all or nothing over all tables. A table is replaced in one transaction that keeps the elements of its
sets, so that isolation has no gap.
"""

import contextlib
import errno
import itertools
from collections.abc import Iterable, Iterator, Sequence

from linkwright.errors import KernelError
from linkwright.kernel.nftables import installed, messages
from linkwright.kernel.nftables.changes import Change, changes_of
from linkwright.kernel.nftables.nfnetlink import Request
from linkwright.kernel.nftables.table import Table, homes_of
from linkwright.kernel.nftables.transport import Failure, Transport
from linkwright.plan.resources import Element, Key
from linkwright.plan.steps import Step, undo

#: What an errno means where the kernel adds no words of its own (it seldom does for elements).
_MEANINGS = {
    errno.EEXIST: "the key is there already with other data",
    errno.EPERM: "the process lacks CAP_NET_ADMIN in this network namespace",
    errno.EMSGSIZE: "too much for one transaction; net.core.wmem_max limits it in a user namespace",
}

#: How the kernel says that it has no tables of a family (nf_tables_newtable).
_NO_FAMILY = frozenset({errno.EOPNOTSUPP, errno.EAFNOSUPPORT})


class Keeper:
    """Keeps *tables* by way of *transport*."""

    def __init__(self, transport: Transport, tables: Sequence[Table]) -> None:
        self._transport = transport
        self._tables = tables
        self._homes = homes_of(tables)
        self._lacking: set[str] = set()  # labels of tables that this kernel cannot have

    def prepare(self) -> bool:
        """Put each table there that is missing or not as it should be; True if there was one."""
        made = [self._prepare(table) for table in self._tables]
        return any(made)

    def remove(self) -> None:
        """Delete the tables with all in them; fine if there are none."""
        for table in self._tables:
            text = f"delete table {table.label}"
            failures = self._transact([messages.delete_table(table)], text)
            if any(failure.code not in {errno.ENOENT, *_NO_FAMILY} for failure in failures):
                raise _failed(failures[0], text)

    def apply(self, steps: Sequence[Step]) -> None:
        """Do *steps* in one transaction. A table that turns out to be missing is made first."""
        changes, prepared = changes_of(self._homes, steps), False
        while changes := self._possible(changes):
            failures = self._transact([change.request for change in changes], changes[0].text)
            if not failures:
                return
            for failure in failures:
                if failure.code != errno.ENOENT:
                    raise _failed(failure, _text(changes, failure))
            # Something is missing: a table, a set, or only an element that was to be deleted anyway.
            lacking = set(self._lacking)
            if not prepared and (self.prepare() or self._lacking != lacking):
                prepared = True
                continue
            missing = {failure.index for failure in failures}
            for failure in failures:
                if failure.index < 0 or not changes[failure.index].deletes:
                    raise _failed(failure, _text(changes, failure))
            changes = [change for place, change in enumerate(changes) if place not in missing]

    def take_back(self, steps: Sequence[Step]) -> None:
        """Undo what a caller who left had done. What cannot be undone is drift, and found as such."""
        with contextlib.suppress(KernelError, ValueError):
            self.apply(undo(steps))

    def elements(self) -> frozenset[Element]:
        """All elements of all tables."""
        with _asking("list the elements of our tables"):
            found = (installed.elements(self._transport, table) for table in self._tables)
            return frozenset(itertools.chain.from_iterable(found))

    def elements_of(self, keys: Iterable[Key]) -> frozenset[Element]:
        """The elements under *keys* that are there; a key that no set of ours can hold has none."""
        with _asking("get elements of our tables"):
            return frozenset(installed.elements_under(self._transport, self._homes, keys))

    def drops(self) -> dict[str, int]:
        """What the counters of all tables have counted, in packets."""
        with _asking("list the counters of our tables"):
            return {
                name: packets
                for table in self._tables
                for name, packets in installed.counted(self._transport, table).items()
            }

    def _prepare(self, table: Table) -> bool:
        text = f"add table {table.label}"
        with _asking(f"list table {table.label}"):
            if installed.is_right(self._transport, table):
                return False
            kept = list(self._kept(table))
        failures = self._transact([*messages.install(table), *kept], text)
        if table.needed_for and failures and failures[0].code in _NO_FAMILY:
            self._lacking.add(table.label)
            return False
        if failures:
            raise _failed(failures[0], text)
        self._lacking.discard(table.label)
        return True

    def _kept(self, table: Table) -> Iterator[Request]:
        """The elements of *table*, less those of others that no wish could have put there (``CATCH_ALL``)."""
        for element in installed.elements(self._transport, table):
            with contextlib.suppress(ValueError):
                yield messages.new_element(table, element)

    def _possible(self, changes: list[Change]) -> list[Change]:
        """Leave out deletions from tables that cannot be here; KernelError for an addition to one."""
        if not self._lacking:
            return changes
        for change in changes:
            if change.table.label in self._lacking and not change.deletes:
                raise KernelError(errno.EOPNOTSUPP, step=change.text, extack=_needs(change.table))
        return [change for change in changes if change.table.label not in self._lacking]

    def _transact(self, requests: Sequence[Request], text: str) -> tuple[Failure, ...]:
        with _asking(text):
            return self._transport.transact(requests)


@contextlib.contextmanager
def _asking(text: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        code = error.errno or errno.EIO
        raise KernelError(code, step=text, extack=_MEANINGS.get(code, error.strerror or "")) from error


def _text(changes: Sequence[Change], failure: Failure) -> str:
    """The step that failed, or the first where the transaction as a whole did: there may be thousands."""
    return changes[max(failure.index, 0)].text


def _failed(failure: Failure, text: str) -> KernelError:
    return KernelError(failure.code, step=text, extack=_MEANINGS.get(failure.code, failure.extack))


def _needs(table: Table) -> str:
    family = table.family.name.lower()
    return (
        f"this kernel has no nf_tables of family {family} (CONFIG_NF_TABLES_{family.upper()}), and {table.needed_for} "
        "needs it; do without that option, or use a kernel that has it"
    )
