"""A link on its way into a sandbox, and how it is to look there. Values only."""

from attrs import field, frozen

from linkwright.model.address import Address, Interface, Prefix
from linkwright.model.mac import Mac


@frozen
class Handover:
    """Take ``link`` of the host into the network namespace at path ``sandbox``, as Docker does after Join.

    It is called ``name`` there, or ``prefix`` and the first number that is free. ``routes`` are destinations and next
    hops (None: on-link); a default route that another link of the sandbox has already stays that one's.
    """

    link: str
    sandbox: str
    prefix: str = "eth"
    name: str = ""
    mac: Mac | None = None
    addresses: tuple[Interface, ...] = ()
    gateways: tuple[Address, ...] = ()
    routes: tuple[tuple[Prefix, Address | None], ...] = field(default=())
