"""IPAM back-ends: found by entry points of the group ``linkwright.ipam``, and asked beside our own ledger.

What a back-end does wrong harms the call that asked it: it runs in a thread with a deadline, and its answers are
checked. What was reserved there and not stored here is free again with the next ``settle``.
"""

import inspect
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Final, TypeVar

import importlib_metadata
import trio
from attrs import evolve, field, frozen

from linkwright import __version__
from linkwright.engine.bounded import DEADLINE, Somewhere, Threads
from linkwright.engine.registry import Origin
from linkwright.errors import DriverFault, LinkwrightError, Refused, Unavailable
from linkwright.ipam import AddressRequest, Ledger, PoolRequest
from linkwright.ipam.actor import Actor
from linkwright.ipam.backend import API, AddressAsked, Backend, Builtin, Held, PoolAsked
from linkwright.model import Lease, LeaseState, Pool, Prefix
from linkwright.model.address import Address, Interface
from linkwright.model.change import Commit

GROUP: Final = "linkwright.ipam"

T = TypeVar("T")


@frozen
class Installed:
    """A back-end that passed the checks, and the distribution that it came in."""

    backend: Backend
    origin: Origin = field(factory=Origin)

    def __str__(self) -> str:
        return f"IPAM back-end {self.backend.name} of {self.origin}"


def find(name: str) -> Installed:
    """Load the back-end called *name*. Refused if there is none; DriverFault if it cannot be used."""
    if name == Builtin.name:
        return Installed(Builtin(), Origin("linkwright", __version__))
    entries = list(importlib_metadata.entry_points(group=GROUP))
    found = [entry for entry in entries if entry.name == name]
    if not found:
        there = ", ".join(sorted({entry.name for entry in entries} | {Builtin.name}))
        raise Refused(
            f"no IPAM back-end {name!r} is installed (there are: {there}); pip install linkwright-ipam-{name}"
        )
    origins = [Origin(entry.dist.name, entry.dist.version) if entry.dist else Origin() for entry in found]
    if len(found) > 1:
        raise DriverFault(
            f"IPAM back-end {name!r} is offered by {' and '.join(map(str, origins))}; uninstall the others"
        )
    try:
        candidate = found[0].load()
    except (Exception, SystemExit) as error:
        raise DriverFault(
            f"IPAM back-end {name!r} of {origins[0]} is not loaded: importing {found[0].value} raised "
            f"{type(error).__name__}: {error}"
        ) from error
    return register(name, candidate, origins[0])


def register(name: str, candidate: object, origin: Origin) -> Installed:
    """Check *candidate* and make the back-end; DriverFault names the broken rule, Refused is the back-end's own."""
    if broken := next((rule for rule, holds in _RULES.items() if not holds(name, candidate)), None):
        raise DriverFault(f"IPAM back-end {name!r} of {origin} is not loaded: {broken}")
    try:
        return Installed(candidate(), origin)  # type: ignore[operator]
    except LinkwrightError:
        raise
    except (Exception, SystemExit) as error:
        raise DriverFault(f"IPAM back-end {name!r} of {origin} is not loaded: it cannot be made: {error}") from error


_RULES: Final[Mapping[str, Callable[[str, Any], bool]]] = {
    "it is no subclass of linkwright.ipam.backend.Backend": lambda _, c: inspect.isclass(c) and issubclass(c, Backend),
    f"its contract version (api) is not {API}": lambda _, c: c.api == API,
    "its name is not its entry point's": lambda name, c: getattr(c, "name", None) == name,
    "it leaves methods of the contract undefined": lambda _, c: not inspect.isabstract(c),
}


class Backed(Actor):
    """The owner of the ledger, with *installed* asked for whatever is new. One question at a time.

    So a reservation that is not stored yet cannot be settled away; and a back-end need not be safe for threads, except
    from its own answer that came too late.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        installed: Installed,
        commit: Commit,
        routes: Callable[[], Awaitable[Sequence[Prefix]]],
        clock: Callable[[], float],
        somewhere: Somewhere | None = None,
    ) -> None:
        super().__init__(ledger, commit=commit, routes=routes, clock=clock)
        self._installed = installed
        self._somewhere = somewhere or Threads()
        self._turn = trio.Lock()

    async def request_pool(self, request: PoolRequest) -> Pool:
        """Have the back-end choose or confirm the subnet, unless it is one that we hold: then it has."""
        backend = self._installed.backend
        own = {key: value for key, value in request.options.items() if key.startswith(f"{backend.name}.")}
        request = evolve(request, options={key: value for key, value in request.options.items() if key not in own})
        if request.subnet is not None and request.automatic:
            request = evolve(request, subnet=None, size=request.subnet.prefixlen)
        if any((pool.space, pool.subnet) == (request.space, request.subnet) for pool in self._ledger.pools()):
            return await super().request_pool(request)
        async with self._turn:
            taken = (*await self._routes(), *(pool.subnet for pool in self._ledger.pools()))
            asked = PoolAsked(request.version, request.subnet, request.size, request.range, own, taken)
            chosen = await self._question(lambda: backend.pool(asked))
            if chosen is not None:
                self._check_pool(chosen, asked)
                request = evolve(request, subnet=chosen)
            return await super().request_pool(request)

    async def request_address(self, request: AddressRequest) -> Interface:
        """Have the back-end reserve the address, unless it is one that we hold: then Docker replays, or is mistaken."""
        pool = next((pool for pool in self._ledger.pools() if pool.id == request.pool), None)
        if pool is None or (request.address is not None and self._ledger.holds(pool, request.address)):
            return await super().request_address(request)
        async with self._turn:
            asked = AddressAsked(pool.subnet, request.address, pool.range, request.kind, request.owner, request.mac)
            chosen = await self._question(lambda: self._installed.backend.address(asked))
            if chosen is not None:
                self._check_address(chosen, asked)
                request = evolve(request, address=chosen)
            return await super().request_address(request)

    async def settle(self) -> None:
        """Tell the back-end all that is held. LinkwrightError if it could not be told: it will be, the next time."""
        async with self._turn:
            addresses: defaultdict[str, set[Address]] = defaultdict(set)
            for one in self._ledger.records():
                if isinstance(one, Lease) and one.state is not LeaseState.REMEMBERED:
                    addresses[one.pool].add(one.address)
            held = tuple(Held(pool.subnet, frozenset(addresses[pool.id])) for pool in self._ledger.pools())
            await self._question(lambda: self._installed.backend.settle(held))

    async def _question(self, question: Callable[[], T]) -> T:
        with trio.move_on_after(DEADLINE):
            try:
                answer: T = await self._somewhere(question)
            except LinkwrightError:
                raise
            except (Exception, SystemExit) as error:
                raise self._fault(f"it raised {type(error).__name__}: {error}") from error
            return answer
        raise Unavailable(f"{self._installed} did not answer within {DEADLINE:g} s; try again when it does")

    def _check_pool(self, chosen: object, asked: PoolAsked) -> None:
        if type(chosen) not in {IPv4Network, IPv6Network} or getattr(chosen, "version", 0) != asked.version:
            raise self._fault(f"asked for an IPv{asked.version} pool it answered {chosen!r}")
        if asked.subnet is not None and chosen != asked.subnet:
            raise self._fault(f"asked for {asked.subnet} it answered {chosen}")

    def _check_address(self, chosen: object, asked: AddressAsked) -> None:
        if type(chosen) not in {IPv4Address, IPv6Address} or chosen not in asked.pool:
            raise self._fault(f"asked for an address of {asked.pool} it answered {chosen!r}")
        if asked.address is not None and chosen != asked.address:
            raise self._fault(f"asked for {asked.address} it answered {chosen}")

    def _fault(self, text: str) -> DriverFault:
        return DriverFault(f"{self._installed} broke its contract: {text}")
