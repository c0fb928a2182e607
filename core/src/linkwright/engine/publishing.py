"""The way outside: published ports, made and taken back. Callers hold the lock of the endpoint's network.

======  =======================================================================================================
made    ports bound on the host → elements in the kernel → stored → tracked connections to the ports forgotten
closed  stored → elements gone → sockets closed → tracked connections forgotten
======  =======================================================================================================

So no port is led into a container before it is known to be free, and none is free while packets to it are still led
there. What fails on the way in is taken back, all of it: Docker sends no Revoke after a Program that failed. On the way
out nothing fails once the intent is stored: what the kernel will not give up is nobody's wish then, and is swept. Until
then packets are led there still and would be tracked anew, so that connections are forgotten after the sweep.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import trio
from attrs import evolve, frozen

from linkwright.engine.applying import CLEANUP, Applying
from linkwright.engine.asking import Asking
from linkwright.engine.desired import Scope
from linkwright.engine.observation import Drift, FlowsForgotten, Observer
from linkwright.engine.portbook import Group, PortBook, clashes_within, container_of, is_fixed
from linkwright.engine.ports import HostPorts, Kernel
from linkwright.engine.state import State
from linkwright.engine.storing import store_or_take_back
from linkwright.errors import Conflict, KernelError, LinkwrightError, Refused, Unavailable
from linkwright.model import Address, Endpoint, Flows, PortBinding, StoredNetwork
from linkwright.model.change import Put
from linkwright.plan import Key

#: Seconds that forgetting connections may take. What stands does not depend on it, and Docker waits for the answer.
FORGETTING: Final = 2.0


class PortTaken(Conflict):
    """An endpoint of ours has the port: ``holder`` is its id."""

    def __init__(self, text: str, holder: str) -> None:
        """Keep both."""
        super().__init__(text)
        self.holder = holder


@frozen
class _CutShort:
    """Ports that were given up while the kernel may have led there still, and the elements by which it did."""

    published: tuple[PortBinding, ...]
    elements: frozenset[Key]


class Publishing:
    """Makes endpoints the way outside, and takes that back."""

    def __init__(
        self,
        *,
        state: State,
        asking: Asking,
        applying: Applying,
        kernel: Kernel,
        host_ports: HostPorts,
        observer: Observer,
    ) -> None:
        """Take the parts."""
        self._state = state
        self._asking = asking
        self._applying = applying
        self._kernel = kernel
        self._host_ports = host_ports
        self._observer = observer
        self._book = PortBook()
        self._cut_short: set[_CutShort] = set()

    # --- making --------------------------------------------------------------------------------------------------

    async def program(
        self, network: StoredNetwork, endpoint: Endpoint, ports: tuple[PortBinding, ...], *, ipv6: bool = True
    ) -> None:
        """Publish *ports* at *endpoint*, and nothing else; without *ipv6* none of the host's IPv6 addresses.

        Where a port is left open, the one that the container had last is taken again, if it is still free: the role
        may move to another of its endpoints and back. Raises Refused for what the driver cannot publish, Conflict if a
        port is taken (PortTaken by one of ours); whatever it raises, nothing has changed then.
        """
        groups = await self._asking.bindings(network, endpoint, () if network.internal else ports)
        if not ipv6:
            groups = _without_ipv6(groups)
        try:
            published = await self._hold(endpoint, groups)
            programmed = evolve(endpoint, external=True, ports=ports, published=published)
            if programmed == endpoint:
                return
            await self._make(network, programmed)
        except BaseException:
            await self._put_back(endpoint)
            raise
        self._book.remember(container_of(endpoint), published)
        await self._forget_flows(set(published) ^ set(endpoint.published))

    async def _make(self, network: StoredNetwork, programmed: Endpoint) -> None:
        desired, scope = self._applying.desired, outside_of(programmed)
        around = {**desired.of(Scope(network.id)), **desired.of(evolve(scope, outside=False))}
        wishes = await self._asking.outside(network, programmed, around)
        if not wishes and not desired.of(scope):
            await self._state.commit(Put(programmed))
            return
        applied = await self._applying.apply(scope, wishes, look=False)
        await store_or_take_back(self._state, self._applying, applied, programmed)

    async def _hold(self, endpoint: Endpoint, groups: Sequence[Group]) -> Group:
        """Bind *groups*, those that name their port before those that leave it open."""
        asked = tuple(sorted(groups, key=lambda group: (not is_fixed(group[0]), not group[0].host_port)))
        before = self._left_to_siblings(endpoint, self._book.as_before(container_of(endpoint), asked))
        asked = self._left_to_siblings(endpoint, asked)
        if before != asked:
            with suppress(Refused):  # somebody has one of them meanwhile: any other will do
                return await self._bind(endpoint, before)
        return await self._bind(endpoint, asked)

    async def _bind(self, endpoint: Endpoint, groups: Sequence[Group]) -> Group:
        self._refuse_clashes(endpoint, groups)
        named = [binding for group in groups for binding in group if is_fixed(binding)]
        self._book.note(endpoint.id, {*self._book.of(endpoint.id), *named})
        if not groups and not endpoint.published:
            return ()
        published = await self._host_ports.hold(endpoint.id, groups, _targets(endpoint))
        self._book.note(endpoint.id, published)
        return published

    def _refuse_clashes(self, endpoint: Endpoint, groups: Sequence[Group]) -> None:
        for one, other in clashes_within(groups):
            raise Conflict(f"{one} and {other} cannot both be published for one container: they are the same port")
        for binding in (one for group in groups for one in group if is_fixed(one)):
            found = self._book.holder(binding, beside=endpoint.id)
            if found is not None:
                raise PortTaken(f"{binding} cannot be published: {self._described(*found)}", found[0])

    def _left_to_siblings(self, endpoint: Endpoint, groups: Iterable[Group]) -> tuple[Group, ...]:
        """*groups* without what another endpoint of the same container publishes already.

        An engine from 28 on may lead outside by one endpoint for IPv4 and by another for IPv6. It asks both for all
        ports, and tells neither which family is its own.
        """
        left = (tuple(one for one in group if not self._siblings(endpoint, one)) for group in groups)
        return tuple(group for group in left if group)

    def _siblings(self, endpoint: Endpoint, binding: PortBinding) -> bool:
        found = self._book.holder(binding, beside=endpoint.id) if is_fixed(binding) else None
        holder = self._state.endpoints.get(found[0]) if found else None
        if found is None or holder is None or holder.sandbox is None or holder.sandbox != endpoint.sandbox:
            return False
        return found[1].port == binding.port

    def _described(self, owner: str, held: PortBinding) -> str:
        """Who has what, as a person can find it."""
        endpoint = self._state.endpoints.get(owner)
        name = f" ({endpoint.name})" if endpoint and endpoint.name else ""
        network = f" of network {endpoint.network[:12]}" if endpoint else ""
        return (
            f"{held} is published by endpoint {owner[:12]}{name}{network}; choose another port, or stop that container"
        )

    async def _put_back(self, endpoint: Endpoint) -> None:
        """Hold what *endpoint* had, and nothing else, also when the caller has been cancelled."""
        self._book.note(endpoint.id, endpoint.published)
        if not endpoint.published:
            self._host_ports.release(endpoint.id)
            return
        with trio.move_on_after(CLEANUP, shield=True):
            await self._host_ports.restore(endpoint.id, endpoint.published, _targets(endpoint))

    # --- closing -------------------------------------------------------------------------------------------------

    async def withdraw(self, endpoint: Endpoint, left: Endpoint | None = None) -> Endpoint:
        """Store *endpoint* as *left*, or else as no way outside any more, and close what it published."""
        left = evolve(left or endpoint, external=False, published=())
        if left != endpoint:
            await self._state.commit(Put(left))
        if endpoint.external:
            await self._close(endpoint)
        return left

    async def _close(self, endpoint: Endpoint) -> None:
        scope = outside_of(endpoint)
        try:
            if self._applying.desired.of(scope):
                await self._applying.remove([scope])
        except BaseException as error:
            # Nobody asks again, whatever is answered: what is left in the kernel is nobody's wish now, and is swept.
            self.cut_short([endpoint])
            self._applying.forget([scope])
            self._release(endpoint)
            if not isinstance(error, KernelError | Unavailable):
                raise
            self._observer(Drift("kernel", repaired=False, text=str(error), network=endpoint.network))
        await self._released([endpoint])

    def cut_short(self, endpoints: Iterable[Endpoint]) -> None:
        """Note, before their wishes are forgotten, that the kernel may lead to the ports of *endpoints* for a while."""
        for endpoint in endpoints:
            elements = frozenset(key for key in self._applying.desired.of(outside_of(endpoint)) if key[0] == "element")
            if elements:
                self._cut_short.add(_CutShort(endpoint.published, elements))

    async def catch_up(self) -> None:
        """Have connections forgotten to ports that were cut short, where nothing leads there any more.

        Not while somebody else has the port: what was tracked before was forgotten when that was made.
        """
        for cut in tuple(self._cut_short):
            leading = self._applying.desired.unwanted((await self._kernel.observe(cut.elements)).resources)
            if not leading and not any(self._book.holder(binding, beside="") for binding in cut.published):
                self._cut_short.discard(cut)
                await self._forget_flows(cut.published)

    async def ended(self, endpoints: Iterable[Endpoint]) -> None:
        """Let go of the ports of *endpoints*, which the kernel has no more."""
        await self._released([endpoint for endpoint in endpoints if endpoint.published])

    async def _released(self, endpoints: Sequence[Endpoint]) -> None:
        for endpoint in endpoints:
            self._release(endpoint)
        await self._forget_flows(one for endpoint in endpoints for one in endpoint.published)

    def _release(self, endpoint: Endpoint) -> None:
        self._host_ports.release(endpoint.id)
        self._book.note(endpoint.id, ())

    async def _forget_flows(self, bindings: Iterable[PortBinding]) -> None:
        """Have the kernel forget what it tracked to *bindings*. That it could not is told, and changes nothing."""
        flows = tuple(
            Flows(binding.protocol, binding.host_address, binding.host_port)
            for binding in bindings
            if binding.host_address is not None
        )
        if not flows:
            return
        problem = f"it took longer than {FORGETTING:g} s"
        with trio.move_on_after(FORGETTING, shield=True):
            try:
                if forgotten := await self._kernel.forget_flows(flows):
                    self._observer(FlowsForgotten(forgotten))
                problem = ""
            except LinkwrightError as error:
                problem = str(error)
        if problem:
            text = f"connections tracked to {', '.join(map(_shown, flows))} could not be forgotten: {problem}"
            self._observer(Drift("kernel", repaired=False, text=text))

    # --- an earlier life -----------------------------------------------------------------------------------------

    async def restore(self) -> None:
        """Hold again what the store says is published, of frozen networks as well."""
        for endpoint in tuple(self._state.endpoints.values()):
            if endpoint.published:
                self._book.note(endpoint.id, endpoint.published)
                self._book.remember(container_of(endpoint), endpoint.published)
                await self._host_ports.restore(endpoint.id, endpoint.published, _targets(endpoint))

    async def reclaim(self, endpoint: Endpoint) -> None:
        """Hold again what *endpoint* has lost, if whoever took it is gone."""
        if not self.lost().keys().isdisjoint(endpoint.published):
            await self._host_ports.restore(endpoint.id, endpoint.published, _targets(endpoint))

    def lost(self) -> Mapping[PortBinding, str]:
        """Published bindings that no socket holds, and why: they lead into their containers all the same."""
        return self._host_ports.lost()


def outside_of(endpoint: Endpoint) -> Scope:
    """The scope of what *endpoint* has as the way outside."""
    return Scope(endpoint.network, endpoint.id, outside=True)


def _targets(endpoint: Endpoint) -> tuple[Address, ...]:
    return tuple(address.ip for address in endpoint.addresses)


def _without_ipv6(groups: Iterable[Group]) -> tuple[Group, ...]:
    left = (tuple(one for one in group if one.host_address and one.host_address.version == 4) for group in groups)  # noqa: PLR2004
    return tuple(group for group in left if group)


def _shown(flows: Flows) -> str:
    return f"{flows.address} port {flows.port}/{flows.protocol}"
