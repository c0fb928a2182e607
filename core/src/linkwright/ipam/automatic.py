"""Pools that the user let us choose: out of which prefixes, in which order, and what stands in the way.

Rule: the host's routes and the pools held are handed in; nothing is read here, and no plan is ever enumerated
(a /48 holds 65 536 pools of /64, and a user may ask for /128s).
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv6Network, ip_network

from attrs import field, frozen

from linkwright.errors import Exhausted, Refused
from linkwright.ipam.spaces import within
from linkwright.ipam.spans import Blocked, bounds
from linkwright.model.address import Prefix

#: Routes wider than this say "everything", not "this network is mine": VPNs split the default route into
#: 0.0.0.0/1 + 128.0.0.0/1 or smaller pieces (docker/for-linux#418). RFC 1918's widest network is a /8. For IPv6
#: hosts hold routes to 2000::/3, fc00::/7 and fd00::/8, and no site is given more than a /20 or so.
WIDEST_ROUTE = {4: 8, 6: 16}

#: Seconds for which a pool that was given out and came back without an address ever asked for is not offered
#: again: that is how dockerd says "it overlaps something", and it asks again for ever (27-overlapping-pool).
REJECTED = 60.0

_SHOWN = 5  # how many names a message lists


@frozen
class DefaultPool:
    """A prefix to cut automatic pools from, and the prefix length of each, as in Docker's default-address-pools."""

    base: Prefix
    size: int = field()

    @size.validator
    def _fits(self, _: object, value: int) -> None:
        if not self.base.prefixlen <= value <= self.base.max_prefixlen:
            raise ValueError(f"pools of /{value} cannot be cut from {self.base}")

    def __str__(self) -> str:
        return f"{self.count} of /{self.size} in {self.base}"

    @property
    def count(self) -> int:
        """How many pools it holds."""
        return 1 << (self.size - self.base.prefixlen)


def unique_local(seed: str) -> IPv6Network:
    """The /48 of this host (RFC 4193: fd00::/8 and a global id of 40 bits), decided by *seed*, say its machine id."""
    digest = hashlib.sha256(b"linkwright unique local prefix\0" + seed.encode()).digest()
    return IPv6Network((bytes([0xFD]) + digest[:5] + bytes(10), 48))


def docker_defaults(seed: str) -> tuple[DefaultPool, ...]:
    """Docker's own default pools (moby: daemon/libnetwork/ipamutils), and for IPv6 the host's unique local prefix."""
    wide = ["172.17.0.0/16", "172.18.0.0/16", "172.19.0.0/16", "172.20.0.0/14", "172.24.0.0/14", "172.28.0.0/14"]
    return (
        *(DefaultPool(ip_network(base), 16) for base in wide),
        DefaultPool(ip_network("192.168.0.0/16"), 20),
        DefaultPool(unique_local(seed), 64),
    )


class Chooser:
    """Chooses automatic pools: the next free one after the one given out last, so that a freed one rests.

    What it remembers it may forget in a crash: the cursor, and the pools that came back unused.
    """

    def __init__(self, defaults: Sequence[DefaultPool]) -> None:
        self._defaults = tuple(defaults)
        self._last: dict[int, Prefix] = {}
        self._unused: set[Prefix] = set()
        self._rejected: dict[Prefix, float] = {}

    def used(self, subnet: Prefix) -> None:
        """Note that an address of *subnet* was asked for: Docker has taken the pool."""
        self._unused.discard(subnet)

    def returned(self, subnet: Prefix, *, now: float) -> None:
        """Note that *subnet* is free again."""
        if subnet in self._unused:
            self._unused.discard(subnet)
            self._rejected[subnet] = now

    def choose(
        self, version: int, size: int | None, *, held: Iterable[Prefix], routes: Iterable[Prefix], now: float
    ) -> Prefix:
        """A pool that overlaps none of *held* and no route but the widest.

        *size* is a prefix length, None for the configured one. Raises Refused where no default pool can hold that
        size, Exhausted with what blocks the plan when none is left.
        """
        plan = self._plan(version, size)
        # A clock that was put back must not block a pool until it has caught up: hence the lower bound.
        self._rejected = {pool: since for pool, since in self._rejected.items() if 0 <= now - since < REJECTED}
        blockers = {
            "pools in use": [prefix for prefix in held if prefix.version == version],
            "host routes": [p for p in routes if p.version == version and p.prefixlen >= WIDEST_ROUTE[version]],
            "pools just given back unused": [prefix for prefix in self._rejected if prefix.version == version],
        }
        blocked = Blocked.by(prefix for prefixes in blockers.values() for prefix in prefixes)
        chosen = next(_candidates(plan, self._last.get(version), blocked), None)
        if chosen is None:
            raise Exhausted(_exhausted(version, plan, blockers))
        self._last[version] = chosen
        self._unused.add(chosen)
        return chosen

    def _plan(self, version: int, size: int | None) -> list[DefaultPool]:
        plan = [pool for pool in self._defaults if pool.base.version == version]
        if not plan:
            raise Refused(f"no default pools for IPv{version} are configured; give the network a --subnet")
        if size is None:
            return plan
        fitting = [DefaultPool(pool.base, size) for pool in plan if pool.base.prefixlen <= size]
        if not fitting or size > plan[0].base.max_prefixlen:
            widest = min(pool.base.prefixlen for pool in plan)
            raise Refused(
                f"an automatic IPv{version} pool of /{size} cannot be cut from the default pools, the widest of which "
                f"is a /{widest}; ask for a smaller one, or give the network a --subnet"
            )
        return fitting


def _candidates(plan: Sequence[DefaultPool], last: Prefix | None, blocked: Blocked) -> Iterator[Prefix]:
    """At most one free pool of each stretch of the plan, beginning after *last* and coming round to it."""
    turn = next((index for index, pool in enumerate(plan) if last is not None and within(last, pool.base)), None)
    if turn is None or last is None:
        stretches = [(pool, *bounds(pool.base)) for pool in plan]
    else:
        first, end = bounds(plan[turn].base)
        cut = bounds(last)[1] + 1
        others = [(pool, *bounds(pool.base)) for pool in [*plan[turn + 1 :], *plan[:turn]]]
        stretches = [(plan[turn], cut, end), *others, (plan[turn], first, cut - 1)]
    for pool, first, end in stretches:
        step = 1 << (pool.base.max_prefixlen - pool.size)
        at: int | None = first
        while at is not None and (at := -(-at // step) * step) + step - 1 <= end:
            barrier = blocked.end_of(at, at + step - 1)
            if barrier is None:
                yield type(pool.base)((at, pool.size))
                break
            at = barrier + 1


def _exhausted(version: int, plan: Sequence[DefaultPool], blockers: dict[str, list[Prefix]]) -> str:
    ways = []
    for what, prefixes in blockers.items():
        near = [p for p in prefixes if any(within(p, d.base) or within(d.base, p) for d in plan)]
        shown = ", ".join(str(prefix) for prefix in sorted(near, key=bounds)[:_SHOWN])
        more = f" and {len(near) - _SHOWN} more" if len(near) > _SHOWN else ""
        ways.append(f"{len(near)} {what}" + (f" ({shown}{more})" if near else ""))
    return (
        f"no automatic IPv{version} pool is free: the plan holds {sum(pool.count for pool in plan)} "
        f"({'; '.join(str(pool) for pool in plan)}), and in the way are {', '.join(ways)}; remove networks that are "
        "not needed, give the network a --subnet, or configure more default pools"
    )
