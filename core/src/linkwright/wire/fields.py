"""One JSON object of a request, and the one way to say that something in it is wrong.

A refusal says where, what was found, and what is wanted, in Docker's own field names: it is all that a user of
``docker run``, or the author of another client, gets to see.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from attrs import frozen

from linkwright.errors import Refused

T = TypeVar("T")
D = TypeVar("D")

#: Reads one value: ``(value, where it stands) -> typed value``, or raises Undecodable. They are in ``kinds``.
Kind = Callable[[object, str], T]

THE_BODY: Final = "the body"

_PLAIN_KEY = re.compile(r"[A-Za-z0-9]+")
_LONGEST_SHOWN = 60  # a refusal quotes what was sent, but a 10 MB identifier stays out of logs and terminals
_WIDEST_SHOWN = 1 << 64  # keeps clear of Python's limit on printing integers (4300 digits), too


class Undecodable(Refused):
    """What came is no request of this protocol. ``status`` is the HTTP status to answer it with."""

    outcome = "undecodable"

    def __init__(self, status: int, text: str) -> None:
        self.status = status
        super().__init__(text)


def malformed(where: str, found: object, wanted: str) -> Undecodable:
    """Say that *found* stands at *where*, and that *wanted* should."""
    return Undecodable(400, f"cannot decode the request: {where} is {shown(found)}; it must be {wanted}")


def shown(value: object) -> str:
    """Name *value* in a message: short scalars as JSON, everything else by its type. Always short and printable."""
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, str) and len(value) > _LONGEST_SHOWN:
        return f"{json.dumps(value[:_LONGEST_SHOWN])} and {len(value) - _LONGEST_SHOWN} characters more"
    if isinstance(value, int) and abs(value) >= _WIDEST_SHOWN:
        return "a number beyond 64 bits"
    return json.dumps(value)


def inside(where: str, key: str) -> str:
    """Write "*key* of *where*" as one would in JavaScript: ``Options["a.b"]``, ``Interface.Address``."""
    if where == THE_BODY:
        return key
    return f"{where}.{key}" if _PLAIN_KEY.fullmatch(key) else f"{where}[{shown(key)}]"


@frozen
class Fields:
    """The members of an object at *where*. Unknown keys are ignored, as Go's decoder ignores them."""

    values: Mapping[str, object]
    where: str = THE_BODY

    def required(self, key: str, kind: Kind[T]) -> T:
        """Read what every engine sends; Undecodable if it is not there."""
        if key not in self.values:
            raise Undecodable(400, f"cannot decode the request: {inside(self.where, key)} is missing")
        return kind(self.values[key], inside(self.where, key))

    def optional(self, key: str, kind: Kind[T], default: D) -> T | D:
        """Read what may be left out, as Go leaves out a zero value tagged ``omitempty``."""
        return kind(self.values[key], inside(self.where, key)) if key in self.values else default
