"""One request for ports, from one endpoint: each group at one port, and all of them or none."""

import errno
import os
from collections.abc import Iterator, Mapping, Sequence

import trio
from attrs import define, field, frozen

from linkwright.errors import Exhausted, LinkwrightError
from linkwright.hostports.binding import reason, refusal
from linkwright.hostports.choosing import ANY, Asked, asked
from linkwright.hostports.places import Place
from linkwright.hostports.table import Held, Table, at_port
from linkwright.model import PortBinding


@frozen
class Group:
    """Bindings that get the same port, and which ports that may be."""

    bindings: tuple[PortBinding, ...]
    asked: Asked

    @classmethod
    def of(cls, bindings: Sequence[PortBinding]) -> "Group":
        """Read it. ValueError where the bindings do not ask for the same, or one names no address."""
        for binding in bindings:
            Place.of(binding)
        return cls(tuple(bindings), asked(bindings))

    def __str__(self) -> str:
        return ", ".join(f"{binding.protocol} {binding.host_address}" for binding in self.bindings)


class _Taken(Exception):  # an answer and no error yet: another port may be free
    def __init__(self, place: Place, error: OSError) -> None:
        super().__init__(place, error)
        self.place = place
        self.error = error


@define(eq=False)
class Request:
    """What a request has come to so far. *before* is what its owner holds already."""

    table: Table
    owner: str
    before: Mapping[Place, Held]
    groups: Sequence[Group]
    kept: dict[Place, PortBinding] = field(factory=dict, init=False)  # of those before, and what for from now on
    made: dict[Place, Held] = field(factory=dict, init=False)
    parted: dict[Place, Held] = field(factory=dict, init=False)  # of those before: let go, since they were in the way
    bindings: list[PortBinding] = field(factory=list, init=False)  # the answer
    _named: frozenset[Place] = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Note what is asked for by name."""
        fixed = [group.bindings for group in self.groups if group.asked.is_fixed]
        self._named = frozenset(Place.of(binding) for bindings in fixed for binding in bindings)

    async def fulfil(self, group: Group) -> None:
        """Hold *group*, one of the request's. Conflict, Exhausted, Refused or KernelError if it cannot be."""
        refused: _Taken | None = None
        for port in self._candidates(group.asked):
            await trio.lowlevel.checkpoint()  # a thousand ports are no reason to keep others waiting
            try:
                return await self._hold_at(group.bindings, port)
            except _Taken as taken:
                refused = taken
                if taken.place.port == ANY:
                    break  # the kernel has none to give
        assert refused is not None, "there is always a port to try"  # noqa: S101 - the type checker cannot know
        raise self._refusal(group, refused) from refused.error

    def take_back(self) -> tuple[dict[Place, Held], dict[PortBinding, str]]:
        """Hold again what was held before and nothing else; return what was bound anew for it, and what could not be.

        In the moment between, somebody else may have been quicker.
        """
        for held in self.made.values():
            self.table.let_go(held)
        again: dict[Place, Held] = {}
        lost: dict[PortBinding, str] = {}
        for place, held in self.parted.items():
            try:
                again[place] = self.table.bind_now(self.owner, held.binding)
            except OSError as error:
                lost[held.binding] = reason(place, error, self.table.holder(place))
        return again, lost

    # --- one group -----------------------------------------------------------------------------------------------

    def _candidates(self, asked: Asked) -> Iterator[int]:
        yield from asked.candidates
        if asked.is_any:
            yield from self.table.local_ports()

    async def _hold_at(self, group: Sequence[PortBinding], port: int) -> None:
        """Hold all of *group* at one port (ANY: what the kernel chooses for the first); _Taken if not all can be."""
        places: list[Place] = []
        try:
            for binding in group:
                places.append(await self._hold_one(at_port(binding, port)))
                port = places[-1].port
        except BaseException:
            for place in places:
                self.kept.pop(place, None)
                if place in self.made:
                    self.table.let_go(self.made.pop(place))
            raise
        self.bindings += (at_port(binding, port) for binding in group)

    async def _hold_one(self, binding: PortBinding) -> Place:
        place = Place.of(binding)
        if place in self.kept or place in self.made:
            raise _Taken(place, OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE)))
        if place in self.before and place not in self.parted:
            self.kept[place] = binding
            return place
        while True:
            try:
                held = await self.table.bind(self.owner, binding)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise refusal(place, error) from error
                if not self._part(place):
                    raise _Taken(place, error) from error
            else:
                self.made[held.place] = held
                return held.place

    def _part(self, place: Place) -> bool:
        """Let go of what the owner has itself in the way of *place* and asks for no more; False if there is nothing."""
        others = (self._named, self.kept, self.parted)
        in_the_way = {
            each: held
            for each, held in self.before.items()
            if each.clashes(place) and not any(each in other for other in others)
        }
        for held in in_the_way.values():
            self.table.let_go(held)
        self.parted |= in_the_way
        return bool(in_the_way)

    def _refusal(self, group: Group, taken: _Taken) -> LinkwrightError:
        holder = self.table.holder(taken.place)
        if group.asked.is_fixed:
            return refusal(taken.place, taken.error, holder)
        if group.asked.is_any:
            span = self.table.local_ports().span
            return Exhausted(
                f"no port is left for {group}: of net.ipv4.ip_local_port_range ({span[0]}-{span[-1]}) none was free "
                "for all of them; widen it, or name a port with -p"
            )
        return Exhausted(
            f"no port of {group.asked} is left for {group}: all {len(group.asked.candidates)} are taken, the last by "
            f"{reason(taken.place, taken.error, holder)}; give -p a wider range"
        )
