"""Docker's replay, told apart from new requests."""

from ipaddress import ip_address, ip_network

import pytest
from attrs import evolve

from linkwright.errors import Conflict
from linkwright.ipam.epochs import Epoch, Epochs, Sighting, Verdict, is_confirmation, judge
from linkwright.model.address import Lease, LeaseKind, LeaseState, Pool

from .conftest import Clerk

GATEWAY, AUXILIARY, ENDPOINT, HOST = LeaseKind.GATEWAY, LeaseKind.AUXILIARY, LeaseKind.ENDPOINT, LeaseKind.HOST
GIVE, CONFIRM, REFUSE = Verdict.GIVE, Verdict.CONFIRM, Verdict.REFUSE
NONE, LIVE, MISSED = Sighting.NONE, Sighting.LIVE, Sighting.MISSED


def replay(clerk: Clerk) -> list[object]:
    """All that dockerd asks for when it starts (protocol 3.8): explicit, without names, pools first."""
    first, second = clerk.pool("10.80.0.0/24", "10.80.0.0/25"), clerk.pool("fd00:80::/64")
    return [
        first.id,
        first.references,
        clerk.address(first.id, "10.80.0.120", kind=GATEWAY),
        clerk.address(first.id, "10.80.0.5"),
        clerk.address(first.id, "10.80.0.1"),
        second.id,
        second.references,
        clerk.address(second.id, "fd00:80::1", kind=GATEWAY),
        clerk.address(second.id, "fd00:80::2"),
    ]


def live(clerk: Clerk) -> None:
    """What was asked for in the life before (the network of transcript 16, with a container called web)."""
    clerk.boot()
    first, second = clerk.pool("10.80.0.0/24", "10.80.0.0/25"), clerk.pool("fd00:80::/64")
    clerk.address(first.id, "10.80.0.120", kind=GATEWAY)
    clerk.address(second.id, kind=GATEWAY)
    clerk.address(first.id, "10.80.0.5")
    clerk.address(first.id, owner="web")
    clerk.address(second.id, owner="web")


@pytest.mark.parametrize("restarted", [False, True])
def test_i_20_a_replay_sent_twice_gets_the_same_answers(clerk: Clerk, restarted: bool) -> None:
    """Each behind an activation, also with a restart of ours between: same answers, names kept, one reference."""
    live(clerk)
    before = {(str(lease.address), lease.owner, lease.kind, lease.since) for lease in clerk.leases()}
    answers = []
    for _ in range(2):
        if restarted:
            clerk.restart()
        clerk.boot()
        answers.append(replay(clerk))
        assert clerk.ledger.unconfirmed() == ()
    assert answers[0] == answers[1]
    assert answers[0][:3] == ["linkwright-local/10.80.0.0/24/10.80.0.0/25", 1, "10.80.0.120/24"]
    assert before == {(str(lease.address), lease.owner, lease.kind, lease.since) for lease in clerk.leases()}


def test_i_20_within_one_epoch_each_is_confirmed_once(clerk: Clerk) -> None:
    """After the replay a held address is in use again as for anybody: ``--ip`` of it is refused."""
    live(clerk)
    clerk.boot()
    replay(clerk)
    pool = "linkwright-local/10.80.0.0/24/10.80.0.0/25"
    for address in ("10.80.0.1", "10.80.0.5", "10.80.0.120"):
        with pytest.raises(Conflict):
            clerk.address(pool, address)


def test_a_replay_interrupted_by_our_own_crash_goes_on(clerk: Clerk) -> None:
    """Half of it before, half after our restart, no second activation: the rest is still confirmed, once."""
    clerk.boot("dockerd 1")
    pool = clerk.pool("10.1.0.0/24")
    clerk.pool("10.2.0.0/24")
    clerk.address(pool.id, "10.1.0.2")
    clerk.address(pool.id, "10.1.0.3")
    clerk.boot("dockerd 2")
    clerk.pool("10.1.0.0/24")
    clerk.address(pool.id, "10.1.0.2")
    clerk.restart()
    clerk.ledger.begin_epoch("", "dockerd 2", activation=False)  # its connection to the new process
    assert clerk.address(pool.id, "10.1.0.3") == "10.1.0.3/24"
    assert clerk.pool("10.2.0.0/24").references == 1
    with pytest.raises(Conflict):
        clerk.address(pool.id, "10.1.0.2")


def test_our_own_restart_begins_no_epoch(clerk: Clerk) -> None:
    """Docker tells us nothing then: what was held stays held, and references go on counting."""
    clerk.boot("dockerd 1")
    pool = clerk.pool("10.1.0.0/24")
    clerk.address(pool.id, "10.1.0.2")
    clerk.restart()
    clerk.ledger.begin_epoch("", "dockerd 1", activation=False)
    with pytest.raises(Conflict):
        clerk.address(pool.id, "10.1.0.2")
    assert clerk.pool("10.1.0.0/24").references == 2


def test_a_dockerd_that_only_asked_for_addresses_is_known_after_our_restart(clerk: Clerk) -> None:
    """It came while we were away and replayed nothing (L13): its first request says who it is, durably."""
    clerk.boot("dockerd 1")
    pool = clerk.pool("10.1.0.0/24")
    clerk.boot("dockerd 2")
    clerk.address(pool.id, "10.1.0.9")
    clerk.restart()
    clerk.ledger.begin_epoch("", "dockerd 2", activation=False)
    with pytest.raises(Conflict):
        clerk.address(pool.id, "10.1.0.9")


def test_the_number_of_the_epoch_survives_our_restart(clerk: Clerk) -> None:
    """Two dockerds came without a replay before we were restarted: what the second one holds is not suspect."""
    clerk.boot("dockerd 1")
    pool = clerk.pool("10.1.0.0/24")
    for engine, address in (("dockerd 2", "10.1.0.2"), ("dockerd 3", "10.1.0.3")):
        clerk.boot(engine)
        clerk.address(pool.id, address)
    clerk.restart()
    clerk.ledger.begin_epoch("", "dockerd 3", activation=False)
    clerk.observe(pool.id)
    with pytest.raises(Conflict):
        clerk.address(pool.id, "10.1.0.3")


def test_references_are_the_requests_of_the_epoch(clerk: Clerk) -> None:
    """Two networks on one pool; one is removed while we are away; the replay counts one, and one release ends it."""
    clerk.boot()
    pool = clerk.pool("10.1.0.0/24")
    assert clerk.pool("10.1.0.0/24").references == 2
    clerk.boot()
    assert clerk.pool("10.1.0.0/24").references == 1
    clerk.release_pool(pool.id)
    assert clerk.ledger.pools() == ()


def test_listeners_have_epochs_of_their_own(clerk: Clerk) -> None:
    """The activation of one name begins nothing for the pools of another."""
    bridge = clerk.pool("10.1.0.0/24", listener="lw-bridge")
    clerk.address(bridge.id, "10.1.0.2")
    clerk.boot(listener="lw-ipam")
    with pytest.raises(Conflict):
        clerk.address(bridge.id, "10.1.0.2")
    assert clerk.pool("10.1.0.0/24", listener="lw-bridge").references == 2


def test_a_network_made_over_a_forgotten_pool_has_the_gateway_again(clerk: Clerk) -> None:
    """The pool was left behind by a network removed in our absence; its gateway serves the new one."""
    live(clerk)
    clerk.boot()
    pool = clerk.pool("fd00:80::/64")
    assert clerk.address(pool.id, kind=GATEWAY) == "fd00:80::1/64"
    assert clerk.address(pool.id, kind=GATEWAY) == "fd00:80::3/64"


def test_a_lost_container_s_address_may_be_asked_for_again(clerk: Clerk) -> None:
    """It was not replayed and is not seen live: ``--ip`` works the first time (podman#15708), under the new name."""
    live(clerk)
    clerk.boot()
    pool = clerk.pool("10.80.0.0/24", "10.80.0.0/25")
    assert clerk.address(pool.id, "10.80.0.1", owner="db") == "10.80.0.1/24"
    assert [happening.value for happening in clerk.last.happenings] == ["taken_over"]
    assert clerk.lease("10.80.0.1").owner == "db"


def test_a_live_container_s_address_may_not(clerk: Clerk) -> None:
    """A request that carries a name is no replay: what the kernel shows in use is refused."""
    live(clerk)
    clerk.boot()
    pool = clerk.pool("10.80.0.0/24", "10.80.0.0/25")
    clerk.observe(pool.id, "10.80.0.1")
    with pytest.raises(Conflict, match="'web'"):
        clerk.address(pool.id, "10.80.0.1", owner="db")
    assert clerk.address(pool.id, "10.80.0.1") == "10.80.0.1/24"


def test_without_a_replay_nobody_s_address_is_given_away(clerk: Clerk) -> None:
    """Dockerd was started in our absence (L13): a held address is refused until an observation has missed it."""
    live(clerk)
    clerk.boot()
    pool = "linkwright-local/10.80.0.0/24/10.80.0.0/25"
    with pytest.raises(Conflict, match="'web'"):
        clerk.address(pool, "10.80.0.1")
    clerk.observe(pool)
    assert clerk.address(pool, "10.80.0.1") == "10.80.0.1/24"


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([("a", True)], 1),
        ([("a", True), ("a", False), ("a", False)], 1),
        ([("a", True), ("a", True)], 2),
        ([("a", True), ("b", False)], 2),
        ([("a", False), ("a", True)], 2),
        ([("", False), ("", False)], 2),
        ([("a", True), ("", False), ("a", False)], 3),
    ],
)
def test_when_an_epoch_begins(calls: list[tuple[str, bool]], expected: int) -> None:
    """The first table of ``epochs``: (engine, whether it is an activation) → how many epochs there have been."""
    epochs = Epochs()
    for engine, activation in calls:
        epochs.begin("lw", engine, activation=activation)
    assert expected == epochs.of("lw").number
    assert Epoch() == epochs.of("other")


@pytest.mark.parametrize(
    ("state", "epoch", "lease_kind", "owner", "asked", "kind", "name", "sighting", "expected"),
    [
        (LeaseState.REMEMBERED, 2, ENDPOINT, "web", 2, ENDPOINT, "db", NONE, GIVE),
        (LeaseState.QUARANTINED, 1, ENDPOINT, "web", 2, ENDPOINT, "db", NONE, GIVE),
        (LeaseState.HELD, 2, ENDPOINT, "web", 2, ENDPOINT, "web", MISSED, REFUSE),
        (LeaseState.HELD, 2, GATEWAY, "", 2, GATEWAY, "", NONE, REFUSE),
        (LeaseState.HELD, 1, GATEWAY, "", 2, GATEWAY, "", NONE, CONFIRM),
        (LeaseState.HELD, 1, GATEWAY, "", 2, ENDPOINT, "", MISSED, REFUSE),
        (LeaseState.HELD, 1, HOST, "", 2, ENDPOINT, "", MISSED, REFUSE),
        (LeaseState.HELD, 1, HOST, "", 1, HOST, "", NONE, CONFIRM),
        (LeaseState.HELD, 1, ENDPOINT, "web", 2, ENDPOINT, "", NONE, CONFIRM),
        (LeaseState.HELD, 1, ENDPOINT, "web", 2, ENDPOINT, "", LIVE, CONFIRM),
        (LeaseState.HELD, 1, AUXILIARY, "nas", 2, ENDPOINT, "", NONE, CONFIRM),
        (LeaseState.HELD, 1, ENDPOINT, "web", 2, ENDPOINT, "web", LIVE, CONFIRM),
        (LeaseState.HELD, 1, ENDPOINT, "web", 2, ENDPOINT, "db", LIVE, REFUSE),
        (LeaseState.HELD, 1, ENDPOINT, "web", 2, ENDPOINT, "db", NONE, GIVE),
        (LeaseState.HELD, 1, ENDPOINT, "", 2, ENDPOINT, "db", NONE, GIVE),
        (LeaseState.HELD, 1, ENDPOINT, "web", 2, GATEWAY, "", LIVE, REFUSE),
        (LeaseState.HELD, 1, ENDPOINT, "web", 2, GATEWAY, "", NONE, GIVE),
        (LeaseState.HELD, 1, ENDPOINT, "web", 1, ENDPOINT, "web", NONE, CONFIRM),
        (LeaseState.HELD, 1, ENDPOINT, "web", 1, ENDPOINT, "", NONE, REFUSE),
        (LeaseState.HELD, 1, ENDPOINT, "", 1, ENDPOINT, "", NONE, REFUSE),
        (LeaseState.HELD, 1, ENDPOINT, "web", 1, ENDPOINT, "db", LIVE, REFUSE),
        (LeaseState.HELD, 1, ENDPOINT, "web", 1, ENDPOINT, "", MISSED, GIVE),
    ],
)
def test_what_a_request_for_a_leased_address_means(
    *,
    state: LeaseState,
    epoch: int,
    lease_kind: LeaseKind,
    owner: str,
    asked: int,
    kind: LeaseKind,
    name: str,
    sighting: Sighting,
    expected: Verdict,
) -> None:
    """The second table of ``epochs``, row by row, in epoch 2."""
    pool = Pool("p", "s", ip_network("10.0.0.0/24"), asked=asked)
    lease = Lease("p", ip_address("10.0.0.1"), lease_kind, state, owner, epoch=epoch)
    assert expected is judge(lease, pool, Epoch(2), kind=kind, owner=name, sighting=sighting)


def test_a_lease_of_another_pool_is_never_confirmed() -> None:
    """Two pools share a subnet: the replay of one says nothing of the other's addresses."""
    pool = Pool("p", "s", ip_network("10.0.0.0/24"), asked=2)
    lease = Lease("other", ip_address("10.0.0.1"), epoch=1)
    assert REFUSE is judge(lease, pool, Epoch(2), kind=ENDPOINT, owner="", sighting=MISSED)


POOL = Pool("p", "s", ip_network("10.0.0.0/24"), references=2, asked=1, seen=1, engine="first")
LEASE = Lease("p", ip_address("10.0.0.1"), owner="web", mac="02:00:00:00:00:01", epoch=1)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (POOL, evolve(POOL, references=1, asked=2, seen=2, engine="second")),
        (POOL, evolve(POOL, seen=2, engine="second")),
        (LEASE, evolve(LEASE, epoch=2)),
    ],
)
def test_what_a_replay_says_again_is_a_confirmation(before: Pool | Lease, now: Pool | Lease) -> None:
    """A later epoch, and what is counted in it: a dockerd that starts after a loss of power says all that anew."""
    assert is_confirmation(before, now)


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (POOL, POOL),
        (POOL, evolve(POOL, references=3)),
        (POOL, evolve(POOL, references=1)),
        (POOL, evolve(POOL, references=1, asked=2, seen=2, options={"linkwright.sticky": "name"})),
        (POOL, evolve(POOL, asked=2, seen=2, id="q")),
        (LEASE, LEASE),
        (LEASE, evolve(LEASE, epoch=2, owner="db")),
        (LEASE, evolve(LEASE, epoch=2, mac="")),
        (LEASE, evolve(LEASE, epoch=2, kind=GATEWAY)),
        (LEASE, evolve(LEASE, epoch=2, state=LeaseState.QUARANTINED)),
        (evolve(LEASE, state=LeaseState.QUARANTINED), evolve(LEASE, epoch=2)),
        (LEASE, evolve(LEASE, epoch=2, since=1.0)),
        (LEASE, POOL),
    ],
)
def test_whatever_else_changes_is_news(before: Pool | Lease, now: Pool | Lease) -> None:
    """Then it has to be on the disk before Docker hears of it."""
    assert not is_confirmation(before, now)
