"""Which address is given, and why not."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkwright.errors import Conflict, Exhausted, Refused
from linkwright.model.address import LeaseKind, LeaseState

from .conftest import Clerk

GATEWAY = LeaseKind.GATEWAY


def test_i_08_dynamic_addresses_come_from_the_range(clerk: Clerk) -> None:
    """256 of the range and no more; a fixed one may lie outside; the gateway is not handed out."""
    pool = clerk.pool("10.2.0.0/16", "10.2.3.0/24")
    assert clerk.address(pool.id, "10.2.3.7", kind=GATEWAY) == "10.2.3.7/16"
    dynamic = {clerk.address(pool.id) for _ in range(255)}
    assert {f"10.2.3.{last}/16" for last in range(256) if last != 7} == dynamic
    assert clerk.address(pool.id, "10.2.9.9") == "10.2.9.9/16"
    with pytest.raises(Exhausted):
        clerk.address(pool.id)


@pytest.mark.parametrize(
    ("subnet", "subrange", "first", "last"),
    [
        ("fd00:1::/48", "fd00:1:0:ffff::/64", "fd00:1:0:ffff::", "fd00:1:0:ffff:ffff:ffff:ffff:ffff"),
        ("fd00:1::/48", "", "fd00:1::1", "fd00:1:0:ffff:ffff:ffff:ffff:ffff"),
        ("fd00:1::/127", "", "fd00:1::", "fd00:1::1"),
        ("fd00:1::/128", "", "fd00:1::", "fd00:1::"),
        ("fd00::/8", "", "fd00::1", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ],
)
def test_i_09_first_and_last_of_ipv6(clerk: Clerk, subnet: str, subrange: str, first: str, last: str) -> None:
    """The ends of wide and of narrow pools are right; only the all-zero address of a subnet is never given."""
    pool = clerk.pool(subnet, subrange)
    length = pool.subnet.prefixlen
    assert f"{first}/{length}" == clerk.address(pool.id)
    if last != first:
        assert f"{last}/{length}" == clerk.address(pool.id, last)


def test_i_10_a_held_address_is_refused_with_its_owner(clerk: Clerk) -> None:
    """The text names who has it and since when; given back, it is free at once."""
    pool = clerk.pool("10.1.0.0/24")
    clerk.address(pool.id, "10.1.0.7", owner="web")
    with pytest.raises(Conflict, match=r"10\.1\.0\.7 .* held by a container 'web' since 2023-11-14T22:13:21\+00:00"):
        clerk.address(pool.id, "10.1.0.7", owner="db")
    clerk.release(pool.id, "10.1.0.7")
    assert clerk.address(pool.id, "10.1.0.7", owner="db") == "10.1.0.7/24"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("10.4.0.1", "lies outside of 10.3.0.0/24"),
        ("fd00::1", "lies outside of 10.3.0.0/24"),
        ("10.3.0.0", "is the network address of 10.3.0.0/24"),
        ("10.3.0.255", "is the broadcast address of 10.3.0.0/24"),
        ("10.3.0.1", "is held by the gateway since"),
    ],
)
def test_i_11_each_refused_with_its_reason(clerk: Clerk, address: str, reason: str) -> None:
    """Outside, network, broadcast, gateway: the text says which."""
    pool = clerk.pool("10.3.0.0/24")
    clerk.address(pool.id, kind=GATEWAY)
    with pytest.raises(Refused) as caught:
        clerk.address(pool.id, address)
    assert reason in str(caught.value)


def test_i_11_the_all_zero_address_of_ipv6(clerk: Clerk) -> None:
    """It is the routers' anycast address; the all-ones one is like any other."""
    pool = clerk.pool("fd00::/120")
    with pytest.raises(Refused, match="subnet-router anycast address"):
        clerk.address(pool.id, "fd00::")
    assert clerk.address(pool.id, "fd00::ff") == "fd00::ff/120"


@pytest.mark.parametrize(
    ("subnet", "with_gateway", "expected"),
    [
        ("10.0.0.0/30", False, ["10.0.0.1", "10.0.0.2"]),
        ("10.0.0.0/30", True, ["10.0.0.2"]),
        ("10.0.0.0/31", False, ["10.0.0.0", "10.0.0.1"]),
        ("10.0.0.0/31", True, ["10.0.0.1"]),
        ("10.0.0.9/32", False, ["10.0.0.9"]),
        ("10.0.0.9/32", True, []),
        ("fd00::/126", False, ["fd00::1", "fd00::2", "fd00::3"]),
        ("fd00::/127", False, ["fd00::", "fd00::1"]),
        ("fd00::/127", True, ["fd00::1"]),
        ("fd00::9/128", False, ["fd00::9"]),
    ],
)
def test_i_12_small_subnets(clerk: Clerk, subnet: str, with_gateway: bool, expected: list[str]) -> None:
    """All that the table in ``layout`` promises, and not one more."""
    pool = clerk.pool(subnet)
    if with_gateway:
        clerk.address(pool.id, kind=GATEWAY)
    assert expected == [clerk.address(pool.id).partition("/")[0] for _ in expected]
    with pytest.raises(Exhausted):
        clerk.address(pool.id)


@pytest.mark.parametrize(
    ("subnet", "subrange", "asked", "expected"),
    [
        ("10.3.0.0/24", "", "", "10.3.0.1/24"),
        ("10.3.0.0/24", "10.3.0.128/25", "", "10.3.0.128/24"),
        ("10.3.0.0/24", "10.3.0.0/25", "", "10.3.0.1/24"),
        ("fd00:5::/64", "fd00:5::100/120", "", "fd00:5::100/64"),
        ("10.3.0.0/24", "", "10.3.0.254", "10.3.0.254/24"),
        ("10.3.0.0/24", "10.3.0.0/25", "10.3.0.254", "10.3.0.254/24"),
    ],
)
def test_i_13_gateways(clerk: Clerk, subnet: str, subrange: str, asked: str, expected: str) -> None:
    """The first free one of the range if there is one, else of the pool; or the one that the user names."""
    assert expected == clerk.address(clerk.pool(subnet, subrange).id, asked, kind=GATEWAY)


@pytest.mark.parametrize("address", ["10.9.0.1", "10.3.0.0", "10.3.0.255"])
def test_i_13_a_gateway_that_cannot_be(clerk: Clerk, address: str) -> None:
    """Outside, network and broadcast addresses are refused for gateways too."""
    with pytest.raises(Refused):
        clerk.address(clerk.pool("10.3.0.0/24").id, address, kind=GATEWAY)


def test_a_gateway_is_the_lowest_even_when_that_was_just_freed(clerk: Clerk) -> None:
    """A create that was rolled back and tried again has the gateway that it had."""
    pool = clerk.pool("10.3.0.0/24")
    for _ in range(3):
        assert clerk.address(pool.id, kind=GATEWAY) == "10.3.0.1/24"
        clerk.release(pool.id, "10.3.0.1")


def test_i_14_auxiliary_addresses(clerk: Clerk) -> None:
    """They look like endpoint requests, may lie outside the range, are never allocated; the gateway's is refused."""
    pool = clerk.pool("10.3.0.0/29", "10.3.0.0/30")
    clerk.address(pool.id, kind=GATEWAY)
    assert clerk.address(pool.id, "10.3.0.5") == "10.3.0.5/29"
    assert clerk.address(pool.id, "10.3.0.2") == "10.3.0.2/29"
    assert clerk.address(pool.id) == "10.3.0.3/29"
    with pytest.raises(Conflict, match="gateway"):
        clerk.address(pool.id, "10.3.0.1")


def test_what_the_network_driver_learns_later_is_noted(clerk: Clerk) -> None:
    """CreateNetwork names the auxiliary addresses, CreateEndpoint the container: messages and figures follow."""
    pool = clerk.pool("10.3.0.0/29")
    clerk.address(pool.id, "10.3.0.5")
    found = clerk.keep(
        clerk.ledger.annotate(
            "linkwright-local", clerk.lease("10.3.0.5").address, kind=LeaseKind.AUXILIARY, owner="nas"
        )
    )
    assert found is True
    with pytest.raises(Conflict, match="an auxiliary address 'nas'"):
        clerk.address(pool.id, "10.3.0.5")
    (figures,) = clerk.ledger.statistics()
    assert (figures.capacity, figures.allocated, figures.reserved, figures.free) == (8, 0, 3, 5)


def test_i_15_exhaustion_says_who_holds_it(clerk: Clerk) -> None:
    """Pool, size, used, reserved, in quarantine, and the top holders; after one release the next one works."""
    pool = clerk.pool("10.5.0.0/29")
    clerk.address(pool.id, kind=GATEWAY)
    for owner in ("web", "web", "", "db", "web"):
        clerk.address(pool.id, owner=owner)
    with pytest.raises(Exhausted) as caught:
        clerk.address(pool.id)
    assert str(caught.value) == (
        "no address is free in linkwright-local/10.5.0.0/29: 10.5.0.0/29 has 8, of which 5 are in use, 3 reserved and "
        "0 in quarantine; most are held by web (3), db (1), containers without a name (1); remove containers, or make "
        "the network anew with a wider --subnet or --ip-range"
    )
    clerk.release(pool.id, "10.5.0.4")
    assert clerk.address(pool.id) == "10.5.0.4/29"


def test_i_16_a_freed_address_rests(clerk: Clerk) -> None:
    """Allocate, free, allocate in a /24: the first address comes back after the 253 others."""
    pool = clerk.pool("10.1.0.0/24")
    seen = []
    for _ in range(255):
        seen.append(clerk.address(pool.id).partition("/")[0])
        clerk.release(pool.id, seen[-1])
    assert [f"10.1.0.{last}" for last in [*range(1, 255), 1]] == seen


def test_i_16_in_a_wide_pool_too(clerk: Clerk) -> None:
    """More are given back than can rest: those never used still come first."""
    pool = clerk.pool("10.1.0.0/16")
    seen = []
    for _ in range(4200):
        seen.append(clerk.address(pool.id).partition("/")[0])
        clerk.release(pool.id, seen[-1])
    assert len(set(seen)) == 4200


def test_i_16_a_restart_does_not_wake_resting_addresses(clerk: Clerk) -> None:
    """After a restart allocation goes on behind the newest lease."""
    pool = clerk.pool("10.1.0.0/24")
    for _ in range(9):
        clerk.address(pool.id)
    clerk.release(pool.id, "10.1.0.3")
    clerk.restart()
    assert clerk.address(pool.id) == "10.1.0.10/24"


def test_i_24_the_owner_is_known_by_name(clerk: Clerk) -> None:
    """An engine that tells the container's name has it kept, and stored."""
    pool = clerk.pool("10.1.0.0/24")
    clerk.address(pool.id, owner="web", mac="02:42:0a:01:00:01")
    clerk.restart()
    assert (clerk.lease("10.1.0.1").owner, clerk.lease("10.1.0.1").mac) == ("web", "02:42:0a:01:00:01")


def test_docker_does_not_give_back_what_the_host_holds(clerk: Clerk) -> None:
    """An address claimed for the host itself stays when Docker releases it, and no container gets it."""
    pool = clerk.pool("10.1.0.0/24")
    clerk.address(pool.id, "10.1.0.2", kind=LeaseKind.HOST)
    clerk.release(pool.id, "10.1.0.2")
    with pytest.raises(Conflict, match="the host itself"):
        clerk.address(pool.id, "10.1.0.2")


class TestSticky:
    """Pools that remember who had which address."""

    @pytest.mark.parametrize("by", ["name", "mac"])
    def test_the_same_owner_gets_the_same_address(self, clerk: Clerk, by: str) -> None:
        """Given back and asked for again, after a restart and after others came; by name or by MAC."""
        pool = clerk.pool("10.1.0.0/24", options={"linkwright.sticky": by})
        assert clerk.address(pool.id, owner="web", mac="02:00:00:00:00:01") == "10.1.0.1/24"
        clerk.release(pool.id, "10.1.0.1")
        assert clerk.address(pool.id, owner="db", mac="02:00:00:00:00:02") == "10.1.0.2/24"
        clerk.restart()
        assert clerk.address(pool.id, owner="web", mac="02:00:00:00:00:01") == "10.1.0.1/24"
        clerk.release(pool.id, "10.1.0.1")
        owner = "web" if by == "mac" else "x"
        assert clerk.address(pool.id, owner=owner, mac="02:00:00:00:00:03") == "10.1.0.3/24"

    def test_others_get_remembered_addresses_last_and_the_oldest_first(self, clerk: Clerk) -> None:
        """In a /29 the two that were given back are avoided until the rest is used."""
        pool = clerk.pool("10.1.0.0/29", options={"linkwright.sticky": "name"})
        for owner in "abcd":
            clerk.address(pool.id, owner=owner)
        clerk.release(pool.id, "10.1.0.3")
        clerk.release(pool.id, "10.1.0.1")
        assert clerk.ledger.statistics()[0].free == 4
        given = [clerk.address(pool.id, owner=f"new{number}") for number in range(4)]
        assert [happening.value for happening in clerk.last.happenings] == ["forgotten"]
        assert given == ["10.1.0.5/29", "10.1.0.6/29", "10.1.0.3/29", "10.1.0.1/29"]
        with pytest.raises(Exhausted):
            clerk.address(pool.id, owner="c2")

    def test_a_remembered_address_may_be_asked_for(self, clerk: Clerk) -> None:
        """It is free: ``--ip`` of anybody gets it, and its last owner gets another."""
        pool = clerk.pool("10.1.0.0/29", options={"linkwright.sticky": "name"})
        clerk.address(pool.id, owner="web")
        clerk.release(pool.id, "10.1.0.1")
        assert clerk.lease("10.1.0.1").state is LeaseState.REMEMBERED
        assert clerk.address(pool.id, "10.1.0.1", owner="db") == "10.1.0.1/29"
        assert clerk.address(pool.id, owner="web") == "10.1.0.2/29"

    def test_only_the_last_address_is_remembered(self, clerk: Clerk) -> None:
        """An owner who had two, one after the other, keeps the claim on the later one."""
        pool = clerk.pool("10.1.0.0/29", options={"linkwright.sticky": "name"})
        for address in ("10.1.0.5", "10.1.0.4"):
            clerk.address(pool.id, address, owner="web")
            clerk.release(pool.id, address)
        assert {"10.1.0.4"} == clerk.held()
        assert clerk.address(pool.id, owner="web") == "10.1.0.4/29"

    def test_who_gives_no_name_is_not_remembered(self, clerk: Clerk) -> None:
        """Without a name there is nobody to keep an address for; gateways are not remembered either."""
        pool = clerk.pool("10.1.0.0/29", options={"linkwright.sticky": "name"})
        clerk.address(pool.id)
        clerk.address(pool.id, "10.1.0.6", kind=GATEWAY, owner="gw")
        clerk.release(pool.id, "10.1.0.1")
        clerk.release(pool.id, "10.1.0.6")
        assert clerk.leases() == []

    def test_the_memory_of_another_network_s_options_is_dropped(self, clerk: Clerk) -> None:
        """A pool that an earlier epoch left behind and a new network takes with other options remembers nothing."""
        pool = clerk.pool("10.1.0.0/29", options={"linkwright.sticky": "name"})
        clerk.address(pool.id, owner="web")
        clerk.release(pool.id, "10.1.0.1")
        clerk.boot()
        assert clerk.pool("10.1.0.0/29").options == {}
        assert clerk.leases() == []


@settings(deadline=None)
@given(order=st.permutations(range(12)))
def test_order_of_arrival_does_not_change_the_set_in_use(order: list[int]) -> None:
    """Six fixed ones outside the range and six dynamic ones in it: in any order the same addresses are in use."""
    clerk = Clerk()
    pool = clerk.pool("10.1.0.0/24", "10.1.0.0/28")
    for number in order:
        clerk.address(pool.id, f"10.1.0.{200 + number}" if number % 2 else "")
    assert {f"10.1.0.{last}" for last in (1, 2, 3, 4, 5, 6, 201, 203, 205, 207, 209, 211)} == clerk.held()
