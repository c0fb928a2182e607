"""Endpoints: from CreateEndpoint to DeleteEndpoint, in the order that ``model.lifecycle`` allows.

Docker never asks again after a failed Leave or DeleteEndpoint, so those succeed once the wish to delete is durable. How
endpoints end is in ``ending``, how their ports are published in ``publishing``.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv4Interface, IPv6Interface

from attrs import evolve, frozen

from linkwright.engine.applying import Applying
from linkwright.engine.asking import Asking
from linkwright.engine.desired import Scope
from linkwright.engine.desiring import Desiring
from linkwright.engine.ending import Ending
from linkwright.engine.moments import Moments
from linkwright.engine.networks import Networks
from linkwright.engine.observation import ExternalConnectivity, Observer, SetupStage, UnknownId
from linkwright.engine.ports import Kernel
from linkwright.engine.publishing import PortTaken, Publishing
from linkwright.engine.state import State
from linkwright.engine.storing import store_or_take_back
from linkwright.errors import Conflict, Refused
from linkwright.model import (
    Announcement,
    Call,
    Endpoint,
    EndpointState,
    Mac,
    PortBinding,
    Sandbox,
    StoredNetwork,
    after,
)
from linkwright.model.change import Put
from linkwright.plan import Key, Link, Resource
from linkwright.sdk import CommonOptions, EndpointOptions, Join


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
        publishing: Publishing,
        ending: Ending,
        moments: Moments,
        kernel: Kernel,
        observer: Observer,
        clock: Callable[[], float],
        timer: Callable[[], float],
    ) -> None:
        """Take the parts. *clock* gives Unix time, *timer* monotonic seconds for durations."""
        self._state = state
        self._asking = asking
        self._applying = applying
        self._desiring = desiring
        self._networks = networks
        self._publishing = publishing
        self._ending = ending
        self._moments = moments
        self._kernel = kernel
        self._observer = observer
        self._clock = clock
        self._timer = timer

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
        if mac is not None and not mac.is_unicast:
            raise Refused(f"{mac} is a group address; an interface needs a unicast one (its first octet is even)")
        takes_mac = self._asking.takes_mac(network)
        if mac is not None and not takes_mac:
            raise Refused(
                f"{mac} cannot be given to an endpoint of {network.driver} network {network_id[:12]}: there all have "
                "the hardware address of what they stand on; leave out --mac-address"
            )
        endpoint = Endpoint(
            id=endpoint_id,
            network=network_id,
            ipv4=ipv4,
            ipv6=ipv6,
            mac=mac or (self._chosen_mac(network, endpoint_id, name, ipv4 or ipv6) if takes_mac else None),
            mac_given=mac is not None,
            options=dict(options or {}),
            name=name,
            ports=ports,
            boot=self._kernel.boot_id(),
            created=self._clock(),
        )
        self._asking.endpoint_options(network, endpoint)
        return endpoint

    async def create(self, endpoint: Endpoint) -> Endpoint:
        """Make *endpoint* and return it. The same again is the first one; the same id with other data is Conflict."""
        async with self._networks.lock(endpoint.network):
            network = self._state.network(endpoint.network)
            known = self._state.endpoints.get(endpoint.id)
            if known is not None and known.network == endpoint.network and self._ending.is_unfinished(known):
                await self._ending.finish(known)
            elif known is not None:
                if _asked(known) != _asked(endpoint):
                    raise Conflict(
                        f"endpoint {endpoint.id[:12]} exists already in network {known.network[:12]} as {known}"
                    )
                return known
            await self._desiring.ensure(endpoint.network)
            await self._ending.evict_holders(endpoint)
            with self._stage(network, "driver"):
                wishes = await self._wishes(endpoint)
            with self._stage(network, "kernel"):
                applied = await self._applying.apply(Scope.of(endpoint), wishes, look=False)
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
                join = await self._asking.join(network, endpoint, self._applying.desired.of(Scope.of(endpoint)))
                if network.internal:
                    join = evolve(join, gateways=())
                joined = evolve(
                    endpoint,
                    state=state,
                    sandbox=Sandbox(sandbox, self._kernel.boot_id()),
                    ports=endpoint.ports if endpoint.external else ports or endpoint.ports,
                )
                if joined != endpoint:
                    await self._state.commit(Put(joined))
                    self._announce(joined, join)
            options = self._asking.typed(network).options
            prefix = options.interface_prefix if isinstance(options, CommonOptions) else "eth"
            chosen = self._asking.endpoint_options(network, endpoint)
            return Joined(join, prefix, chosen.interface if isinstance(chosen, EndpointOptions) else "")

    async def leave(self, network_id: str, endpoint_id: str) -> None:
        """The container lets go. Its link is still in the sandbox: only what it published is closed."""
        async with self._networks.lock(network_id):
            endpoint = self._of(network_id, endpoint_id)
            if endpoint is None:
                self._observer(UnknownId("Leave"))
                return
            state = after(endpoint.state, Call.LEAVE) or endpoint.state
            await self._publishing.withdraw(endpoint, evolve(endpoint, state=state))

    async def delete(self, network_id: str, endpoint_id: str) -> None:
        """Remove the endpoint. What is not known is gone already; what the kernel will not give up yet is noted."""
        try:
            async with self._networks.lock(network_id):
                endpoint = self._of(network_id, endpoint_id)
                if endpoint is None:
                    self._observer(UnknownId("DeleteEndpoint"))
                    return
                await self._ending.remove(endpoint)
        except BaseException:
            if self._of(network_id, endpoint_id) is not None:
                self._ending.owed.add(endpoint_id)
            raise

    async def external(
        self, network_id: str, endpoint_id: str, ports: tuple[PortBinding, ...], *, ipv6: bool = True
    ) -> None:
        """Docker says that the container's way outside is through this endpoint: publish *ports* there.

        Without *ipv6* another endpoint is the way outside by IPv6, and has the host's IPv6 addresses.
        """
        self._observer(ExternalConnectivity(self._state.network(network_id).driver, "program", len(ports)))
        closed: set[str] = set()
        while True:
            try:
                await self._program(network_id, endpoint_id, ports, ipv6=ipv6)
            except PortTaken as taken:
                if taken.holder in closed or not await self._ending.close_dead(taken.holder):
                    raise
                closed.add(taken.holder)
            else:
                return

    async def _program(self, network_id: str, endpoint_id: str, ports: tuple[PortBinding, ...], *, ipv6: bool) -> None:
        async with self._networks.lock(network_id):
            network, endpoint = self._state.network(network_id), self._state.endpoint(network_id, endpoint_id)
            if endpoint.state is EndpointState.DELETING:
                raise Conflict(f"endpoint {endpoint.id[:12]} is being deleted; nothing can be published there")
            await self._desiring.ensure(network_id)
            with self._stage(network, "publish"):
                await self._publishing.program(network, endpoint, ports, ipv6=ipv6)

    async def revoke(self, network_id: str, endpoint_id: str) -> None:
        """It no longer is."""
        async with self._networks.lock(network_id):
            endpoint, network = self._of(network_id, endpoint_id), self._state.networks.get(network_id)
            if endpoint is None or network is None:
                self._observer(UnknownId("RevokeExternalConnectivity"))
                return
            self._observer(ExternalConnectivity(network.driver, "revoke", len(endpoint.ports)))
            await self._publishing.withdraw(endpoint)

    def _of(self, network_id: str, endpoint_id: str) -> Endpoint | None:
        """The endpoint, if it is one of that network: another one's lock is not held."""
        endpoint = self._state.endpoints.get(endpoint_id)
        return endpoint if endpoint is not None and endpoint.network == network_id else None

    async def _wishes(self, endpoint: Endpoint) -> dict[Key, Resource]:
        around = self._applying.desired.of(Scope(endpoint.network))
        return await self._asking.endpoint(self._state.network(endpoint.network), endpoint, around)

    def _announce(self, endpoint: Endpoint, join: Join) -> None:
        """Have the endpoint's neighbours told that it is there, if its driver wishes that."""
        if not join.announce or endpoint.mac is None or endpoint.sandbox is None:
            return
        links = [wish for wish in self._applying.desired.of(Scope.of(endpoint)).values() if isinstance(wish, Link)]
        master = next((link.master for link in links if link.master), None)
        self._moments.announce(
            Announcement(endpoint.id, endpoint.sandbox.key, endpoint.mac, endpoint.addresses, link=master)
        )

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


def _asked(endpoint: Endpoint) -> tuple[object, ...]:
    """What Docker said in CreateEndpoint, without what we chose. Ports are said again, and changed, by later calls."""
    mac = endpoint.mac if endpoint.mac_given else None
    return (endpoint.network, endpoint.ipv4, endpoint.ipv6, mac, dict(endpoint.options))
