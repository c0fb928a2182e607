"""Claims of networks: asked for by their driver, chosen by an allocator, kept in the network's record, given back.

A network has its claims before its driver is asked for wishes, and its record has them when the network is durable;
what is given back is what the record has. An allocator keeps what it gave by itself (a lease), so a start does nothing.
"""

from collections.abc import Mapping

import trio
from attrs import evolve

from linkwright.engine.applying import CLEANUP
from linkwright.engine.asking import Asking
from linkwright.engine.observation import Drift, Observer
from linkwright.engine.ports import Allocator
from linkwright.errors import LinkwrightError, Refused
from linkwright.model import StoredNetwork
from linkwright.sdk import AddressClaim


class NoAllocator:
    """Has nothing to give: where there is no IPAM of ours."""

    async def take(self, network: StoredNetwork, claim: AddressClaim) -> str:
        """Refuse."""
        raise Refused(f"no address of {claim.subnet.pool} can be had for network {network.id[:12]} here")

    async def give_back(self, network: StoredNetwork, claims: Mapping[str, str]) -> None:
        """Take back what was never given."""


class Claiming:
    """Sees to it that a network has what its driver claims, and that nothing is held for one that is gone."""

    def __init__(self, asking: Asking, allocator: Allocator | None, observer: Observer) -> None:
        """Ask through *asking*, take from *allocator*, tell *observer* of what could not be given back."""
        self._asking = asking
        self._allocator: Allocator = allocator or NoAllocator()
        self._observer = observer

    async def of_network(self, network: StoredNetwork) -> StoredNetwork:
        """Return *network* with all that its driver claims for it; if one claim cannot be had, none is held."""
        taken: dict[str, str] = {}
        try:
            for claim in await self._asking.claims(network):
                taken[claim.name] = await self._allocator.take(network, claim)
        except BaseException:
            await self.end(evolve(network, claims=taken))
            raise
        return evolve(network, claims=taken) if taken else network

    async def end(self, network: StoredNetwork) -> None:
        """Give back what *network* holds, also when the caller has been cancelled. Raises nothing of its own."""
        if not network.claims:
            return
        problem = f"it took longer than {CLEANUP:g} s"
        with trio.move_on_after(CLEANUP, shield=True):
            try:
                await self._allocator.give_back(network, network.claims)
                problem = ""
            except LinkwrightError as error:
                problem = str(error)
        if problem:
            held = ", ".join(f"{name} {what}" for name, what in sorted(network.claims.items()))
            text = f"{held} of network {network.id[:12]} could not be given back: {problem}"
            self._observer(Drift("claim", repaired=False, text=text, network=network.id))
