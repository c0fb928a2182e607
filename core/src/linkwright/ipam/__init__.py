"""Addresses: who may have which. Everything but ``actor`` is pure: no I/O, no clock, no trio.

``Ledger`` is the state, ``actor.Actor`` (imported by itself, since it needs trio) owns one and makes it durable.
"""

from linkwright.ipam.asking import AddressRequest, PoolRequest
from linkwright.ipam.automatic import DefaultPool, docker_defaults, unique_local
from linkwright.ipam.block import PoolStatistics
from linkwright.ipam.book import Transition
from linkwright.ipam.epochs import Epoch
from linkwright.ipam.happenings import Happening
from linkwright.ipam.ledger import REST, Ledger
from linkwright.ipam.options import KNOWN as OPTIONS
from linkwright.ipam.reclaim import Unconfirmed
from linkwright.ipam.spaces import GLOBAL, LOCAL, PoolName

__all__ = [
    "GLOBAL",
    "LOCAL",
    "OPTIONS",
    "REST",
    "AddressRequest",
    "DefaultPool",
    "Epoch",
    "Happening",
    "Ledger",
    "PoolName",
    "PoolRequest",
    "PoolStatistics",
    "Transition",
    "Unconfirmed",
    "docker_defaults",
    "unique_local",
]
