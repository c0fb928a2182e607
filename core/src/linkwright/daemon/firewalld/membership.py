"""Which interfaces are to be put into firewalld's zone, and which taken out of it. Pure.

=============================================  ====================================================================
a bridge of ours, in no zone                   put into ``trusted``: our own table decides, as Docker's does for its
one in another zone, or matched by a ``name+``  left there: somebody chose that
a member whose network has gone                taken out
a member named as ours are, and no such link   taken out: a crash left it. With a link it may be another instance's
=============================================  ====================================================================
"""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from attrs import frozen

#: firewalld's built-in zone whose target is ACCEPT (firewalld.zones(5)). A zone of our own would need a file of ours in
#: its configuration, and a reload for it to be known.
ZONE: Final = "trusted"

#: What ``sdk.names.link_name`` makes: nobody else names a link so.
_OURS: Final = re.compile(r"lw[a-z][0-9a-f]{12}")


@frozen
class Changes:
    """What is to be done to ``ZONE``, and who is left in a zone that somebody chose (by the name of the link)."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    chosen: Mapping[str, str] = MappingProxyType({})


@frozen
class Standing:
    """How it stands with firewalld: whether it runs, who is in a zone that somebody chose, and why we failed."""

    runs: bool = False
    chosen: Mapping[str, str] = MappingProxyType({})
    error: str = ""


def changes(
    bridges: Collection[str],
    zones: Mapping[str, Iterable[str]],
    *,
    kept: Collection[str],
    exists: Callable[[str], bool],
) -> Changes:
    """Compare the *bridges* that there have to be with the interfaces of all *zones*, at run time.

    *kept* are those that we had put there; *exists* tells whether a link is on this host.
    """
    members = frozenset(zones.get(ZONE, ()))
    chosen = {bridge: zone for bridge in bridges if (zone := _zone_of(bridge, zones)) is not None}
    return Changes(
        add=tuple(sorted(bridge for bridge in bridges if bridge not in chosen)),
        remove=tuple(
            sorted(
                member
                for member in members.difference(bridges)
                if member in kept or (is_ours(member) and not exists(member))
            )
        ),
        chosen={bridge: zone for bridge, zone in sorted(chosen.items()) if zone != ZONE},
    )


def is_ours(name: str) -> bool:
    """Whether a link called *name* can only be one of ours, this instance's or another's."""
    return _OURS.fullmatch(name) is not None


def _zone_of(link: str, zones: Mapping[str, Iterable[str]]) -> str | None:
    """The zone that *link* is in; an interface ``lwb+`` of firewalld's is every one that begins so."""
    for zone, interfaces in zones.items():
        for interface in interfaces:
            if interface == link or (interface.endswith("+") and link.startswith(interface[:-1])):
                return zone
    return None
