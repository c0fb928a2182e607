"""One subnet of one space: its leases, its free addresses, and the pools that look into it. No policy.

Pools of the same subnet with different ranges share one block, as with Docker's own IPAM (protocol 3.9): an address
is held once, whichever of them it was asked through, and each gives dynamic addresses out of its own range.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterator

from attrs import define, field, frozen

from linkwright.ipam.bitmap import Allocator
from linkwright.ipam.epochs import Sighting
from linkwright.ipam.layout import Span, address_at, offset_of, reserved, span_of
from linkwright.ipam.options import PoolOptions, Sticky
from linkwright.model.address import Address, Lease, LeaseKind, LeaseState, Pool, Prefix


@frozen
class PoolStatistics:
    """How full a pool is. All figures are of its range if it has one, else of its subnet.

    ``capacity`` is every address; ``reserved`` are those that no container gets (network, broadcast, gateway,
    auxiliary); ``free`` is the rest when ``allocated`` and ``quarantined`` are taken away, ``remembered`` included.
    """

    pool: str
    capacity: int
    allocated: int
    reserved: int
    quarantined: int
    remembered: int

    @property
    def free(self) -> int:
        """How many addresses can still be given to containers."""
        return self.capacity - self.allocated - self.reserved - self.quarantined


@define
class View:
    """What one pool sees of its block: its range, and running counts of the leases in it."""

    pool: Pool
    options: PoolOptions
    span: Span
    unusable: int  # network, broadcast or anycast addresses in the range
    counts: Counter[tuple[LeaseState, LeaseKind]] = field(factory=Counter)
    epochs: Counter[int] = field(factory=Counter)  # of the held leases that Docker asked for through this pool
    resting: int = 0  # quarantined leases that were asked for through this pool
    keepsakes: dict[str, Address] = field(factory=dict)  # who had which address, for sticky pools
    missed: int = 0  # observations in a row that found no reason to keep the pool

    def keepsake(self, kind: LeaseKind, *, owner: str, mac: str) -> str:
        """By what an address held so is remembered in this pool; "" if it is not to be."""
        if kind is not LeaseKind.ENDPOINT or self.options.sticky is None:
            return ""
        return owner if self.options.sticky is Sticky.NAME else mac

    def statistics(self) -> PoolStatistics:
        """A snapshot of the counts."""
        held = {kind: self.counts[LeaseState.HELD, kind] for kind in LeaseKind}
        in_state = {state: sum(self.counts[state, kind] for kind in LeaseKind) for state in LeaseState}
        return PoolStatistics(
            pool=self.pool.id,
            capacity=self.span.size,
            allocated=held[LeaseKind.ENDPOINT] + held[LeaseKind.HOST],
            reserved=self.unusable + held[LeaseKind.GATEWAY] + held[LeaseKind.AUXILIARY],
            quarantined=in_state[LeaseState.QUARANTINED],
            remembered=in_state[LeaseState.REMEMBERED],
        )


class Block:
    """The addresses of one subnet. Only ``Book.apply`` puts and drops."""

    def __init__(self, subnet: Prefix) -> None:
        self.subnet = subnet
        self.reserved = {address_at(offset, subnet): what for offset, what in reserved(subnet).items()}
        self.leases: dict[Address, Lease] = {}
        self.views: dict[str, View] = {}
        self.allocator = Allocator(subnet.num_addresses)
        self.remembered: OrderedDict[Address, None] = OrderedDict()  # oldest first
        self._missed: Counter[Address] = Counter()
        self._live: set[Address] = set()
        for address in self.reserved:
            self.allocator.take(offset_of(address, subnet))

    def open_view(self, pool: Pool) -> None:
        """Let *pool*, new or changed, look into this block."""
        view = self.views.get(pool.id)
        if view is not None:
            view.pool, view.options = pool, PoolOptions.parse(pool.options)
            return
        span = span_of(pool.range or pool.subnet, self.subnet)
        unusable = sum(offset_of(address, self.subnet) in span for address in self.reserved)
        self.views[pool.id] = view = View(pool, PoolOptions.parse(pool.options), span, unusable)
        for lease in self.leases.values():
            self._count(view, lease, 1)

    def put(self, lease: Lease) -> None:
        """Keep *lease*, instead of the one of the same address if there is one."""
        before = self.leases.get(lease.address)
        if before is None:
            self.allocator.take(offset_of(lease.address, self.subnet))
        else:
            self._forget(before)
        self.leases[lease.address] = lease
        for view in self.views.values():
            self._count(view, lease, 1)
        if lease.state is LeaseState.REMEMBERED:
            self.remembered[lease.address] = None
            view, key = self._keepsake(lease)
            if key:
                view.keepsakes[key] = lease.address

    def drop(self, address: Address) -> None:
        """Forget the lease of *address*, which then is free."""
        self._forget(self.leases.pop(address))
        self.allocator.release(offset_of(address, self.subnet))

    def leases_of(self, pool: str) -> list[Lease]:
        """The leases that were asked for through *pool*."""
        return [lease for lease in self.leases.values() if lease.pool == pool]

    def oldest_remembered(self, span: Span) -> Address | None:
        """The address in *span* that was given back first among those kept for their last owner."""
        return next((each for each in self.remembered if offset_of(each, self.subnet) in span), None)

    def sighting(self, address: Address) -> Sighting:
        """What the last observation said of *address*."""
        if address in self._live:
            return Sighting.LIVE
        return Sighting.MISSED if self._missed[address] else Sighting.NONE

    def sight(self, address: Address, *, live: bool) -> int:
        """Note what an observation says of *address*; return how often in a row it has been missed."""
        if live:
            self._live.add(address)
            self._missed.pop(address, None)
        else:
            self._live.discard(address)
            self._missed[address] += 1
        return self._missed[address]

    def _forget(self, lease: Lease) -> None:
        self._missed.pop(lease.address, None)
        self._live.discard(lease.address)
        for view in self.views.values():
            self._count(view, lease, -1)
        if lease.state is LeaseState.REMEMBERED:
            del self.remembered[lease.address]
            view, key = self._keepsake(lease)
            if view.keepsakes.get(key) == lease.address:
                del view.keepsakes[key]

    def _keepsake(self, lease: Lease) -> tuple[View, str]:
        view = self.views[lease.pool]
        return view, view.keepsake(lease.kind, owner=lease.owner, mac=lease.mac)

    def _count(self, view: View, lease: Lease, by: int) -> None:
        if offset_of(lease.address, self.subnet) in view.span:
            view.counts[lease.state, lease.kind] += by
        if lease.pool != view.pool.id or lease.kind is LeaseKind.HOST:
            return
        if lease.state is LeaseState.HELD:
            view.epochs[lease.epoch] += by
        elif lease.state is LeaseState.QUARANTINED:
            view.resting += by

    def __iter__(self) -> Iterator[Lease]:
        return iter(self.leases.values())
