"""Moments: what is done once, at a transition, rather than kept true. Values only; ``engine.moments`` says when.

A moment that cannot be had is told and forgotten: nothing that stands depends on it.
"""

from attrs import frozen

from linkwright.model.address import Address, Interface
from linkwright.model.mac import Mac
from linkwright.model.ports import Protocol


@frozen
class Flows:
    """Connections that were tracked to *port* of the host, as their senders wrote it (the original direction).

    When what a port leads to changes they have to be forgotten: a client that never changes its source port would be
    sent to the old place for ever (moby#8795). ``address`` unspecified (0.0.0.0, ::) means every address of its family.
    """

    protocol: Protocol
    address: Address
    port: int


@frozen
class Announcement:
    """Tell the neighbours that *addresses* are at *mac* now, when that link is up in the sandbox at path *sandbox*.

    ``link`` is the host's own link to those neighbours, if it has one: what it remembers of an earlier holder goes.
    """

    endpoint: str
    sandbox: str
    mac: Mac
    addresses: tuple[Interface, ...]
    link: str | None = None
