"""Endpoints and their sandboxes. Values only; how they may change is ``lifecycle``."""

from collections.abc import Mapping
from ipaddress import IPv4Interface, IPv6Interface

from attrs import field, frozen

from linkwright.model.address import Interface
from linkwright.model.lifecycle import EndpointState
from linkwright.model.mac import Mac
from linkwright.model.ports import PortBinding


@frozen
class Sandbox:
    """Where an endpoint was joined: Docker's SandboxKey, and the kernel's boot id under which that was said."""

    key: str
    boot: str


@frozen
class Endpoint:
    """A container's attachment to one network. It lives from container start to stop; ids never return."""

    id: str
    network: str
    ipv4: IPv4Interface | None = None
    ipv6: IPv6Interface | None = None
    mac: Mac | None = None
    mac_given: bool = False  # by the request; then it must not be answered again
    options: Mapping[str, str] = field(factory=dict)
    name: str = ""  # where an IPAM call told it
    state: EndpointState = EndpointState.CREATING
    sandbox: Sandbox | None = None
    ports: tuple[PortBinding, ...] = ()  # as asked for
    published: tuple[PortBinding, ...] = ()  # as made; empty while this endpoint is not the container's gateway
    external: bool = False  # Docker said: provide the outside through this endpoint
    claims: Mapping[str, str] = field(factory=dict)
    boot: str = ""  # the boot id under which it was made
    created: float = 0.0  # seconds since the Unix epoch

    @property
    def addresses(self) -> tuple[Interface, ...]:
        """Its addresses, IPv4 first."""
        return tuple(address for address in (self.ipv4, self.ipv6) if address is not None)
