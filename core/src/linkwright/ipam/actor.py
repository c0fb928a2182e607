"""The one task that owns the ledger and makes it durable. The only module of ``ipam`` that knows trio.

Rule 1: whether a request is right is for the ledger; here is only when it happens, and what becomes of it.
Rule 2: no answer leaves before the facts behind it are durable, refusals included. A confirmation is not a new fact:
it has to outlive us, and not the host (``epochs.is_confirmation``).

Group commit: whatever has gathered in the inbox is applied in order, stored as one transaction, then answered. When the
store does not take it, none of it happened and every caller learns so.

A caller that is cancelled (a deadline, a closed connection) leaves its ticket behind: if it was not yet begun it is
withdrawn, if it was, what it gave is given back as soon as its result is known. The disk cannot be cancelled.
"""

import enum
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Generic, TypeVar

import trio
from attrs import define, field, frozen

from linkwright.errors import LinkwrightError, Refused, Stopping, Unavailable
from linkwright.ipam.asking import AddressRequest, PoolRequest
from linkwright.ipam.block import PoolStatistics
from linkwright.ipam.book import Transition
from linkwright.ipam.epochs import Epoch
from linkwright.ipam.happenings import Happening
from linkwright.ipam.ledger import REST, Ledger
from linkwright.ipam.reclaim import Unconfirmed
from linkwright.model.address import Address, Interface, Lease, LeaseKind, Pool, Prefix
from linkwright.model.change import Change, Commit

A = TypeVar("A")

#: Requests that may wait before callers have to; also the most that go into one transaction. Docker asks for the
#: addresses of one network one at a time (field note L18), so this is far more networks at once than anybody starts.
CAPACITY = 256

#: What a commit raises when nothing of it happened. Anything else ends the actor: then nobody knows what is stored.
_NOT_STORED = (Unavailable, Refused, Stopping)


class _Stage(enum.Enum):
    WAITING = "waiting"
    BEGUN = "begun"
    LEFT = "left"  # the caller has gone before it was begun
    ABANDONED = "abandoned"  # the caller has gone after
    DONE = "done"


@define(eq=False)
class _Ticket(Generic[A]):
    """One request on its way through the actor, and its caller's end of it."""

    work: Callable[[float], Transition[A]]
    stage: _Stage = _Stage.WAITING
    transition: Transition[A] | None = None
    error: Exception | None = None
    done: trio.Event = field(factory=trio.Event)

    def begin(self, now: float) -> None:
        self.stage = _Stage.BEGUN
        try:
            self.transition = self.work(now)
        except Exception as error:  # noqa: BLE001 - it is the caller's, and is raised there; the ledger undid it
            self.error = error

    def finish(self, error: Exception | None = None) -> None:
        self.error = error or self.error
        self.stage = _Stage.DONE
        self.done.set()

    def leave(self) -> None:
        """The caller stops waiting, with an answer or without."""
        if self.stage is _Stage.WAITING:
            self.stage = _Stage.LEFT
        elif self.stage is _Stage.BEGUN:
            self.stage = _Stage.ABANDONED

    def answer(self) -> A:
        if self.error is not None:
            raise self.error
        if self.transition is None:
            raise AssertionError("a ticket without an error has a transition")
        return self.transition.answer


@frozen
class ActorStatistics:
    """A snapshot: how full the pools are, what has happened since the start, and how busy the actor is."""

    pools: tuple[PoolStatistics, ...]
    happenings: Mapping[Happening, int]
    waiting: int  # requests in the inbox
    capacity: int  # of the inbox
    commits: int
    failed_commits: int


class Actor:
    """Owns *ledger*. *routes* reads the host's routes, *clock* tells seconds since the Unix epoch."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        commit: Commit,
        routes: Callable[[], Awaitable[Sequence[Prefix]]],
        clock: Callable[[], float],
        capacity: int = CAPACITY,
    ) -> None:
        self._ledger = ledger
        self._commit = commit
        self._routes = routes
        self._clock = clock
        self._capacity = capacity
        self._outbox, self._inbox = trio.open_memory_channel[_Ticket[Any]](capacity)
        self._returns: list[Transition[Any]] = []  # what callers that have gone were given
        self._happenings: Counter[Happening] = Counter()
        self._commits = self._failed_commits = 0

    def load(self, records: Sequence[Pool | Lease]) -> tuple[Lease, ...]:
        """Take what the store holds, before :meth:`run`; return the leases without a pool, which were left out."""
        return self._ledger.load(records)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled. Requests that have no answer by then, and all later ones, raise Stopping."""
        task_status.started()
        batch: list[_Ticket[Any]] = []
        try:
            while True:
                batch = await self._gather()
                await self._settle(batch)
        finally:
            self._stop(batch)

    # --- requests: see Ledger for what they mean and raise; all of them also raise Unavailable and Stopping ---

    async def request_pool(self, request: PoolRequest) -> Pool:
        """Hold a pool; where it is to be chosen, the host's routes are read first, and kept clear of."""
        routes = await self._routes() if request.automatic else ()
        return await self._ask(lambda now: self._ledger.request_pool(request, routes=routes, now=now))

    async def release_pool(self, pool_id: str) -> None:
        """Give back one reference to a pool."""
        await self._ask(lambda now: self._ledger.release_pool(pool_id, now=now))

    async def request_address(self, request: AddressRequest) -> Interface:
        """Hold an address; answered with the prefix length of the subnet."""
        return await self._ask(lambda now: self._ledger.request_address(request, now=now))

    async def release_address(self, pool_id: str, address: Address) -> None:
        """Give an address back."""
        await self._ask(lambda now: self._ledger.release_address(pool_id, address, now=now))

    async def annotate(self, space: str, address: Address, *, kind: LeaseKind | None = None, owner: str = "") -> bool:
        """Note what CreateNetwork or CreateEndpoint tells of a held address."""
        return await self._ask(lambda _: self._ledger.annotate(space, address, kind=kind, owner=owner))

    async def reclaim(self, space: str, address: Address, *, until: float | None = None) -> bool:
        """End the lease of a dead endpoint."""
        return await self._ask(lambda now: self._ledger.reclaim(space, address, until=until, now=now))

    async def observe(self, live: Collection[Address], *, kept: Collection[Prefix] = (), rest: float = REST) -> None:
        """Compare all pools with the addresses that live links and neighbours show; one pool at a time."""
        seen = frozenset(live)
        for pool in self._ledger.pools():

            def work(now: float, pool_id: str = pool.id) -> Transition[None]:
                return self._ledger.observe(pool_id, seen, kept=kept, rest=rest, now=now)

            await self._ask(work)

    # --- answered at once, from memory ---

    def begin_epoch(self, listener: str, engine: str, *, activation: bool) -> Epoch:
        """Note that *engine* called. Capabilities must be answered with the disk blocked, so this awaits nothing."""
        return self._ledger.begin_epoch(listener, engine, activation=activation)

    def unconfirmed(self) -> tuple[Unconfirmed, ...]:
        """What Docker has not named since it started."""
        return self._ledger.unconfirmed()

    def lease(self, space: str, address: Address) -> Lease | None:
        """The lease of *address*, where one pool of *space* tells of it."""
        return self._ledger.lease(space, address)

    def records(self) -> tuple[Pool | Lease, ...]:
        """Every pool and lease, for the export."""
        return self._ledger.records()

    def statistics(self) -> ActorStatistics:
        """A snapshot for the metrics. Requests whose facts are being stored at this moment are counted already."""
        return ActorStatistics(
            pools=self._ledger.statistics(),
            happenings={happening: self._happenings[happening] for happening in Happening},
            waiting=self._inbox.statistics().current_buffer_used,
            capacity=self._capacity,
            commits=self._commits,
            failed_commits=self._failed_commits,
        )

    # --- the way of a ticket ---

    async def _ask(self, work: Callable[[float], Transition[A]]) -> A:
        ticket = _Ticket(work)
        try:
            try:
                self._outbox.send_nowait(ticket)  # a step of the loop less than send
            except trio.WouldBlock:
                await self._outbox.send(ticket)
        except trio.BrokenResourceError:
            raise Stopping("the address ledger is closed, the daemon is going down; the next one will answer") from None
        try:
            await ticket.done.wait()
        finally:
            ticket.leave()
        return ticket.answer()

    async def _gather(self) -> list[_Ticket[Any]]:
        """Wait for a request, and take what has gathered behind it."""
        batch = [await self._inbox.receive()]
        while len(batch) < self._capacity:
            try:
                batch.append(self._inbox.receive_nowait())
            except trio.WouldBlock:
                break
        return batch

    async def _settle(self, batch: Sequence[_Ticket[Any]]) -> None:
        """Apply, store, answer; then give back what those were given who did not wait."""
        now = self._clock()
        begun = [ticket for ticket in batch if ticket.stage is _Stage.WAITING]
        for ticket in begun:
            ticket.begin(now)
        transitions = [ticket.transition for ticket in begun if ticket.transition is not None]
        error = await self._store(transitions)
        for ticket in begun:
            if ticket.stage is _Stage.ABANDONED and ticket.transition is not None and error is None:
                self._returns.append(ticket.transition)
            ticket.finish(None if error is None else type(error)(str(error)))
        if self._returns and error is None:
            await self._give_back()

    async def _store(self, transitions: Sequence[Transition[Any]]) -> LinkwrightError | None:
        """Make *transitions* durable, or take them back and return the reason."""
        changes: list[Change] = [change for transition in transitions for change in transition.changes]
        if changes:
            try:
                await self._commit(changes)
            except _NOT_STORED as error:
                self._failed_commits += 1
                for transition in reversed(transitions):
                    self._ledger.revert(transition)
                return error
            self._commits += 1
        for transition in transitions:
            self._happenings.update(transition.happenings)
        return None

    async def _give_back(self) -> None:
        """Undo what nobody waited for. If the store fails now, it is tried again behind the next transaction."""
        undone = [self._ledger.undo(transition) for transition in self._returns]
        if await self._store(undone) is None:
            self._returns.clear()

    def _stop(self, batch: Sequence[_Ticket[Any]]) -> None:
        """Let nobody wait for an answer that will not come."""
        waiting = [ticket for ticket in batch if ticket.stage is not _Stage.DONE]
        while True:
            try:
                waiting.append(self._inbox.receive_nowait())
            except trio.WouldBlock:
                break
        self._inbox.close()
        for ticket in waiting:
            ticket.finish(Stopping("the daemon is going down before this was stored; ask the next one"))
