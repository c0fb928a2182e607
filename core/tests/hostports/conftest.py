"""Hosts whose ports tests hold: an imaginary one, and a real one in a network namespace of its own."""

import errno
import socket
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol as Shape

import pytest
from attrs import define, field

from linkwright.engine.ports import HostPorts
from linkwright.errors import Conflict
from linkwright.hostports import HeldPorts, Keeper
from linkwright.model import Address, PortBinding, Protocol
from linkwright.testkit.fake_host_ports import FakeHostPorts
from linkwright.testkit.namespaces import Namespace, made

ANY4, ANY6, ONE4, ONE6 = map(ip_address, ("0.0.0.0", "::", "192.0.2.1", "2001:db8::1"))
"""Addresses of every host here, and all of each family."""

KINDS = {Protocol.TCP: socket.SOCK_STREAM, Protocol.UDP: socket.SOCK_DGRAM, Protocol.SCTP: socket.SOCK_STREAM}


def bind(address: Address, port: int, to: int = 80, protocol: Protocol = Protocol.TCP, last: int = 0) -> PortBinding:
    """A binding of a port of the host, or of one up to *last*, to port *to*."""
    return PortBinding(protocol, to, address, port, last)


def both(port: int, to: int = 80, protocol: Protocol = Protocol.TCP, last: int = 0) -> tuple[PortBinding, ...]:
    """The same on every address of either family."""
    return bind(ANY4, port, to, protocol, last), bind(ANY6, port, to, protocol, last)


def numbers(bindings: tuple[PortBinding, ...]) -> list[int]:
    """The host ports of *bindings*."""
    return [binding.host_port for binding in bindings]


class Host(Shape):
    """A host, and what else goes on there."""

    @property
    def ports(self) -> HostPorts:
        """Its ports."""

    def take(self, protocol: Protocol, address: Address, port: int) -> Callable[[], None]:
        """Another process takes a port; Conflict if that is taken. What comes back lets it go."""

    def restart(self) -> HostPorts:
        """Our process ends and another begins, with nothing from before."""


@define
class FakeHost:
    """The one of the test kit."""

    ports: FakeHostPorts = field(factory=FakeHostPorts)

    def take(self, protocol: Protocol, address: Address, port: int) -> Callable[[], None]:
        """Another process takes a port."""
        self.ports.foreign_bind(protocol, address, port)
        return lambda: self.ports.foreign_close(protocol, address, port)

    def restart(self) -> FakeHostPorts:
        """Our process ends; the others go on."""
        for owner in list(self.ports.held):
            self.ports.release(owner)
        return self.ports


@define
class RealHost:
    """A network namespace."""

    namespace: Namespace
    proc_sys: Path
    ports: HeldPorts = field(init=False)
    strangers: list[socket.socket] = field(factory=list)

    def __attrs_post_init__(self) -> None:
        """Begin."""
        self.ports = self.held()

    def make(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """Open a socket there."""
        return self.namespace.socket(socket.AddressFamily(family), socket.SocketKind(kind), protocol)

    def held(self, keeper: Keeper | None = None, handed: tuple[tuple[str, socket.socket], ...] = ()) -> HeldPorts:
        """Its ports as a new process has them."""
        return HeldPorts(keeper=keeper, handed=handed, make=self.make, proc_sys=self.proc_sys)

    def give_out(self, span: str, reserved: str = "") -> None:
        """Set which ports the kernel chooses; our thread, which is elsewhere, sees other settings below /proc."""
        for name, value in (("ip_local_port_range", span), ("ip_local_reserved_ports", reserved)):
            self.namespace.run("sysctl", "-q", "-w", f"net.ipv4.{name}={value}")
            (self.proc_sys / "net/ipv4").mkdir(parents=True, exist_ok=True)
            (self.proc_sys / "net/ipv4" / name).write_text(f"{value}\n")

    def take(
        self, protocol: Protocol, address: Address, port: int, *, dual: bool = False, shy: bool = False
    ) -> Callable[[], None]:
        """Another process takes a port, as a server does; a *dual* one for IPv4 as well, a *shy* one is like ours."""
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        one = self.make(family, KINDS[protocol])
        try:
            if not shy:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dual)
            one.bind((str(address), port))
            if protocol is Protocol.TCP:
                one.listen()
        except OSError as error:
            one.close()
            if error.errno == errno.EADDRINUSE:
                raise Conflict(str(error)) from error
            raise
        self.strangers.append(one)
        return one.close

    def restart(self) -> HeldPorts:
        """Our process ends."""
        self.ports.close()
        self.ports = self.held()
        return self.ports

    def end(self) -> None:
        """Close all."""
        self.ports.close()
        for one in self.strangers:
            one.close()


def with_addresses(namespace: Namespace) -> None:
    """Give it the addresses that all hosts here have."""
    namespace.run("ip", "link", "set", "lo", "up")
    for address in (f"{ONE4}/32", f"{ONE6}/128"):
        namespace.run("ip", "address", "add", address, "dev", "lo", *(("nodad",) if ":" in address else ()))


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealHost]:
    """A network namespace with a few addresses."""
    with made() as namespace:
        with_addresses(namespace)
        host = RealHost(namespace, tmp_path)
        try:
            yield host
        finally:
            host.end()


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.netns)])
def host(request: pytest.FixtureRequest) -> Host:
    """One of each sort."""
    if request.param == "fake":
        return FakeHost()
    found: RealHost = request.getfixturevalue("real")
    return found
