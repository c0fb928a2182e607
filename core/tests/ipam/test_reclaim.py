"""What Docker forgot to give back is found, and nothing else."""

from ipaddress import ip_address

import pytest

from linkwright.errors import Conflict, Exhausted
from linkwright.ipam import LOCAL
from linkwright.model.address import LeaseKind, LeaseState

from .conftest import Clerk

GATEWAY = LeaseKind.GATEWAY
POOL = "linkwright-local/10.1.0.0/24"


@pytest.fixture
def lost(clerk: Clerk) -> Clerk:
    """After a crash: the pool, its gateway and .2 were replayed, .3 was not."""
    clerk.boot()
    clerk.pool("10.1.0.0/24")
    clerk.address(POOL, "10.1.0.1", kind=GATEWAY)
    clerk.address(POOL, "10.1.0.2")
    clerk.address(POOL, "10.1.0.3", owner="web")
    clerk.boot()
    clerk.pool("10.1.0.0/24")
    clerk.address(POOL, "10.1.0.1", kind=GATEWAY)
    clerk.address(POOL, "10.1.0.2")
    return clerk


def happened(clerk: Clerk) -> list[str]:
    """What the last transition counted."""
    return [happening.value for happening in clerk.last.happenings]


def test_two_misses_then_rest_then_free(lost: Clerk) -> None:
    """One observation changes nothing, the second puts it to rest, one after the rest frees it. Each is counted."""
    lost.observe(POOL)
    assert (happened(lost), lost.lease("10.1.0.3").state) == ([], LeaseState.HELD)
    lost.observe(POOL)
    assert (happened(lost), lost.lease("10.1.0.3").state) == (["quarantined"], LeaseState.QUARANTINED)
    assert lost.ledger.statistics()[0].quarantined == 1
    lost.now += 200
    lost.observe(POOL)
    assert lost.lease("10.1.0.3").state is LeaseState.QUARANTINED
    lost.now += 100
    lost.observe(POOL)
    assert (["freed"], {"10.1.0.1", "10.1.0.2"}) == (happened(lost), lost.held())


def test_what_was_confirmed_is_never_suspect(lost: Clerk) -> None:
    """No observation touches what the replay named, seen or not: a gateway, or a container on a silent network."""
    for _ in range(5):
        lost.observe(POOL)
    assert LeaseState.HELD is lost.lease("10.1.0.1").state is lost.lease("10.1.0.2").state
    assert lost.ledger.unconfirmed() == ()


def test_a_sighting_between_two_misses_counts_anew(lost: Clerk) -> None:
    """Missed, seen, missed: not twice in a row."""
    for seen in ([], ["10.1.0.3"], []):
        lost.observe(POOL, *seen)
    assert lost.lease("10.1.0.3").state is LeaseState.HELD
    lost.observe(POOL)
    assert lost.lease("10.1.0.3").state is LeaseState.QUARANTINED


def test_what_is_seen_in_quarantine_is_held_again(lost: Clerk) -> None:
    """A neighbour answers for it after all: it goes back to its owner, and must be missed twice anew."""
    lost.observe(POOL)
    lost.observe(POOL)
    lost.now += 1000
    lost.observe(POOL, "10.1.0.3")
    assert (happened(lost), lost.lease("10.1.0.3").owner) == (["recovered"], "web")
    lost.observe(POOL)
    assert lost.lease("10.1.0.3").state is LeaseState.HELD


def test_a_late_replay_finds_its_address_in_quarantine(lost: Clerk) -> None:
    """It is given back with the name that was known, and then is held as any other."""
    lost.observe(POOL)
    lost.observe(POOL)
    assert lost.address(POOL, "10.1.0.3") == "10.1.0.3/24"
    assert (lost.lease("10.1.0.3").owner, lost.lease("10.1.0.3").state) == ("web", LeaseState.HELD)
    with pytest.raises(Conflict):
        lost.address(POOL, "10.1.0.3")


def test_quarantine_is_not_given_to_others(clerk: Clerk) -> None:
    """Of a /29 with five lost addresses, no dynamic request gets one while they rest; the text counts them."""
    clerk.boot()
    pool = clerk.pool("10.1.0.0/29")
    for _ in range(5):
        clerk.address(pool.id)
    clerk.boot()
    clerk.pool("10.1.0.0/29")
    clerk.observe(pool.id)
    clerk.observe(pool.id)
    assert clerk.address(pool.id) == "10.1.0.6/29"
    with pytest.raises(Exhausted, match="1 are in use, 2 reserved and 5 in quarantine"):
        clerk.address(pool.id)


def test_a_clock_put_back_begins_the_rest_anew(lost: Clerk) -> None:
    """A rest that began in what is now the future lasts its time from now on, and not until then."""
    lost.observe(POOL)
    lost.observe(POOL)
    lost.now -= 86_400
    lost.observe(POOL)
    lost.now += 300
    lost.observe(POOL)
    assert {"10.1.0.1", "10.1.0.2"} == lost.held()


def test_a_clock_put_forward_frees_nothing_that_is_seen(lost: Clerk) -> None:
    """A day later by the clock a resting address that is in use is still recovered."""
    lost.observe(POOL)
    lost.observe(POOL)
    lost.now += 86_400
    lost.observe(POOL, "10.1.0.3")
    assert lost.lease("10.1.0.3").state is LeaseState.HELD


def test_l13_without_a_replay_nothing_is_suspect(clerk: Clerk) -> None:
    """Dockerd started in our absence: it holds all this and has not said so, however often we look."""
    clerk.boot()
    clerk.pool("10.1.0.0/24")
    clerk.address(POOL, "10.1.0.2")
    quiet = clerk.pool("10.2.0.0/24")
    clerk.boot()
    clerk.pool("10.3.0.0/24")  # a new network is no replay
    before = clerk.ledger.records()
    for _ in range(5):
        clerk.observe(POOL)
        clerk.observe(quiet.id)
        clerk.now += 1000
    assert before == clerk.ledger.records()
    assert [(POOL, False, False, 1), (quiet.id, False, False, 0)] == [
        (found.pool.id, found.asked, found.replayed, len(found.leases)) for found in clerk.ledger.unconfirmed()
    ]


def test_misses_do_not_outlive_a_confirmation(lost: Clerk) -> None:
    """Missed once, then confirmed; lost again in the next epoch, it has to be missed twice as any other."""
    lost.observe(POOL)
    lost.address(POOL, "10.1.0.3")
    lost.boot()
    lost.pool("10.1.0.0/24")
    lost.observe(POOL)
    assert lost.lease("10.1.0.3").state is LeaseState.HELD


def test_sightings_do_not_outlive_a_confirmation(lost: Clerk) -> None:
    """Seen live, then confirmed; in the next epoch nobody has seen it, and it may go to who asks for it by name."""
    lost.observe(POOL, "10.1.0.3")
    lost.address(POOL, "10.1.0.3")
    lost.boot()
    lost.pool("10.1.0.0/24")
    lost.address(POOL, "10.1.0.3", owner="db")
    assert happened(lost) == ["taken_over"]


class TestPoolsLeftBehind:
    """A network removed in our absence, while another one of the same listener was replayed."""

    @pytest.fixture
    def left(self, clerk: Clerk) -> Clerk:
        """10.1 was not replayed, 10.2 was."""
        clerk.boot()
        clerk.pool("10.1.0.0/24")
        clerk.pool("10.2.0.0/24")
        clerk.address(POOL, kind=GATEWAY)
        clerk.address(POOL, "10.1.0.2")
        clerk.boot()
        clerk.pool("10.2.0.0/24")
        return clerk

    def test_it_is_listed(self, left: Clerk) -> None:
        """``status`` can show it, with what it holds."""
        (found,) = left.ledger.unconfirmed()
        assert (found.pool.id, found.asked, found.replayed, len(found.leases)) == (POOL, False, True, 2)

    def test_it_goes_when_its_addresses_are_gone(self, left: Clerk) -> None:
        """Its endpoints rest and are freed first, then two more looks, then the pool and its gateway."""
        for _ in range(2):
            left.observe(POOL)
        left.now += 300
        left.observe(POOL)
        assert {"10.1.0.1"} == left.held()
        left.observe(POOL)
        assert happened(left) == ["abandoned"]
        assert [pool.id for pool in left.ledger.pools()] == ["linkwright-local/10.2.0.0/24"]
        assert len(left.stored) == 1

    def test_a_live_address_keeps_it(self, left: Clerk) -> None:
        """As long as one of its addresses is seen, the pool stays."""
        for _ in range(9):
            left.observe(POOL, "10.1.0.2")
            left.now += 300
        assert {"10.1.0.1", "10.1.0.2"} == left.held()

    def test_a_network_that_is_known_to_exist_keeps_it(self, left: Clerk) -> None:
        """The network driver, or the witness, knows the network: its pool stays, replayed or not."""
        for _ in range(9):
            left.observe(POOL, kept=["10.1.0.0/24"])
            left.now += 300
        assert {"10.1.0.1"} == left.held()

    def test_asked_for_in_time_it_stays(self, left: Clerk) -> None:
        """A pool that is asked for again, late, is confirmed like any other."""
        left.observe(POOL)
        left.pool("10.1.0.0/24")
        left.address(POOL, "10.1.0.1", kind=GATEWAY)
        left.address(POOL, "10.1.0.2")
        for _ in range(9):
            left.observe(POOL)
            left.now += 300
        assert {"10.1.0.1", "10.1.0.2"} == left.held()


class TestDeadEndpoints:
    """An endpoint that is dead gives its lease back itself."""

    def test_it_is_free_at_once(self, clerk: Clerk) -> None:
        """Docker's ReleaseAddress may have been lost: the engine says it, and that is counted."""
        clerk.pool("10.1.0.0/24")
        clerk.address(POOL, "10.1.0.2")
        assert clerk.keep(clerk.ledger.reclaim(LOCAL, ip_address("10.1.0.2"), now=clerk.now)) is True
        assert (["reclaimed"], set()) == (happened(clerk), clerk.held())
        assert clerk.keep(clerk.ledger.reclaim(LOCAL, ip_address("10.1.0.2"), now=clerk.now)) is False

    def test_its_successor_keeps_the_address(self, clerk: Clerk) -> None:
        """The lease is newer than the endpoint: it belongs to whoever came next."""
        clerk.pool("10.1.0.0/24")
        made = clerk.now
        clerk.address(POOL, "10.1.0.2")
        assert clerk.keep(clerk.ledger.reclaim(LOCAL, ip_address("10.1.0.2"), until=made - 1, now=clerk.now)) is False
        assert clerk.keep(clerk.ledger.reclaim(LOCAL, ip_address("10.1.0.2"), until=made, now=clerk.now)) is True

    def test_an_address_in_two_spaces_stays(self, clerk: Clerk) -> None:
        """The network driver knows no named spaces: where it cannot be told which is meant, neither is ended."""
        clerk.pool("10.1.0.0/24")
        blue = clerk.pool("10.1.0.0/24", options={"linkwright.space": "blue"})
        clerk.address(POOL, "10.1.0.2")
        clerk.address(blue.id, "10.1.0.2")
        assert clerk.keep(clerk.ledger.reclaim(LOCAL, ip_address("10.1.0.2"), now=clerk.now)) is False
        assert clerk.keep(clerk.ledger.reclaim(blue.space, ip_address("10.1.0.2"), now=clerk.now)) is True

    def test_a_gateway_stays(self, clerk: Clerk) -> None:
        """No endpoint has it, whatever is said."""
        clerk.pool("10.1.0.0/24")
        clerk.address(POOL, kind=GATEWAY)
        assert clerk.keep(clerk.ledger.reclaim(LOCAL, ip_address("10.1.0.1"), now=clerk.now)) is False
