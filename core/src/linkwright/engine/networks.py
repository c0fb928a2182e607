"""Networks: made, removed, and told apart from those that Docker has forgotten. One lock for each network.

Docker forgets a network whatever DeleteNetwork answers, and never asks again. So what could not be removed from the
kernel is dropped all the same, and swept as nobody's; what could not be dropped is **owed**, and the reconciler goes
on with it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final

from linkwright.engine.applying import Applying
from linkwright.engine.asking import Asking
from linkwright.engine.claims import Claiming
from linkwright.engine.desired import Scope
from linkwright.engine.locks import Locks
from linkwright.engine.observation import Collected, Drift, Observer, UnknownId
from linkwright.engine.others import Others
from linkwright.engine.ports import Kernel
from linkwright.engine.publishing import Publishing
from linkwright.engine.state import State
from linkwright.engine.storing import store_or_take_back
from linkwright.engine.vitality import Vitality
from linkwright.errors import Conflict, KernelError, LinkwrightError, Unavailable
from linkwright.model import Prefix, StoredNetwork, Subnet
from linkwright.model.change import Drop
from linkwright.plan import Address, Key, Plan, Resource

#: Takes stock: the answer tells how many networks Docker holds a subnet for (the references of its pools), and None
#: where that is not ours to know.
References = Callable[[], Callable[[Subnet], int | None]]

#: Spaces of Docker's own allocator, which gives no subnet out a second time: if it does, it was given back before.
_EXCLUSIVE: Final = frozenset({"LocalDefault", "GlobalDefault"})


class Networks:
    """What Docker's CreateNetwork and DeleteNetwork mean."""

    def __init__(
        self,
        *,
        state: State,
        asking: Asking,
        applying: Applying,
        claiming: Claiming,
        publishing: Publishing,
        kernel: Kernel,
        vitality: Vitality,
        observer: Observer,
        clock: Callable[[], float],
        references: References,
        others: Others,
    ) -> None:
        """Take the parts. *clock* gives Unix time."""
        self._state = state
        self._asking = asking
        self._applying = applying
        self._claiming = claiming
        self._publishing = publishing
        self._kernel = kernel
        self._vitality = vitality
        self._observer = observer
        self._clock = clock
        self._references = references
        self._others = others
        self._making: dict[str, StoredNetwork] = {}
        self.locks = Locks()
        self.owed: set[str] = set()  # networks whose deletion was asked for and not finished

    def lock(self, network: str) -> AbstractAsyncContextManager[None]:
        """The lock that everything about *network* and its endpoints is done under."""
        return self.locks.of(network)

    async def described(
        self,
        driver: str,
        network_id: str,
        *,
        subnets: tuple[Subnet, ...],
        ipv4: bool,
        ipv6: bool,
        internal: bool,
        options: Mapping[str, str],
    ) -> StoredNetwork:
        """Return the network as it would be stored, with what is known of the host now; Refused for wrong options."""
        looks_at = await self._asking.looks_at(driver, self._asking.options(driver, options))
        return StoredNetwork(
            id=network_id,
            driver=driver,
            options=dict(options),
            subnets=subnets,
            ipv4=ipv4,
            ipv6=ipv6,
            internal=internal,
            host=await self._kernel.host_facts(looks_at),
            created=self._clock(),
        )

    async def plan(self, network: StoredNetwork) -> Plan:
        """Return what ``create`` would do, and do nothing."""
        wishes = await self._wishes(network)
        self._refuse_overlap(wishes)
        return await self._applying.plan(Scope(network.id), wishes)

    async def create(self, network: StoredNetwork) -> None:
        """Make *network*. The same again is success; the same id with other data is Conflict."""
        async with self.lock(network.id):
            known = self._state.networks.get(network.id)
            if known is not None:
                if _asked(known) != _asked(network):
                    raise Conflict(f"network {network.id[:12]} exists already with other properties")
                return
            await self._evict_released(network)
            await self._make(network)

    async def _make(self, network: StoredNetwork) -> None:
        # Those that are being made count as well: of two that exclude each other the first one is made.
        every = (*self._state.networks.values(), *self._making.values())
        self._making[network.id] = network
        beside = self._asking.beside(network.driver)
        claimed = network
        try:
            await self._asking.admit(network, (other for other in every if other.driver in beside))
            claimed = await self._claiming.of_network(network)
            wishes = await self._wishes(claimed)
            self._refuse_overlap(wishes)
            applied = await self._applying.apply(Scope(network.id), wishes, look=True)
            await store_or_take_back(self._state, self._applying, applied, claimed)
            await self._others.follow(_bridges(wishes))
        finally:
            del self._making[network.id]
            if network.id not in self._state.networks:
                self._asking.forget(network.id)
                await self._claiming.end(claimed)

    def _refuse_overlap(self, wishes: Mapping[Key, Resource]) -> None:
        """Refuse a second link of the host on one subnet: the host would know the way to one of them only.

        Networks in which the host has no address (macvlan, ipvlan) may share a subnet as far as it is concerned.
        """
        mine = [wish for wish in wishes.values() if isinstance(wish, Address) and not wish.interface.is_link_local]
        for scope, other in self._applying.desired.addresses():
            for address in mine:
                if address.link != other.link and address.interface.network.overlaps(other.interface.network):
                    raise Conflict(
                        f"{address.interface.network} overlaps {other.interface.network} of {scope}, which has an "
                        f"address of the host on {other.link}: the host could reach only one of the two. Choose "
                        "another subnet, or remove that network first"
                    )

    async def delete(self, network_id: str) -> None:
        """Remove the network and every endpoint it still has. What is not known is gone already."""
        try:
            async with self.lock(network_id):
                network = self._state.networks.get(network_id)
                if network is None:
                    self._state.lost.discard(network_id)  # so what it left is nobody's any more
                    self._observer(UnknownId("DeleteNetwork"))
                    return
                await self._remove(network)
        except BaseException:
            if network_id in self._state.networks:
                self.owed.add(network_id)
            raise

    async def _remove(self, network: StoredNetwork) -> None:
        endpoints = self._state.endpoints_of(network.id)
        scopes = self._applying.desired.scopes(network.id)
        bridges = _bridges(self._applying.desired.of_network(network.id))
        try:
            await self._applying.remove(scopes)
        except (KernelError, Unavailable) as error:
            # Docker forgets it whatever we say: what is left is marked as ours and nobody's wish, and is swept.
            self._observer(Drift("kernel", repaired=False, text=str(error), network=network.id))
            self._publishing.cut_short(endpoints)
            self._applying.forget(scopes)
        await self._publishing.ended(endpoints)
        await self._state.commit(*(Drop(endpoint) for endpoint in endpoints), Drop(network))
        await self._claiming.end(network)
        self._asking.forget(network.id)
        self.owed.discard(network.id)
        await self._others.follow(bridges)

    async def collect(self, network_id: str, reason: str, *, released: bool = False) -> bool:
        """Remove a network that Docker has forgotten; not while a container on it lives. True if it was removed.

        With *released* it goes only if Docker still holds none of its pools when its turn has come.
        """
        async with self.lock(network_id):
            network = self._state.networks.get(network_id)
            if network is None or (released and network_id not in self.released()) or await self._in_use(network_id):
                return False
            await self._remove(network)
        self._observer(Collected("network", reason, network_id))
        return True

    async def _in_use(self, network_id: str) -> bool:
        for endpoint in self._state.endpoints_of(network_id):
            if await self._vitality.in_use(endpoint):
                return True
        return False

    async def _evict_released(self, network: StoredNetwork) -> None:
        """Remove networks in the way whose pool Docker has given back: their DeleteNetwork is on its way, or lost."""
        in_the_way = [(other, spaces) for other in self._state.networks.values() if (spaces := _shared(network, other))]
        released = self.released(beside=network) if in_the_way else []
        for other, spaces in in_the_way:
            if other.id in released or not spaces.isdisjoint(_EXCLUSIVE):
                with suppress(LinkwrightError):
                    await self.collect(other.id, "its pool was released and another network has the subnet now")

    def released(self, *, beside: StoredNetwork | None = None) -> list[str]:
        """The networks of which Docker requests no pool any more, oldest first; where that is not known, it does.

        Pools carry no network's name, and one subnet may be requested for several networks: of those the oldest was
        given back first. *beside* is one that is about to be made, and whose pool is requested already.
        """
        references = self._references()
        holding: set[str] = set()
        claimants: dict[tuple[str, Prefix], dict[str, int]] = defaultdict(dict)
        for network in (*self._state.networks.values(), *([beside] if beside is not None else [])):
            if not network.subnets:
                holding.add(network.id)
            for subnet in network.subnets:
                count = references(subnet)
                if count is None:
                    holding.add(network.id)
                else:
                    claimants[subnet.space, subnet.pool][network.id] = count
        for counts in claimants.values():
            youngest = list(counts)[max(len(counts) - max(counts.values()), 0) :]
            holding.update(youngest)
        return [network_id for network_id in self._state.networks if network_id not in holding]

    async def _wishes(self, network: StoredNetwork) -> dict[Key, Resource]:
        return (await self._asking.wishes(network))[Scope(network.id)]


def _bridges(wishes: Iterable[Key]) -> list[Key]:
    """The links that *wishes* tell the firewall to be bridges of ours."""
    return [("link", key[2]) for key in wishes if key[:2] == ("element", "bridges")]


def _shared(network: StoredNetwork, other: StoredNetwork) -> set[str]:
    """The spaces in which the two have addresses in common."""
    pairs = ((mine, theirs) for theirs in other.subnets for mine in network.subnets)
    return {mine.space for mine, theirs in pairs if mine.space == theirs.space and mine.pool.overlaps(theirs.pool)}


def _asked(network: StoredNetwork) -> tuple[object, ...]:
    """What Docker said, without what we noted."""
    return (
        network.driver,
        dict(network.options),
        [(s.pool, s.gateway, dict(s.auxiliary), s.space) for s in network.subnets],
        network.ipv4,
        network.ipv6,
        network.internal,
    )
