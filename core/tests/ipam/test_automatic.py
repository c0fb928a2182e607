"""Pools that we choose."""

import itertools
from ipaddress import IPv6Network, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linkwright.errors import Exhausted, Refused
from linkwright.ipam import DefaultPool, docker_defaults, unique_local
from linkwright.ipam.automatic import REJECTED, Chooser
from linkwright.model.address import Prefix

from .conftest import Clerk


def test_i_03_twenty_pools_are_disjoint(clerk: Clerk) -> None:
    """Twenty requests without a pool, none released, twenty pools that do not overlap."""
    subnets = [clerk.pool().subnet for _ in range(20)]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(subnets, 2))


def test_docker_s_own_plan_comes_in_its_order(clerk: Clerk) -> None:
    """172.17 to 172.31 as /16, then 192.168 as /20: 31 pools, as many as Docker's own IPAM has."""
    given_out = [str(clerk.pool().subnet) for _ in range(31)]
    expected = [f"172.{second}.0.0/16" for second in range(17, 32)]
    assert [*expected, *(f"192.168.{third}.0/20" for third in range(0, 256, 16))] == given_out
    with pytest.raises(Exhausted):
        clerk.pool()


def test_i_03_the_same_rejected_pool_is_not_given_twice(clerk: Clerk) -> None:
    """Docker rejects an answer by releasing it unused; whoever releases before asking again gets an end, too."""
    clerk.tick, seen = 0, []
    for _ in range(31):
        pool = clerk.pool()
        seen.append(pool.subnet)
        clerk.release_pool(pool.id)
    with pytest.raises(Exhausted, match="31 pools just given back unused"):
        clerk.pool()
    assert len(seen) == len(set(seen)) == 31
    clerk.now += REJECTED
    assert seen[0] == clerk.pool().subnet


def test_a_clock_put_back_does_not_keep_rejected_pools_away(clerk: Clerk) -> None:
    """A pool rejected in what is now the future is offered again."""
    clerk.release_pool(clerk.pool("0.0.0.0/14").id)
    clerk.now -= 86_400
    assert [str(clerk.pool("0.0.0.0/14").subnet) for _ in range(3)] == [
        "172.24.0.0/14",
        "172.28.0.0/14",
        "172.20.0.0/14",
    ]


def test_a_pool_that_was_used_rests_but_is_not_withheld(clerk: Clerk) -> None:
    """Networks made and removed all day never run out: a pool given back after use comes round again."""
    clerk.tick, seen = 0, []
    for _ in range(32):
        pool = clerk.pool()
        clerk.address(pool.id)
        clerk.release_pool(pool.id)
        seen.append(pool.subnet)
    assert len(set(seen[:31])) == 31
    assert seen[0] == seen[31]


def test_i_04_host_routes_are_kept_clear_of(clerk: Clerk) -> None:
    """With routes to the first five, one request gives the sixth; a route inside a pool blocks it as well."""
    routes = ["172.17.0.0/16", "172.18.0.0/16", "172.19.5.0/24", "172.20.0.1/32", "172.21.0.0/16", "fd00::/64"]
    assert str(clerk.pool(routes=routes).subnet) == "172.22.0.0/16"


@pytest.mark.parametrize(
    "routes",
    [
        ["0.0.0.0/1", "128.0.0.0/1"],
        ["0.0.0.0/0"],
        ["64.0.0.0/2", "128.0.0.0/2", "192.0.0.0/2"],
        ["160.0.0.0/4", "172.0.0.0/7"],
    ],
)
def test_i_05_the_routes_of_a_vpn_do_not_block(clerk: Clerk, routes: list[str]) -> None:
    """Routes that mean "everything", in one piece or in several, leave the plan as it is."""
    assert str(clerk.pool(routes=routes).subnet) == "172.17.0.0/16"


def test_i_05_nor_do_the_wide_ones_of_ipv6(clerk: Clerk) -> None:
    """``fc00::/7`` and ``fd00::/8`` are routes that every careful router has (RFC 4193 4.3)."""
    subnet = clerk.pool(version=6, routes=["::/0", "2000::/3", "fc00::/7", "fd00::/8"]).subnet
    assert unique_local("a machine") == subnet.supernet(new_prefix=48)


def test_a_company_s_route_does_block(clerk: Clerk) -> None:
    """A route to 172.16.0.0/12 is somebody's network: the pools behind it are passed over."""
    assert str(clerk.pool(routes=["172.16.0.0/12"]).subnet) == "192.168.0.0/20"


def test_i_06_exhaustion_tells_the_plan_and_what_is_in_its_way(clerk: Clerk) -> None:
    """The size of the plan, the pools and routes that take it, by name and number."""
    clerk.defaults = (DefaultPool(ip_network("10.0.0.0/22"), 24),)
    clerk.restart()
    clerk.pool("10.0.0.0/25")
    clerk.pool("10.9.0.0/16")
    clerk.pool("10.0.1.0/24", options={"linkwright.space": "blue"})
    with pytest.raises(Exhausted) as caught:
        clerk.pool(routes=["10.0.2.0/23", "0.0.0.0/0", "192.0.2.0/24"])
    text = str(caught.value)
    assert "the plan holds 4 (4 of /24 in 10.0.0.0/22)" in text
    assert "2 pools in use (10.0.0.0/25, 10.0.1.0/24)" in text
    assert "1 host routes (10.0.2.0/23)" in text


def test_i_06_an_endless_plan_is_not_walked() -> None:
    """A plan of 2^120 pools behind one route is exhausted at once; so it is when only its last pool is free."""
    chooser = Chooser([DefaultPool(ip_network("fd00::/8"), 128)])
    with pytest.raises(Exhausted, match=f"the plan holds {1 << 120}"):
        chooser.choose(6, None, held=[ip_network("fd00::/8")], routes=[], now=0)
    halves = list(IPv6Network("fd00::/8").address_exclude(IPv6Network("fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128")))
    last = chooser.choose(6, None, held=halves, routes=[], now=0)
    assert str(last) == "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"


def test_many_blockers_show_as_few_and_a_number(clerk: Clerk) -> None:
    """A message names five and counts the rest."""
    for _ in range(31):
        clerk.pool()
    with pytest.raises(Exhausted, match=r"31 pools in use \(172\.17\.0\.0/16, .* and 26 more\)"):
        clerk.pool()


def test_without_default_pools_of_a_family_none_is_chosen() -> None:
    """Nothing is configured for IPv6: refused, and the user told what to give."""
    chooser = Chooser([DefaultPool(ip_network("10.0.0.0/8"), 24)])
    with pytest.raises(Refused, match="give the network a --subnet"):
        chooser.choose(6, None, held=[], routes=[], now=0)


def test_default_pools_hold_at_least_one() -> None:
    """A configuration that cuts /16 from a /24 is refused when it is read."""
    with pytest.raises(ValueError, match="cannot be cut"):
        DefaultPool(ip_network("10.0.0.0/24"), 16)


def test_the_unique_local_prefix_is_the_host_s_own() -> None:
    """The same seed, the same /48 in fd00::/8; another seed, another."""
    assert unique_local("a") == unique_local("a") != unique_local("b")
    assert unique_local("a").subnet_of(IPv6Network("fd00::/8"))
    assert unique_local("a").prefixlen == 48


_BASE = ip_network("10.0.0.0/24")
_PIECES = st.integers(24, 30).flatmap(lambda length: st.sampled_from(list(_BASE.subnets(new_prefix=length))))


@settings(deadline=None)
@given(st.lists(_PIECES, max_size=12), st.integers(24, 30), st.lists(st.booleans(), max_size=12))
def test_a_pool_is_found_whenever_there_is_one(blockers: list[Prefix], size: int, keep: list[bool]) -> None:
    """Against trying all: what is chosen is free, and refused only when nothing is, wherever the cursor stands."""
    chooser = Chooser([DefaultPool(_BASE, 28), DefaultPool(ip_network("10.0.1.0/28"), 30)])
    plan = [subnet for base in (_BASE, ip_network("10.0.1.0/28")) for subnet in _cut(base, size)]
    held = list(blockers)
    for kept in keep:
        free = [subnet for subnet in plan if not any(subnet.overlaps(each) for each in held)]
        if not free:
            with pytest.raises(Exhausted):
                chooser.choose(4, size, held=held, routes=[], now=0)
            return
        chosen = chooser.choose(4, size, held=held, routes=[], now=0)
        assert chosen in free
        held += [chosen] if kept else []


def _cut(base: Prefix, size: int) -> list[Prefix]:
    return list(base.subnets(new_prefix=size)) if base.prefixlen <= size else []


def test_docker_s_defaults_are_named_as_docker_names_them() -> None:
    """31 pools of IPv4, as protocol 3.9 lists them, and 65 536 of IPv6."""
    defaults = docker_defaults("x")
    assert sum(pool.count for pool in defaults if pool.base.version == 4) == 31
    assert sum(pool.count for pool in defaults if pool.base.version == 6) == 65_536
