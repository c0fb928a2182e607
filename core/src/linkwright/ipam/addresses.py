"""RequestAddress and ReleaseAddress as transitions of the book: which address is given, and why not.

What a request for an address that is held already means is decided in ``epochs``.
"""

from collections import Counter
from datetime import UTC, datetime

from attrs import evolve

from linkwright.errors import Conflict, Exhausted, Refused
from linkwright.ipam.asking import AddressRequest
from linkwright.ipam.block import Block, View
from linkwright.ipam.book import Book, Draft
from linkwright.ipam.epochs import Epoch, Verdict, judge
from linkwright.ipam.happenings import Happening
from linkwright.ipam.layout import address_at, offset_of
from linkwright.model.address import Address, Lease, LeaseKind, LeaseState, Pool

_SHOWN = 3  # how many holders a message names


def request(book: Book, draft: Draft, pool: Pool, asked: AddressRequest, *, now: float) -> Lease:
    """Give the address of *pool* that *asked* names, or one that is free if it names none."""
    block, view, present = book.block(pool), book.view(pool), book.epochs.of(pool.listener)

    def wanted(address: Address) -> Lease:
        return Lease(pool.id, address, asked.kind, owner=asked.owner, mac=asked.mac, since=now, epoch=present.number)

    if asked.address is not None:
        _check(asked.address, pool, block, asked.kind)
        lease = _exactly(draft, block, pool, wanted(asked.address), present)
    elif asked.kind is LeaseKind.GATEWAY:
        lease = _left_gateway(draft, block, view, present) or wanted(_lowest(draft, block, view))
    else:
        lease = wanted(_rested(draft, block, view, asked))
    draft.give(lease)
    return lease


def release(book: Book, draft: Draft, pool_id: str, address: Address, *, now: float) -> None:
    """Give *address* back; a sticky pool remembers who had it. What is not held through this pool is fine."""
    pool = book.pools.get(pool_id)
    lease = None if pool is None else book.block(pool).leases.get(address)
    if pool is None or lease is None or lease.pool != pool_id:
        return
    if lease.kind is LeaseKind.HOST or lease.state is LeaseState.REMEMBERED:
        return  # the host's own was never Docker's to give back
    free(book, draft, lease, now=now)


def free(book: Book, draft: Draft, lease: Lease, *, now: float) -> None:
    """End *lease*, whatever it is held for."""
    pool = book.pools[lease.pool]
    block, view = book.block(pool), book.view(pool)
    key = view.keepsake(lease.kind, owner=lease.owner, mac=lease.mac)
    if not key:
        draft.drop(lease)
        return
    former = view.keepsakes.get(key)
    if former is not None:
        draft.drop(block.leases[former])
    draft.put(evolve(lease, state=LeaseState.REMEMBERED, since=now))


def holder(lease: Lease) -> str:
    """Who holds *lease*, for a message."""
    what = {
        LeaseKind.GATEWAY: "the gateway",
        LeaseKind.AUXILIARY: "an auxiliary address",
        LeaseKind.ENDPOINT: "a container",
        LeaseKind.HOST: "the host itself",
    }[lease.kind]
    name = f" {lease.owner!r}" if lease.owner else (f" with the MAC {lease.mac}" if lease.mac else "")
    return f"{what}{name} since {datetime.fromtimestamp(lease.since, UTC).isoformat(timespec='seconds')}"


def _check(address: Address, pool: Pool, block: Block, kind: LeaseKind) -> None:
    if address not in pool.subnet:
        purpose = "gateway" if kind is LeaseKind.GATEWAY else "address"
        raise Refused(f"the {purpose} {address} lies outside of {pool.subnet}, the subnet of {pool.id}; choose another")
    if address in block.reserved:
        what = block.reserved[address]
        raise Refused(f"{address} is the {what} of {pool.subnet} and can be given to nobody; choose another address")


def _exactly(draft: Draft, block: Block, pool: Pool, wanted: Lease, present: Epoch) -> Lease:
    """What becomes of the lease that stands at the address *wanted* for."""
    lease = block.leases.get(wanted.address)
    if lease is None:
        return wanted
    sighting = block.sighting(lease.address)
    verdict = judge(lease, pool, present, kind=wanted.kind, owner=wanted.owner, sighting=sighting)
    if verdict is Verdict.REFUSE:
        raise Conflict(
            f"the address {lease.address} of {pool.id} is held by {holder(lease)}; choose another, or remove the holder"
        )
    if verdict is Verdict.CONFIRM:
        draft.note(Happening.CONFIRMED)
        return evolve(lease, epoch=present.number, owner=wanted.owner or lease.owner, mac=wanted.mac or lease.mac)
    if lease.state is LeaseState.HELD:
        draft.note(Happening.TAKEN_OVER)
    if lease.state is LeaseState.QUARANTINED and lease.kind is wanted.kind and not wanted.owner:
        return evolve(wanted, owner=lease.owner, mac=wanted.mac or lease.mac)  # a late replay, for all one can tell
    return wanted


def _left_gateway(draft: Draft, block: Block, view: View, present: Epoch) -> Lease | None:
    """The gateway that a network of an earlier epoch left in this pool, confirmed for the one that has its place."""
    if view.epochs.total() == view.epochs[present.number]:
        return None
    for lease in block.leases_of(view.pool.id):
        held = lease.kind is LeaseKind.GATEWAY and lease.state is LeaseState.HELD
        if held and lease.epoch != present.number:
            draft.note(Happening.CONFIRMED)
            return evolve(lease, epoch=present.number)
    return None


def _lowest(draft: Draft, block: Block, view: View) -> Address:
    """The lowest free address of the range, as Docker's own IPAM chooses gateways."""
    offset = block.allocator.first_free(view.span.first, view.span.last)
    return _recall(draft, block, view) if offset is None else address_at(offset, block.subnet)


def _rested(draft: Draft, block: Block, view: View, asked: AddressRequest) -> Address:
    """The address that its asker had last, else the one free for longest, else one remembered for somebody else."""
    former = view.keepsakes.get(view.keepsake(asked.kind, owner=asked.owner, mac=asked.mac))
    if former is not None:
        return former
    offset = block.allocator.next_free(view.span.first, view.span.last)
    if offset is None:
        return _recall(draft, block, view)
    block.allocator.move(view.span.first, view.span.last, offset + 1)
    return address_at(offset, block.subnet)


def _recall(draft: Draft, block: Block, view: View) -> Address:
    """The address that was remembered for longest, now that nothing else is left."""
    address = block.oldest_remembered(view.span)
    if address is None:
        raise Exhausted(_exhausted(block, view))
    draft.note(Happening.FORGOTTEN)
    return address


def _exhausted(block: Block, view: View) -> str:
    figures = view.statistics()
    containers = (each for each in block if each.state is LeaseState.HELD and each.kind is LeaseKind.ENDPOINT)
    holders = Counter(each.owner for each in containers if offset_of(each.address, block.subnet) in view.span)
    unnamed = holders.pop("", 0)
    most = [f"{owner} ({count})" for owner, count in holders.most_common(_SHOWN)]
    if unnamed:
        most.append(f"containers without a name ({unnamed})")
    return (
        f"no address is free in {view.pool.id}: {view.pool.range or view.pool.subnet} has {figures.capacity}, of "
        f"which {figures.allocated} are in use, {figures.reserved} reserved and {figures.quarantined} in quarantine; "
        f"most are held by {', '.join(most) or 'nobody'}; remove containers, or make the network anew with a "
        "wider --subnet or --ip-range"
    )
