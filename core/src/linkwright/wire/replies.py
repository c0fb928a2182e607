"""What we answer, as frozen values that check themselves. ``writers`` makes JSON of them.

Docker answers a wrong reply with a roll-back and a message about something else. Here it is a ValueError, raised
where the mistake is. In particular a reply cannot say again what its request already said (``EndpointReply``).
"""

import enum
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from typing import Any, Final

from attrs import Attribute, field, frozen

from linkwright.model import Address, Interface, Mac, PortBinding, Prefix
from linkwright.wire.requests import CreateEndpoint

LINK_NAME_BYTES: Final = 15  # IFNAMSIZ less the terminating NUL

# --- any plugin --------------------------------------------------------------------------------------------------


class Api(enum.Enum):
    """The interfaces a call can belong to; the value is what stands before the dot in its path."""

    PLUGIN = "Plugin"
    NETWORK_DRIVER = "NetworkDriver"
    IPAM_DRIVER = "IpamDriver"


@frozen
class ActivateReply:
    """The interfaces served on this socket."""

    implements: tuple[Api, ...]


@frozen
class Empty:
    """Done, and nothing more to say."""


# --- NetworkDriver -----------------------------------------------------------------------------------------------


class Scope(enum.Enum):
    """How far something reaches: this host, or all hosts of a swarm."""

    LOCAL = "local"
    GLOBAL = "global"


@frozen
class CapabilitiesReply:
    """``scope`` is where networks are known, ``connectivity`` how far their packets go."""

    scope: Scope = Scope.LOCAL
    connectivity: Scope = Scope.LOCAL
    checks_gateway: bool = False  # ask GwAllocCheck before creating a network


@frozen
class GwAllocReply:
    """Whether Docker need not ask IPAM for a gateway, by family. A user's ``--gateway`` is requested all the same."""

    skip_ipv4: bool = False
    skip_ipv6: bool = False


@frozen
class AllocateReply:
    """What was chosen: options that every host's CreateNetwork will carry among its ``-o`` pairs."""

    options: Mapping[str, str] = field(factory=dict)


@frozen
class EndpointReply:
    """The endpoint as made for the request ``asked``. Docker is told only what that request left open.

    Docker takes any value that it sent itself, even the same one, for a modification and rolls back.
    Therefore the whole endpoint goes in here, and ``mac_news``, ``ipv4_news`` and ``ipv6_news`` come out. A value
    that *contradicts* the request is a ValueError: the container would not get what its user asked for.
    """

    asked: CreateEndpoint
    mac: Mac | None = None
    ipv4: IPv4Interface | None = None
    ipv6: IPv6Interface | None = None

    def __attrs_post_init__(self) -> None:
        for name in ("mac", "ipv4", "ipv6"):
            asked, made = getattr(self.asked, name), getattr(self, name)
            if None not in {asked, made} and asked != made:
                raise ValueError(f"endpoint {self.asked.endpoint_id} was asked for with {name} {asked}, not {made}")

    @property
    def mac_news(self) -> Mac | None:
        """The hardware address, if Docker does not know it yet."""
        return self.mac if self.asked.mac is None else None

    @property
    def ipv4_news(self) -> IPv4Interface | None:
        """The IPv4 address, if Docker does not know it yet (null IPAM)."""
        return self.ipv4 if self.asked.ipv4 is None else None

    @property
    def ipv6_news(self) -> IPv6Interface | None:
        """The IPv6 address, if Docker does not know it yet (null IPAM)."""
        return self.ipv6 if self.asked.ipv6 is None else None


@frozen
class EndpointInfoReply:
    """Facts about an endpoint, and what it publishes. For a remote driver no engine shows them to anybody.

    ``ports`` is None for an endpoint that is not its container's way outside; ``addresses`` are where they lead to.
    """

    value: Mapping[str, str] = field(factory=dict)
    ports: tuple[PortBinding, ...] | None = None
    addresses: tuple[Address, ...] = ()


def _bare(_: object, attribute: "Attribute[Any]", value: Address | None) -> None:
    if value is not None and "/" in str(value):  # ipaddress's interfaces are addresses to isinstance and to mypy
        raise ValueError(f"{attribute.name} {value} must be a bare address: Docker takes no prefix length here")


@frozen
class StaticRoute:
    """A static route for the sandbox: via a next hop, or on-link through the endpoint's own interface."""

    destination: Prefix
    via: Address | None = field(default=None, validator=_bare)

    def __attrs_post_init__(self) -> None:
        if self.via is not None and self.via.version != self.destination.version:
            raise ValueError(f"a route to {self.destination} cannot go via {self.via}: another family")


def _link_name(_: object, attribute: "Attribute[str]", value: str) -> None:
    if len(value.encode()) > LINK_NAME_BYTES:
        raise ValueError(f"{attribute.name} {value!r} is longer than the {LINK_NAME_BYTES} bytes of a link's name")


@frozen
class JoinReply:
    """The link to move into the sandbox, and what to set up there. Without ``source`` there is none.

    ``prefix`` and a number become the link's name inside; ``name`` is the whole name, for engines that heed it.
    ``disable_gateway_service`` keeps Docker from adding docker_gwbridge to a container without a gateway.
    """

    source: str = field(default="", validator=_link_name)
    prefix: str = field(default="eth", validator=_link_name)
    name: str = field(default="", validator=_link_name)
    gateway4: IPv4Address | None = field(default=None, validator=_bare)
    gateway6: IPv6Address | None = field(default=None, validator=_bare)
    routes: tuple[StaticRoute, ...] = ()
    disable_gateway_service: bool = False

    def __attrs_post_init__(self) -> None:
        if self.source and not self.prefix:
            raise ValueError("a link that is handed over needs a prefix: Docker would call it just '0'")


# --- IpamDriver --------------------------------------------------------------------------------------------------


@frozen
class IpamCapabilitiesReply:
    """``requires_mac``: tell the MAC with RequestAddress. ``requires_replay``: ask for everything again at start."""

    requires_mac: bool = False
    requires_replay: bool = False


@frozen
class AddressSpacesReply:
    """Their names. They must differ: 29 tells "global" by comparing them."""

    local: str
    global_: str

    def __attrs_post_init__(self) -> None:
        if not self.local or not self.global_ or self.local == self.global_:
            raise ValueError(f"two address spaces need two names, not {self.local!r} and {self.global_!r}")


def _with_length(_: object, attribute: "Attribute[Any]", value: Interface | None) -> None:
    if value is not None and "/" not in str(value):
        raise ValueError(f"{attribute.name} {value} must carry the prefix length of its pool: Docker takes only CIDR")


@frozen
class PoolReply:
    """The pool. With ``gateway`` Docker takes that address without requesting it (and yet releases it later)."""

    pool: str
    subnet: Prefix
    gateway: Interface | None = field(default=None, validator=_with_length)

    def __attrs_post_init__(self) -> None:
        if not self.pool:
            raise ValueError("a pool needs an id: Docker names it in every later call")


@frozen
class AddressReply:
    """The address, with the prefix length of its pool (not of the sub-range)."""

    address: Interface = field(validator=_with_length)


# --- all of them -------------------------------------------------------------------------------------------------

Reply = (
    ActivateReply
    | CapabilitiesReply
    | GwAllocReply
    | AllocateReply
    | EndpointReply
    | EndpointInfoReply
    | JoinReply
    | IpamCapabilitiesReply
    | AddressSpacesReply
    | PoolReply
    | AddressReply
    | Empty
)
