"""Finding what Docker forgot to give back. Rule: nothing is freed on one observation, or on absence of news alone.

A lease is suspect when it was given in an earlier epoch and the replay of the present one did not name it, although
the replay reached its pool, or at least others of its listener. A suspect that no live link or neighbour shows in two
observations in a row goes into quarantine; there it rests, and one more observation that does not see it frees it.
A suspect, or a resting address, that is seen stays, or is held again.

Where no replay came at all (dockerd was started while we were away: field note L13) nothing is suspect.
"""

from collections.abc import Collection

from attrs import evolve, frozen

from linkwright.ipam import addresses, pools
from linkwright.ipam.book import Book, Draft
from linkwright.ipam.epochs import FIXTURES
from linkwright.ipam.happenings import Happening
from linkwright.ipam.spaces import within
from linkwright.model.address import Address, Lease, LeaseKind, LeaseState, Pool, Prefix

#: Observations in a row that must miss a suspect: antrea's collector (antrea#8239) freed on one, and gave an
#: address out twice.
MISSES = 2


@frozen
class Unconfirmed:
    """A pool with what Docker has not confirmed in the present epoch.

    ``asked``: whether Docker asked for the pool itself. ``replayed``: whether it replayed any pool of this listener.
    """

    pool: Pool
    asked: bool
    replayed: bool
    leases: tuple[Lease, ...]


def unconfirmed(book: Book) -> tuple[Unconfirmed, ...]:
    """All that the present epoch of each listener has not named."""
    found = []
    for pool in book.pools.values():
        present = book.epochs.of(pool.listener).number
        leases = _of_earlier_epochs(book, pool)
        asked = pool.asked == present
        if leases or not asked:
            found.append(Unconfirmed(pool, asked, _replayed(book, pool.listener), tuple(leases)))
    return tuple(found)


def observe(
    book: Book,
    draft: Draft,
    pool: Pool,
    *,
    live: Collection[Address],
    kept: Collection[Prefix],
    rest: float,
    now: float,
) -> None:
    """Compare one pool with the addresses that are *live* in the kernel.

    *kept* are subnets of networks that are known to exist: their pools stay, replayed or not. *rest* is in seconds.
    """
    asked = pool.asked == book.epochs.of(pool.listener).number
    replayed = asked or _replayed(book, pool.listener)
    if book.view(pool).resting:
        _observe_resting(book, draft, pool, live=live, rest=rest, now=now)
    for lease in _of_earlier_epochs(book, pool):
        misses = book.block(pool).sight(lease.address, live=lease.address in live)
        if misses >= MISSES and replayed and (asked or lease.kind not in FIXTURES):
            draft.put(evolve(lease, state=LeaseState.QUARANTINED, since=now))
            draft.note(Happening.QUARANTINED)
    if asked or not replayed or any(within(pool.subnet, prefix) for prefix in kept):
        book.view(pool).missed = 0
    else:
        _observe_abandoned(book, draft, pool)


def reclaim(book: Book, draft: Draft, space: str, address: Address, *, until: float | None, now: float) -> bool:
    """End the lease of a dead endpoint, if it can be told which it is; return whether one was ended.

    *space* is what Docker calls it, and may stand for several named ones: an address held in two of them stays.
    A lease that was given after *until* (seconds since the Unix epoch) has a new holder, and stays.
    """
    held = leases_at(book, space, address)
    if len(held) != 1 or held[0].kind not in {LeaseKind.ENDPOINT, LeaseKind.HOST}:
        return False
    if until is not None and held[0].since > until:
        return False
    addresses.free(book, draft, held[0], now=now)
    draft.note(Happening.RECLAIMED)
    return True


def leases_at(book: Book, space: str, address: Address) -> list[Lease]:
    """The held leases of *address* in *space* and in the named spaces below it."""
    found = []
    for name, block in book.blocks():
        lease = block.leases.get(address) if name == space or name.startswith(f"{space}:") else None
        if lease is not None and lease.state is LeaseState.HELD:
            found.append(lease)
    return found


def _of_earlier_epochs(book: Book, pool: Pool) -> list[Lease]:
    """The suspects of one pool. The host's own leases are never among them: Docker does not know of those."""
    view, present = book.view(pool), book.epochs.of(pool.listener).number
    if view.epochs.total() == view.epochs[present]:
        return []  # all are confirmed: the usual case, and it must not cost a walk
    leases = book.block(pool).leases_of(pool.id)
    return [
        lease
        for lease in leases
        if lease.state is LeaseState.HELD and lease.epoch != present and lease.kind is not LeaseKind.HOST
    ]


def _replayed(book: Book, listener: str) -> bool:
    """Whether Docker has asked in this epoch for a pool of an earlier one: it replays all pools, or none."""
    present = book.epochs.of(listener).number
    return any(p.listener == listener and p.born < p.asked == present for p in book.pools.values())


def _observe_resting(
    book: Book, draft: Draft, pool: Pool, *, live: Collection[Address], rest: float, now: float
) -> None:
    for lease in book.block(pool).leases_of(pool.id):
        if lease.state is not LeaseState.QUARANTINED:
            continue
        if lease.address in live:
            draft.put(evolve(lease, state=LeaseState.HELD))
            draft.note(Happening.RECOVERED)
        elif lease.since > now:  # the clock was put back: rest again rather than for as long as that was
            draft.put(evolve(lease, since=now))
        elif now - lease.since >= rest:
            addresses.free(book, draft, lease, now=now)
            draft.note(Happening.FREED)


def _observe_abandoned(book: Book, draft: Draft, pool: Pool) -> None:
    view = book.view(pool)
    busy = any(
        lease.kind not in FIXTURES
        for lease in book.block(pool).leases_of(pool.id)
        if lease.state is not LeaseState.REMEMBERED
    )
    view.missed = 0 if busy else view.missed + 1
    if view.missed >= MISSES:
        pools.remove(book, draft, pool)
        draft.note(Happening.ABANDONED)
