"""The ``--ipam-opt`` pairs that pools understand, as a table. Reading and refusing; what they do is elsewhere."""

import difflib
import enum
from collections.abc import Mapping

from attrs import field, frozen

from linkwright.errors import Refused

STICKY = "linkwright.sticky"
SPACE = "linkwright.space"

#: option → what it does, in one line: the manual is made from this.
KNOWN: dict[str, str] = {
    STICKY: "name or mac: remember who had an address, and give it to the same container name or MAC while it is free",
    SPACE: "keep the pool in an address space of this name, apart from all others: the same subnet may exist in each",
}

#: Labels of the engine's own, which come along with some requests and mean nothing to a pool.
_ENGINE = "com.docker."


class Sticky(enum.Enum):
    """What an address is remembered by."""

    NAME = "name"
    MAC = "mac"


@frozen
class PoolOptions:
    """The options of one pool. ``given`` is what is stored with it: the known pairs as the user wrote them."""

    sticky: Sticky | None = None
    space: str = ""
    given: Mapping[str, str] = field(factory=dict)

    @classmethod
    def parse(cls, pairs: Mapping[str, str]) -> "PoolOptions":
        """Read ``--ipam-opt`` pairs; Refused names the one that is unknown, and the nearest known one."""
        given = {key: value for key, value in sorted(pairs.items()) if not key.startswith(_ENGINE)}
        for key in given:
            if key not in KNOWN:
                raise Refused(f"the IPAM option {key!r} is not known; {_nearest(key)}")
        return cls(sticky=_sticky(given.get(STICKY)), space=given.get(SPACE, ""), given=given)


def _nearest(key: str) -> str:
    near = difflib.get_close_matches(key, KNOWN, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(KNOWN)}"


def _sticky(value: str | None) -> Sticky | None:
    if value is None:
        return None
    try:
        return Sticky(value)
    except ValueError:
        raise Refused(f"the IPAM option {STICKY}={value!r} is not understood; write name or mac") from None
