"""Every pool and lease, found fast. Rule 1: ``Book.apply`` is the only thing that changes one.

Rule 2: a change is a fact to store (``model.change``). So what the store keeps, replayed, is the same book, and the
inverse of each change, applied backwards, is the book as it was: a transaction that the disk refused never happened.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

from attrs import evolve, frozen

from linkwright.ipam.block import Block, View
from linkwright.ipam.epochs import Epochs, is_confirmation
from linkwright.ipam.happenings import Happening
from linkwright.ipam.spans import Disjoint
from linkwright.model.address import Lease, Pool, Prefix
from linkwright.model.change import Change, Drop, Put

A = TypeVar("A")


@frozen
class Transition(Generic[A]):
    """What one request did: the answer, the facts to make durable, and how to take them back."""

    answer: A
    changes: tuple[Change, ...] = ()
    inverse: tuple[Change, ...] = ()  # to be applied from the first to the last
    happenings: tuple[Happening, ...] = ()
    reference: Pool | None = None  # the pool, as it was when this request had counted a reference to it
    lease: tuple[Lease, Lease | None] | None = None  # what it gave or confirmed, and what was there before


class Book:
    """The records, and what finds them."""

    def __init__(self) -> None:
        self.epochs = Epochs()
        self.pools: dict[str, Pool] = {}
        self._blocks: dict[tuple[str, Prefix], Block] = {}
        self._order: dict[tuple[str, int], Disjoint] = {}

    def block(self, pool: Pool) -> Block:
        """The block that *pool*, which must be in the book, looks into."""
        return self._blocks[pool.space, pool.subnet]

    def view(self, pool: Pool) -> View:
        """What *pool*, which must be in the book, sees."""
        return self.block(pool).views[pool.id]

    def blocks(self) -> Iterator[tuple[str, Block]]:
        """Each space and block."""
        return ((space, block) for (space, _), block in self._blocks.items())

    def overlapping(self, space: str, subnet: Prefix) -> Pool | None:
        """A pool of *space* whose subnet overlaps *subnet*, or is the same."""
        order = self._order.get((space, subnet.version))
        found = order.overlapping(subnet) if order else None
        return None if found is None else next(iter(self._blocks[space, found].views.values())).pool

    def apply(self, change: Change) -> Change | None:
        """Make *change*, and return the one that takes it back; None if it changes nothing.

        Raises KeyError for a lease whose pool is not in the book.
        """
        record = change.record
        if isinstance(record, Pool):
            return self._apply_pool(record, put=isinstance(change, Put))
        if isinstance(record, Lease):
            return self._apply_lease(record, put=isinstance(change, Put))
        raise TypeError(f"{type(record).__name__} is no record of the address book")

    def _apply_pool(self, pool: Pool, *, put: bool) -> Change | None:
        before = self.pools.get(pool.id)
        if put:
            self.pools[pool.id] = pool
            self.epochs.learn(pool)
            if (pool.space, pool.subnet) not in self._blocks:
                self._blocks[pool.space, pool.subnet] = Block(pool.subnet)
                self._order.setdefault((pool.space, pool.subnet.version), Disjoint()).add(pool.subnet)
            self.block(pool).open_view(pool)
            return Drop(pool) if before is None else Put(before)
        if before is None:
            return None
        block = self.block(before)
        del self.pools[pool.id], block.views[pool.id]
        if not block.views:
            del self._blocks[before.space, before.subnet]
            self._order[before.space, before.subnet.version].remove(before.subnet)
        return Put(before)

    def _apply_lease(self, lease: Lease, *, put: bool) -> Change | None:
        if not put and lease.pool not in self.pools:
            return None
        block = self.block(self.pools[lease.pool])
        before = block.leases.get(lease.address)
        if put:
            block.put(lease)
            return Drop(lease) if before is None else Put(before)
        if before is None or before.pool != lease.pool:
            return None
        block.drop(lease.address)
        return Put(before)

    @contextmanager
    def draft(self) -> Iterator["Draft"]:
        """Make changes that are taken back if the block raises: a refused request leaves nothing behind."""
        draft = Draft(self)
        try:
            yield draft
        except BaseException:
            self.take_back(draft.inverse)
            raise

    def take_back(self, inverse: Sequence[Change]) -> None:
        """Apply the inverse of changes that never became durable."""
        for change in inverse:
            self.apply(change)


class Draft:
    """The changes of one request, in the making."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._changes: list[Change] = []
        self._inverse: list[Change] = []
        self._happenings: list[Happening] = []
        self._reference: Pool | None = None
        self._lease: tuple[Lease, Lease | None] | None = None

    @property
    def inverse(self) -> tuple[Change, ...]:
        """What takes back all that was done so far, to be applied from the first to the last."""
        return tuple(reversed(self._inverse))

    def put(self, record: Pool | Lease) -> None:
        """Keep *record*; a lease replaces whatever lease there is of its address."""
        if isinstance(record, Lease):
            before = self._book.block(self._book.pools[record.pool]).leases.get(record.address)
            if before is not None and before.pool != record.pool:
                self.drop(before)  # its key in the store is another
        self._make(Put(record))

    def drop(self, record: Pool | Lease) -> None:
        """Forget *record*."""
        self._make(Drop(record))

    def give(self, lease: Lease) -> None:
        """Keep *lease*, which answers the request: it is taken back should the caller never hear of it."""
        before = self._book.block(self._book.pools[lease.pool]).leases.get(lease.address)
        self._lease = (lease, before if before is not None and before.pool == lease.pool else None)
        self.put(lease)

    def refer(self, pool: Pool) -> None:
        """Keep *pool*, in which the request counted a reference: given back should the caller never hear of it."""
        self._reference = pool
        self.put(pool)

    def note(self, happening: Happening) -> None:
        """Count *happening* once the changes are durable."""
        self._happenings.append(happening)

    def finish(self, answer: A) -> Transition[A]:
        """The transition that these changes are."""
        return Transition(
            answer, tuple(self._changes), self.inverse, tuple(self._happenings), self._reference, self._lease
        )

    def _make(self, change: Change) -> None:
        inverse = self._book.apply(change)
        if inverse is not None:
            if isinstance(change, Put) and isinstance(inverse, Put):
                change = evolve(change, flushed=not is_confirmation(inverse.record, change.record))
            self._changes.append(change)
            self._inverse.append(inverse)
