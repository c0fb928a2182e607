"""A daemon in memory behind a real admin socket, and the command line in front of it."""

import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any, cast

import pytest
import structlog
import trio
from attrs import define, evolve
from click.testing import CliRunner, Result
from core.tests.engine.conftest import here

from linkwright.cli import main
from linkwright.daemon.admin import Admin, Insides, Recent, refusal
from linkwright.daemon.config import Config
from linkwright.daemon.doors import Door, Doors
from linkwright.daemon.health import Health
from linkwright.daemon.http import Connections
from linkwright.engine.engine import Engine
from linkwright.engine.ports import Kernel
from linkwright.engine.registry import Origin, register
from linkwright.ipam import LOCAL, AddressRequest, Ledger, PoolRequest
from linkwright.ipam.actor import Actor
from linkwright.model import Endpoint, HostFacts, LeaseKind, LinkFact, PortBinding, Protocol, StoredNetwork, Subnet
from linkwright.store import MemoryStore
from linkwright.testkit.fake_host_ports import FakeHostPorts
from linkwright.testkit.fake_kernel import FakeKernel
from linkwright_bridge import Bridge

WEB = "ab" * 32
STORAGE = "cd" * 32
ENDPOINT = "e1" * 32
OTHER = "e2" * 32
SANDBOX = "/run/docker/netns/0123456789ab"

#: 2025-06-15T15:06:40Z, and when the daemon started: 3 h 12 min before.
NOW = 1_750_000_000.0
STARTED = NOW - 3 * 3600 - 12 * 60

GOLDEN = Path(__file__).parent / "golden"


@define
class Served:
    """A host, the daemon on it, and whoever types commands there."""

    config: Config
    kernel: FakeKernel  # or what ``serving`` was given
    store: MemoryStore
    engine: Engine
    ipam: Actor
    recent: Recent
    insides: Insides
    admin: Admin
    ledger: Ledger
    host_ports: FakeHostPorts

    @property
    def run_dir(self) -> Path:
        """Where the socket is."""
        return self.config.run_dir

    async def run(self, *words: str, stdin: str | None = None) -> Result:
        """Type ``linkwright <words>`` where LINKWRIGHT_RUN_DIR names this daemon, and wait for its end."""
        return await typed(*words, stdin=stdin, environ={"LINKWRIGHT_RUN_DIR": str(self.run_dir)})

    async def text(self, *words: str) -> str:
        """What the command writes, which has to succeed."""
        result = await self.run(*words)
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        return result.stdout

    async def json(self, *words: str) -> Any:
        """What it writes with ``--json``."""
        return json.loads(await self.text(*words, "--json"))

    def look_as(self, **changes: Any) -> None:
        """Let the daemon be otherwise: *changes* of its ``Insides``."""
        self.insides = evolve(self.insides, **changes)
        self.admin._insides = self.insides

    async def network(
        self, network: str = WEB, pool: str = "10.7.0.0/24", *, internal: bool = False, **options: str
    ) -> StoredNetwork:
        """What Docker does for ``docker network create``: the pool, the gateway, the network."""
        prefix = ip_network(pool)
        held = await self.ipam.request_pool(PoolRequest(LOCAL, prefix.version, prefix, listener="lw-bridge"))
        gateway = await self.ipam.request_address(AddressRequest(held.id, kind=LeaseKind.GATEWAY))
        described = await self.engine.networks.described(
            "bridge",
            network,
            subnets=(Subnet(prefix, gateway, space=LOCAL),),
            ipv4=prefix.version == 4,
            ipv6=prefix.version == 6,
            internal=internal,
            options=options,
        )
        await self.engine.networks.create(described)
        return described

    async def endpoint(
        self, endpoint: str = ENDPOINT, address: str = "10.7.0.2/24", *, network: str = WEB, name: str = ""
    ) -> Endpoint:
        """What Docker does for ``docker run --network``, as far as CreateEndpoint."""
        interface: Any = ip_interface(address)
        pool = f"{LOCAL}/{interface.network}"
        await self.ipam.request_address(AddressRequest(pool, interface.ip, owner=name))
        four, six = (interface, None) if interface.version == 4 else (None, interface)
        endpoints = self.engine.endpoints
        return await endpoints.create(endpoints.described(network, endpoint, ipv4=four, ipv6=six, mac=None, name=name))

    async def join(self, endpoint: str = ENDPOINT, *, network: str = WEB) -> None:
        """Join, with a port published, and Docker moves the link."""
        port = PortBinding(Protocol.TCP, 80, ip_address("192.0.2.7"), 8080)
        self.kernel.sandboxes.add(SANDBOX)
        joined = await self.engine.endpoints.join(network, endpoint, SANDBOX, (port,))
        await self.engine.endpoints.external(network, endpoint, (port,))
        self.kernel.lend(joined.join.source, SANDBOX)

    async def busy(self) -> None:
        """Two networks, three endpoints, one of them joined."""
        await self.network()
        await self.network(STORAGE, "fd00:1::/64", internal=True)
        await self.endpoint(name="web")
        await self.join()
        await self.endpoint(OTHER, "10.7.0.3/24")
        await self.endpoint("e3" * 32, "fd00:1::9/64", network=STORAGE, name="store-1")


async def typed(*words: str, stdin: str | None = None, environ: Mapping[str, str] | None = None) -> Result:
    """Type ``linkwright <words>``. The command runs in a thread, and so does not keep a daemon in the loop waiting."""
    variables = dict.fromkeys(name for name in os.environ if name.startswith("LINKWRIGHT_")) | dict(environ or {})
    runner = CliRunner(env=variables)
    return await trio.to_thread.run_sync(partial(runner.invoke, main, words, input=stdin, prog_name="linkwright"))


@asynccontextmanager
async def serving(kernel: Kernel, home: Path, nursery: trio.Nursery) -> AsyncIterator[Served]:
    """A daemon of the bridge driver over *kernel*, with its directories in *home*, at work until the end."""
    config = Config(plugin_dir=home / "plugins", run_dir=home / "run", state_dir=home / "state")
    store, recent, host_ports = MemoryStore(), Recent(lambda: NOW), FakeHostPorts()
    engine = Engine(
        kernel=kernel,
        host_ports=host_ports,
        commit=store.commit,
        drivers=[register("bridge", Bridge, Origin("linkwright-bridge", "1.2.3"))],
        clock=lambda: NOW,
        timer=lambda: 0.0,
        observer=recent,
        somewhere=here,
    )
    ledger = Ledger()
    ipam = Actor(ledger, commit=store.commit, routes=kernel.host_routes, clock=lambda: NOW)
    ipam.begin_epoch("lw-bridge", "7@1", activation=True)
    await nursery.start(ipam.run)
    health = Health("start")
    health.well("start")
    insides = Insides(
        config=config,
        engine=engine,
        ipam=ipam,
        store=store,
        health=health,
        recent=recent,
        started=STARTED,
        clock=lambda: NOW,
        looked=lambda: NOW - 20,
    )
    admin = Admin(insides)
    doors = Doors((Door(config.run_dir / "admin.sock", admin.answer, refusal),), Connections())
    doors.open(nursery, {})
    with structlog.testing.capture_logs():  # a line in between would be the command's output
        yield Served(
            config, cast("FakeKernel", kernel), store, engine, ipam, recent, insides, admin, ledger, host_ports
        )
    doors.close()


@pytest.fixture
async def served(tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[Served]:
    """A daemon on an imaginary host with an uplink of MTU 1500, which forwards IPv4 packets."""
    host = HostFacts(
        uplink=LinkFact("eth9", mtu=1500),
        addresses=(ip_interface("192.0.2.7/24"),),
        features=frozenset({"bridge", "veth", "vxlan", "macvlan", "vlan", "ipv6"}),
    )
    kernel = FakeKernel(host=host)
    kernel.state.sysctls |= {"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "0"}
    await kernel.prepare()
    async with serving(kernel, tmp_path, nursery) as daemon:
        yield daemon


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare a text with the one kept under a name; LINKWRIGHT_GOLDEN=write (``make golden``) keeps it anew."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if os.environ.get("LINKWRIGHT_GOLDEN") == "write":
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.read_text(encoding="utf-8") == text

    return compare
