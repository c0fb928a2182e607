"""The ledger: who holds which address, in one host's memory. The one class the rest of the daemon sees.

Rule 1: no I/O and no clock; routes and times are handed in. Rule 2: each request is a transition: it changes the ledger
at once and yields the facts to make durable. If they cannot be, :meth:`Ledger.revert` takes them back, last one first;
if the caller has gone when they are, :meth:`Ledger.undo` gives back what it was given. A request that raises changes
nothing. The facts, loaded into a new ledger, give an equal one.
"""

from collections.abc import Collection, Iterable, Sequence
from ipaddress import ip_interface
from typing import Any

from attrs import evolve

from linkwright.ipam import addresses, pools, reclaim
from linkwright.ipam.asking import AddressRequest, PoolRequest
from linkwright.ipam.automatic import Chooser, DefaultPool
from linkwright.ipam.block import PoolStatistics
from linkwright.ipam.book import Book, Transition
from linkwright.ipam.epochs import Epoch
from linkwright.ipam.happenings import Happening
from linkwright.ipam.layout import offset_of
from linkwright.ipam.reclaim import Unconfirmed
from linkwright.model.address import Address, Interface, Lease, LeaseKind, LeaseState, Pool, Prefix
from linkwright.model.change import Put

#: Seconds an address stays in quarantine. Longer than neighbours keep an ARP entry unasked (Linux: 60 s at most).
REST = 300.0


class Ledger:
    """All pools and leases of one host. *defaults* are what automatic pools are cut from."""

    def __init__(self, defaults: Sequence[DefaultPool] = ()) -> None:
        self._book = Book()
        self._chooser = Chooser(defaults)

    def load(self, records: Iterable[Pool | Lease]) -> tuple[Lease, ...]:
        """Take *records* into a new, empty ledger; return the leases without a pool, which were left out."""
        found = list(records)
        for pool in (record for record in found if isinstance(record, Pool)):
            self._book.apply(Put(pool))
        orphans = []
        for lease in sorted((record for record in found if isinstance(record, Lease)), key=lambda lease: lease.since):
            pool_of = self._book.pools.get(lease.pool)
            if pool_of is None or lease.address not in pool_of.subnet:
                orphans.append(lease)
                continue
            self._book.apply(Put(lease))
            if lease.kind is LeaseKind.ENDPOINT and lease.state is LeaseState.HELD:
                # Dynamic addresses go on after the newest, so that those given back before the restart still rest.
                span = self._book.view(pool_of).span
                cursor = offset_of(lease.address, pool_of.subnet) + 1
                if cursor - 1 in span:
                    self._book.block(pool_of).allocator.move(span.first, span.last, cursor)
        return tuple(orphans)

    def records(self) -> tuple[Pool | Lease, ...]:
        """Every record, pools first, in an order that depends on nothing but the records."""
        leases = (lease for _, block in self._book.blocks() for lease in block)
        return (*self.pools(), *sorted(leases, key=lambda lease: (lease.pool, int(lease.address))))

    def pools(self) -> tuple[Pool, ...]:
        """Every pool, by PoolID."""
        return tuple(pool for _, pool in sorted(self._book.pools.items()))

    def statistics(self) -> tuple[PoolStatistics, ...]:
        """How full each pool is, by PoolID."""
        return tuple(self._book.view(pool).statistics() for pool in self.pools())

    def begin_epoch(self, listener: str, engine: str, *, activation: bool) -> Epoch:
        """Note a call of Plugin.Activate (*activation*), of GetCapabilities, or a new connection, by *engine*.

        *engine* says which dockerd that is (its process id and start time, say), "" where that is unknown. Nothing is
        to be stored: the first request of the epoch does that, and a crash before it is healed by *engine*.
        """
        return self._book.epochs.begin(listener, engine, activation=activation)

    def request_pool(self, request: PoolRequest, *, routes: Sequence[Prefix] = (), now: float) -> Transition[Pool]:
        """Hold a pool; one that is chosen lies clear of *routes*.

        Raises Refused for what makes no sense, Conflict where another pool overlaps, Exhausted when none is left.
        """
        wanted = request.checked()
        with self._book.draft() as draft:
            pool = pools.request(self._book, draft, self._chooser, wanted, routes=routes, now=now)
            return draft.finish(pool)

    def release_pool(self, pool_id: str, *, now: float) -> Transition[None]:
        """Give back one reference to a pool; the last one frees what is left in it. Never refused."""
        pool = self._book.pools.get(pool_id)
        with self._book.draft() as draft:
            pools.release(self._book, draft, pool_id)
        if pool is not None and pool_id not in self._book.pools:
            self._chooser.returned(pool.subnet, now=now)
        return draft.finish(None)

    def request_address(self, request: AddressRequest, *, now: float) -> Transition[Interface]:
        """Hold an address, and answer it with the prefix length of the subnet.

        Raises NotFound for an id that is none of ours, Refused, Conflict with the holder's name, Exhausted with who
        holds most.
        """
        with self._book.draft() as draft:
            pool = self._book.pools.get(request.pool)
            if pool is None:
                pool = pools.revive(self._book, draft, request.pool, listener=request.listener, now=now)
            pool = pools.touch(self._book, draft, pool)
            lease = addresses.request(self._book, draft, pool, request, now=now)
            self._chooser.used(pool.subnet)
            return draft.finish(ip_interface((lease.address, pool.subnet.prefixlen)))

    def release_address(self, pool_id: str, address: Address, *, now: float) -> Transition[None]:
        """Give an address back. Never refused: Docker also releases what it never requested."""
        with self._book.draft() as draft:
            addresses.release(self._book, draft, pool_id, address, now=now)
            return draft.finish(None)

    def holds(self, pool: Pool, address: Address) -> bool:
        """Whether *address* is given out by *pool*, or rests before it is free."""
        lease = self._book.block(pool).leases.get(address)
        return lease is not None and lease.pool == pool.id and lease.state is not LeaseState.REMEMBERED

    def lease(self, space: str, address: Address) -> Lease | None:
        """The lease of *address*; None where there is none, or several pools have it and none can be told."""
        held = reclaim.leases_at(self._book, space, address)
        return held[0] if len(held) == 1 else None

    def annotate(
        self, space: str, address: Address, *, kind: LeaseKind | None = None, owner: str = ""
    ) -> Transition[bool]:
        """Note what CreateNetwork or CreateEndpoint tells of a held address; answer whether it could be told which.

        IPAM requests of older engines carry no name, and never say that an address is auxiliary.
        """
        held = reclaim.leases_at(self._book, space, address)
        with self._book.draft() as draft:
            if len(held) == 1:
                lease = evolve(held[0], kind=kind or held[0].kind, owner=owner or held[0].owner)
                if lease != held[0]:
                    draft.put(lease)
            return draft.finish(len(held) == 1)

    def reclaim(self, space: str, address: Address, *, until: float | None = None, now: float) -> Transition[bool]:
        """End the lease of an endpoint that is dead; answer whether there was one.

        A lease given after *until* (seconds since the Unix epoch: say, when the endpoint was made) is somebody else's.
        """
        with self._book.draft() as draft:
            return draft.finish(reclaim.reclaim(self._book, draft, space, address, until=until, now=now))

    def observe(
        self,
        pool_id: str,
        live: Collection[Address],
        *,
        kept: Collection[Prefix] = (),
        rest: float = REST,
        now: float,
    ) -> Transition[None]:
        """Compare one pool with the addresses that live links and neighbours show. See ``reclaim``."""
        with self._book.draft() as draft:
            pool = self._book.pools.get(pool_id)
            if pool is not None:
                reclaim.observe(self._book, draft, pool, live=live, kept=kept, rest=rest, now=now)
            return draft.finish(None)

    def unconfirmed(self) -> tuple[Unconfirmed, ...]:
        """The pools and leases that the present epoch of their listener has not named."""
        return reclaim.unconfirmed(self._book)

    def revert(self, transition: Transition[Any]) -> None:
        """Take back the newest transition that has not been taken back, since its facts were not stored."""
        self._book.take_back(transition.inverse)

    def undo(self, transition: Transition[Any]) -> Transition[None]:
        """Give back what *transition* gave, since its caller has gone; what others did in between stays.

        Neither a release nor a confirmation of a pool is undone: Docker takes the one for done, and holds the other.
        """
        with self._book.draft() as draft:
            counted = transition.reference
            if counted is not None:
                pool = self._book.pools.get(counted.id)
                if pool is not None and pool.asked == counted.asked:  # not counted anew by a replay since
                    pools.release(self._book, draft, pool.id)
                    draft.note(Happening.UNDONE)
            if transition.lease is not None:
                given, before = transition.lease
                pool = self._book.pools.get(given.pool)
                if pool is not None and self._book.block(pool).leases.get(given.address) == given:
                    draft.put(before) if before is not None else draft.drop(given)
                    draft.note(Happening.UNDONE)
            return draft.finish(None)
