"""RequestPool and ReleasePool as transitions of the book: which pools may be held side by side, and who counts.

A pool belongs to the socket it came by. The same request again, by the same socket, answers the same PoolID and
counts a reference; by another socket it is a conflict, since each socket's dockerd counts, and forgets, by itself.
Two pools of one subnet with different ranges are both held (protocol 3.9): they share the subnet's addresses.
Whether two networks on one subnet can work is for their network driver to say.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from attrs import evolve

from linkwright.errors import Conflict
from linkwright.ipam.asking import PoolRequest
from linkwright.ipam.automatic import Chooser
from linkwright.ipam.book import Book, Draft
from linkwright.ipam.happenings import Happening
from linkwright.ipam.options import SPACE
from linkwright.ipam.spaces import PoolName
from linkwright.model.address import LeaseState, Pool, Prefix


def request(
    book: Book, draft: Draft, chooser: Chooser, wanted: PoolRequest, *, routes: Sequence[Prefix], now: float
) -> Pool:
    """Hold the pool that *wanted* describes; *routes* are those of the host, which automatic pools keep clear of."""
    subnet = wanted.subnet
    if subnet is None:
        held = [block.subnet for _, block in book.blocks()]
        subnet = chooser.choose(wanted.version, wanted.size, held=held, routes=routes, now=now)
    name = PoolName(wanted.space, subnet, wanted.range)
    known = book.pools.get(str(name))
    if known is None or known.listener != wanted.listener:
        pool = _new(book, name, wanted.options, wanted.listener, now)
        draft.refer(evolve(pool, automatic=wanted.subnet is None))
    elif known.asked == book.epochs.of(known.listener).number:
        _check_options(known, wanted.options)
        draft.refer(evolve(known, references=known.references + 1))
    else:
        _replay(book, draft, known, wanted.options)
    return book.pools[str(name)]


def revive(book: Book, draft: Draft, pool_id: str, *, listener: str, now: float) -> Pool:
    """Hold again the pool that only *pool_id* tells of: Docker holds it, and does not repeat itself (field note L13).

    Its options but for the space are not in the id: a sticky pool is an ordinary one until Docker replays it.
    Raises NotFound for an id that is none of ours, Conflict where another pool has taken its place.
    """
    name = PoolName.parse(pool_id)
    _, _, label = name.space.partition(":")
    pool = _new(book, name, {SPACE: label} if label else {}, listener, now)
    draft.put(pool)
    draft.note(Happening.REVIVED)
    return pool


def release(book: Book, draft: Draft, pool_id: str) -> None:
    """Give back one reference; with the last one go the pool and the leases left in it. Unknown ids are fine."""
    pool = book.pools.get(pool_id)
    if pool is None:
        return
    if pool.references > 1:
        draft.put(evolve(pool, references=pool.references - 1))
    else:
        remove(book, draft, pool)


def remove(book: Book, draft: Draft, pool: Pool) -> None:
    """Forget *pool* and every lease that was asked for through it."""
    for lease in book.block(pool).leases_of(pool.id):
        draft.drop(lease)
    draft.drop(pool)


def touch(book: Book, draft: Draft, pool: Pool) -> Pool:
    """Note that *pool* was named in the present epoch, so that our own restart does not forget which that is."""
    present = book.epochs.of(pool.listener)
    if pool.seen != present.number:
        draft.put(evolve(pool, seen=present.number, engine=present.engine))
    return book.pools[pool.id]


def _new(book: Book, name: PoolName, options: Mapping[str, str], listener: str, now: float) -> Pool:
    other = book.overlapping(name.space, name.subnet)
    if other is not None and (other.subnet != name.subnet or other.listener != listener):
        since = datetime.fromtimestamp(other.created, UTC).isoformat(timespec="seconds")
        raise Conflict(
            f"the pool {name.subnet} overlaps {other.subnet}, which is held as {other.id} through the socket "
            f"{other.listener or 'without a name'} since {since}; choose another --subnet, remove the network that "
            "holds it, or keep the two apart with --ipam-opt linkwright.space=NAME"
        )
    present = book.epochs.of(listener)
    return Pool(
        id=str(name),
        space=name.space,
        subnet=name.subnet,
        range=name.range,
        listener=listener,
        options=options,
        created=now,
        born=present.number,
        asked=present.number,
        seen=present.number,
        engine=present.engine,
    )


def _check_options(pool: Pool, options: Mapping[str, str]) -> None:
    if dict(options) != dict(pool.options):
        raise Conflict(
            f"the pool {pool.id} is held with the options {dict(pool.options)} and was asked for with "
            f"{dict(options)}; use the same --ipam-opt for all networks on one subnet"
        )


def _replay(book: Book, draft: Draft, pool: Pool, options: Mapping[str, str]) -> None:
    """Begin the count of references anew: those of this epoch are what Docker holds."""
    present = book.epochs.of(pool.listener)
    if dict(options) != dict(pool.options):  # another network than the one that left this pool behind
        for lease in book.block(pool).leases_of(pool.id):
            if lease.state is LeaseState.REMEMBERED:
                draft.drop(lease)
    draft.put(
        evolve(
            pool,
            references=1,
            options=options,
            asked=present.number,
            seen=present.number,
            engine=present.engine,
        )
    )
    draft.note(Happening.REPLAYED)
