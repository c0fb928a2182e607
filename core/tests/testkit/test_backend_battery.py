"""The battery of IPAM back-ends: a good one passes, and each mistake fails the case that is there for it."""

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from linkwright.ipam.backend import AddressAsked, Backend, Builtin, Conflict, Exhausted, Held, PoolAsked
from linkwright.model.address import Address, Prefix
from linkwright.testkit import BackendConformance

Reserved = dict[Address, str]


class Good(Backend):
    """Keeps a table in memory, which all that are made share."""

    name: ClassVar[str] = "good"
    table: ClassVar[Reserved] = {}

    def pool(self, asked: PoolAsked) -> Prefix | None:
        """Whatever is named."""
        return asked.subnet

    def address(self, asked: AddressAsked) -> Address | None:
        """The one that is named, or the next that is free."""
        usable = [one for _, one in zip(range(6), asked.pool.hosts(), strict=False)]
        free = [one for one in ([asked.address] if asked.address else usable) if one not in self.table]
        if not free:
            raise Conflict(f"{asked.address} is held") if asked.address else Exhausted(f"{asked.pool} is full")
        self.table[free[0]] = asked.owner
        return free[0]

    def settle(self, held: tuple[Held, ...]) -> None:
        """Keep what is held, and nothing else."""
        every = {address for one in held for address in one.addresses}
        for address in [one for one in self.table if one not in every]:
            del self.table[address]


class Outdated(Good):
    """For another contract."""

    api: ClassVar[int] = 2


class Elsewhere(Good):
    """Answers another subnet than the one that was named."""

    def pool(self, asked: PoolAsked) -> Prefix | None:
        """Half of it."""
        return next(iter(asked.subnet.subnets())) if asked.subnet else None


class Lavish(Good):
    """Gives the network's own address away."""

    def address(self, asked: AddressAsked) -> Address | None:
        """First of all."""
        first = asked.pool.network_address
        if asked.address is None and first not in self.table:
            self.table[first] = ""
            return first
        return super().address(asked)


class Careless(Good):
    """Gives what is named to whoever names it."""

    def address(self, asked: AddressAsked) -> Address | None:
        """Without looking."""
        return asked.address or super().address(asked)


class Clinging(Good):
    """Never gives up anything."""

    def settle(self, held: tuple[Held, ...]) -> None:
        """Nothing."""


#: Back-end → the cases that it fails: its own, and the conversation where that is held up by it.
BROKEN: Mapping[type[Backend], set[str]] = {
    Outdated: {"load_contract"},
    Elsewhere: {"answers_confirm_a_pool", "talk_life"},
    Lavish: {"answers_are_addresses_of_the_pool_each_once", "talk_life"},
    Careless: {"answers_give_a_named_address_once", "answers_settle"},
    Clinging: {"answers_settle", "talk_life"},
}


def failed(backend: type[Backend]) -> set[str]:
    """Run all cases but that of the entry point; those that fail."""
    tests = type("TestMine", (BackendConformance,), {"backend": backend, "__module__": __name__})
    found = set()
    for name, case in inspect.getmembers(tests(), inspect.ismethod):
        if not name.startswith("test_") or name == "test_load_entry_point":
            continue
        Good.table.clear()
        try:
            case()
        except (Exception, pytest.fail.Exception):  # noqa: BLE001 - however it fails
            found.add(name.removeprefix("test_"))
    return found


@pytest.mark.parametrize("backend", [Good, Builtin], ids=lambda one: one.__name__)
def test_a_good_back_end_passes(backend: type[Backend]) -> None:
    """One that chooses, and one that leaves all choices to linkwright."""
    assert failed(backend) == set()


@pytest.mark.parametrize("backend", BROKEN, ids=lambda one: one.__name__)
def test_each_mistake_fails_the_cases_that_are_there_for_it(backend: type[Backend]) -> None:
    """And no others."""
    assert failed(backend) == BROKEN[backend]


def test_the_first_member_of_the_group_is_our_own() -> None:
    """It is found as any other is, by its entry point."""
    tests: Any = type("TestBuiltin", (BackendConformance,), {"backend": Builtin, "__module__": __name__})
    tests().test_load_entry_point()
