"""An engine over a kernel and a store in memory, and Docker's part played by a few short calls."""

from collections.abc import Callable, Mapping
from ipaddress import ip_interface, ip_network
from typing import Any

import pytest
import trio
from attrs import define, field

from linkwright.engine.engine import Engine
from linkwright.engine.observation import Observation
from linkwright.engine.registry import Registered, register
from linkwright.model import Endpoint, HostFacts, LinkFact, Mac, StoredNetwork, Subnet
from linkwright.model.change import Change
from linkwright.plan import Key, Resource
from linkwright.store import MemoryStore
from linkwright.testkit.fake_host_ports import FakeHostPorts
from linkwright.testkit.fake_kernel import FakeKernel
from linkwright_bridge import Bridge

NETWORK = "ab" * 32
ENDPOINT = "cd" * 32
SANDBOX = "/run/docker/netns/0123456789ab"


async def here(question: Callable[[], Any]) -> Any:
    """Run a driver's code in the loop: the autojump clock does not see threads work."""
    await trio.lowlevel.checkpoint()
    return question()


@define
class World:
    """A host, the daemon's engine on it, and what it told its observer."""

    kernel: FakeKernel
    store: MemoryStore
    drivers: list[Registered]
    host_ports: FakeHostPorts = field(factory=FakeHostPorts)
    told: list[Observation] = field(factory=list)
    given_back: list[str] = field(factory=list)
    now: float = 1_000_000.0
    engine: Engine = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Start the daemon."""
        self.restart()

    def restart(self, **options: Any) -> None:
        """Make a new engine over the same kernel and store, as after a crash."""

        async def give_back(_: StoredNetwork, endpoint: Endpoint) -> None:
            self.given_back.append(endpoint.id)

        self.engine = Engine(
            kernel=self.kernel,
            host_ports=self.host_ports,
            commit=self.store.commit,
            drivers=self.drivers,
            clock=lambda: self.now,
            timer=lambda: 0.0,
            observer=self.told.append,
            give_back=give_back,
            somewhere=here,
            **options,
        )

    async def load(self) -> None:
        """Do what the daemon does at its start."""
        self.engine.state.load(await self.store.load())
        await self.engine.reconcile.start()

    async def network(
        self, network: str = NETWORK, pool: str = "10.1.0.0/24", *, internal: bool = False, **options: str
    ) -> StoredNetwork:
        """CreateNetwork."""
        prefix = ip_network(pool)
        gateway = ip_interface(f"{prefix[1]}/{prefix.prefixlen}")
        described = await self.engine.networks.described(
            "bridge",
            network,
            subnets=(Subnet(prefix, gateway, space="test"),),
            ipv4=prefix.version == 4,
            ipv6=prefix.version == 6,
            internal=internal,
            options=options,
        )
        await self.engine.networks.create(described)
        return described

    async def endpoint(
        self,
        endpoint: str = ENDPOINT,
        address: str = "10.1.0.2/24",
        *,
        network: str = NETWORK,
        mac: Mac | None = None,
        options: Mapping[str, str] | None = None,
    ) -> Endpoint:
        """CreateEndpoint."""
        interface: Any = ip_interface(address)
        four, six = (interface, None) if interface.version == 4 else (None, interface)
        described = self.engine.endpoints.described(
            network, endpoint, ipv4=four, ipv6=six, mac=mac, options=options or {}
        )
        return await self.engine.endpoints.create(described)

    async def join(self, endpoint: str = ENDPOINT, sandbox: str = SANDBOX) -> Any:
        """Join, and the sandbox is there."""
        self.kernel.sandboxes.add(sandbox)
        return await self.engine.endpoints.join(NETWORK, endpoint, sandbox, ())

    def host(self) -> dict[Key, Resource]:
        """What the kernel has, but for settings, which have no absence."""
        return self.kernel.resources()

    async def stored(self) -> list[Change]:
        """What the store has."""
        contents = await self.store.load()
        return [*contents.networks, *contents.endpoints]  # type: ignore[list-item]


@pytest.fixture
async def world() -> World:
    """A host with an uplink of MTU 1500 that forwards packets already."""
    host = HostFacts(uplink=LinkFact("eth9", mtu=1500), features=frozenset({"ipv6"}))
    kernel = FakeKernel(host=host)
    kernel.state.sysctls |= {"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "1"}
    await kernel.prepare()
    return World(kernel, MemoryStore(), [register("bridge", Bridge)])
