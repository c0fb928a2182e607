"""Endpoints: from CreateEndpoint to DeleteEndpoint, in the order that ``model.lifecycle`` allows.

Docker never asks again after a failed Leave or DeleteEndpoint, so those succeed once the wish to delete is durable; a
deletion that could not even be noted is **owed**, and the reconciler goes on with it.
"""

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv4Interface, IPv6Interface

from attrs import evolve, frozen

from linkwright.engine.applying import Applying
from linkwright.engine.asking import Asking
from linkwright.engine.desired import Scope
from linkwright.engine.desiring import Desiring
from linkwright.engine.networks import Networks, store_or_take_back
from linkwright.engine.observation import Collected, Drift, ExternalConnectivity, Observer, SetupStage, UnknownId
from linkwright.engine.ports import Kernel
from linkwright.engine.state import State
from linkwright.engine.vitality import Vitality
from linkwright.errors import Conflict, KernelError, Refused, Unavailable
from linkwright.model import (
    Address,
    Call,
    Endpoint,
    EndpointState,
    Interface,
    Mac,
    PortBinding,
    Prefix,
    Sandbox,
    StoredNetwork,
    after,
)
from linkwright.model.change import Drop, Put
from linkwright.plan import Key, Plan, Resource
from linkwright.sdk import CommonOptions, Join
from linkwright.sdk.names import interface_name

#: The driver option by which a user names the interface in the container (moby netlabel.Ifname).
IFNAME = "com.docker.network.endpoint.ifname"


#: Ends the leases of a dead endpoint, if they are ours to end.
GiveBack = Callable[[StoredNetwork, Endpoint], Awaitable[None]]


@frozen
class Joined:
    """What to tell Docker: the driver's answer, and the name or prefix of the interface inside."""

    join: Join
    prefix: str
    name: str = ""


class Endpoints:
    """What Docker's calls about endpoints mean."""

    def __init__(
        self,
        *,
        state: State,
        asking: Asking,
        applying: Applying,
        desiring: Desiring,
        networks: Networks,
        kernel: Kernel,
        vitality: Vitality,
        observer: Observer,
        clock: Callable[[], float],
        timer: Callable[[], float],
        give_back: GiveBack,
    ) -> None:
        """Take the parts. *clock* gives Unix time, *timer* monotonic seconds for durations."""
        self._state = state
        self._asking = asking
        self._applying = applying
        self._desiring = desiring
        self._networks = networks
        self._kernel = kernel
        self._vitality = vitality
        self._observer = observer
        self._clock = clock
        self._timer = timer
        self._give_back = give_back
        self.owed: set[str] = set()  # endpoints whose deletion was asked for and neither done nor noted

    def described(
        self,
        network_id: str,
        endpoint_id: str,
        *,
        ipv4: IPv4Interface | None,
        ipv6: IPv6Interface | None,
        mac: Mac | None,
        ports: tuple[PortBinding, ...] = (),
        options: Mapping[str, str] | None = None,
        name: str = "",
    ) -> Endpoint:
        """Return the endpoint as it would be made; Refused for what cannot be."""
        network = self._state.network(network_id)
        if not ipv4 and not ipv6:
            raise Refused("an endpoint without any address cannot be made: the null IPAM gives none; use another")
        options = dict(options or {})
        if IFNAME in options:
            interface_name(options[IFNAME])
        if mac is not None and not mac.is_unicast:
            raise Refused(f"{mac} is a group address; an interface needs a unicast one (its first octet is even)")
        return Endpoint(
            id=endpoint_id,
            network=network_id,
            ipv4=ipv4,
            ipv6=ipv6,
            mac=mac or self._chosen_mac(network, endpoint_id, name, ipv4 or ipv6),
            mac_given=mac is not None,
            options=options,
            name=name,
            ports=ports,
            boot=self._kernel.boot_id(),
            created=self._clock(),
        )

    async def plan(self, endpoint: Endpoint) -> Plan:
        """Return what ``create`` would do, and do nothing."""
        return await self._applying.plan(_scope(endpoint), await self._wishes(endpoint))

    async def create(self, endpoint: Endpoint) -> Endpoint:
        """Make *endpoint* and return it. The same again is the first one; the same id with other data is Conflict."""
        async with self._networks.lock(endpoint.network):
            network = self._state.network(endpoint.network)
            known = self._state.endpoints.get(endpoint.id)
            if known is not None and not await self._makes_way(known, endpoint.network):
                if _asked(known) != _asked(endpoint):
                    raise Conflict(
                        f"endpoint {endpoint.id[:12]} exists already in network {known.network[:12]} as {known}"
                    )
                return known
            await self._desiring.ensure(endpoint.network)
            await self._evict(endpoint)
            with self._stage(network, "driver"):
                wishes = await self._wishes(endpoint)
            with self._stage(network, "kernel"):
                applied = await self._applying.apply(_scope(endpoint), wishes, look=False)
            with self._stage(network, "store"):
                await store_or_take_back(self._state, self._applying, applied, endpoint)
            return endpoint

    async def join(self, network_id: str, endpoint_id: str, sandbox: str, ports: tuple[PortBinding, ...]) -> Joined:
        """Hand the endpoint's link over to *sandbox*, which need not exist yet."""
        async with self._networks.lock(network_id):
            network, endpoint = self._state.network(network_id), self._state.endpoint(network_id, endpoint_id)
            state = after(endpoint.state, Call.JOIN)
            if state is None or (
                endpoint.state is EndpointState.JOINED and endpoint.sandbox and endpoint.sandbox.key != sandbox
            ):
                where = endpoint.sandbox.key if endpoint.sandbox else "none"
                raise Conflict(
                    f"endpoint {endpoint.id[:12]} is {endpoint.state.value}, in sandbox {where}; "
                    f"it cannot join {sandbox}"
                )
            await self._desiring.ensure(network_id)
            with self._stage(network, "join"):
                join = await self._asking.join(network, endpoint, self._applying.desired.of(_scope(endpoint)))
                if network.internal:
                    join = evolve(join, gateways=())
                joined = evolve(
                    endpoint,
                    state=state,
                    sandbox=Sandbox(sandbox, self._kernel.boot_id()),
                    ports=ports or endpoint.ports,
                )
                if joined != endpoint:
                    await self._state.commit(Put(joined))
            options = self._asking.typed(network).options
            prefix = options.interface_prefix if isinstance(options, CommonOptions) else "eth"
            return Joined(join, prefix, endpoint.options.get(IFNAME, ""))

    async def leave(self, network_id: str, endpoint_id: str) -> None:
        """The container lets go. Its link is still in the sandbox: nothing is removed here but what was published."""
        async with self._networks.lock(network_id):
            endpoint = self._of(network_id, endpoint_id)
            if endpoint is None:
                self._observer(UnknownId("Leave"))
                return
            state = after(endpoint.state, Call.LEAVE) or endpoint.state
            left = evolve(endpoint, state=state, external=False, published=())
            if left != endpoint:
                await self._state.commit(Put(left))

    async def delete(self, network_id: str, endpoint_id: str) -> None:
        """Remove the endpoint. What is not known is gone already; what the kernel will not give up yet is noted."""
        try:
            async with self._networks.lock(network_id):
                endpoint = self._of(network_id, endpoint_id)
                if endpoint is None:
                    self._observer(UnknownId("DeleteEndpoint"))
                    return
                await self._remove(endpoint)
        except BaseException:
            if self._of(network_id, endpoint_id) is not None:
                self.owed.add(endpoint_id)
            raise

    async def external(self, network_id: str, endpoint_id: str, ports: tuple[PortBinding, ...]) -> None:
        """Docker says that the container's way outside is through this endpoint; note it and the ports to publish."""
        async with self._networks.lock(network_id):
            network, endpoint = self._state.network(network_id), self._state.endpoint(network_id, endpoint_id)
            if endpoint.state is EndpointState.DELETING:
                raise Conflict(f"endpoint {endpoint.id[:12]} is being deleted; nothing can be published there")
            self._observer(ExternalConnectivity(network.driver, "program", len(ports)))
            programmed = evolve(endpoint, external=True, ports=ports)
            if programmed != endpoint:
                await self._state.commit(Put(programmed))

    async def revoke(self, network_id: str, endpoint_id: str) -> None:
        """It no longer is."""
        async with self._networks.lock(network_id):
            endpoint, network = self._of(network_id, endpoint_id), self._state.networks.get(network_id)
            if endpoint is None or network is None:
                self._observer(UnknownId("RevokeExternalConnectivity"))
                return
            self._observer(ExternalConnectivity(network.driver, "revoke", len(endpoint.ports)))
            if endpoint.external:
                await self._state.commit(Put(evolve(endpoint, external=False, published=())))

    async def collect(self, endpoint: Endpoint, reason: str, *, kept: Collection[Interface] = ()) -> bool:
        """Remove a dead endpoint and end its leases, under the network's lock that the caller holds; True if it went.

        Docker's ReleaseAddress may have been lost with the rest. The leases go first: should that fail, the endpoint
        is still there to be collected. *kept* are addresses that have another holder already.
        """
        network = self._state.network(endpoint.network)
        four = None if endpoint.ipv4 in kept else endpoint.ipv4
        six = None if endpoint.ipv6 in kept else endpoint.ipv6
        await self._give_back(network, evolve(endpoint, ipv4=four, ipv6=six))
        if not await self._remove(endpoint):
            return False
        self._observer(Collected("endpoint", reason, endpoint.id))
        return True

    async def evict(self, space: str, subnet: Prefix, address: Address) -> bool:
        """Collect the dead holder of *address* in *subnet*, so that it can be given anew; True if there was one.

        One that Docker may still be at is not dead: it is young, or was not joined yet.
        """
        for endpoint in tuple(self._state.endpoints.values()):
            if address not in {held.ip for held in endpoint.addresses} or endpoint.state is EndpointState.CREATING:
                continue
            async with self._networks.lock(endpoint.network):
                network, known = self._state.networks.get(endpoint.network), self._of(endpoint.network, endpoint.id)
                if network is None or known is None or not _lies_in(network, space, subnet, address):
                    continue
                if not self._vitality.young(known) and await self._vitality.dead(known):
                    return await self.collect(known, "its address was asked for again")
        return False

    def _of(self, network_id: str, endpoint_id: str) -> Endpoint | None:
        """The endpoint, if it is one of that network: another one's lock is not held."""
        endpoint = self._state.endpoints.get(endpoint_id)
        return endpoint if endpoint is not None and endpoint.network == network_id else None

    async def _remove(self, endpoint: Endpoint) -> bool:
        """Take it from the kernel and the store; False if the kernel would not, and that is noted."""
        try:
            await self._desiring.ensure(endpoint.network)  # of a frozen network nobody knows what the kernel has
            await self._applying.remove([_scope(endpoint)])
        except (KernelError, Unavailable) as error:
            self._observer(Drift("kernel", repaired=False, text=str(error), network=endpoint.network))
            noted = evolve(endpoint, state=EndpointState.DELETING, external=False)
            if noted != endpoint:
                await self._state.commit(Put(noted))
            self.owed.discard(endpoint.id)
            return False  # the reconciler goes on; Docker would not ask again
        await self._state.commit(Drop(endpoint))
        self.owed.discard(endpoint.id)
        return True

    async def _makes_way(self, known: Endpoint, network_id: str) -> bool:
        """Finish the deletion of an endpoint that is asked for again; True if it was one that is being deleted."""
        leaving = known.state is EndpointState.DELETING or known.id in self.owed
        if known.network != network_id or not leaving:
            return False
        if not await self._remove(known):
            raise Unavailable(f"endpoint {known.id[:12]} is still being deleted, which the kernel refuses; try again")
        return True

    async def _evict(self, endpoint: Endpoint) -> None:
        """Collect dead holders of the addresses: an engine that was killed never tells of its old endpoints."""
        for other in self._state.holders_of(endpoint.network, endpoint.addresses):
            if await self._vitality.in_use(other):
                raise Conflict(
                    f"address {', '.join(str(a.ip) for a in other.addresses)} is in use by endpoint {other.id[:12]}"
                    f"{f' ({other.name})' if other.name else ''}, whose sandbox is alive"
                )
            await self.collect(other, "its address was given to another endpoint", kept=endpoint.addresses)

    async def _wishes(self, endpoint: Endpoint) -> dict[Key, Resource]:
        network = self._state.network(endpoint.network)
        return (await self._asking.wishes(network, [endpoint]))[1]

    def _chosen_mac(
        self, network: StoredNetwork, endpoint_id: str, name: str, address: IPv4Interface | IPv6Interface | None
    ) -> Mac:
        options = self._asking.typed(network).options
        stable = isinstance(options, CommonOptions) and options.stable_mac
        return Mac.derive(network.id, name or str(address)) if stable else Mac.derive(endpoint_id)

    @contextmanager
    def _stage(self, network: StoredNetwork, stage: str) -> Iterator[None]:
        began = self._timer()
        yield
        self._observer(SetupStage(network.driver, stage, self._timer() - began))


def _lies_in(network: StoredNetwork, space: str, subnet: Prefix, address: Address) -> bool:
    return any((one.space, one.pool) == (space, subnet) and address in one.pool for one in network.subnets)


def _scope(endpoint: Endpoint) -> Scope:
    return Scope(endpoint.network, endpoint.id)


def _asked(endpoint: Endpoint) -> tuple[object, ...]:
    """What Docker said in CreateEndpoint, without what we chose. Ports are said again, and changed, by later calls."""
    mac = endpoint.mac if endpoint.mac_given else None
    return (endpoint.network, endpoint.ipv4, endpoint.ipv6, mac, dict(endpoint.options))
