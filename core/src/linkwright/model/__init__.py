"""What Docker asked for, as frozen values. No I/O, no JSON names, no policy."""

from linkwright.model.address import Address, Interface, Lease, LeaseKind, LeaseState, Pool, Prefix
from linkwright.model.endpoint import Endpoint, Sandbox
from linkwright.model.found import FoundBefore
from linkwright.model.handover import Handover
from linkwright.model.lifecycle import Call, EndpointState, after
from linkwright.model.mac import Mac
from linkwright.model.moments import Announcement, Flows
from linkwright.model.network import HostFacts, LinkFact, Network, StoredNetwork, Subnet
from linkwright.model.ports import PortBinding, Protocol

__all__ = [
    "Address",
    "Announcement",
    "Call",
    "Endpoint",
    "EndpointState",
    "Flows",
    "FoundBefore",
    "Handover",
    "HostFacts",
    "Interface",
    "Lease",
    "LeaseKind",
    "LeaseState",
    "LinkFact",
    "Mac",
    "Network",
    "Pool",
    "PortBinding",
    "Prefix",
    "Protocol",
    "Sandbox",
    "StoredNetwork",
    "Subnet",
    "after",
]
