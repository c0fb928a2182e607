"""What a driver may answer. Pure checks: whatever a driver returns is either right, or a broken contract in words.

A wrong answer must be found before anything is made of it: an answer that Docker refuses later would be rolled back
with a message about something else.
"""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, get_args

from linkwright.plan import NAME_LENGTH, Key, Link, Resource, Wishes, check
from linkwright.sdk import Join, StaticRoute

_RESOURCES = get_args(Resource)


class Broken(Exception):
    """The answer breaks the contract; the text says how."""


def wishes(answer: object, *, around: Iterable[Key] = ()) -> tuple[Resource, ...]:
    """Return the resources of *answer*, which has to be Wishes that can all be had at once."""
    if not isinstance(answer, Wishes):
        raise Broken(f"it answered {type(answer).__name__} instead of Wishes")
    for resource in answer:
        if not isinstance(resource, _RESOURCES):
            raise Broken(f"it wished for {resource!r}, which is no resource")
    if notes := check(answer, around=around):
        raise Broken("; ".join(str(note) for note in notes))
    return tuple(answer)


def join(answer: object, made: Mapping[Key, Resource]) -> Join:
    """Return *answer*, which has to be a Join of a link that *made* has, with bare gateways and routes."""
    if not isinstance(answer, Join):
        raise Broken(f"it answered {type(answer).__name__} instead of Join")
    links = [link for link in made.values() if isinstance(link, Link)]
    names = {link.name for link in links} | {getattr(link.kind, "peer", None) for link in links}
    if answer.source not in names:
        raise Broken(f"it hands over link {answer.source!r}, which it did not wish for")
    for gateway in answer.gateways:
        if type(gateway) not in {IPv4Address, IPv6Address}:
            raise Broken(f"its gateway {gateway!r} is no bare address")
    if len({gateway.version for gateway in answer.gateways}) < len(answer.gateways):
        raise Broken("it names two gateways of one family")
    for route in answer.routes:
        _check_route(route)
    return answer


def _check_route(route: object) -> None:
    if not isinstance(route, StaticRoute) or type(route.destination) not in {IPv4Network, IPv6Network}:
        raise Broken(f"its route {route!r} is none")
    via = route.via
    if via is None:
        return
    if type(via) not in {IPv4Address, IPv6Address} or via.version != route.destination.version:
        raise Broken(f"its route to {route.destination} cannot go via {via!r}")


def names(answer: object) -> tuple[str, ...]:
    """Return *answer*, which has to be link names."""
    if not isinstance(answer, tuple) or not all(isinstance(name, str) and name for name in answer):
        raise Broken(f"it wants to look at {answer!r}, and link names are a tuple of texts")
    long = [name for name in answer if len(name.encode(errors="replace")) > NAME_LENGTH]
    if long:
        raise Broken(f"it wants to look at {long[0]!r}, which is longer than a link's name can be")
    return answer


def skips(answer: Any) -> tuple[bool, bool]:
    """Return *answer*, which has to say for IPv4 and IPv6 whether it does without a gateway."""
    if not isinstance(answer, tuple) or [type(one) for one in answer] != [bool, bool]:
        raise Broken(f"asked whether it needs gateways it answered {answer!r}, not two truth values")
    return answer
