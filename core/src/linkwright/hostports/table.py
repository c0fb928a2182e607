"""All places that are held, whoever holds them: binding one, finding who has it, relaying from it, letting it go.

Rule: what is bound is in the table at once, so no two endpoints can have one port, not even of a protocol that this
kernel has no sockets of.
"""

import errno
import itertools
import os
import socket
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import trio
from attrs import define, evolve

from linkwright.hostports.binding import Make, bound, place_of, port_of
from linkwright.hostports.choosing import ANY, LocalPorts
from linkwright.hostports.datagrams import DatagramRelay
from linkwright.hostports.keeping import Keeper, name_of
from linkwright.hostports.places import Place
from linkwright.hostports.relay import Relay
from linkwright.hostports.relaying import Fault, Room, Target
from linkwright.model import Address, PortBinding, Protocol


@define(eq=False)
class Held:
    """One place that is held; ``opened`` is None where the kernel has no sockets of its protocol."""

    place: Place
    binding: PortBinding
    owner: str
    opened: socket.socket | None
    kept_as: str = ""  # the name by which the supervisor keeps it
    relay: Relay | DatagramRelay | None = None

    def close(self) -> None:
        """Close its socket, and what was relayed."""
        if self.relay is not None:
            self.relay.close()
        elif self.opened is not None:
            self.opened.close()


class Table:
    """What is held."""

    def __init__(
        self, *, keeper: Keeper, handed: Iterable[tuple[str, socket.socket]], make: Make, proc_sys: Path, fault: Fault
    ) -> None:
        """Hold nothing yet; see ``hold.HeldPorts``."""
        self._keeper = keeper
        self._handed: dict[Place | None, list[tuple[str, socket.socket]]] = {}  # None: whatever it is
        for name, one in handed:
            self._handed.setdefault(place_of(one), []).append((name, one))
        self._make = make
        self._proc_sys = proc_sys
        self._fault = fault
        self._held: dict[Place, Held] = {}
        self._room = Room()
        self._nursery: trio.Nursery | None = None

    # --- holding and letting go ----------------------------------------------------------------------------------

    async def bind(self, owner: str, binding: PortBinding) -> Held:
        """Hold *binding*'s place for *owner*. OSError if it cannot be.

        What a supervisor is about to close is waited for; after that, nothing waits between socket and table.
        """
        try:
            return self.bind_now(owner, binding)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not await self._keeper.settled():
                raise
        return self.bind_now(owner, binding)

    def bind_now(self, owner: str, binding: PortBinding) -> Held:
        """Hold it at once, by a socket that was handed over or a new one. OSError if it cannot be."""
        place = Place.of(binding)
        name, one = self._handed[place].pop() if self._handed.get(place) else ("", bound(place, self._make))
        if place.port == ANY:
            port = self._choose(place) if one is None else port_of(one)
            place, binding = evolve(place, port=port), at_port(binding, port)
        elif one is None and self.holder(place):
            raise _in_use()
        held = self._held[place] = Held(place, binding, owner, one, name)
        return held

    def keep(self, held: Held) -> None:
        """Have *held* kept for the next process, if it is not yet."""
        if held.opened is not None and not held.kept_as:
            held.kept_as = name_of(held.place)
            self._keeper.keep(held.kept_as, held.opened)

    def let_go(self, held: Held) -> None:
        """Let *held* go, here and with the supervisor."""
        held.close()
        del self._held[held.place]
        if held.kept_as:
            self._keeper.drop(held.kept_as)

    def holder(self, place: Place) -> str:
        """The owner of what clashes with *place*; "" if it is none of ours."""
        return next((held.owner for held in self._held.values() if held.place.clashes(place)), "")

    def local_ports(self) -> LocalPorts:
        """What the kernel gives out by itself."""

        def setting(name: str) -> str:
            try:
                return (self._proc_sys / "net/ipv4" / name).read_text()
            except OSError:
                return ""

        return LocalPorts.read(setting)

    def _choose(self, place: Place) -> int:
        """Choose a port where the kernel does not know the protocol. OSError if none is left."""
        alike = [each for each in self._held if each.protocol is place.protocol]
        taken = {each.port for each in alike if each.clashes(evolve(place, port=each.port))}
        port = next((port for port in self.local_ports() if port not in taken), None)
        if port is None:
            raise _in_use()
        return port

    # --- relaying ------------------------------------------------------------------------------------------------

    def lend(self, nursery: trio.Nursery | None) -> None:
        """Relay in tasks of *nursery* from now on; None: start no more."""
        self._nursery = nursery

    def lead(self, held: Held, targets: Sequence[Address]) -> None:
        """Relay what comes to *held* to the best of *targets*, if it is one of those that are relayed and we may."""
        if not held.place.is_relayed or held.opened is None:
            return
        if held.relay is None and self._nursery is not None:
            kind = Relay if held.place.protocol is Protocol.TCP else DatagramRelay
            held.relay = kind(held.opened, make=self._make, room=self._room, nursery=self._nursery, fault=self._fault)
        if held.relay is not None:
            best = max(targets, key=lambda address: address.version, default=None)
            held.relay.target = Target(best, held.binding.port) if best else None

    # --- the end -------------------------------------------------------------------------------------------------

    def forget_handed(self) -> None:
        """Close what was handed over and nobody has asked for, here and with the supervisor."""
        for name, one in self._left():
            one.close()
            self._keeper.drop(name)
        self._handed.clear()

    def close(self) -> None:
        """Close all sockets; a second time does nothing. What a supervisor keeps, it keeps."""
        for held in self._held.values():
            held.close()
        for _, one in self._left():
            one.close()
        self._held.clear()
        self._handed.clear()

    def _left(self) -> Iterator[tuple[str, socket.socket]]:
        return itertools.chain.from_iterable(self._handed.values())


def at_port(binding: PortBinding, port: int) -> PortBinding:
    """Return *binding* at *port* of the host and no other."""
    return evolve(binding, host_port=port, host_port_end=port)


def _in_use() -> OSError:
    return OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
