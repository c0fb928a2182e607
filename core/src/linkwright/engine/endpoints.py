"""Endpoints: from CreateEndpoint to DeleteEndpoint, in the order that ``model.lifecycle`` allows.

Docker never asks again after a failed Leave or DeleteEndpoint, so those succeed once the wish to delete is durable.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv4Interface, IPv6Interface

from attrs import evolve, frozen

from linkwright.engine.applying import Applying
from linkwright.engine.asking import Asking
from linkwright.engine.desired import Scope
from linkwright.engine.networks import Networks, store_or_take_back
from linkwright.engine.observation import Collected, ExternalConnectivity, Observer, SetupStage, UnknownId
from linkwright.engine.ports import Kernel
from linkwright.engine.state import State
from linkwright.errors import Conflict, KernelError, Refused, Unavailable
from linkwright.model import (
    Call,
    Endpoint,
    EndpointState,
    Mac,
    PortBinding,
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
        networks: Networks,
        kernel: Kernel,
        observer: Observer,
        clock: Callable[[], float],
        timer: Callable[[], float],
        give_back: GiveBack,
    ) -> None:
        """Take the parts. *clock* gives Unix time, *timer* monotonic seconds for durations."""
        self._state = state
        self._asking = asking
        self._applying = applying
        self._networks = networks
        self._kernel = kernel
        self._observer = observer
        self._clock = clock
        self._timer = timer
        self._give_back = give_back

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
        return (await self._applying.plan(_scope(endpoint), await self._wishes(endpoint)))[1]

    async def create(self, endpoint: Endpoint) -> Endpoint:
        """Make *endpoint* and return it. The same again is the first one; the same id with other data is Conflict."""
        async with self._networks.lock(endpoint.network):
            network = self._state.network(endpoint.network)
            known = self._state.endpoints.get(endpoint.id)
            if known is not None:
                if _asked(known) != _asked(endpoint):
                    raise Conflict(
                        f"endpoint {endpoint.id[:12]} exists already in network {known.network[:12]} as {known}"
                    )
                return known
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
            endpoint = self._state.endpoints.get(endpoint_id)
            if endpoint is None:
                self._observer(UnknownId("Leave"))
                return
            state = after(endpoint.state, Call.LEAVE) or endpoint.state
            left = evolve(endpoint, state=state, external=False, published=())
            if left != endpoint:
                await self._state.commit(Put(left))

    async def delete(self, network_id: str, endpoint_id: str) -> None:
        """Remove the endpoint. What is not known is gone already; what the kernel will not give up yet is noted."""
        async with self._networks.lock(network_id):
            endpoint = self._state.endpoints.get(endpoint_id)
            if endpoint is None:
                self._observer(UnknownId("DeleteEndpoint"))
                return
            await self._remove(endpoint)

    async def external(self, network_id: str, endpoint_id: str, ports: tuple[PortBinding, ...]) -> None:
        """Docker says that the container's way outside is through this endpoint; note it and the ports to publish."""
        async with self._networks.lock(network_id):
            network, endpoint = self._state.network(network_id), self._state.endpoint(network_id, endpoint_id)
            self._observer(ExternalConnectivity(network.driver, "program", len(ports)))
            programmed = evolve(endpoint, external=True, ports=ports)
            if programmed != endpoint:
                await self._state.commit(Put(programmed))

    async def revoke(self, network_id: str, endpoint_id: str) -> None:
        """It no longer is."""
        async with self._networks.lock(network_id):
            endpoint, network = self._state.endpoints.get(endpoint_id), self._state.networks.get(network_id)
            if endpoint is None or network is None:
                self._observer(UnknownId("RevokeExternalConnectivity"))
                return
            self._observer(ExternalConnectivity(network.driver, "revoke", len(endpoint.ports)))
            if endpoint.external:
                await self._state.commit(Put(evolve(endpoint, external=False, published=())))

    async def collect(self, endpoint: Endpoint, reason: str) -> None:
        """Remove a dead endpoint and end its leases, under the network's lock that the caller holds.

        Docker's ReleaseAddress may have been lost with the rest.
        """
        network = self._state.network(endpoint.network)
        await self._remove(endpoint)
        await self._give_back(network, endpoint)
        self._observer(Collected("endpoint", reason, endpoint.id))

    async def dead(self, endpoint: Endpoint) -> bool:
        """Whether the endpoint was made under another boot, or its sandbox is gone."""
        boot = self._kernel.boot_id()
        if endpoint.boot not in ("", boot) or (endpoint.sandbox and endpoint.sandbox.boot != boot):
            return True
        return endpoint.sandbox is not None and not await self._kernel.sandbox_alive(endpoint.sandbox.key)

    async def _remove(self, endpoint: Endpoint) -> None:
        try:
            self._applying.settle(await self._applying.apply(_scope(endpoint), {}, look=False))
        except (KernelError, Unavailable):
            await self._state.commit(Put(evolve(endpoint, state=EndpointState.DELETING, external=False)))
            return  # the reconciler goes on; Docker would not ask again
        await self._state.commit(Drop(endpoint))

    async def _evict(self, endpoint: Endpoint) -> None:
        """Collect dead holders of the addresses: an engine that was killed never tells of its old endpoints."""
        for other in self._state.holders_of(endpoint.network, endpoint.addresses):
            if other.state is EndpointState.JOINED and not await self.dead(other):
                raise Conflict(
                    f"address {', '.join(str(a.ip) for a in other.addresses)} is in use by endpoint {other.id[:12]}"
                    f"{f' ({other.name})' if other.name else ''}, whose sandbox is alive"
                )
            await self.collect(other, "its address was given to another endpoint")

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


def _scope(endpoint: Endpoint) -> Scope:
    return Scope(endpoint.network, endpoint.id)


def _asked(endpoint: Endpoint) -> tuple[object, ...]:
    """What Docker said in CreateEndpoint, without what we chose. Ports are said again, and changed, by later calls."""
    mac = endpoint.mac if endpoint.mac_given else None
    return (endpoint.network, endpoint.ipv4, endpoint.ipv6, mac, dict(endpoint.options))
