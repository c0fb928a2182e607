"""Address spaces and PoolIDs: the names by which Docker refers to pools. Text in, values out; no state.

A PoolID is all that Docker sends with an address, also to a process that has never heard of it (a dockerd that was
started while we were away does not replay). So it tells everything::

    linkwright-local/10.1.0.0/16                     the subnet
    linkwright-local/10.1.0.0/16/10.1.2.0/24         the subnet and the range
    linkwright-local:blue/fd00:1::/64                in a named space (option ``linkwright.space=blue``)

The socket it came by is not part of it: one subnet of one space belongs to one socket.
"""

import re
from ipaddress import ip_network

from attrs import frozen

from linkwright.errors import NotFound, Refused
from linkwright.model.address import Prefix

LOCAL = "linkwright-local"
GLOBAL = "linkwright-global"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")


def named(name: str) -> str:
    """The local space called *name*; Refused where that could not be told apart in a PoolID."""
    if not name:
        return LOCAL
    if not _NAME.fullmatch(name):
        raise Refused(
            f"{name!r} cannot name an address space; use letters, digits, '_', '.' and '-', at most 63 of them"
        )
    return f"{LOCAL}:{name}"


def check(space: str) -> str:
    """Return *space* if pools can be held in it; Refused says which can."""
    local, colon, name = space.partition(":")
    if local == LOCAL and (not colon or _NAME.fullmatch(name)):
        return space
    if space == GLOBAL:
        raise Refused(
            f"the address space {GLOBAL} spans several hosts and this daemon keeps addresses of one host only; "
            "create the network with a driver of local scope"
        )
    raise Refused(f"the address space {space!r} is not known; {LOCAL} is (docker network create uses it by itself)")


def said(space: str) -> str:
    """Return *space* as Docker says it: it knows nothing of the named ones within."""
    return space.partition(":")[0]


@frozen
class PoolName:
    """What a PoolID says."""

    space: str
    subnet: Prefix
    range: Prefix | None = None

    def __str__(self) -> str:
        return "/".join(str(part) for part in (self.space, self.subnet, self.range) if part is not None)

    @classmethod
    def parse(cls, text: str) -> "PoolName":
        """Read a PoolID; NotFound if it is none of ours."""
        space, *parts = text.split("/")
        try:
            check(space)
            subnet, *more = [ip_network("/".join(pair)) for pair in zip(parts[::2], parts[1::2], strict=True)]
            name = cls(space, subnet, more[0] if more else None)
        except (ValueError, Refused):
            name = None
        if name is None or str(name) != text or (name.range is not None and not within(name.range, name.subnet)):
            raise NotFound(f"the pool {text!r} is not known here, and its name is not one that linkwright gives")
        return name


def within(inner: Prefix, outer: Prefix) -> bool:
    """Whether *inner* lies in *outer*; False across families, where ``subnet_of`` would raise."""
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]
