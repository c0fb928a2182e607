"""The ledger as a whole, under any sequence of requests: nothing is held twice, nothing is lost, all can be undone."""

import json
from collections import Counter
from ipaddress import ip_address, ip_network
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from linkwright.errors import Refused
from linkwright.ipam import LOCAL, AddressRequest, Ledger, PoolRequest, PoolStatistics, Transition
from linkwright.ipam.layout import reserved
from linkwright.model.address import Lease, LeaseKind, LeaseState, Pool
from linkwright.model.change import Drop, Put

from .conftest import Clerk

#: Few and small, so that requests meet: a full pool, one subnet with three views, and one inside another.
POOLS = [
    ("10.1.0.0/29", "", ""),
    ("10.1.0.0/29", "10.1.0.0/30", ""),
    ("10.1.0.0/29", "10.1.0.4/30", "linkwright.sticky=name"),
    ("10.1.0.0/30", "", ""),
    ("10.1.0.0/29", "", "linkwright.space=blue"),
    ("fd00::/126", "", "linkwright.sticky=mac"),
    ("", "", ""),
]
IDS = [
    "linkwright-local/10.1.0.0/29",
    "linkwright-local/10.1.0.0/29/10.1.0.0/30",
    "linkwright-local/10.1.0.0/29/10.1.0.4/30",
    "linkwright-local:blue/10.1.0.0/29",
    "linkwright-local/fd00::/126",
    "linkwright-local/172.17.0.0/16",
]
ADDRESSES = [*(f"10.1.0.{last}" for last in range(8)), "fd00::1", "fd00::2", "fd00::3", "172.17.0.1", "172.17.0.2"]
LISTENERS = ["", "", "lw-bridge"]

pools, ids, addresses = st.sampled_from(POOLS), st.sampled_from(IDS), st.sampled_from(ADDRESSES)
listeners, kinds = st.sampled_from(LISTENERS), st.sampled_from(list(LeaseKind))
names, macs = st.sampled_from(["", "web", "db"]), st.sampled_from(["", "02:00:00:00:00:01"])


def snapshot(ledger: Ledger) -> tuple[tuple[Pool | Lease, ...], tuple[PoolStatistics, ...]]:
    """All that a ledger shows of itself."""
    return ledger.records(), ledger.statistics()


def fact(record: Pool | Lease) -> Pool | Lease:
    """All that a record says, but for when Docker said it last and how many of its networks use a pool."""
    if isinstance(record, Lease):
        return attrs.evolve(record, epoch=0)
    return attrs.evolve(record, references=0, asked=0, seen=0, engine="")


class Machine(RuleBasedStateMachine):
    """A ledger and a store, driven by anything that Docker, the reconciler or a crash may do."""

    def __init__(self) -> None:
        super().__init__()
        self.clerk = Clerk()

    @property
    def ledger(self) -> Ledger:
        """The ledger as it is now: a crash replaces it."""
        return self.clerk.ledger

    def do(self, method: str, *args: Any, commits: bool, **kwargs: Any) -> Transition[Any] | None:
        """One transition that is stored, or cannot be and is reverted; a refused one must change nothing."""
        before = snapshot(self.ledger)
        try:
            transition: Transition[Any] = getattr(self.ledger, method)(*args, **kwargs)
        except Refused:
            assert before == snapshot(self.ledger)
            return None
        if commits:
            self.clerk.keep(transition)
            return transition
        self.ledger.revert(transition)
        assert before == snapshot(self.ledger)
        return None

    @rule(pool=pools, listener=listeners, commits=st.booleans())
    def request_pool(self, pool: tuple[str, str, str], listener: str, commits: bool) -> None:
        """RequestPool, explicit and automatic."""
        subnet, subrange, option = pool
        key, _, value = option.partition("=")
        before = len(self.ledger.pools())
        request = PoolRequest(
            LOCAL,
            version=6 if ":" in subnet else 4,
            subnet=None if not subnet else ip_network(subnet),
            range=None if not subrange else ip_network(subrange),
            options={key: value} if option else {},
            listener=listener,
        )
        self.do("request_pool", request, commits=commits, now=self.clerk.now)
        assert len(self.ledger.pools()) - before in {0, 1}

    @rule(pool=ids, commits=st.booleans())
    def release_pool(self, pool: str, commits: bool) -> None:
        """ReleasePool, also of what is not there."""
        self.do("release_pool", pool, commits=commits, now=self.clerk.now)

    @rule(pool=ids, address=st.none() | addresses, kind=kinds, owner=names, mac=macs, commits=st.booleans())
    def request_address(
        self, *, pool: str, address: str | None, kind: LeaseKind, owner: str, mac: str, commits: bool
    ) -> None:
        """RequestAddress of every kind, also in pools that only their id tells of."""
        wanted = ip_address(address) if address else None
        held = {(lease.pool, lease.address): lease for lease in self.clerk.leases()}
        request = AddressRequest(pool, wanted, kind, owner, mac)
        transition = self.do("request_address", request, commits=commits, now=self.clerk.now)
        if transition is not None:
            former = held.get((pool, transition.answer.ip))
            lease = next(
                each for each in self.clerk.leases() if (each.pool, each.address) == (pool, transition.answer.ip)
            )
            assert lease.state is LeaseState.HELD
            assert wanted in {None, lease.address}
            assert former is None or former.state is not LeaseState.HELD or former.epoch < lease.epoch

    @rule(pool=ids, address=addresses, commits=st.booleans())
    def release_address(self, pool: str, address: str, commits: bool) -> None:
        """ReleaseAddress: afterwards it is not held through that pool, unless it is the host's own."""
        transition = self.do("release_address", pool, ip_address(address), commits=commits, now=self.clerk.now)
        if transition is not None:
            for lease in self.clerk.leases():
                if (lease.pool, str(lease.address)) == (pool, address):
                    assert lease.state is LeaseState.REMEMBERED or lease.kind is LeaseKind.HOST

    @rule(which=st.integers(min_value=0), commits=st.booleans())
    def release_what_is_held(self, which: int, commits: bool) -> None:
        """ReleaseAddress of one of those that there are."""
        if leases := self.clerk.leases():
            lease = leases[which % len(leases)]
            self.do("release_address", lease.pool, lease.address, commits=commits, now=self.clerk.now)

    @rule(listener=listeners, named=st.booleans())
    def replay(self, listener: str, named: bool) -> None:
        """A dockerd starts, and says what it holds; all of it is confirmed."""
        self.clerk.boot(listener=listener)
        for pool in self.ledger.pools():
            if pool.listener != listener:
                continue
            subnet, options = str(pool.subnet), dict(pool.options)
            self.clerk.pool(subnet, str(pool.range or ""), space=LOCAL, options=options, listener=listener)
            for lease in self.clerk.leases():
                if lease.pool == pool.id and lease.state is LeaseState.HELD:
                    owner = lease.owner if named else ""
                    answer = self.clerk.address(pool.id, str(lease.address), kind=lease.kind, owner=owner)
                    assert answer == f"{lease.address}/{pool.subnet.prefixlen}"

    @rule(pool=ids, live=st.sets(addresses), commits=st.booleans())
    def observe(self, pool: str, live: set[str], commits: bool) -> None:
        """The reconciler looks."""
        seen = {ip_address(each) for each in live}
        self.do("observe", pool, seen, commits=commits, rest=3, now=self.clerk.now)

    @rule(address=addresses, commits=st.booleans())
    def reclaim(self, address: str, commits: bool) -> None:
        """The engine finds a dead endpoint."""
        self.do("reclaim", LOCAL, ip_address(address), commits=commits, now=self.clerk.now)

    @rule(address=addresses, owner=names, commits=st.booleans())
    def annotate(self, address: str, owner: str, commits: bool) -> None:
        """The engine learns a name."""
        self.do("annotate", LOCAL, ip_address(address), commits=commits, owner=owner)

    @rule()
    def undo(self) -> None:
        """The last caller had gone when its result came: what it was given is given back."""
        last = self.clerk.last
        self.clerk.keep(self.ledger.undo(last))
        if last.lease is not None:
            given, _ = last.lease
            assert given not in self.clerk.leases()

    @rule(listener=listeners)
    def boot(self, listener: str) -> None:
        """A dockerd starts."""
        self.clerk.boot(listener=listener)

    @rule()
    def crash(self) -> None:
        """We start again."""
        self.clerk.restart()

    @rule()
    def lose_power(self) -> None:
        """The host ends, and every dockerd with it."""
        self.clerk.lose_power()
        for listener in set(LISTENERS):
            self.clerk.boot(listener=listener)

    @invariant()
    def no_address_is_held_twice(self) -> None:
        """One lease of each address in each space, and none of a reserved one or outside of its pool."""
        spaces = {pool.id: pool for pool in self.ledger.pools()}
        leases = self.clerk.leases()
        seen = Counter((spaces[lease.pool].space, lease.address) for lease in leases)
        assert set(seen.values()) <= {1}
        for lease in leases:
            subnet = spaces[lease.pool].subnet
            assert lease.address in subnet
            assert int(lease.address) - int(subnet.network_address) not in reserved(subnet)

    @invariant()
    def pools_of_a_space_overlap_only_on_one_subnet(self) -> None:
        """Two pools of one space are of one subnet and one listener, or apart."""
        for one in self.ledger.pools():
            for other in self.ledger.pools():
                if one.space == other.space and one.subnet.overlaps(other.subnet):
                    assert (one.subnet, one.listener) == (other.subnet, other.listener)

    @invariant()
    def the_store_replayed_is_the_ledger(self) -> None:
        """The facts stored so far, loaded in any order, give an equal ledger."""
        other = Ledger()
        assert other.load(reversed(self.clerk.stored.values())) == ()
        assert snapshot(other) == snapshot(self.ledger)

    @invariant()
    def without_power_only_confirmations_are_lost(self) -> None:
        """What the disk has for certain is all that Docker will not say again when it starts next."""
        flushed, stored = (
            {name: fact(one) for name, one in each.items()} for each in (self.clerk.flushed, self.clerk.stored)
        )
        assert flushed == stored

    @invariant()
    def what_is_free_is_what_has_no_lease(self) -> None:
        """The bitmap and the records say the same."""
        for _, block in self.ledger._book.blocks():
            assert len(block.leases) + len(block.reserved) == block.allocator.count
            assert {lease.address for lease in block if lease.state is LeaseState.REMEMBERED} == set(block.remembered)


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def _export(ledger: Ledger) -> str:
    """Records as text, field by field: what an export makes of them, without its format."""
    return json.dumps([attrs.asdict(record) for record in ledger.records()], default=str)


def test_i_25_the_export_of_an_import_is_the_same(clerk: Clerk) -> None:
    """Everything there is to keep, loaded into a ledger made anew in any order, reads the same byte by byte."""
    clerk.boot("dockerd 1", "lw-bridge")
    sticky = clerk.pool("10.1.0.0/24", listener="lw-bridge", options={"linkwright.sticky": "name"})
    clerk.pool("10.1.0.0/24", "10.1.0.0/25", listener="lw-bridge")
    clerk.pool(routes=["172.17.0.0/16"])
    wide = clerk.pool("::/64")
    clerk.address(sticky.id, kind=LeaseKind.GATEWAY)
    for owner in ("web", "db", "cache"):
        clerk.address(sticky.id, owner=owner, mac="02:00:00:00:00:01")
        clerk.address(wide.id, owner=owner)
    clerk.release(sticky.id, "10.1.0.2")
    clerk.boot()
    clerk.pool(str(wide.subnet))
    clerk.observe(wide.id)
    clerk.observe(wide.id)
    exported = _export(clerk.ledger)
    imported = Ledger()
    imported.load(reversed(clerk.ledger.records()))
    assert exported == _export(imported)
    assert {lease.state for lease in clerk.leases()} == set(LeaseState)


def test_leases_without_a_pool_are_left_out_and_told() -> None:
    """A lease whose pool is not among the records, or does not hold it, is returned and not kept."""
    ledger = Ledger()
    pool = Pool("linkwright-local/10.1.0.0/24", LOCAL, ip_network("10.1.0.0/24"))
    lost = Lease("linkwright-local/10.9.0.0/24", ip_address("10.9.0.1"))
    outside = Lease(pool.id, ip_address("10.9.0.1"), since=1.0)
    assert ledger.load([lost, outside, pool]) == (lost, outside)
    assert ledger.records() == (pool,)


def test_facts_are_keyed_as_the_store_keys_them(clerk: Clerk) -> None:
    """Taking a remembered address through another pool drops the one record and puts the other."""
    sticky = clerk.pool("10.1.0.0/24", "10.1.0.0/25", options={"linkwright.sticky": "name"})
    plain = clerk.pool("10.1.0.0/24")
    clerk.address(sticky.id, owner="web")
    clerk.release(sticky.id, "10.1.0.1")
    clerk.address(plain.id, "10.1.0.1")
    assert [(Drop, sticky.id), (Put, plain.id)] == [
        (type(change), change.record.pool) for change in clerk.last.changes if isinstance(change.record, Lease)
    ]


def test_dropping_what_is_not_there_is_no_change(clerk: Clerk) -> None:
    """A lease of an unknown pool, of a free address, or of another pool than the one that holds it."""
    one, other = clerk.pool("10.1.0.0/24"), clerk.pool("10.1.0.0/24", "10.1.0.0/25")
    clerk.address(one.id, "10.1.0.1")
    before = clerk.ledger.records()
    for pool, address in (("unknown", "10.1.0.1"), (one.id, "10.1.0.2"), (other.id, "10.1.0.1")):
        assert clerk.ledger._book.apply(Drop(Lease(pool, ip_address(address)))) is None
    assert clerk.ledger._book.apply(Drop(Pool("unknown", LOCAL, one.subnet))) is None
    assert before == clerk.ledger.records()


def test_records_of_other_kinds_are_not_taken() -> None:
    """Networks and endpoints are no business of the ledger's: handing one over is a mistake, and told as one."""
    from linkwright.model import Endpoint

    with pytest.raises(TypeError, match="Endpoint is no record of the address book"):
        Ledger()._book.apply(Put(Endpoint("e", "n")))


def test_a_lease_is_found_by_what_docker_says_of_it(clerk: Clerk) -> None:
    """The space as Docker calls it and the address tell it, unless two named spaces hold that address."""
    pool = clerk.pool("10.1.0.0/24")
    clerk.address(pool.id, "10.1.0.2", owner="web")
    assert clerk.ledger.lease(LOCAL, ip_address("10.1.0.2")) == clerk.lease("10.1.0.2")
    assert clerk.ledger.lease(LOCAL, ip_address("10.1.0.3")) is None
    clerk.address(clerk.pool("10.1.0.0/24", options={"linkwright.space": "blue"}).id, "10.1.0.2")
    assert clerk.ledger.lease(LOCAL, ip_address("10.1.0.2")) is None


def test_undoing_a_pool_gives_back_one_reference(clerk: Clerk) -> None:
    """The caller of the second request has gone: the first one's pool stays, with its leases."""
    pool = clerk.pool("10.1.0.0/24")
    clerk.address(pool.id)
    clerk.pool("10.1.0.0/24")
    clerk.keep(clerk.ledger.undo(clerk.last))
    assert ([1], {"10.1.0.1"}) == ([each.references for each in clerk.ledger.pools()], clerk.held())


def test_undoing_a_reference_that_a_replay_has_counted_anew(clerk: Clerk) -> None:
    """Between the result and its undoing dockerd started again: its one reference is its own."""
    clerk.pool("10.1.0.0/24")
    clerk.pool("10.1.0.0/24")
    second = clerk.last
    clerk.boot()
    clerk.pool("10.1.0.0/24")
    clerk.keep(clerk.ledger.undo(second))
    assert [pool.references for pool in clerk.ledger.pools()] == [1]


def test_undoing_the_confirmation_of_a_pool_changes_nothing(clerk: Clerk) -> None:
    """Docker holds a pool that it replays, whether it heard our answer or not."""
    pool = clerk.pool("10.1.0.0/24")
    clerk.address(pool.id)
    clerk.boot()
    clerk.pool("10.1.0.0/24")
    before = clerk.ledger.records()
    clerk.keep(clerk.ledger.undo(clerk.last))
    assert before == clerk.ledger.records()


def test_undoing_an_address_leaves_its_next_holder_alone(clerk: Clerk) -> None:
    """Between the result and its undoing the address was released and taken by another: that one keeps it."""
    pool = clerk.pool("10.1.0.0/24")
    clerk.address(pool.id, "10.1.0.2", owner="gone")
    first = clerk.last
    clerk.release(pool.id, "10.1.0.2")
    clerk.address(pool.id, "10.1.0.2", owner="next")
    clerk.keep(clerk.ledger.undo(first))
    assert clerk.lease("10.1.0.2").owner == "next"


def test_undoing_a_confirmation_leaves_the_lease_unconfirmed(clerk: Clerk) -> None:
    """The lease is what it was: a suspect, that a second try of the replay may confirm."""
    pool = clerk.pool("10.1.0.0/24")
    clerk.address(pool.id, "10.1.0.2", owner="web")
    clerk.boot()
    clerk.pool("10.1.0.0/24")
    clerk.address(pool.id, "10.1.0.2")
    clerk.keep(clerk.ledger.undo(clerk.last))
    assert [len(found.leases) for found in clerk.ledger.unconfirmed()] == [1]
    assert clerk.address(pool.id, "10.1.0.2") == "10.1.0.2/24"
