"""What is borrowed: what of it has to be kept before we change it, and how it goes back. Pure.

A borrowed link is the host's. We may change the attributes that a wish names and no others, so these and no others are
kept (``as_found``), from before the first change until the last wish has gone; then ``diff`` makes of them a change
back. A setting of the host's link below /proc/sys is kept likewise; those of our own links are the wish's to say
(``Sysctl.otherwise``), and go with the link as a rule.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs
from attrs import evolve

from linkwright.errors import Refused
from linkwright.model.mac import Mac
from linkwright.plan.check import PREFIX
from linkwright.plan.compare import said
from linkwright.plan.resources import Bridge, BridgePort, Existing, Hold, Key, Link, LinkKind, Resource, Sysctl

#: Attributes of a borrowed link that a wish may change, beside those of its kind and as a port.
_PLAIN = ("mtu", "mac", "master", "up")


def as_found(wish: Resource, found: Resource, known: Resource | None = None) -> Resource | None:
    """Return that of *found* which *wish* may change; None if *wish* borrows nothing, or changes nothing of it.

    *known* is what was kept for an earlier wish, and was true then: it stands before what *found* shows by now.
    """
    match wish, found:
        case Sysctl(hold=Hold.OWN, of_link=str() as name), Sysctl() if not name.startswith(PREFIX):
            return known or Sysctl(found.path, found.value)
        case Link(hold=Hold.BORROW), Link():
            return _link_as_found(wish, found, known)
    return None


def _link_as_found(wish: Link, found: Link, known: Resource | None) -> Link | None:
    named = {name: getattr(found, name) for name in _PLAIN if getattr(wish, name) is not None}
    # A port's settings go with its master, so then all are kept with it.
    port = found.port
    if wish.master is None and port is not None:
        named_of_port = {name: getattr(port, name) for name in said(wish.port)}
        port = BridgePort(**named_of_port) if named_of_port else None
    kept = Link(found.name, _kind_as_found(wish.kind, found.kind), hold=Hold.BORROW, up=named.pop("up", None), **named)
    kept = evolve(kept, port=port)
    if isinstance(known, Link):
        kept = _over(known, kept)
    return kept if kept != Link(found.name, hold=Hold.BORROW, up=None) else None


def overlaid(found_before: Resource | None, wish: Resource) -> Resource:
    """Return *wish*, and for what it does not name, what was found: an earlier wish may have changed that."""
    if isinstance(found_before, Link) and isinstance(wish, Link) and wish.hold is Hold.BORROW:
        port = _port_over(wish.port, found_before.port) if wish.master is None else wish.port
        return evolve(_over(wish, found_before), port=port)
    return wish


def _over(first: Link, second: Link) -> Link:
    """Return *first* with what it says nothing of from *second*."""
    missing = {name: getattr(second, name) for name in _PLAIN if getattr(first, name) is None}
    kind = second.kind
    if type(first.kind) is type(kind) and not isinstance(kind, Existing):
        kind = evolve(kind, **said(first.kind))
    elif not isinstance(first.kind, Existing):
        kind = first.kind
    return evolve(first, kind=kind, port=_port_over(first.port, second.port), **missing)


def _port_over(first: BridgePort | None, second: BridgePort | None) -> BridgePort | None:
    return evolve(second, **said(first)) if first is not None and second is not None else first or second


def _kind_as_found(wish: LinkKind, found: LinkKind) -> LinkKind:
    """A kind's settings that *wish* names; only a bridge has some that can be changed on a link of the host's."""
    if not (isinstance(wish, Bridge) and isinstance(found, Bridge)):
        return Existing()
    named = {name: getattr(found, name) for name in said(wish)}
    return Bridge(**named) if named else Existing()


# --- as text, for what keeps it ------------------------------------------------------------------------------


def found_attributes(resource: Resource) -> dict[str, str]:
    """Return what ``as_found`` kept as text, by name: ``mtu``, ``port.hairpin``, ``kind.vlan_filtering``, ``value``."""
    if isinstance(resource, Sysctl):
        return {"value": resource.value}
    if not isinstance(resource, Link):
        raise TypeError(f"{resource!r} is never borrowed")
    named = {name: value for name in _PLAIN if (value := getattr(resource, name)) is not None}
    named |= {f"port.{name}": value for name, value in said(resource.port).items()}
    named |= {f"kind.{name}": value for name, value in said(resource.kind).items()}
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in named.items()}


def found_resource(key: Key, attributes: Mapping[str, str]) -> Resource:
    """Return what ``found_attributes`` wrote down of the thing under *key*; ValueError if it cannot be read."""
    groups: dict[str, dict[str, Any]] = {"": {}, "port": {}, "kind": {}}
    for name, text in attributes.items():
        group, _, plain = name.rpartition(".")
        try:
            groups[group][plain] = _READ[key[0]][name](text)
        except (KeyError, Refused, ValueError) as error:
            raise ValueError(f"{' '.join(key)} was kept with {name}={text!r}, which cannot be read") from error
    if key[0] == "sysctl":
        if not groups[""]:
            raise ValueError(f"{' '.join(key)} was kept without its value")
        return Sysctl(key[1], **groups[""])
    kind = Bridge(**groups["kind"]) if groups["kind"] else Existing()
    port = BridgePort(**groups["port"]) if groups["port"] else None
    return Link(key[1], kind, **{"up": None, **groups[""]}, port=port, hold=Hold.BORROW)


def _truth(text: str) -> bool:
    return {"true": True, "false": False}[text]


_READ: Mapping[str, Mapping[str, Callable[[str], Any]]] = {
    "link": {
        "mtu": int,
        "mac": Mac.parse,
        "master": str,
        "up": _truth,
        **{f"port.{attribute.name}": _truth for attribute in attrs.fields(BridgePort)},
        **{f"kind.{attribute.name}": _truth for attribute in attrs.fields(Bridge)},
        "kind.default_pvid": int,
    },
    "sysctl": {"value": str},
}
