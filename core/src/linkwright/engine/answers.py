"""What a driver may answer. Pure checks: whatever a driver returns is either right, or a broken contract in words.

A wrong answer must be found before anything is made of it: an answer that Docker refuses later would be rolled back
with a message about something else.
"""

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, get_args

from linkwright.model import PortBinding
from linkwright.plan import NAME_LENGTH, Key, Link, Resource, Wishes, check
from linkwright.sdk import AddressClaim, Join, StaticRoute

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


def claims(answer: object) -> tuple[AddressClaim, ...]:
    """Return *answer*, which has to be claims with a name each, of addresses that lie in their subnets."""
    if not isinstance(answer, tuple) or not all(isinstance(claim, AddressClaim) for claim in answer):
        raise Broken(f"it claims {answer!r}, and claims are a tuple of Claim")
    names = [claim.name for claim in answer]
    if len(set(names)) < len(names) or not all(names):
        raise Broken(f"its claims are named {names!r}, and each needs a name of its own")
    for claim in answer:
        if claim.address is not None and claim.address not in claim.subnet.pool:
            raise Broken(f"it claims {claim.address}, which does not lie in {claim.subnet.pool}")
    return answer


def skips(answer: Any) -> tuple[bool, bool]:
    """Return *answer*, which has to say for IPv4 and IPv6 whether it does without a gateway."""
    if not isinstance(answer, tuple) or [type(one) for one in answer] != [bool, bool]:
        raise Broken(f"asked whether it needs gateways it answered {answer!r}, not two truth values")
    return answer


def bindings(answer: object, *, asked: Iterable[PortBinding]) -> tuple[tuple[PortBinding, ...], ...]:
    """Return *answer*, which has to be groups of bindings of what was *asked*, each of one port on named addresses."""
    if not isinstance(answer, tuple) or not all(isinstance(group, tuple) and group for group in answer):
        raise Broken(f"asked what has to be bound it answered {answer!r}, and groups of bindings are tuples in a tuple")
    inside = {(port.protocol, port.port) for port in asked}
    for group in answer:
        for binding in group:
            if not isinstance(binding, PortBinding) or type(binding.host_address) not in {IPv4Address, IPv6Address}:
                raise Broken(f"it wants {binding!r} bound, which is no binding of a named address")
            if (binding.protocol, binding.port) not in inside:
                raise Broken(f"it wants {binding} bound, and nobody asked for port {binding.port}/{binding.protocol}")
        if len({(one.protocol, one.port, one.host_port, one.host_port_end) for one in group}) > 1:
            raise Broken(f"it puts {', '.join(str(one) for one in group)} in one group, which cannot be one port")
    return answer
