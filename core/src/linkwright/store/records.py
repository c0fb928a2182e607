"""Records as text and back: one line of canonical JSON each. Every rule of the stored form is in this file.

Canonical means: the same record is the same bytes, on every host and in every run. Keys are sorted, sets are
sorted, addresses and enumerations are their text, numbers of seconds always have a fraction, all is ASCII.

Strict both ways. A field that this build does not know is refused by name and never dropped: it was written by a
newer linkwright, and forgetting it would lose what that one promised. A field that is missing takes its class's
default, so what an older linkwright wrote stays readable. Values are not coerced: ``"1"`` is no number. Whoever
changes a field of a stored class raises ``schema.SCHEMA`` (a golden text in the tests notices).
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)
from types import NoneType
from typing import Any, get_args, get_origin

import cattrs

from linkwright.errors import Refused
from linkwright.model.address import Lease, Pool
from linkwright.model.change import Change, Put, Record, key_of
from linkwright.model.endpoint import Endpoint
from linkwright.model.found import FoundBefore
from linkwright.model.mac import Mac
from linkwright.model.network import Network, StoredNetwork
from linkwright.model.ports import Protocol
from linkwright.store.contents import Contents
from linkwright.store.rows import FACT, Write

Document = dict[str, Any]  # a record as JSON has it

#: kind → (class, what cattrs reads and writes it as). The order is the order of an export.
KINDS: dict[str, tuple[type, Any]] = {
    "network": (Network, StoredNetwork),
    "endpoint": (Endpoint, Endpoint),
    "pool": (Pool, Pool),
    "lease": (Lease, Lease),
    "found": (FoundBefore, FoundBefore),
}

_PROTOCOLS = {str(protocol): protocol for protocol in Protocol}

#: Classes that are stored as their ``str()``, and what reads each back.
_TEXTS: dict[type, Callable[[str], Any]] = {
    IPv4Address: IPv4Address,
    IPv6Address: IPv6Address,
    IPv4Network: IPv4Network,
    IPv6Network: IPv6Network,
    IPv4Interface: IPv4Interface,
    IPv6Interface: IPv6Interface,
    Mac: Mac.parse,
    Protocol: lambda text: _PROTOCOLS[text],
}

#: Unions of two IP versions, and what reads either.
_FAMILIES: dict[frozenset[type], Callable[[str], Any]] = {
    frozenset((IPv4Address, IPv6Address)): ip_address,
    frozenset((IPv4Network, IPv6Network)): ip_network,
    frozenset((IPv4Interface, IPv6Interface)): ip_interface,
}

#: JSON's own types, and which Python types of a value count as one. A bool is no int here.
_PLAIN: dict[type, tuple[type, ...]] = {str: (str,), bool: (bool,), int: (int,), float: (float, int)}


def kind_of(record: Record) -> str:
    """The name of *record*'s kind."""
    return next(kind for kind, (cls, _) in KINDS.items() if isinstance(record, cls))


def encode(record: Record) -> str:
    """*record* as one line of canonical JSON; Refused for what JSON cannot carry, such as an infinite time."""
    document = _CONVERTER.unstructure(record, unstructure_as=KINDS[kind_of(record)][1])
    try:
        return canonical(document)
    except ValueError as error:
        raise Refused(f"{kind_of(record)} {key_of(record)} cannot be stored: {error}") from error


def canonical(document: Document) -> str:
    """The one text of *document*."""
    return _CANONICAL.encode(document)


def decode(kind: str, text: str) -> Record:
    """The record of *kind* that *text* is; Refused with the field where it cannot be read."""
    return structure(kind, parse(text))


def parse(text: str) -> Document:
    """*text* as a JSON object; Refused for anything else."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise Refused(f"a JSON object is needed, this is {_shown(document)}")
    return document


def structure(kind: str, document: Document) -> Record:
    """The record of *kind* that *document* is; Refused with the field where it cannot be read."""
    if kind not in KINDS:
        raise Refused(f"{kind!r} is no kind of record; there are {', '.join(KINDS)}")
    try:
        record: Record = _CONVERTER.structure(document, KINDS[kind][1])
    except cattrs.BaseValidationError as error:
        raise Refused("; ".join(cattrs.transform_error(error, format_exception=_reason))) from error
    return record


def write_of(change: Change) -> Write:
    """*change* as a row to store or drop; Refused where the record cannot be carried by the store."""
    kind, key = kind_of(change.record), key_of(change.record)
    if not key.isprintable():  # also what UTF-8 cannot carry
        raise Refused(f"the id {key!r} of a record of kind {kind} cannot be stored: use printable characters")
    if isinstance(change, Put):
        return Write(kind, key, encode(change.record), flushed=change.flushed)
    return Write(kind, key, None)


def decode_all(rows: Iterable[tuple[str, str, str]]) -> Contents:
    """The records that *rows* (kind, key, text) are; facts are passed over. Refused with the row and the field."""

    def records() -> Iterator[Record]:
        for kind, key, text in rows:
            if kind == FACT:
                continue
            try:
                yield decode(kind, text)
            except Refused as error:
                raise Refused(f"the stored {kind} {key} cannot be read: {error}") from error

    return Contents.of(records())


def _reason(error: BaseException, _: type | None) -> str:
    if isinstance(error, cattrs.ForbiddenExtraKeysError):
        names = ", ".join(sorted(error.extra_fields))
        return f"unknown field {names} (written by a newer linkwright? use that one, or the backup made before it)"
    if isinstance(error, KeyError):
        return f"{error} is missing or not one of the known names"
    if isinstance(error, (AttributeError, TypeError)):
        return "the value is of the wrong type"
    return str(error)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}…"  # noqa: PLR2004 - one glance


def _plain(cls: type) -> Callable[[Any, Any], Any]:
    def read(value: Any, _: Any) -> Any:
        if type(value) not in _PLAIN[cls] or (cls is float and not math.isfinite(value)):
            raise ValueError(f"{_shown(value)} is no {cls.__name__}")
        return cls(value)

    return read


def _text(read: Callable[[str], Any]) -> Callable[[Any, Any], Any]:
    def checked(value: Any, _: Any) -> Any:
        if type(value) is not str:
            raise ValueError(f"{_shown(value)} is no text")
        return read(value)

    return checked


def _family(cls: Any) -> Callable[[Any, Any], Any]:
    members = get_args(cls)
    read = _text(_FAMILIES[frozenset(members) - {NoneType}])
    return lambda value, cls: None if value is None and NoneType in members else read(value, cls)


def _is_array(cls: Any) -> bool:
    origin: Any = get_origin(cls)
    return origin in (tuple, frozenset)


def _array(read: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def checked(value: Any, cls: Any) -> Any:
        if type(value) is not list:  # cattrs would take the letters of a text
            raise ValueError(f"{_shown(value)} is no array")
        return read(value, cls)

    return checked


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    for plain in _PLAIN:
        converter.register_structure_hook(plain, _plain(plain))
    for cls, read in _TEXTS.items():
        converter.register_structure_hook(cls, _text(read))
        converter.register_unstructure_hook(cls, str)
    converter.register_structure_hook_factory(
        lambda cls: frozenset(get_args(cls)) - {NoneType} in _FAMILIES,
        _family,
    )
    unchecked = converter.copy()
    converter.register_structure_hook_factory(
        _is_array,
        lambda cls: _array(unchecked.get_structure_hook(cls)),
    )
    converter.register_unstructure_hook(float, float)  # 0 given for 0.0 must not be another text
    converter.register_unstructure_hook_func(lambda cls: cls == frozenset[str], sorted)
    return converter


_CONVERTER = _make_converter()
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)
