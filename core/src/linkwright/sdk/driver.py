"""The contract between linkwright and a network driver: one abstract class, and small optional powers.

Rule 1: a driver is pure. It answers with values and never opens a socket, awaits, logs, waits or remembers.
Rule 2: what it needs to know of the host comes in as data (``network.host``).

The core calls each method in a worker thread with a deadline, checks what comes back (``plan.check``) and does the
rest: applying, undoing, storing, healing, deleting, answering Docker.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Generic, Protocol, TypeVar, runtime_checkable

from attrs import frozen

from linkwright.model import Endpoint, HostFacts, Network, PortBinding
from linkwright.plan import Wishes
from linkwright.sdk.claims import Claim
from linkwright.sdk.join import Join
from linkwright.sdk.options import EndpointOptions

O = TypeVar("O")  # noqa: E741 - reads "options"

#: The contract's version. A driver that names another one is refused when it is loaded.
API = 1


@frozen
class Capabilities:
    """What a driver can do, told to Docker when it activates the plugin.

    ``connectivity`` is "global" for a driver whose networks reach containers on other hosts or the outside at layer 2.
    ``takes_mac`` False means that endpoints share their parent's hardware address. ``beside`` are other drivers whose
    networks may be in the way of this one's: those are handed to ``admit`` too.
    """

    connectivity: str = "local"
    takes_mac: bool = True
    beside: frozenset[str] = frozenset()


class Driver(ABC, Generic[O]):
    """A network driver. Subclass it, name it, describe its options, and say what each thing needs.

    The core has read the options of a network (``-o``) when it hands one over. Those of an endpoint (``--driver-opt``)
    it has only checked against ``endpoint_options``: ``sdk.read_endpoint`` reads them.
    """

    api: ClassVar[int] = API
    name: ClassVar[str]
    options: ClassVar[type[Any]]
    endpoint_options: ClassVar[type[Any]] = EndpointOptions
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
        """Refuse (Conflict) *network* beside *others*, naming the one in the way.

        Those are of the same driver, or of one that ``Capabilities.beside`` names: tell them apart by ``driver``.
        """


@runtime_checkable
class Publishes(Protocol):
    """A driver whose endpoints can be reached by ports of the host (``-p``).

    Both are asked when Docker says that the container's way outside is through this endpoint, and only then. For
    drivers without this power ``-p`` is refused. ``Driver.endpoint`` is shown no ports: what it answers stands while
    ports come and go. On an internal network nothing is asked.
    """

    def bindings(
        self, network: Network[Any], endpoint: Endpoint, ports: tuple[PortBinding, ...]
    ) -> tuple[tuple[PortBinding, ...], ...]:
        """Return what has to be bound on the host for *ports*, in groups; each binding names its host address.

        The bindings of a group get the same host port: the one they name, or one that the core chooses (0, or a
        range). What needs nothing on the host (a routed network) is left out. Refused if a port cannot be published.
        """

    def publish(self, network: Network[Any], endpoint: Endpoint) -> Wishes:
        """Return what must be there, beside ``endpoint``'s wishes, while *endpoint* is the way outside.

        ``endpoint.published`` are the bindings with the ports that were chosen, ``endpoint.ports`` what Docker asked.
        """


@runtime_checkable
class Claims(Protocol):
    """A driver some of whose networks need what is chosen rather than described."""

    def claims(self, network: Network[Any]) -> tuple[Claim, ...]:
        """Return what has to be chosen for *network*; it is in ``network.claims`` whenever wishes are asked for.

        Asked when the network is made; endpoints have no claims of their own. Refused if it cannot be had.
        """


#: The optional powers by name, as ``linkwright drivers`` lists them.
POWERS: dict[str, type] = {
    "admits": Admits,
    "claims": Claims,
    "looks-at": LooksAt,
    "publishes": Publishes,
    "skips-gateway": SkipsGateway,
}
