"""Which pools may be held, by which name, and how often."""

import pytest

from linkwright.errors import Conflict, LinkwrightError, NotFound, Refused
from linkwright.ipam import GLOBAL, LOCAL, PoolName
from linkwright.model.address import LeaseKind

from .conftest import Clerk


def test_i_01_the_same_request_counts_and_needs_as_many_releases(clerk: Clerk) -> None:
    """Asked for twice, one PoolID; it is there after one release and gone after two."""
    first, second = clerk.pool("10.1.0.0/16"), clerk.pool("10.1.0.0/16")
    assert first.id == second.id
    clerk.release_pool(first.id)
    assert [first.id] == [pool.id for pool in clerk.ledger.pools()]
    clerk.release_pool(first.id)
    assert clerk.ledger.pools() == ()


def test_i_02_an_overlapping_pool_is_refused_and_the_holder_named(clerk: Clerk) -> None:
    """Inside, around and across families: only what overlaps is refused, and the text says who holds it."""
    clerk.pool("10.1.0.0/16", listener="lw-bridge")
    for subnet in ("10.1.2.0/24", "10.0.0.0/8"):
        with pytest.raises(Conflict, match=r"held as linkwright-local/10\.1\.0\.0/16 through the socket lw-bridge"):
            clerk.pool(subnet)
    clerk.pool("10.2.0.0/16")
    clerk.pool("::ffff:0:0/96", version=6)


def test_one_subnet_belongs_to_one_socket(clerk: Clerk) -> None:
    """The dockerd behind another socket counts by itself: the same pool through it is a conflict."""
    clerk.pool("10.1.0.0/16", listener="lw-bridge")
    with pytest.raises(Conflict, match="lw-bridge"):
        clerk.pool("10.1.0.0/16", listener="lw-macvlan")


def test_i_07_a_range_without_a_subnet_is_refused(clerk: Clerk) -> None:
    """A range cannot be placed in a pool that is yet to be chosen, nor in one that is given as "any /16"."""
    for subnet in ("", "0.0.0.0/16"):
        with pytest.raises(Refused, match="without a subnet"):
            clerk.pool(subnet, "10.1.2.0/24")


def test_a_range_lies_in_its_subnet(clerk: Clerk) -> None:
    """Outside, wider, or of the other family: refused. The whole subnet as range is the same as none."""
    for subrange in ("10.3.0.0/24", "10.0.0.0/8", "fd00::/64"):
        with pytest.raises(Refused, match="does not lie in"):
            clerk.pool("10.2.0.0/16", subrange)
    assert clerk.pool("10.2.0.0/16").id == clerk.pool("10.2.0.0/16", "10.2.0.0/16").id


def test_pools_of_one_subnet_share_its_addresses(clerk: Clerk) -> None:
    """As protocol 3.9: two ranges of one subnet are both held, each gives its own, no address is held twice."""
    low, high = clerk.pool("10.2.0.0/24", "10.2.0.0/25"), clerk.pool("10.2.0.0/24", "10.2.0.128/25")
    whole = clerk.pool("10.2.0.0/24")
    assert len({low.id, high.id, whole.id}) == 3
    assert [clerk.address(low.id), clerk.address(high.id)] == ["10.2.0.1/24", "10.2.0.128/24"]
    assert clerk.address(whole.id) == "10.2.0.2/24"
    with pytest.raises(Conflict):
        clerk.address(high.id, "10.2.0.1")
    clerk.release(high.id, "10.2.0.1")  # not held through this one
    clerk.release_pool(high.id)
    assert {"10.2.0.1", "10.2.0.2"} == clerk.held()


def test_i_18_one_subnet_in_two_spaces(clerk: Clerk) -> None:
    """Named spaces are apart: the same subnet, gateway and address in both, and releases do not cross."""
    plain = clerk.pool("10.1.0.0/16")
    blue = clerk.pool("10.1.0.0/16", options={"linkwright.space": "blue"})
    assert plain.id != blue.id
    for pool in (plain, blue):
        assert clerk.address(pool.id, kind=LeaseKind.GATEWAY) == "10.1.0.1/16"
        assert clerk.address(pool.id, "10.1.0.9") == "10.1.0.9/16"
    clerk.release(plain.id, "10.1.0.9")
    clerk.release_pool(plain.id)
    with pytest.raises(Conflict):
        clerk.address(blue.id, "10.1.0.9")
    assert [blue.id] == [pool.id for pool in clerk.ledger.pools()]


def test_the_global_space_is_refused_with_a_reason(clerk: Clerk) -> None:
    """It is announced, since Docker wants two names, but keeps nothing; a space never heard of is refused too."""
    assert GLOBAL != LOCAL
    with pytest.raises(Refused, match="several hosts"):
        clerk.pool("10.1.0.0/16", space=GLOBAL)
    with pytest.raises(Refused, match=r"'elsewhere' is not known; linkwright-local is"):
        clerk.pool("10.1.0.0/16", space="elsewhere")


def test_i_19_a_pool_made_again_is_empty(clerk: Clerk) -> None:
    """Removed and made again with the same subnet fifty times: always works, and always starts with .1."""
    for _ in range(50):
        pool = clerk.pool("10.1.0.0/24")
        assert clerk.address(pool.id, kind=LeaseKind.GATEWAY) == "10.1.0.1/24"
        assert clerk.address(pool.id) == "10.1.0.2/24"
        clerk.release(pool.id, "10.1.0.1")
        clerk.release_pool(pool.id)
        assert not clerk.stored


def test_p_10_releases_of_anything_succeed(clerk: Clerk) -> None:
    """Three times the same, unknown pools, the empty PoolID, foreign addresses: all fine, and a neighbour stays."""
    pool = clerk.pool("10.1.0.0/24")
    clerk.address(pool.id, "10.1.0.8")
    for _ in range(3):
        for pool_id in (pool.id, "", "nonsense", "linkwright-local/10.9.0.0/16"):
            clerk.release(pool_id, "10.1.0.7")
            clerk.release(pool_id, "fd00::1")
    for _ in range(3):
        for pool_id in ("", "nonsense", "linkwright-local/10.9.0.0/16"):
            clerk.release_pool(pool_id)
    assert {"10.1.0.8"} == clerk.held()
    for _ in range(3):
        clerk.release_pool(pool.id)
    assert not clerk.stored


def test_i_22_options_are_kept_or_refused_by_name(clerk: Clerk) -> None:
    """Known options stay with the pool, the engine's own labels pass, others are refused with the nearest one."""
    pool = clerk.pool("10.1.0.0/16", options={"linkwright.sticky": "name", "com.docker.network.x": "y"})
    assert pool.options == {"linkwright.sticky": "name"}
    with pytest.raises(Refused, match=r"'linkwright\.stiky' is not known; did you mean 'linkwright\.sticky'"):
        clerk.pool("10.2.0.0/16", options={"linkwright.stiky": "name"})
    with pytest.raises(Refused, match=r"known are linkwright\.sticky, linkwright\.space"):
        clerk.pool("10.2.0.0/16", options={"o": "1"})
    with pytest.raises(Refused, match="write name or mac"):
        clerk.pool("10.2.0.0/16", options={"linkwright.sticky": "please"})
    with pytest.raises(Refused, match="address space"):
        clerk.pool("10.2.0.0/16", options={"linkwright.space": "a/b"})
    with pytest.raises(Conflict, match="same --ipam-opt"):
        clerk.pool("10.1.0.0/16")


@pytest.mark.parametrize(
    ("subnet", "version", "expected"),
    [
        ("0.0.0.0/24", 4, "linkwright-local/172.17.0.0/24"),
        ("0.0.0.0/0", 4, Refused),
        ("::/0", 6, Refused),
        ("0.0.0.0/8", 4, Refused),
        ("::/20", 6, Refused),
        ("10.1.0.0/16", 6, Refused),
        ("0.0.0.0/24", 6, Refused),
        ("fd00::/64", 4, Refused),
        ("224.1.0.0/16", 4, Refused),
        ("ff02::/64", 6, Refused),
        ("127.0.0.0/8", 4, Refused),
    ],
)
def test_i_23_odd_pools(clerk: Clerk, subnet: str, version: int, expected: str | type[LinkwrightError]) -> None:
    """Zero is understood as "any of this size", and what makes no sense is refused."""
    if isinstance(expected, str):
        assert expected == clerk.pool(subnet, version=version).id
    else:
        with pytest.raises(expected):
            clerk.pool(subnet, version=version)
        assert not clerk.stored


@pytest.mark.parametrize("subnet", ["0.0.0.0/0", "::/0"])
def test_i_23_the_whole_of_a_family_is_refused_as_such(clerk: Clerk, subnet: str) -> None:
    """The text tells what would have been meant by leaving it out."""
    with pytest.raises(Refused, match="is every address there is; leave --subnet out"):
        clerk.pool(subnet)


def test_any_ipv6_pool_of_a_size_comes_from_the_host_s_own_prefix(clerk: Clerk) -> None:
    """``::/64`` and no pool at all both give a /64 of one unique local /48."""
    first, second = clerk.pool("::/64"), clerk.pool(version=6)
    assert first.subnet.prefixlen == second.subnet.prefixlen == 64
    assert first.subnet.supernet(new_prefix=48) == second.subnet.supernet(new_prefix=48)
    assert first.subnet.network_address.is_private


@pytest.mark.parametrize(
    "text",
    [
        "linkwright-local/10.1.0.0/16",
        "linkwright-local/10.1.0.0/16/10.1.2.0/24",
        "linkwright-local:blue/fd00:1::/64/fd00:1:0:0:8000::/65",
    ],
)
def test_a_pool_id_tells_everything(text: str) -> None:
    """A PoolID read and written again is the same."""
    assert text == str(PoolName.parse(text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "x",
        "linkwright-local",
        "linkwright-local/10.1.0.0",
        "linkwright-local/10.1.0.1/16",
        "linkwright-local/10.1.0.0/016",
        "linkwright-local/10.1.0.0/16/10.2.0.0/24",
        "linkwright-local/10.1.0.0/16/10.1.0.0/24/10.1.0.0/24",
        "linkwright-global/10.1.0.0/16",
        "elsewhere/10.1.0.0/16",
        "linkwright-local:/10.1.0.0/16",
    ],
)
def test_a_pool_id_that_we_did_not_give_is_not_understood(clerk: Clerk, text: str) -> None:
    """An address of it is refused as not found, never guessed."""
    with pytest.raises(NotFound, match="not known here"):
        clerk.address(text)


def test_l13_a_pool_that_only_its_id_tells_of_is_held_again(clerk: Clerk) -> None:
    """After a boot without replay the first call is RequestAddress: the pool is made anew, and counted."""
    clerk.boot()
    assert clerk.address("linkwright-local:blue/10.1.0.0/16/10.1.2.0/24") == "10.1.2.0/16"
    (pool,) = clerk.ledger.pools()
    assert (pool.space, str(pool.subnet), str(pool.range)) == ("linkwright-local:blue", "10.1.0.0/16", "10.1.2.0/24")
    assert [happening.value for happening in clerk.last.happenings] == ["revived"]
    again = clerk.pool("10.1.0.0/16", "10.1.2.0/24", options={"linkwright.space": "blue"})
    assert (pool.id, 2) == (again.id, again.references)


def test_l13_a_pool_whose_place_is_taken_is_not_held_again(clerk: Clerk) -> None:
    """Where another pool has the addresses now, the request is refused and changes nothing."""
    clerk.pool("10.1.0.0/16")
    before = clerk.ledger.records()
    with pytest.raises(Conflict, match="overlaps"):
        clerk.address("linkwright-local/10.1.2.0/24")
    assert before == clerk.ledger.records()


def test_a_refused_request_leaves_no_revived_pool(clerk: Clerk) -> None:
    """The address asked for lies outside: the pool that its id tells of is not held either."""
    with pytest.raises(Refused, match="outside"):
        clerk.address("linkwright-local/10.1.0.0/16", "10.9.0.1")
    assert clerk.ledger.records() == ()
