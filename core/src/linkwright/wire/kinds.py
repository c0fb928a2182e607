"""From one JSON value to a typed one. Every check of a single value lives here; which fields a call has, not.

Nothing is coerced: ``"false"`` is no boolean, ``80.0`` no port, and ``null`` nothing at all unless a reader says so.
Docker's types are constant, and a guess would hide that somebody else is talking. (So cattrs is not used here: it
coerces, and names the attributes of our classes where a person must read Docker's fields.)

Kinds are named for what they read and can be combined: ``list_of(mac)``, ``unless_empty(address)``.
"""

import re
from collections.abc import Mapping
from ipaddress import IPv4Interface, IPv6Interface, ip_address
from types import MappingProxyType
from typing import Final, TypeVar

from linkwright.errors import Refused
from linkwright.model import Address, Interface, Mac, Prefix, Protocol
from linkwright.wire.fields import Fields, Kind, inside, malformed

T = TypeVar("T")
D = TypeVar("D")
I = TypeVar("I", IPv4Interface, IPv6Interface)  # noqa: E741 - reads "interface"

_IDENTIFIER = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_UNUSABLE = re.compile("[\0\ud800-\udfff]")  # SQLite and paths end at NUL; a lone surrogate has no UTF-8


def json_object(value: object, where: str) -> Fields:
    """Kind: a JSON object."""
    if not isinstance(value, dict):
        raise malformed(where, value, "a JSON object")
    return Fields(value, where)


# --- combinations ------------------------------------------------------------------------------------------------


def list_of(kind: Kind[T]) -> Kind[tuple[T, ...]]:
    """Kind: a JSON array, every element of *kind*."""

    def read(value: object, where: str) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise malformed(where, value, "a list")
        return tuple(kind(element, f"{where}[{index}]") for index, element in enumerate(value))

    return read


def map_of(kind: Kind[T]) -> Kind[dict[str, T]]:
    """Kind: a JSON object with keys of the sender's choice, every value of *kind*."""

    def read(value: object, where: str) -> dict[str, T]:
        members = json_object(value, where).values
        return {text(key, f"a key of {where}"): kind(member, inside(where, key)) for key, member in members.items()}

    return read


def nullable(kind: Kind[T], default: D) -> Kind[T | D]:
    """Kind: *kind*, or ``null`` for *default*. For the few places where Docker sends a nil map or slice."""
    return lambda value, where: default if value is None else kind(value, where)


def unless_empty(kind: Kind[T]) -> Kind[T | None]:
    """Kind: *kind*, or ``""`` for None: Docker's way of leaving an address open."""
    return lambda value, where: None if value == "" else kind(value, where)


# --- scalars -----------------------------------------------------------------------------------------------------


def text(value: object, where: str) -> str:
    """Kind: a string that can be stored and shown (no lone surrogate, no NUL)."""
    if not isinstance(value, str):
        raise malformed(where, value, "a string")
    if _UNUSABLE.search(value):
        raise malformed(where, value, "Unicode text without NUL")
    return value


def filled(value: object, where: str) -> str:
    """Kind: a string that is not empty."""
    if value == "":
        raise malformed(where, value, "a string that is not empty")
    return text(value, where)


def flag(value: object, where: str) -> bool:
    """Kind: true or false."""
    if not isinstance(value, bool):
        raise malformed(where, value, "true or false")
    return value


def number(low: int, high: int) -> Kind[int]:
    """Kind: a whole number from *low* to *high*."""

    def read(value: object, where: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise malformed(where, value, f"a whole number from {low} to {high}")
        return value

    return read


def identifier(value: object, where: str) -> str:
    """Kind: a network's or endpoint's id. Docker's have 64 hexadecimal digits, swarm's 25 letters and digits."""
    if not isinstance(value, str) or not _IDENTIFIER.fullmatch(value):
        raise malformed(where, value, "an id of 1 to 128 letters, digits, '.', '_' or '-'")
    return value


def mac(value: object, where: str) -> Mac:
    """Kind: a hardware address as text."""
    written = text(value, where)
    try:
        return Mac.parse(written)
    except Refused as error:
        raise malformed(where, value, "a hardware address like 02:42:0a:00:00:02") from error


def protocol(value: object, where: str) -> Protocol:
    """Kind: the IP protocol number of something that can be published."""
    try:
        return Protocol(number(0, 255)(value, where))
    except ValueError as error:
        known = ", ".join(f"{known.value} ({known})" for known in Protocol)
        raise malformed(where, value, f"the number of a protocol whose ports can be published: {known}") from error


# --- addresses ---------------------------------------------------------------------------------------------------


def address(value: object, where: str) -> Address:
    """Kind: a bare address of either family."""
    try:
        return ip_address(_unscoped(value))
    except ValueError as error:
        raise malformed(where, value, "an IP address without a prefix length, like 10.0.0.2 or fd00::2") from error


def _cidr(family: type[I], version: int, example: str) -> Kind[I]:
    def read(value: object, where: str) -> I:
        try:
            host, slash, length = _unscoped(value).partition("/")
            if not (slash and length.isascii() and length.isdecimal()):
                raise ValueError("no prefix length")  # noqa: TRY301 - Python would take a netmask, or nothing for /32
            return family(f"{host}/{length}")
        except ValueError as error:
            wanted = f"an IPv{version} address with its prefix length, like {example}"
            raise malformed(where, value, wanted) from error

    return read


cidr4: Kind[IPv4Interface] = _cidr(IPv4Interface, 4, "10.0.0.2/24")
cidr6: Kind[IPv6Interface] = _cidr(IPv6Interface, 6, "fd00::2/64")
CIDR: Final[Mapping[int, Kind[Interface]]] = MappingProxyType({4: cidr4, 6: cidr6})


def prefix(version: int) -> Kind[Prefix]:
    """Kind: a range of IPv4 or IPv6 addresses. Bits beyond the prefix are dropped: 20.10's API lets them pass."""
    return lambda value, where: CIDR[version](value, where).network


def _unscoped(value: object) -> str:
    if not isinstance(value, str) or "%" in value:
        raise ValueError("no text, or a zone such as fe80::1%eth0, which no engine sends")
    return value
