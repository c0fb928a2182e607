"""Networks, their subnets, and what was known of the host when they were made. Values only."""

from collections.abc import Mapping
from typing import Generic, TypeVar

from attrs import evolve, field, frozen

from linkwright.model.address import Address, Interface, Prefix

O = TypeVar("O")  # noqa: E741 - reads "options"
P = TypeVar("P")


@frozen
class Subnet:
    """One pool of a network as its IPAM driver gave it. ``gateway`` carries the pool's prefix length."""

    pool: Prefix
    gateway: Interface | None = None
    auxiliary: Mapping[str, Address] = field(factory=dict)
    space: str = ""

    @property
    def version(self) -> int:
        """4 or 6."""
        return self.pool.version


@frozen
class LinkFact:
    """What a driver may know of a link on the host that it named."""

    name: str
    kind: str = ""  # the rtnetlink kind: "bridge", "vlan", … and "" for hardware
    mtu: int = 1500
    mac: str = ""
    up: bool = True
    ours: bool = False  # made by this linkwright
    master: str = ""  # the bridge, or bond, that it is a port of and that takes its packets


@frozen
class HostFacts:
    """What decides something lasting, read once when the network is made and stored with it.

    ``uplink`` is the link of the default route (any table; IPv4 before IPv6), None on a host without one.
    ``links`` are those that the driver asked about. ``features`` are kernel features by name.
    """

    uplink: LinkFact | None = None
    addresses: tuple[Interface, ...] = ()  # of the uplink
    links: tuple[LinkFact, ...] = ()
    features: frozenset[str] = frozenset()

    def link(self, name: str) -> LinkFact | None:
        """The fact about link *name*, or None if the host had no such link."""
        return next((fact for fact in self.links if fact.name == name), None)


@frozen
class Network(Generic[O]):
    """A network that Docker asked for. As stored, ``options`` are the ``-o`` pairs; a driver sees its own class."""

    id: str
    driver: str
    options: O
    subnets: tuple[Subnet, ...] = ()
    ipv4: bool = True
    ipv6: bool = False
    internal: bool = False
    host: HostFacts = field(factory=HostFacts)
    claims: Mapping[str, str] = field(factory=dict)
    created: float = 0.0  # seconds since the Unix epoch

    def with_options(self, options: P) -> "Network[P]":
        """Return the same network with *options* instead: the one way from stored text to a driver's class."""
        return evolve(self, options=options)  # type: ignore[return-value, arg-type]

    def subnets_of(self, version: int) -> tuple[Subnet, ...]:
        """The IPv4 (4) or IPv6 (6) subnets, in the order the user gave them."""
        return tuple(subnet for subnet in self.subnets if subnet.version == version)

    def subnet_for(self, address: Interface | None) -> Subnet | None:
        """The subnet that *address* lies in."""
        if address is None:
            return None
        return next((subnet for subnet in self.subnets_of(address.version) if address.ip in subnet.pool), None)


StoredNetwork = Network[Mapping[str, str]]
