"""How a wish differs from what is there: the one place that says which attributes count. Pure."""

from typing import Any

import attrs

from linkwright.plan.resources import Existing, Link, LinkKind, Resource, Shaper, Veth
from linkwright.plan.shaping import earned

#: Attributes that say how we hold a thing or how to name it, not what it is.
_NOT_COMPARED = {"hold", "lent", "shared", "before_up", "otherwise", "on_bridge"}

#: A veth's peer may be in a sandbox, under another name: only its making names it.
_MADE_ONCE: dict[type, set[str]] = {Veth: {"peer", "peer_mac"}}


def said(value: Any) -> dict[str, Any]:
    """Return the attributes that *value* says something of, by name; None says nothing."""
    attributes = () if value is None else attrs.fields(type(value))
    return {one.name: it for one in attributes if (it := getattr(value, one.name)) is not None}


def changed(actual: Resource, wanted: Resource) -> frozenset[str]:
    """Return the names of attributes that *wanted* wishes otherwise than *actual* has them; None is not wished.

    Attributes of a link's kind are named ``kind.<attribute>``, and a wholly different kind is ``kind``.
    """
    names: set[str] = set()
    for attribute in attrs.fields(type(wanted)):
        name = attribute.name
        value = getattr(wanted, name)
        if value is None or name in _NOT_COMPARED or value == getattr(actual, name):
            continue
        if name == "kind" and isinstance(wanted, Link) and isinstance(actual, Link):
            names |= _kind_changed(actual.kind, wanted.kind)
        elif name == "port" and isinstance(actual, Link):
            names |= _port_changed(actual.port, value)
        elif not (isinstance(wanted, Shaper) and isinstance(actual, Shaper) and _shapes_alike(name, actual, wanted)):
            names.add(name)
    return frozenset(names)


def _kind_changed(actual: LinkKind, wanted: LinkKind) -> set[str]:
    if isinstance(wanted, Existing):
        return set()
    if type(actual) is not type(wanted):
        return {"kind"}
    skipped = _MADE_ONCE.get(type(wanted), set())
    named = said(wanted).items()
    return {f"kind.{name}" for name, value in named if name not in skipped and value != getattr(actual, name)}


def _port_changed(actual: object, wanted: object) -> set[str]:
    return {"port"} if any(getattr(actual, name, None) != value for name, value in said(wanted).items()) else set()


def _shapes_alike(name: str, actual: Shaper, wanted: Shaper) -> bool:
    """Whether the kernel keeps the same: a rate in whole bytes a second, a burst as the ticks it takes to earn it."""
    if name == "rate":
        return actual.rate // 8 == wanted.rate // 8
    return name == "burst" and abs(actual.burst - wanted.burst) <= 1 + 2 * earned(wanted.rate, 1)


def fixed(resource: Resource, names: frozenset[str]) -> frozenset[str]:
    """Return those of *names* that only a new object could change."""
    of_kind = {f"kind.{name}" for name in resource.kind.FIXED} | {"kind"} if isinstance(resource, Link) else set()
    return frozenset(names & (resource.FIXED | of_kind))
