"""The contract between linkwright and a network driver: one abstract class, and small optional powers.

Rule 1: a driver is pure. It answers with values and never opens a socket, awaits, logs, waits or remembers.
Rule 2: what it needs to know of the host comes in as data (``network.host``).

The core calls each method in a worker thread with a deadline, checks what comes back (``plan.check``) and does the
rest: applying, undoing, storing, healing, deleting, answering Docker.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

from attrs import frozen

from linkwright.model import Endpoint, HostFacts, Network
from linkwright.plan import Wishes
from linkwright.sdk.join import Join

O = TypeVar("O")  # noqa: E741 - reads "options"

#: The contract's version. A driver that names another one is refused when it is loaded.
API = 1


@frozen
class Capabilities:
    """What a driver can do, told to Docker when it activates the plugin.

    ``connectivity`` is "global" for a driver whose networks reach containers on other hosts or the outside at layer 2.
    ``takes_mac`` False means that endpoints share their parent's hardware address.
    """

    connectivity: str = "local"
    takes_mac: bool = True


class Driver(ABC, Generic[O]):
    """A network driver. Subclass it, name it, describe its options, and say what each thing needs."""

    api: ClassVar[int] = API
    name: ClassVar[str]
    options: ClassVar[type[Any]]
    capabilities: ClassVar[Capabilities] = Capabilities()

    @abstractmethod
    def network(self, network: Network[O]) -> Wishes:
        """Return what must be there while *network* exists. Refused if it cannot be had with these options."""

    @abstractmethod
    def endpoint(self, network: Network[O], endpoint: Endpoint) -> Wishes:
        """Return what must be there while *endpoint* exists."""

    @abstractmethod
    def join(self, network: Network[O], endpoint: Endpoint) -> Join:
        """Return the link to hand over to the sandbox, and its gateways and routes."""


@runtime_checkable
class SkipsGateway(Protocol):
    """A driver some of whose networks need no gateway address (Docker 28+: GwAllocCheck)."""

    def skip_gateway(self, options: Any, *, internal: bool) -> tuple[bool, bool]:
        """Return whether (IPv4, IPv6) can do without. Asked before a network exists."""


@runtime_checkable
class LooksAt(Protocol):
    """A driver that needs facts about links on the host."""

    def looks_at(self, options: Any) -> tuple[str, ...]:
        """Return the names of links to describe in ``network.host.links``."""


@runtime_checkable
class Admits(Protocol):
    """A driver whose networks may exclude each other on one host."""

    def admit(self, network: Network[Any], others: tuple[Network[Any], ...], host: HostFacts) -> None:
        """Refuse (Conflict) *network* beside *others* of the same driver, naming the one in the way."""


#: The optional powers by name, as ``linkwright drivers`` lists them.
POWERS: dict[str, type] = {"admits": Admits, "looks-at": LooksAt, "skips-gateway": SkipsGateway}
