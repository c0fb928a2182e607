"""What the engine tells whoever listens: frozen details of things that happened. Metrics and logs are listeners.

Nothing flows back: a listener returns nothing and must not raise or wait.
"""

from typing import Protocol

from attrs import frozen

from linkwright.errors import KernelError, LinkwrightError


@frozen
class SetupStage:
    """A stage of making an endpoint took *seconds*: "driver", "kernel", "store", "join" or "publish"."""

    driver: str
    stage: str
    seconds: float


@frozen
class Drift:
    """The kernel differed from the wishes: what kind of resource, and whether it was put right."""

    kind: str
    repaired: bool
    text: str
    network: str = ""

    @classmethod
    def unrepaired(cls, error: LinkwrightError, network: str, text: str = "") -> "Drift":
        """One that *error* kept from being put right: the kernel refused, or what it takes could not be had."""
        kind = "kernel" if isinstance(error, KernelError) else "unavailable"
        return cls(kind, repaired=False, text=text or str(error), network=network)


@frozen
class UnknownId:
    """A deletion named something that is not known here; answered with success."""

    call: str


@frozen
class Collected:
    """Something dead was removed: "endpoint" or "network", or an endpoint's "ports"; and why."""

    what: str
    reason: str
    id: str


@frozen
class DriverOverrun:
    """A driver did not answer in time."""

    driver: str


@frozen
class ExternalConnectivity:
    """Docker asked for published ports to be made or taken back for an endpoint; *ports* is how many."""

    driver: str
    action: str
    ports: int


@frozen
class FlowsForgotten:
    """Tracked connections to ports that were published, or no more, were deleted: how many."""

    count: int


@frozen
class Announced:
    """An endpoint's addresses were told to its neighbours; or not, and *reason* says why."""

    endpoint: str
    reason: str = ""


Observation = (
    SetupStage | Drift | UnknownId | Collected | DriverOverrun | ExternalConnectivity | FlowsForgotten | Announced
)


class Observer(Protocol):
    """A listener."""

    def __call__(self, observation: Observation, /) -> None:
        """Take note."""


def nobody(_: Observation) -> None:
    """Listen to nothing."""
