"""A clerk: a ledger with a clock that the test moves, and a store that keeps each transition's facts."""

from collections.abc import Collection, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from attrs import define, field

from linkwright.ipam import LOCAL, AddressRequest, DefaultPool, Ledger, PoolRequest, Transition, docker_defaults
from linkwright.model.address import Address, Lease, LeaseKind, Pool, Prefix
from linkwright.model.change import Drop, Put, key_of


@define
class Clerk:
    """Takes requests as text, as they come from Docker, and makes each transition durable at once."""

    defaults: tuple[DefaultPool, ...] = field(factory=lambda: docker_defaults("a machine"))
    ledger: Ledger = field()
    now: float = 1_700_000_000.0
    tick: float = 1.0  # seconds per request
    stored: dict[tuple[type, str], Pool | Lease] = field(factory=dict)
    flushed: dict[tuple[type, str], Pool | Lease] = field(factory=dict)  # what is left when the power fails
    last: Transition[Any] = field(factory=lambda: Transition(None))

    @ledger.default
    def _new_ledger(self) -> Ledger:
        return Ledger(self.defaults)

    def keep(self, transition: Transition[Any]) -> Any:
        """Store the facts as the store would: by kind and key."""
        for change in transition.changes:
            record = change.record
            assert isinstance(record, Pool | Lease)
            if isinstance(change, Put):
                self.stored[type(record), key_of(record)] = record
            else:
                self.stored.pop((type(record), key_of(record)), None)
        if any(isinstance(change, Drop) or change.flushed for change in transition.changes):
            self.flushed = dict(self.stored)  # a flush takes all along that was written before
        self.last = transition
        self.now += self.tick
        return transition.answer

    def restart(self) -> None:
        """Lose the ledger, and load a new one from what was stored."""
        self.ledger = Ledger(self.defaults)
        assert self.ledger.load(self.stored.values()) == ()

    def lose_power(self) -> None:
        """Lose what was not flushed as well."""
        self.stored = dict(self.flushed)
        self.restart()

    def boot(self, engine: str = "", listener: str = "") -> None:
        """A dockerd activates us."""
        self.ledger.begin_epoch(listener, engine, activation=True)

    def pool(
        self,
        subnet: str = "",
        subrange: str = "",
        *,
        version: int = 0,
        size: int | None = None,
        options: Mapping[str, str] | None = None,
        routes: Collection[str] = (),
        space: str = LOCAL,
        listener: str = "",
    ) -> Pool:
        """RequestPool."""
        wanted = ip_network(subnet) if subnet else None
        inner = ip_network(subrange) if subrange else None
        version = version or (wanted.version if wanted else 4)
        request = PoolRequest(space, version, wanted, size, inner, options or {}, listener)
        clear_of = [ip_network(route) for route in routes]
        answer = self.keep(self.ledger.request_pool(request, routes=clear_of, now=self.now))
        assert isinstance(answer, Pool)
        return answer

    def release_pool(self, pool: str) -> None:
        """ReleasePool."""
        self.keep(self.ledger.release_pool(pool, now=self.now))

    def address(
        self, pool: str, address: str = "", *, kind: LeaseKind = LeaseKind.ENDPOINT, owner: str = "", mac: str = ""
    ) -> str:
        """RequestAddress; the answer is text, with its prefix length."""
        wanted = ip_address(address) if address else None
        request = AddressRequest(pool, wanted, kind, owner, mac)
        return str(self.keep(self.ledger.request_address(request, now=self.now)))

    def release(self, pool: str, address: str) -> None:
        """ReleaseAddress."""
        self.keep(self.ledger.release_address(pool, ip_address(address), now=self.now))

    def observe(self, pool: str, *live: str, kept: Collection[str] = (), rest: float = 300.0) -> None:
        """One look at the kernel."""
        addresses: set[Address] = {ip_address(each) for each in live}
        subnets: list[Prefix] = [ip_network(each) for each in kept]
        self.keep(self.ledger.observe(pool, addresses, kept=subnets, rest=rest, now=self.now))

    def lease(self, address: str) -> Lease:
        """The one lease of *address*, in any state."""
        (found,) = (each for each in self.leases() if str(each.address) == address)
        return found

    def leases(self) -> list[Lease]:
        """All leases, in any state."""
        return [record for record in self.ledger.records() if isinstance(record, Lease)]

    def held(self) -> set[str]:
        """The addresses of all leases, in any state."""
        return {str(lease.address) for lease in self.leases()}


@pytest.fixture
def clerk() -> Clerk:
    """A clerk with Docker's default pools."""
    return Clerk()
