"""Back-ends: who says which subnet and which address, where that is not linkwright's alone to say. The contract, pure.

A back-end is a package that offers a subclass of ``Backend`` by an entry point of the group ``linkwright.ipam``; the
daemon asks the one that ``--ipam`` names. linkwright's own ledger keeps what was given, durably, and judges Docker's
replay; a back-end is asked when something *new* is wanted, and told now and then what is held.

Rule: the whole is said, not the difference. Whatever is not in ``settle`` any more is free: so no release is lost when
either side is away, and a back-end keeps nothing of its own that could go stale.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from attrs import field, frozen

from linkwright.errors import Conflict, Exhausted, Refused
from linkwright.model import LeaseKind
from linkwright.model.address import Address, Prefix

__all__ = [
    "API",
    "AddressAsked",
    "Backend",
    "Builtin",
    "Conflict",
    "Exhausted",
    "Held",
    "LeaseKind",
    "PoolAsked",
    "Refused",
]

#: The contract's version. A back-end that names another one is refused when it is loaded.
API = 1


@frozen
class PoolAsked:
    """A pool that is wanted: *subnet*, or where that is None one of prefix length *size* (None: as you like).

    ``options`` are those pairs of ``--ipam-opt`` whose key begins with the back-end's name and a full stop. ``taken``
    are subnets that the host has routes to, or pools on: of no use for a pool that is to be chosen.
    """

    version: int  # 4 or 6
    subnet: Prefix | None = None
    size: int | None = None
    range: Prefix | None = None
    options: Mapping[str, str] = field(factory=dict)
    taken: tuple[Prefix, ...] = ()


@frozen
class AddressAsked:
    """An address of *pool* that is wanted: *address*, or where that is None one of *range*, or of the whole pool.

    ``owner`` is the container's name where the engine tells it (29 and later), else "".
    """

    pool: Prefix
    address: Address | None = None
    range: Prefix | None = None
    kind: LeaseKind = LeaseKind.ENDPOINT
    owner: str = ""
    mac: str = ""


@frozen
class Held:
    """What is held of one pool now: gateways, containers' addresses, and those that rest before they are free."""

    pool: Prefix
    addresses: frozenset[Address] = frozenset()


class Backend(ABC):
    """Gives out subnets and addresses. Made once, when the daemon starts: raise Refused if it cannot work.

    Methods are called in a worker thread, one at a time, and may block; after a few seconds their answer is not waited
    for any more. They raise Refused, Conflict (somebody else holds it) or Exhausted in words for Docker's user.
    """

    api: ClassVar[int] = API
    name: ClassVar[str]

    @abstractmethod
    def pool(self, asked: PoolAsked) -> Prefix | None:
        """Return the subnet to use, reserved; None leaves the choice to linkwright."""

    @abstractmethod
    def address(self, asked: AddressAsked) -> Address | None:
        """Return the address to use, reserved; None leaves the choice to linkwright. Never one that is reserved."""

    @abstractmethod
    def settle(self, held: tuple[Held, ...]) -> None:
        """Take note of all that this host holds. Whatever else was reserved for it is free."""


class Builtin(Backend):
    """linkwright's own ledger: nobody else is asked."""

    name: ClassVar[str] = "builtin"

    def pool(self, asked: PoolAsked) -> Prefix | None:  # noqa: ARG002 - the contract's
        """As linkwright chooses."""
        return None

    def address(self, asked: AddressAsked) -> Address | None:  # noqa: ARG002
        """As linkwright chooses."""
        return None

    def settle(self, held: tuple[Held, ...]) -> None:
        """The ledger knows."""
