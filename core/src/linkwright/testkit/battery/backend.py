"""The battery for IPAM back-ends: ``class TestMine(BackendConformance)`` with ``backend`` and, if need be, ``make``.

Level load and level answers ask the back-end itself; level talk holds Docker's conversation with a daemon that asks it.
A case is opted out of as a driver's is (``opting_out``).
"""

from functools import partial
from ipaddress import ip_network
from typing import Any, ClassVar

import importlib_metadata
import pytest
import trio

from linkwright.daemon.backends import GROUP, Backed, Installed, register
from linkwright.engine.registry import Origin
from linkwright.errors import DriverFault
from linkwright.ipam import LOCAL, AddressRequest, Ledger, PoolName, PoolRequest, docker_defaults
from linkwright.ipam.backend import AddressAsked, Backend, Held, LeaseKind, PoolAsked, Refused
from linkwright.model.address import Address, Prefix
from linkwright.store import MemoryStore
from linkwright.testkit.battery.opting_out import Battery
from linkwright.testkit.battery.running import alone, without_waiting

_LISTENER = "lw-ipam"


class BackendConformance(Battery):
    """A back-end under test. ``pools`` are subnets that it may give addresses of; ``make`` makes it afresh."""

    backend: ClassVar[type[Backend]]
    pools: ClassVar[tuple[str, ...]] = ("10.203.0.0/29", "fd00:203::/64")

    def make(self) -> Backend:
        """Return a new one, over the same place as the last."""
        return self.backend()

    # --- load ---

    def test_load_entry_point(self) -> None:
        """An installed distribution, and only one, offers the back-end under its name."""
        found = [entry for entry in importlib_metadata.entry_points(group=GROUP) if entry.name == self.backend.name]
        assert len(found) == 1, f"{len(found)} distributions offer {self.backend.name!r} in the group {GROUP}"
        assert found[0].load() is self.backend

    def test_load_contract(self) -> None:
        """The class is one that the daemon takes."""
        try:
            register(self.backend.name, self.backend, Origin("the package under test", "0"))
        except DriverFault as fault:
            pytest.fail(str(fault), pytrace=False)

    # --- answers ---

    def test_answers_confirm_a_pool(self) -> None:
        """A subnet that is named is that subnet, or left to linkwright."""
        for pool in map(ip_network, self.pools):
            assert self.make().pool(PoolAsked(pool.version, pool)) in {None, pool}

    def test_answers_are_addresses_of_the_pool_each_once(self) -> None:
        """None is given twice, none is the network's own, and when there is none left it is said so."""
        for pool in map(ip_network, self.pools):
            given = self._drained(pool)
            assert len(set(given)) == len(given), "an address was given twice"
            assert all(one in pool and one != pool.network_address for one in given)
            assert given or self.make().address(AddressAsked(pool)) is None

    def test_answers_give_a_named_address_once(self) -> None:
        """The first who asks has it, the second hears that it is held."""
        for pool in map(ip_network, self.pools):
            asked = AddressAsked(pool, pool[3], owner="first")
            if self.make().address(asked) is None:
                continue
            with pytest.raises(Refused):
                self.make().address(AddressAsked(pool, pool[3], owner="second"))

    def test_answers_outlive_the_daemon(self) -> None:
        """What was given is given, whoever asks next."""
        for pool in map(ip_network, self.pools):
            first = self.make().address(AddressAsked(pool))
            assert first is None or self.make().address(AddressAsked(pool)) != first

    def test_answers_settle(self) -> None:
        """What is held stays, what is not is free again."""
        for pool in map(ip_network, self.pools):
            one, other = (self.make().address(AddressAsked(pool, pool[at])) for at in (2, 3))
            if one is None or other is None:
                continue
            self.make().settle((Held(pool, frozenset({one})),))
            assert self.make().address(AddressAsked(pool, pool[3])) == other
            with pytest.raises(Refused):
                self.make().address(AddressAsked(pool, pool[2]))
            self.make().settle(())
            assert self.make().address(AddressAsked(pool, pool[2])) == one

    # --- talk ---

    def test_talk_life(self) -> None:
        """Docker asks for pools, gateways and addresses, starts anew and asks again, and gives everything back."""

        async def main() -> None:
            for pool in map(ip_network, self.pools):
                await alone(partial(self._life, pool))

        without_waiting(main)

    async def _life(self, pool: Prefix, nursery: trio.Nursery) -> None:
        ipam = Backed(
            Ledger(docker_defaults("the kit")),
            installed=Installed(self.make()),
            commit=MemoryStore().commit,
            routes=_no_routes,
            clock=lambda: 1_700_000_000.0,
            somewhere=_here,
        )
        await nursery.start(ipam.run)
        ipam.begin_epoch(_LISTENER, "one", activation=True)
        given = await self._ask_for_all(ipam, pool, {})
        ipam.begin_epoch(_LISTENER, "another", activation=True)
        assert await self._ask_for_all(ipam, pool, given) == given, "a replay was answered otherwise"
        await ipam.settle()
        name = str(PoolName(LOCAL, pool))
        for address in given.values():
            await ipam.release_address(name, address)
        await ipam.release_pool(name)
        await ipam.settle()
        for address in given.values():
            assert self.make().address(AddressAsked(pool, address)) in {None, address}, f"{address} is not free again"
        self.make().settle(())

    async def _ask_for_all(self, ipam: Backed, pool: Prefix, known: dict[str, Address]) -> dict[str, Address]:
        held = await ipam.request_pool(PoolRequest(LOCAL, pool.version, pool, listener=_LISTENER))
        found = {}
        for name, kind in (("gateway", LeaseKind.GATEWAY), ("one", LeaseKind.ENDPOINT), ("two", LeaseKind.ENDPOINT)):
            answer = await ipam.request_address(AddressRequest(held.id, known.get(name), kind, listener=_LISTENER))
            found[name] = answer.ip
        assert len(set(found.values())) == len(found)
        return found

    def _drained(self, pool: Prefix) -> list[Any]:
        """Ask until nothing is left, or for a while."""
        given: list[Any] = []
        backend = self.make()
        try:
            while len(given) < _MANY and (one := backend.address(AddressAsked(pool))) is not None:
                given.append(one)
        except Refused as refused:
            if not str(refused).strip():
                pytest.fail("it refuses without a word", pytrace=False)
        return given


#: Addresses that are asked for of one pool.
_MANY = 50


async def _no_routes() -> tuple[Prefix, ...]:
    return ()


async def _here(question: Any) -> Any:
    await trio.lowlevel.checkpoint()
    return question()
