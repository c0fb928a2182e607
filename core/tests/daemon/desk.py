"""A whole daemon without sockets: Docker's calls go in as bytes at ``Plugin.answer`` and come out as bytes.

Engine, ledger and plugins are the real ones, joined as the daemon joins them; kernel and store are in memory.
"""

import json
from collections.abc import Mapping
from typing import Any

import structlog
from attrs import define, evolve, field, frozen
from core.tests.engine.conftest import here

from linkwright.daemon.config import Config
from linkwright.daemon.discovery import Found
from linkwright.daemon.http import Connections, HttpRequest
from linkwright.daemon.metrics import Metrics
from linkwright.daemon.parts import Parts, join_parts, known_of, plugins_of
from linkwright.daemon.peer import Peer
from linkwright.daemon.plugin import Plugin
from linkwright.engine.observation import Observation
from linkwright.engine.registry import Origin, Registered, register
from linkwright.model import Endpoint, HostFacts, Lease, LinkFact, Prefix, StoredNetwork
from linkwright.store import MemoryStore
from linkwright.testkit.fake_host_ports import FakeHostPorts
from linkwright.testkit.fake_kernel import FakeKernel
from linkwright_bridge import Bridge
from linkwright_macvlan import Macvlan

NETWORK = "ab" * 32
ENDPOINT = "cd" * 32
OTHER = "ef" * 32
SANDBOX = "/run/docker/netns/0123456789ab"
SPACE = "linkwright-local"

#: The dockerd of the tests, the next one, and an operator with curl.
DOCKERD, NEXT_DOCKERD, CURL = Peer(100, 1), Peer(200, 2), Peer(300, 3)


@frozen
class Said:
    """What came back."""

    status: int
    document: Any
    content_type: str = ""

    @property
    def error(self) -> str:
        """The failure in words, which has to be the same under both keys; "" where it succeeded."""
        assert self.document.get("Err", "") == self.document.get("Error", "")
        return str(self.document.get("Err", ""))

    @property
    def ok(self) -> bool:
        """Whether Docker takes it for a success, of either interface."""
        return self.status == 200 and not {"Err", "Error"} & self.document.keys()


@define
class Desk:
    """Docker's side of the daemon."""

    kernel: FakeKernel
    host_ports: FakeHostPorts = field(factory=FakeHostPorts)
    store: MemoryStore = field(factory=MemoryStore)
    drivers: tuple[Registered, ...] = ()
    config: Config = field(factory=Config)
    told: list[Observation] = field(factory=list)
    nameservers: tuple[Prefix, ...] = ()
    now: float = 1_000_000.0
    parts: Parts = field(init=False)
    metrics: Metrics = field(init=False)
    connections: Connections = field(init=False)
    plugins: Mapping[str, Plugin] = field(init=False)

    async def start(self) -> None:
        """Start the daemon over what the store has; whoever starts it also runs its ledger (``parts.ipam.run``)."""
        found = Found(self.drivers)
        self.connections = Connections()
        self.metrics = Metrics(known_of(self.config, found), timer=lambda: 0.0)

        async def nameservers() -> tuple[Prefix, ...]:
            return self.nameservers

        self.parts = join_parts(
            self.config,
            found=found,
            kernel=self.kernel,
            host_ports=self.host_ports,
            store=self.store,
            contents=await self.store.load(),
            observer=self.told.append,
            clock=lambda: self.now,
            timer=lambda: 0.0,
            nameservers=nameservers,
            somewhere=here,
        )
        plugins = plugins_of(self.config, self.parts, metrics=self.metrics, connections=self.connections)
        self.plugins = {plugin.name: plugin for plugin in plugins}

    # --- calls ---------------------------------------------------------------------------------------------------

    async def raw(
        self, target: str, body: bytes = b"", *, plugin: str = "lw-bridge", peer: Peer = DOCKERD, method: str = "POST"
    ) -> Said:
        """Send bytes."""
        response = await self.plugins[plugin].answer(HttpRequest(method, target, body), peer)
        return Said(response.status, json.loads(response.body), response.content_type)

    async def call(self, name: str, document: Any = None, *, plugin: str = "lw-bridge", peer: Peer = DOCKERD) -> Said:
        """Call ``<name>``, ``NetworkDriver.Join`` say, as Docker does: an object and a newline, or nothing."""
        body = b"" if document is None else json.dumps(document).encode() + b"\n"
        return await self.raw(f"/{name}", body, plugin=plugin, peer=peer)

    async def pool(
        self, pool: str = "10.1.0.0/24", *, peer: Peer = DOCKERD, plugin: str = "lw-bridge", **more: Any
    ) -> str:
        """RequestPool; answer its id."""
        request = {"AddressSpace": SPACE, "Pool": pool, "SubPool": "", "Options": {}, "V6": ":" in pool} | more
        said = await self.call("IpamDriver.RequestPool", request, peer=peer, plugin=plugin)
        assert said.ok, said
        return str(said.document["PoolID"])

    async def address(
        self, pool: str, address: str = "", *, gateway: bool = False, name: str = "", peer: Peer = DOCKERD
    ) -> str:
        """RequestAddress; answer it with its prefix length."""
        options = {"RequestAddressType": "com.docker.network.gateway"} if gateway else {}
        options |= {"com.docker.network.endpoint.name": name} if name else {}
        request = {"PoolID": pool, "Address": address, "Options": options or None}
        said = await self.call("IpamDriver.RequestAddress", request, peer=peer)
        assert said.ok, said
        return str(said.document["Address"])

    async def network(self, network: str = NETWORK, pool: str = "10.1.0.0/24", **more: Any) -> Said:
        """What Docker does for ``docker network create --subnet``; answer what CreateNetwork said."""
        held = await self.pool(pool)
        gateway = await self.address(held, gateway=True)
        return await self.call("NetworkDriver.CreateNetwork", network_request(network, pool, gateway, **more))

    async def endpoint(self, endpoint: str = ENDPOINT, address: str = "10.1.0.2/24", **more: Any) -> Said:
        """CreateEndpoint."""
        return await self.call("NetworkDriver.CreateEndpoint", endpoint_request(endpoint, address, **more))

    async def join(self, endpoint: str = ENDPOINT, network: str = NETWORK, **options: Any) -> Said:
        """Join, and the sandbox is there."""
        self.kernel.sandboxes.add(SANDBOX)
        document = {"NetworkID": network, "EndpointID": endpoint, "SandboxKey": SANDBOX, "Options": options}
        return await self.call("NetworkDriver.Join", document)

    async def about(self, method: str, endpoint: str = ENDPOINT, network: str = NETWORK) -> Said:
        """A call that names an endpoint and nothing else."""
        return await self.call(f"NetworkDriver.{method}", {"NetworkID": network, "EndpointID": endpoint})

    # --- what a test looks at ------------------------------------------------------------------------------------

    async def stored(self) -> list[Any]:
        """Everything durable, and everything in memory that has to be."""
        return [*(await self.store.load()), *self.parts.ipam.records()]

    def leases(self) -> dict[str, Lease]:
        """The leases by address."""
        return {str(one.address): one for one in self.parts.ipam.records() if isinstance(one, Lease)}

    def epoch(self, plugin: str = "lw-bridge") -> int:
        """The number of the epoch that the listener is in."""
        return self.parts.ipam._ledger._book.epochs.of(plugin).number

    @property
    def networks(self) -> Mapping[str, StoredNetwork]:
        """The networks."""
        return self.parts.engine.state.networks

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """The endpoints."""
        return self.parts.engine.state.endpoints


def network_request(
    network: str = NETWORK,
    pool: str = "10.1.0.0/24",
    gateway: str = "10.1.0.1/24",
    *,
    space: str = SPACE,
    auxiliary: Mapping[str, str] | None = None,
    options: Mapping[str, str] | None = None,
    internal: bool = False,
) -> Any:
    """CreateNetwork as an engine sends it."""
    subnet = {"AddressSpace": space, "Pool": pool, "Gateway": gateway, "AuxAddresses": auxiliary or {}}
    six = ":" in pool
    said = {"com.docker.network.enable_ipv6": six, "com.docker.network.generic": options or {}}
    return {
        "NetworkID": network,
        "Options": said | ({"com.docker.network.internal": True} if internal else {}),
        "IPv4Data": [] if six else [subnet],
        "IPv6Data": [subnet] if six else [],
    }


def endpoint_request(
    endpoint: str = ENDPOINT,
    address: str = "10.1.0.2/24",
    *,
    network: str = NETWORK,
    mac: str = "",
    six: str = "",
    **more: Any,
) -> Any:
    """CreateEndpoint as an engine sends it."""
    return {
        "NetworkID": network,
        "EndpointID": endpoint,
        "Interface": {"Address": address, "AddressIPv6": six, "MacAddress": mac},
        "Options": {"com.docker.network.portmap": [], "com.docker.network.endpoint.exposedports": [], **more},
    }


def a_desk(**changes: Any) -> Desk:
    """A host with an uplink that forwards packets already, and the drivers bridge and macvlan."""
    host = HostFacts(
        uplink=LinkFact("eth9", mtu=1500), links=(LinkFact("eth9"),), features=frozenset({"ipv6", "macvlan"})
    )
    kernel = FakeKernel(host=host)
    kernel.state.sysctls |= {"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "1"}
    kernel.state.table = True
    drivers = tuple(register(one.name, one, Origin(f"linkwright-{one.name}", "1")) for one in (Bridge, Macvlan))
    return evolve(Desk(kernel, drivers=drivers), **changes)


def captured() -> Any:
    """Capture log lines as dicts, with what is bound around them."""
    return structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars])
