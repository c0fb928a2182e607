"""Pools and leases as the store keeps them: who holds which address, since when. No policy: that is ``ipam``."""

import enum
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network

from attrs import field, frozen

Address = IPv4Address | IPv6Address
Prefix = IPv4Network | IPv6Network
Interface = IPv4Interface | IPv6Interface


class LeaseKind(enum.Enum):
    """What an address is held for."""

    GATEWAY = "gateway"
    AUXILIARY = "auxiliary"
    ENDPOINT = "endpoint"
    HOST = "host"  # the host's own use, by claim


class LeaseState(enum.Enum):
    """A held lease belongs to somebody; a quarantined one waits until nobody can still be using it.

    A remembered one belongs to nobody: it is free, and kept for the owner who had it last (sticky addresses).
    """

    HELD = "held"
    QUARANTINED = "quarantined"
    REMEMBERED = "remembered"


@frozen
class Pool:
    """A range of addresses that Docker asked for. ``id`` is the opaque PoolID that Docker stores.

    An epoch is the life of one dockerd as one listener sees it; they are numbered (``ipam.epochs``).
    """

    id: str
    space: str
    subnet: Prefix
    range: Prefix | None = None
    listener: str = ""  # the socket it was requested through: each name is activated by itself
    options: Mapping[str, str] = field(factory=dict)
    references: int = 1
    automatic: bool = False  # chosen by us, not by --subnet
    created: float = 0.0  # seconds since the Unix epoch
    born: int = 0  # the epoch in which it was first asked for
    asked: int = 0  # the last epoch in which Docker asked for it: its references are the requests of that epoch
    seen: int = 0  # the last epoch in which any request named it
    engine: str = ""  # the dockerd of that epoch, where the peer of the socket is known


@frozen
class Lease:
    """One address in use. Times are seconds since the Unix epoch."""

    pool: str
    address: Address
    kind: LeaseKind = LeaseKind.ENDPOINT
    state: LeaseState = LeaseState.HELD
    owner: str = ""  # the endpoint's name where the engine tells it
    mac: str = ""
    since: float = 0.0
    epoch: int = 0  # the epoch in which it was given, or last confirmed by Docker's replay
