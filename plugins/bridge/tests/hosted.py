"""The bridge driver on a real host: a namespace that the engine works in, a machine outside, and containers.

The engine has the real kernel and real sockets; Docker's part is a few calls, and to move the link that Join names.
"""

import hashlib
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from ipaddress import ip_interface, ip_network
from typing import Any, TypeVar

import trio
from attrs import define, field
from plugins.bridge.tests.asked import pairs

from linkwright.engine.engine import Engine
from linkwright.engine.registry import register
from linkwright.hostports import HeldPorts
from linkwright.model import Endpoint, PortBinding, Protocol, StoredNetwork, Subnet
from linkwright.store import MemoryStore
from linkwright.testkit.hosts import real_host
from linkwright.testkit.place import Place
from linkwright_bridge import Bridge

OUTSIDE4, OUTSIDE6 = "192.0.2.9", "2001:db8::9"
UPLINK4, UPLINK6 = "192.0.2.1", "2001:db8::1"
#: ``-p 8080:80``.
HTTP = PortBinding(Protocol.TCP, 80, host_port=8080, host_port_end=8080)
#: Settings of a host that somebody made a router of already, Docker as a rule.
_ROUTER = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")


def id_of(name: str) -> str:
    """Return an id like Docker's, the same for the same *name*."""
    return hashlib.sha256(name.encode()).hexdigest()


T = TypeVar("T")


async def until(look: Callable[[], T | None]) -> T:
    """Look until there is something to see, and return it."""
    with trio.fail_after(10):
        while True:
            found = look()
            if found is not None:
                return found
            await trio.sleep(0.02)


@define
class Docker:
    """An engine on a host, and the networks and containers that Docker has there."""

    engine: Engine
    host: Place
    outside: Place
    make: Callable[[], Place]
    networks: dict[str, StoredNetwork] = field(factory=dict)

    async def network(self, name: str, /, *pools: str, internal: bool = False, **o: str) -> str:
        """``docker network create``; the first address of each pool is the gateway. Return the bridge's name."""
        subnets = [ip_network(pool) for pool in pools]
        described = await self.engine.networks.described(
            "bridge",
            id_of(name),
            subnets=tuple(Subnet(one, ip_interface(f"{one[1]}/{one.prefixlen}"), space="test") for one in subnets),
            ipv4=True,
            ipv6=any(one.version == 6 for one in subnets),
            internal=internal,
            options=pairs(o),
        )
        await self.engine.networks.create(described)
        self.networks[name] = described
        return o.get("name") or f"lwb{id_of(name)[:12]}"

    async def endpoint(self, network: str, name: str, *addresses: str, **driver_opt: str) -> Endpoint:
        """CreateEndpoint: up to an IPv4 and an IPv6 address, with their prefix lengths."""
        found: dict[int, Any] = {one.version: one for one in map(ip_interface, addresses)}
        described = self.engine.endpoints.described(
            id_of(network), id_of(name), ipv4=found.get(4), ipv6=found.get(6), mac=None, options=driver_opt
        )
        return await self.engine.endpoints.create(described)

    async def run(
        self,
        network: str,
        name: str,
        *addresses: str,
        ports: Sequence[PortBinding] = (),
        into: Place | None = None,
        **driver_opt: str,
    ) -> Place:
        """``docker run``, or with *into* ``docker network connect``: return the container."""
        container = into or self.make()
        endpoint = await self.endpoint(network, name, *addresses, **driver_opt)
        joined = await self.engine.endpoints.join(id_of(network), endpoint.id, container.path, ())
        inside = "eth0" if into is None else "eth1"
        self.host.ip(f"link set {joined.join.source} netns {container.name} name {inside}")
        for address in endpoint.addresses:
            container.ip(f"addr add {address} dev {inside} {'nodad' if address.version == 6 else ''}")
        container.ip(f"link set {inside} up")
        for gateway in joined.join.gateways if into is None else ():
            container.ip(f"route add default via {gateway}")
        if not self.networks[network].internal and into is None:
            await self.engine.endpoints.external(id_of(network), endpoint.id, tuple(ports))
        return container

    async def remove(self, network: str, name: str) -> None:
        """``docker rm`` of a container whose sandbox is gone, or will be."""
        await self.engine.endpoints.leave(id_of(network), id_of(name))
        await self.engine.endpoints.delete(id_of(network), id_of(name))

    async def remove_network(self, name: str) -> None:
        """``docker network rm``."""
        await self.engine.networks.delete(id_of(name))
        del self.networks[name]

    async def swept(self) -> dict[str, dict[str, Any]]:
        """Wait until what was removed is gone: links go together, a moment later. Return ``links``."""

        def without_doomed() -> dict[str, dict[str, Any]] | None:
            links = self.links()
            return None if any(name.startswith("lwx") for name in links) else links

        return await until(without_doomed)

    def let_bridged_frames_pass_the_firewall(self, value: str) -> None:
        """Switch br_netfilter on ("1") or off ("0") on the host."""
        calls = (f"net.bridge.bridge-nf-call-{name}={value}" for name in ("iptables", "ip6tables", "arptables"))
        self.host.run("sysctl", "-qw", *calls)

    def links(self) -> dict[str, dict[str, Any]]:
        """What ``ip`` and ``bridge`` tell of the host's links and addresses, but for counters and ages."""
        shown = json.loads(self.host.run("ip", "-d", "-j", "addr"))
        return {link["ifname"]: _steady(link) for link in shown}

    def dropped(self, counter: str, family: str = "inet") -> int:
        """How many packets a counter of the firewall has seen."""
        shown = json.loads(self.host.run("nft", "-j", "list", "counter", family, "linkwright", counter))
        return next(one["counter"]["packets"] for one in shown["nftables"] if "counter" in one)  # type: ignore[no-any-return]


def _steady(shown: Any) -> Any:
    """Leave out what changes by itself."""
    if isinstance(shown, Mapping):
        passing = ("_timer", "_life_time", "tentative")
        return {key: _steady(value) for key, value in shown.items() if not key.endswith(passing)}
    return [_steady(one) for one in shown] if isinstance(shown, list) else shown


@asynccontextmanager
async def on_a_host(make: Callable[[], Place]) -> AsyncIterator[Docker]:
    """A host with an uplink to a machine outside, both families, which forwards; nobody there knows of containers."""
    host, outside = make(), make()
    host.ip(f"link add up0 type veth peer name eth0 netns {outside.name}")
    for place, link, addresses in ((host, "up0", (UPLINK4, UPLINK6)), (outside, "eth0", (OUTSIDE4, OUTSIDE6))):
        place.ip(f"addr add {addresses[0]}/24 dev {link}")
        place.ip(f"addr add {addresses[1]}/64 dev {link} nodad")
        place.ip(f"link set {link} up")
    host.ip(f"route add default via {OUTSIDE4}")
    host.ip(f"route add default via {OUTSIDE6}")
    host.run("sysctl", "-qw", *_ROUTER)
    ports = HeldPorts(make=lambda family, kind, *_: host.socket(family, kind))
    async with real_host(host, make()) as real, trio.open_nursery() as nursery:
        engine = Engine(
            kernel=real.kernel,
            host_ports=ports,
            commit=MemoryStore().commit,
            drivers=[register("bridge", Bridge)],
            clock=time.time,
            timer=time.monotonic,
        )
        await engine.reconcile.start()
        await nursery.start(ports.run)
        with closing(ports):
            yield Docker(engine, host, outside, make)
        nursery.cancel_scope.cancel()


# --- what a place gets ------------------------------------------------------------------------------------------


async def reached(*pairs: tuple[Place, str]) -> list[bool]:
    """Whether each place reaches each address, asked at once: what is not reached takes seconds to tell."""
    answers: dict[int, bool] = {}

    async def ask(number: int, asking: Place, address: str) -> None:
        answers[number] = await trio.to_thread.run_sync(asking.reaches, address)

    async with trio.open_nursery() as nursery:
        for number, (asking, address) in enumerate(pairs):
            nursery.start_soon(ask, number, asking, address)
    return [answers[number] for number in range(len(pairs))]


async def answers(asking: Place, address: str, port: int) -> bool:
    """Whether somebody takes a connection to *address*; a link-local one ends with its link's number (fe80::1%2)."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    host, _, scope = address.partition("%")
    with asking.socket(family, socket.SOCK_STREAM) as trying:
        trying.settimeout(3)
        try:
            await trio.to_thread.run_sync(trying.connect, (host, port, 0, int(scope)) if scope else (host, port))
            return await trio.to_thread.run_sync(trying.recv, 1) == b"!"
        except OSError:
            return False


async def serve(container: Place, port: int, *, task_status: trio.TaskStatus[None]) -> None:
    """Take connections of both families, say "!" and close."""
    listening = trio.socket.from_stdlib_socket(container.socket(socket.AF_INET6, socket.SOCK_STREAM))
    with listening:
        listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        await listening.bind(("::", port))
        listening.listen()
        task_status.started()
        while True:
            taken, _ = await listening.accept()
            with taken:
                await taken.send(b"!")
