"""Who holds which ports of the host (``engine.ports.HostPorts``): taken together, let go together, and restored."""

import socket
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import trio
from attrs import define, field

from linkwright.hostports.binding import Make, reason
from linkwright.hostports.keeping import Keeper, Nowhere
from linkwright.hostports.places import Place
from linkwright.hostports.relaying import Fault
from linkwright.hostports.request import Group, Request
from linkwright.hostports.table import Held, Table
from linkwright.model import Address, PortBinding


@define(eq=False)
class _Owner:
    """What an endpoint has, and what it ought to have and has not."""

    targets: Sequence[Address] = ()
    held: dict[Place, Held] = field(factory=dict)
    lost: dict[PortBinding, str] = field(factory=dict)


def _raise(error: Exception) -> None:
    raise error


class HeldPorts:
    """The host's ports, as bound sockets. Without ``run`` nothing is relayed."""

    def __init__(
        self,
        *,
        keeper: Keeper | None = None,
        handed: Iterable[tuple[str, socket.socket]] = (),
        make: Make = socket.socket,
        proc_sys: Path = Path("/proc/sys"),
        fault: Fault = _raise,
    ) -> None:
        """Hold none yet. *handed* are sockets of an earlier life, with the names by which *keeper* still has them.

        Sockets are opened by *make*. *fault* is told of what a relay should not have raised.
        """
        self._table = Table(keeper=keeper or Nowhere(), handed=handed, make=make, proc_sys=proc_sys, fault=fault)
        self._owners: dict[str, _Owner] = {}

    # --- the port ------------------------------------------------------------------------------------------------

    async def hold(
        self, owner: str, groups: Sequence[Sequence[PortBinding]], targets: Sequence[Address]
    ) -> tuple[PortBinding, ...]:
        """Bind all of *groups* or none; see ``engine.ports.HostPorts.hold``.

        Besides Conflict and Exhausted it raises Refused for an address that the host has not, KernelError for what
        else the kernel refuses; ValueError for a binding without an address, or a group that asks for several ports.
        """
        before = self._owners.get(owner, _Owner())
        request = Request(self._table, owner, before.held, [Group.of(group) for group in groups if group])
        try:
            await trio.lowlevel.checkpoint_if_cancelled()
            for group in request.groups:
                await request.fulfil(group)
        except BaseException:
            again, lost = request.take_back()
            before.held = {place: held for place, held in before.held.items() if place not in request.parted} | again
            before.lost |= lost
            self._lead(before)
            raise
        for place, held in before.held.items():
            if place not in request.kept and place not in request.parted:
                self._table.let_go(held)
        for place, binding in request.kept.items():
            before.held[place].binding = binding
        kept = {place: before.held[place] for place in request.kept}
        now = _Owner(tuple(targets), kept | request.made)
        self._owners.pop(owner, None)
        if now.held:
            self._owners[owner] = now
            self._lead(now)
        return tuple(request.bindings)

    async def restore(self, owner: str, bindings: Sequence[PortBinding], targets: Sequence[Address]) -> None:
        """Bind again what was held in an earlier life; see ``engine.ports.HostPorts.restore``."""
        state = self._owners.setdefault(owner, _Owner())
        state.targets, state.lost = tuple(targets), {}
        stay = set(bindings)
        for place, held in list(state.held.items()):
            if held.binding not in stay:
                self._table.let_go(state.held.pop(place))
        self._lead(state)
        for binding in bindings:
            await trio.lowlevel.checkpoint()
            await self._restore(owner, state, binding)

    def release(self, owner: str) -> None:
        """Let go of all that *owner* holds. Of nothing is fine."""
        for held in self._owners.pop(owner, _Owner()).held.values():
            self._table.let_go(held)

    def lost(self) -> Mapping[PortBinding, str]:
        """Bindings that are published and not held; and why."""
        return {binding: why for state in self._owners.values() for binding, why in state.lost.items()}

    # --- its life ------------------------------------------------------------------------------------------------

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Relay what comes to held IPv6 ports, until cancelled."""
        async with trio.open_nursery() as nursery:
            self._table.lend(nursery)
            try:
                for state in self._owners.values():
                    self._lead(state)
                task_status.started()
                await trio.sleep_forever()
            finally:
                self._table.lend(None)

    def forget_handed(self) -> None:
        """Close what was handed over and nobody has asked for: after the start nobody will."""
        self._table.forget_handed()

    def close(self) -> None:
        """Close all sockets. What a supervisor keeps, it keeps."""
        self._table.close()

    # -------------------------------------------------------------------------------------------------------------

    async def _restore(self, owner: str, state: _Owner, binding: PortBinding) -> None:
        """Bind one again, unless it is held by now or its owner has gone."""
        if binding.host_address is None or not binding.host_port:
            state.lost[binding] = f"{binding} does not say where it was"
            return
        place = Place.of(binding)
        if place in state.held:
            return
        try:
            held = await self._table.bind(owner, binding)
        except OSError as error:
            state.lost[binding] = reason(place, error, self._table.holder(place))
            return
        if self._owners.get(owner) is not state:
            self._table.let_go(held)
            return
        state.held[place] = held
        state.lost.pop(binding, None)
        self._lead(state)

    def _lead(self, state: _Owner) -> None:
        """Have all that *state* holds kept, and relayed to its targets."""
        for held in state.held.values():
            self._table.keep(held)
            self._table.lead(held, state.targets)
