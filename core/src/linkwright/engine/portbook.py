"""Which endpoint of ours publishes which ports, and which port a container had for what. Pure bookkeeping.

The sockets (``ports.HostPorts``) find whoever has a port; only this book can say which container of ours it is. And it
knows of claims that no socket holds: one lost over a restart, or of a protocol that the kernel has no sockets for.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Final

from attrs import evolve

from linkwright.model import Endpoint, PortBinding, Protocol

#: Containers whose ports are remembered. Keys of sandboxes do not return, so what is too much is the oldest of them.
_REMEMBERED: Final = 4096

#: Bindings that get the same host port: those of one ``-p``, one for each family or address.
Group = tuple[PortBinding, ...]


def is_fixed(binding: PortBinding) -> bool:
    """Whether it names its port, rather than leaving it open or naming a range."""
    return binding.host_port > 0 and binding.host_port_end in {0, binding.host_port}


def overlap(one: PortBinding, other: PortBinding) -> bool:
    """Whether a packet could be meant for both: as bind(2) judges it, every address of a family is any one of them."""
    if (one.protocol, one.host_port) != (other.protocol, other.host_port):
        return False
    mine, theirs = one.host_address, other.host_address
    if mine is None or theirs is None:
        return True
    return mine == theirs or (mine.version == theirs.version and (mine.is_unspecified or theirs.is_unspecified))


class PortBook:
    """Who has what. The owner is an endpoint's id; a container is known by its sandbox's key."""

    def __init__(self) -> None:
        """Nobody has anything."""
        self._bindings: dict[str, Group] = {}
        self._owners: dict[tuple[Protocol, int], dict[str, None]] = {}
        self._had: dict[str, Group] = {}

    # --- who has what --------------------------------------------------------------------------------------------

    def note(self, owner: str, bindings: Iterable[PortBinding]) -> None:
        """*owner* has exactly *bindings*, which all name their port."""
        for binding in self._bindings.pop(owner, ()):
            owners = self._owners.get((binding.protocol, binding.host_port), {})
            owners.pop(owner, None)
            if not owners:
                self._owners.pop((binding.protocol, binding.host_port), None)
        if noted := tuple(bindings):
            self._bindings[owner] = noted
            for binding in noted:
                self._owners.setdefault((binding.protocol, binding.host_port), {})[owner] = None

    def of(self, owner: str) -> Group:
        """What *owner* has."""
        return self._bindings.get(owner, ())

    def holder(self, binding: PortBinding, *, beside: str) -> tuple[str, PortBinding] | None:
        """Who other than *beside* has a port that *binding* clashes with, and which."""
        for owner in self._owners.get((binding.protocol, binding.host_port), ()):
            for held in self._bindings[owner] if owner != beside else ():
                if overlap(binding, held):
                    return owner, held
        return None

    # --- what a container had ------------------------------------------------------------------------------------

    def remember(self, container: str, bindings: Group) -> None:
        """*container* had *bindings* last; with none, what it had before is remembered."""
        if bindings:
            self._had.pop(container, None)
            self._had[container] = bindings
            while len(self._had) > _REMEMBERED:
                del self._had[next(iter(self._had))]

    def as_before(self, container: str, groups: Sequence[Group]) -> tuple[Group, ...]:
        """*groups* with the ports that *container* had, where they leave the choice: clients go on where they went."""
        had: dict[tuple[Protocol, int], list[int]] = {}
        for binding in self._had.get(container, ()):
            ports = had.setdefault((binding.protocol, binding.port), [])
            if binding.host_port not in ports:
                ports.append(binding.host_port)
        for group in groups:
            for binding in filter(is_fixed, group):
                with suppress(ValueError):  # asked for by name now
                    had.get((binding.protocol, binding.port), []).remove(binding.host_port)
        return tuple(_with_port(group, had.get((group[0].protocol, group[0].port), [])) for group in groups)


def _with_port(group: Group, ports: list[int]) -> Group:
    """*group* with the first of *ports* that it could have, which is taken out of them."""
    first = group[0]
    if is_fixed(first):
        return group
    for port in ports:
        if not first.host_port or first.host_port <= port <= first.host_port_end:
            ports.remove(port)
            return tuple(evolve(binding, host_port=port, host_port_end=port) for binding in group)
    return group


def container_of(endpoint: Endpoint) -> str:
    """What names the container that *endpoint* is one of."""
    return endpoint.sandbox.key if endpoint.sandbox else endpoint.id


def clashes_within(groups: Iterable[Group]) -> Iterator[tuple[PortBinding, PortBinding]]:
    """Pairs in *groups* that name the same port of the same address."""
    seen: dict[tuple[Protocol, int], list[PortBinding]] = {}
    for binding in (one for group in groups for one in group if is_fixed(one)):
        others = seen.setdefault((binding.protocol, binding.host_port), [])
        yield from ((other, binding) for other in others if overlap(other, binding))
        others.append(binding)
