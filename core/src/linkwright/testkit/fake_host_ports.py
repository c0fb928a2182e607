"""Ports of an imaginary host for tests: ``engine.ports.HostPorts``, with other processes and failures on order.

It passes the same tests as ``hostports`` (core/tests/hostports).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import trio
from attrs import evolve

from linkwright.engine.portbook import is_fixed, overlap
from linkwright.errors import Conflict, Exhausted, LinkwrightError
from linkwright.model import Address, PortBinding, Protocol

#: What a freshly booted kernel answers for net.ipv4.ip_local_port_range.
FIRST, LAST = 32768, 60999


class FakeHostPorts:
    """Who has which port of an imaginary host.

    ``held`` is what each owner holds, ``targets`` where it would be relayed to. ``delay`` (seconds) is how long a
    ``hold`` takes: time to cancel its caller. ``fail_next`` lets the next one fail otherwise than by a port taken.
    """

    def __init__(self, *, first: int = FIRST, last: int = LAST) -> None:
        self.first, self.last = first, last
        self.held: dict[str, tuple[PortBinding, ...]] = {}
        self.targets: dict[str, tuple[Address, ...]] = {}
        self.delay = 0.0
        self.calls = 0
        self._next = first
        self._foreign: list[PortBinding] = []
        self._lost: dict[str, dict[PortBinding, str]] = {}
        self._failure: LinkwrightError | None = None

    # --- the port ---

    async def hold(
        self, owner: str, groups: Sequence[Sequence[PortBinding]], targets: Sequence[Address]
    ) -> tuple[PortBinding, ...]:
        """Bind all of *groups* or none; see ``engine.ports.HostPorts.hold``."""
        await trio.lowlevel.checkpoint()
        self.calls += 1
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        bound: list[PortBinding] = []
        for group in groups:
            bound += self._bound(owner, group, bound)
        before = self.held.get(owner, ()), self.targets.get(owner, ())
        self._set(owner, bound, targets)
        try:
            await trio.sleep(self.delay)
        except trio.Cancelled:
            self._set(owner, *before)
            raise
        self._lost.pop(owner, None)
        return tuple(bound)

    async def restore(self, owner: str, bindings: Sequence[PortBinding], targets: Sequence[Address]) -> None:
        """Bind again what was held; what is not to be had is lost."""
        await trio.lowlevel.checkpoint()
        taken = {one: f"{one} is taken by another process" for one in bindings if self._taken(owner, one, ())}
        self._set(owner, [one for one in bindings if one not in taken], targets)
        self._lost.pop(owner, None)
        if taken:
            self._lost[owner] = taken

    def release(self, owner: str) -> None:
        """Let go of all that *owner* holds."""
        self._set(owner, (), ())
        self._lost.pop(owner, None)

    def lost(self) -> Mapping[PortBinding, str]:
        """Bindings that were restored and could not be held."""
        return {binding: why for lost in self._lost.values() for binding, why in lost.items()}

    # --- what a test reads and orders ---

    @property
    def ports(self) -> list[str]:
        """All that is held, as text."""
        return sorted(str(binding) for bindings in self.held.values() for binding in bindings)

    def fail_next(self, error: LinkwrightError) -> None:
        """Let the next ``hold`` fail with *error*."""
        self._failure = error

    def foreign_bind(self, protocol: Protocol, address: Address, port: int) -> None:
        """Another process takes a port; Conflict if it is held."""
        wanted = PortBinding(protocol, port, address, port, port)
        if any(overlap(wanted, held) for held in self._all()):
            raise Conflict(f"{wanted} is taken")
        self._foreign.append(wanted)

    def foreign_close(self, protocol: Protocol, address: Address, port: int) -> None:
        """It ends."""
        self._foreign.remove(PortBinding(protocol, port, address, port, port))

    # --- inside ---

    def _bound(self, owner: str, group: Sequence[PortBinding], beside: Iterable[PortBinding]) -> list[PortBinding]:
        first = group[0]
        for port in self._candidates(first):
            bound = [evolve(binding, host_port=port, host_port_end=port) for binding in group]
            taken = next((one for one in bound if self._taken(owner, one, beside)), None)
            if taken is None:
                if not first.host_port:
                    self._next = port + 1
                return bound
            if is_fixed(first):
                raise Conflict(f"{taken} cannot be published: another process has the port")
        open_range = f"{first.host_port}-{first.host_port_end}" if first.host_port else f"{self.first}-{self.last}"
        raise Exhausted(f"{first} cannot be published: all ports of {open_range} are taken")

    def _candidates(self, binding: PortBinding) -> Iterator[int]:
        if binding.host_port:
            yield from range(binding.host_port, max(binding.host_port, binding.host_port_end) + 1)
            return
        count = self.last - self.first + 1
        for step in range(count):
            yield self.first + (self._next - self.first + step) % count

    def _taken(self, owner: str, binding: PortBinding, beside: Iterable[PortBinding]) -> bool:
        theirs = (one for other, bindings in self.held.items() if other != owner for one in bindings)
        return any(overlap(binding, other) for others in (self._foreign, theirs, beside) for other in others)

    def _all(self) -> Iterator[PortBinding]:
        yield from self._foreign
        yield from (binding for bindings in self.held.values() for binding in bindings)

    def _set(self, owner: str, bindings: Sequence[PortBinding], targets: Sequence[Address]) -> None:
        if bindings:
            self.held[owner], self.targets[owner] = tuple(bindings), tuple(targets)
        else:
            self.held.pop(owner, None)
            self.targets.pop(owner, None)
