"""Every call there is, as one table. To learn what Docker can ask of a plugin, read ``TABLE`` from top to bottom.

What a request carries and an answer may say stands in ``requests`` and ``replies``; which JSON that is, in ``readers``
and ``writers``. Nothing is handled here: who serves a call is the daemon's business.
"""

import enum
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import attrs
from attrs import field, frozen

from linkwright.wire.fields import Fields, Undecodable, shown
from linkwright.wire.readers import READERS
from linkwright.wire.replies import (
    ActivateReply,
    AddressReply,
    AddressSpacesReply,
    AllocateReply,
    Api,
    CapabilitiesReply,
    Empty,
    EndpointInfoReply,
    EndpointReply,
    GwAllocReply,
    IpamCapabilitiesReply,
    JoinReply,
    PoolReply,
    Reply,
)
from linkwright.wire.requests import (
    Activate,
    AddressSpaces,
    AllocateNetwork,
    CreateEndpoint,
    CreateNetwork,
    DeleteEndpoint,
    DeleteNetwork,
    DiscoverDelete,
    DiscoverNew,
    EndpointInfo,
    FreeNetwork,
    GwAllocCheck,
    IpamCapabilities,
    Join,
    Leave,
    NetworkCapabilities,
    ProgramExternal,
    ReleaseAddress,
    ReleasePool,
    Request,
    RequestAddress,
    RequestPool,
    RevokeExternal,
)


class Touches(enum.Enum):
    """How deep a call reaches."""

    NOTHING = "nothing"  # a constant or a pure function answers, also while disk, kernel and cluster are blocked
    READS = "reads"  # looks at the state
    CHANGES = "changes"  # changes the state, durably before the answer


@frozen
class Effort:
    """What a call may cost. After ``deadline`` seconds it is answered with an error.

    Docker waits for a plugin without end, for a managed one 30 s, and holds its network's lock meanwhile; one
    ``docker run`` is about seven calls long.
    """

    deadline: float
    touches: Touches


CONSTANT: Final = Effort(2.0, Touches.NOTHING)
ADVICE: Final = Effort(5.0, Touches.NOTHING)  # a driver is asked, which may need its whole deadline
LOOK: Final = Effort(5.0, Touches.READS)
LEASE: Final = Effort(5.0, Touches.CHANGES)  # one commit, for a global pool perhaps one round trip to the cluster
CHANGE: Final = Effort(10.0, Touches.CHANGES)  # a commit and the kernel


@frozen
class Route:
    """One call: a POST to ``path`` with a ``request`` is answered by a ``reply``, or by a failure."""

    path: str
    request: type[Request]
    reply: type[Reply]
    effort: Effort
    api: Api = field(init=False)
    """The interface it belongs to. A socket that does not implement it has no such path (404)."""

    @api.default
    def _(self) -> Api:
        return Api(self.path[1:].partition(".")[0])

    @property
    def takes_arguments(self) -> bool:
        """Whether the request carries anything; if not, Docker sends no body at all."""
        return bool(attrs.fields(self.request))

    @property
    def read(self) -> Callable[[Fields], Request]:
        """How the request is made of a JSON object."""
        return READERS[self.request]


# fmt: off
TABLE: Final = (
    # at the first use after dockerd's start
    Route("/Plugin.Activate",                           Activate,            ActivateReply,         CONSTANT),
    Route("/NetworkDriver.GetCapabilities",             NetworkCapabilities, CapabilitiesReply,     CONSTANT),
    Route("/IpamDriver.GetCapabilities",                IpamCapabilities,    IpamCapabilitiesReply, CONSTANT),
    Route("/IpamDriver.GetDefaultAddressSpaces",        AddressSpaces,       AddressSpacesReply,    CONSTANT),
    # docker network create: first whether to ask for gateways, then pools and addresses, then the network itself
    Route("/NetworkDriver.GwAllocCheck",                GwAllocCheck,        GwAllocReply,          ADVICE),
    Route("/IpamDriver.RequestPool",                    RequestPool,         PoolReply,             LEASE),
    Route("/IpamDriver.RequestAddress",                 RequestAddress,      AddressReply,          LEASE),
    Route("/NetworkDriver.CreateNetwork",               CreateNetwork,       Empty,                 CHANGE),
    # docker run, start, network connect: addresses (as above), then
    Route("/NetworkDriver.CreateEndpoint",              CreateEndpoint,      EndpointReply,         CHANGE),
    Route("/NetworkDriver.Join",                        Join,                JoinReply,             CHANGE),
    Route("/NetworkDriver.ProgramExternalConnectivity", ProgramExternal,     Empty,                 CHANGE),
    Route("/NetworkDriver.EndpointOperInfo",            EndpointInfo,        EndpointInfoReply,     LOOK),
    # docker stop, kill, rm -f, network disconnect
    Route("/NetworkDriver.RevokeExternalConnectivity",  RevokeExternal,      Empty,                 CHANGE),
    Route("/NetworkDriver.Leave",                       Leave,               Empty,                 CHANGE),
    Route("/NetworkDriver.DeleteEndpoint",              DeleteEndpoint,      Empty,                 CHANGE),
    Route("/IpamDriver.ReleaseAddress",                 ReleaseAddress,      Empty,                 LEASE),
    # docker network rm: addresses (as above) and pools before the network
    Route("/IpamDriver.ReleasePool",                    ReleasePool,         Empty,                 LEASE),
    Route("/NetworkDriver.DeleteNetwork",               DeleteNetwork,       Empty,                 CHANGE),
    # swarm: its manager allocates, its hosts are announced
    Route("/NetworkDriver.AllocateNetwork",             AllocateNetwork,     AllocateReply,         CHANGE),
    Route("/NetworkDriver.FreeNetwork",                 FreeNetwork,         Empty,                 CHANGE),
    Route("/NetworkDriver.DiscoverNew",                 DiscoverNew,         Empty,                 CONSTANT),
    Route("/NetworkDriver.DiscoverDelete",              DiscoverDelete,      Empty,                 CONSTANT),
)
# fmt: on

ROUTES: Final[Mapping[str, Route]] = MappingProxyType({route.path: route for route in TABLE})


def find(path: str, *, method: str = "POST") -> Route:
    """The call at *path*. Undecodable 404 where there is none, 405 for another *method* than POST."""
    route = ROUTES.get(path)
    if route is None:
        calls = "/Plugin.Activate and libnetwork's /NetworkDriver.* and /IpamDriver.*"
        raise Undecodable(404, f"there is no call {shown(path)} here; there are {calls}")
    if method != "POST":
        raise Undecodable(405, f"{path} takes POST, not {shown(method)}")
    return route
