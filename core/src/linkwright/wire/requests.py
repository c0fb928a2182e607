"""What Docker asks, as frozen values that are valid in every field: ``readers`` makes them, from nothing else.

They speak Python and carry the model's values; Docker's JSON names end in ``readers``. The order is the one of
libnetwork's interfaces; the order of a container's life is in ``routes``.
"""

from collections.abc import Mapping
from ipaddress import IPv4Interface, IPv6Interface

from attrs import field, frozen

from linkwright.model import Address, Mac, PortBinding, Prefix, Subnet

# --- any plugin --------------------------------------------------------------------------------------------------


@frozen
class Activate:
    """What are you? Once per engine's lifetime and name, also by commands that have nothing to do with networks."""


# --- networks ----------------------------------------------------------------------------------------------------


@frozen
class NetworkCapabilities:
    """What can you do? A failure here disables the driver until dockerd restarts."""


@frozen
class GwAllocCheck:
    """May Docker skip asking IPAM for a gateway? From 28 on; sent before the network has an id."""

    ipv4: bool = True
    ipv6: bool = False
    internal: bool = False
    options: Mapping[str, str] = field(factory=dict)


@frozen
class AllocateNetwork:
    """Choose what all hosts of a swarm must agree on. Only to managed plugins of global scope, on a manager."""

    network_id: str
    subnets: tuple[Subnet, ...] = ()
    options: Mapping[str, str] = field(factory=dict)


@frozen
class FreeNetwork:
    """Undo AllocateNetwork."""

    network_id: str


@frozen
class CreateNetwork:
    """Make a network. Never repeated after a restart of anybody: the plugin remembers.

    ``subnets`` are the IPv4 ones first, each family in the order of ``--subnet``. ``options`` are the ``-o`` pairs.
    """

    network_id: str
    subnets: tuple[Subnet, ...]
    ipv4: bool = True  # engines before 28 do not say, and always mean it
    ipv6: bool = False
    internal: bool = False
    options: Mapping[str, str] = field(factory=dict)


@frozen
class DeleteNetwork:
    """Remove a network. Cannot be vetoed: Docker forgets it whatever the answer."""

    network_id: str


# --- endpoints ---------------------------------------------------------------------------------------------------


@frozen
class CreateEndpoint:
    """Make a container's attachment. What is None was left open for the plugin to choose.

    ``options`` are the ``--driver-opt`` pairs; Join does not repeat them.
    """

    network_id: str
    endpoint_id: str
    ipv4: IPv4Interface | None = None
    ipv6: IPv6Interface | None = None
    mac: Mac | None = None
    ports: tuple[PortBinding, ...] = ()
    options: Mapping[str, str] = field(factory=dict)


@frozen
class EndpointInfo:
    """Tell about an endpoint (EndpointOperInfo). Several times per container start, also after Leave: be quick."""

    network_id: str
    endpoint_id: str


@frozen
class DeleteEndpoint:
    """Remove an attachment. May come without Leave, or never."""

    network_id: str
    endpoint_id: str


@frozen
class Join:
    """Hand over a link for the sandbox, which may not exist yet. ``ports`` are those of the whole container."""

    network_id: str
    endpoint_id: str
    sandbox_key: str
    ports: tuple[PortBinding, ...] = ()


@frozen
class Leave:
    """The container lets go of the link, which is still inside its sandbox. May come twice, or after a failed Join."""

    network_id: str
    endpoint_id: str


@frozen
class ProgramExternal:
    """This endpoint now leads outside: publish the container's ports here, and only here.

    May come again without a Revoke, when the container gets or loses another way outside for one family. ``ipv6`` False
    means that the host's IPv6 addresses are that one's. For the one that leads outside by IPv6 alone nothing says so.
    """

    network_id: str
    endpoint_id: str
    ports: tuple[PortBinding, ...] = ()
    ipv6: bool = True


@frozen
class RevokeExternal:
    """It no longer does. Not to be relied upon: Leave and DeleteEndpoint must unpublish as well."""

    network_id: str
    endpoint_id: str


# --- discovery ---------------------------------------------------------------------------------------------------


@frozen
class Node:
    """A host of a swarm, as its manager knows it."""

    address: str = ""
    bind_address: str = ""
    itself: bool = False  # the host this was sent to


@frozen
class DiscoverNew:
    """A host appeared. ``node`` is None for kinds of discovery that are not about hosts. Only in a swarm."""

    node: Node | None = None


@frozen
class DiscoverDelete:
    """A host went away."""

    node: Node | None = None


# --- addresses ---------------------------------------------------------------------------------------------------


@frozen
class IpamCapabilities:
    """What do you need to be told? Asked once, as NetworkCapabilities is."""


@frozen
class AddressSpaces:
    """What are your address spaces called? From 27 on asked before every RequestPool."""


@frozen
class RequestPool:
    """Give a network a range of addresses.

    ======================  ==========================================================================================
    what Docker sent        what stands here
    ======================  ==========================================================================================
    ``10.80.0.0/24``        ``subnet``
    ``10.80.0.5/24``        ``subnet`` 10.80.0.0/24: only 20.10's API lets host bits pass, and its own IPAM masks them
    nothing                 neither ``subnet`` nor ``prefix_length``: choose a pool
    ``0.0.0.0/24``,         ``prefix_length``: choose a pool of that size. 29's meaning; before, it was the range that
    ``::/64``               begins at zero, which no host can use, so both engines are understood as 29
    ======================  ==========================================================================================

    ``version`` is 4 or 6 and always agrees with ``subnet`` and ``sub_range``. Whether ``sub_range`` lies in
    ``subnet``, and whether a size can be served, is for the ledger to say.
    """

    space: str
    version: int = 4
    subnet: Prefix | None = None
    prefix_length: int | None = None
    sub_range: Prefix | None = None
    options: Mapping[str, str] = field(factory=dict)


@frozen
class ReleasePool:
    """Take a pool back, with all addresses still in use there."""

    pool: str


@frozen
class RequestAddress:
    """Give out an address: this one, or any where ``address`` is None.

    ``owner`` is the container's name where the engine tells (29), ``mac`` its hardware address where we asked to be
    told. ``options`` are what Docker sent besides these.
    """

    pool: str
    address: Address | None = None
    is_gateway: bool = False
    owner: str = ""
    mac: Mac | None = None
    options: Mapping[str, str] = field(factory=dict)


@frozen
class ReleaseAddress:
    """Take an address back. Both it and the pool may be unknown; ``pool`` may even be empty."""

    pool: str
    address: Address


# --- all of them -------------------------------------------------------------------------------------------------

NetworkRequest = (
    NetworkCapabilities
    | GwAllocCheck
    | AllocateNetwork
    | FreeNetwork
    | CreateNetwork
    | DeleteNetwork
    | CreateEndpoint
    | EndpointInfo
    | DeleteEndpoint
    | Join
    | Leave
    | ProgramExternal
    | RevokeExternal
    | DiscoverNew
    | DiscoverDelete
)
IpamRequest = IpamCapabilities | AddressSpaces | RequestPool | ReleasePool | RequestAddress | ReleaseAddress
Request = Activate | NetworkRequest | IpamRequest
