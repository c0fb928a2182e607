"""What a driver answers when a container joins: the link to hand over and the routes that go with it. Values only."""

from collections.abc import Iterable

from attrs import field, frozen

from linkwright.model import Address, Prefix


@frozen
class StaticRoute:
    """A route inside the sandbox; ``via`` None means on-link."""

    destination: Prefix
    via: Address | None = None


def _present(gateways: Iterable[Address | None]) -> tuple[Address, ...]:
    return tuple(gateway for gateway in gateways if gateway is not None)


@frozen
class Join:
    """What a sandbox gets: ``source``, a link on the host that Docker moves in, and at most one gateway a family.

    Without a gateway of its own the container must not get Docker's ``docker_gwbridge`` behind the user's back,
    so ``gateway_service`` is off unless a driver asks for it. With ``announce`` the endpoint's addresses are told to
    its neighbours once its link is up in the sandbox, by gratuitous ARP and unsolicited neighbour advertisement:
    their caches may know another holder. Not for links that share a hardware address at layer 3.
    """

    source: str
    gateways: tuple[Address, ...] = field(default=(), converter=_present)
    routes: tuple[StaticRoute, ...] = field(default=())
    gateway_service: bool = False
    announce: bool = False
