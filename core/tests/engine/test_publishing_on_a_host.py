"""Ports on a real kernel, with real sockets: what only those can get wrong."""

import errno
import socket
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, closing
from ipaddress import ip_interface, ip_network
from typing import Any

import pytest
import trio
from core.tests.engine.conftest import ENDPOINT, NETWORK
from core.tests.engine.harbour import Harbour
from core.tests.engine.paper import registered

from linkwright.engine.engine import Engine
from linkwright.engine.observation import Collected, Observation
from linkwright.errors import Conflict
from linkwright.hostports import HeldPorts
from linkwright.model import PortBinding, Protocol, Subnet
from linkwright.store import MemoryStore
from linkwright.testkit.hosts import RealHost, real_host
from linkwright.testkit.namespaces import Namespace, made

pytestmark = pytest.mark.netns

WEB = PortBinding(Protocol.TCP, 80, None, 8080, 8080)


class Site:
    """An engine on a host that forwards packets; ``closed`` is set when it has closed somebody's ports."""

    def __init__(self, host: RealHost) -> None:
        self.host = host
        self.store = MemoryStore()
        self.sandbox = ExitStack()
        self.ports = HeldPorts(make=lambda family, kind, _: self._socket(family, kind))
        self.closed = trio.Event()
        self.engine = Engine(
            kernel=host.kernel,
            host_ports=self.ports,
            commit=self.store.commit,
            drivers=[registered(Harbour())],
            clock=time.time,
            timer=time.perf_counter,
            observer=self._listen,
            period=3600.0,
        )

    async def container(self, sandbox: Namespace) -> None:
        """A network, and a container on it that publishes port 8080."""
        pool = ip_network("10.1.0.0/24")
        network = await self.engine.networks.described(
            "bridge",
            NETWORK,
            subnets=(Subnet(pool, ip_interface("10.1.0.1/24"), space="test"),),
            ipv4=True,
            ipv6=False,
            internal=False,
            options={},
        )
        await self.engine.networks.create(network)
        address: Any = ip_interface("10.1.0.2/24")
        endpoints = self.engine.endpoints
        await endpoints.create(endpoints.described(NETWORK, ENDPOINT, ipv4=address, ipv6=None, mac=None))
        joined = await endpoints.join(NETWORK, ENDPOINT, sandbox.path, ())
        self.host.namespace.run("ip", "link", "set", joined.join.source, "netns", sandbox.path, "name", "eth0")
        await endpoints.external(NETWORK, ENDPOINT, (WEB,))

    def is_free(self) -> bool:
        """Whether another process can have port 8080."""
        with closing(self._socket(socket.AF_INET, socket.SOCK_STREAM)) as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                other.bind(("0.0.0.0", 8080))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                return False
            return True

    def led(self) -> bool:
        """Whether the firewall leads what comes to it anywhere."""
        return "8080" in self.host.namespace.run("nft", "list", "map", "inet", "linkwright", "wildcard4")

    def _listen(self, observation: Observation, /) -> None:
        if isinstance(observation, Collected) and observation.what == "ports":
            self.closed.set()

    def _socket(self, family: int, kind: int) -> socket.socket:
        return self.host.namespace.socket(socket.AddressFamily(family), socket.SocketKind(kind))


@asynccontextmanager
async def site() -> AsyncIterator[Site]:
    """A host that forwards, with a container that publishes; ``sandbox.close()`` ends that container's sandbox."""
    with made() as namespace, made() as other:
        namespace.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        namespace.run("ip", "link", "set", "lo", "up")
        async with real_host(namespace, other) as host:
            here = Site(host)
            with here.sandbox, closing(here.ports):
                await here.engine.reconcile.start()
                await here.container(here.sandbox.enter_context(made()))
                yield here


async def test_ports_are_closed_when_a_sandbox_goes_without_a_word() -> None:
    """The kernel tells that the link is gone: nobody else does, and the next look is an hour away."""
    async with site() as here, trio.open_nursery() as nursery:
        assert (here.is_free(), here.led()) == (False, True)
        nursery.start_soon(here.engine.reconcile.run, here.host.events)
        here.sandbox.close()
        with trio.fail_after(20):
            await here.closed.wait()

        assert (here.is_free(), here.led()) == (True, False)
        assert not here.engine.state.endpoints[ENDPOINT].published
        nursery.cancel_scope.cancel()


async def test_r_01_a_port_is_held_again_by_the_next_process_and_led_all_the_while() -> None:
    """The sockets are gone with the process; element and store are not, and Leave closes what another life opened."""
    async with site() as here:
        here.ports.close()
        assert (here.is_free(), here.led()) == (True, True)

        again = Site(here.host)
        contents = await here.store.load()
        again.engine.state.load((*contents.networks, *contents.endpoints))
        report = await again.engine.reconcile.start()
        assert (again.is_free(), again.led(), report.steps) == (False, True, ())

        await again.engine.endpoints.leave(NETWORK, ENDPOINT)
        assert (again.is_free(), again.led()) == (True, False)


async def test_b_27_a_server_of_the_host_keeps_its_port() -> None:
    """The firewall would take it away silently: it is refused, and the server goes on."""
    async with site() as here:
        await here.engine.endpoints.revoke(NETWORK, ENDPOINT)
        with closing(here._socket(socket.AF_INET, socket.SOCK_STREAM)) as server:
            server.bind(("127.0.0.1", 8080))
            server.listen()
            with pytest.raises(Conflict, match=r"tcp 0\.0\.0\.0:8080 \(IPv4\)"):
                await here.engine.endpoints.external(NETWORK, ENDPOINT, (WEB,))

        assert (here.is_free(), here.led()) == (True, False)
