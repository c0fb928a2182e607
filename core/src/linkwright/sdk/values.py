"""How the text of an option's value is read. Each reader takes what was written, and raises ValueError in words.

Where somebody else's syntax is known to users it is theirs: Go's truth values, tc(8)'s rates and sizes.
"""

import enum
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TypeVar

E = TypeVar("E", bound=enum.Enum)

#: More digits than any number that means something here; int() refuses thousands of them in words of its own.
_DIGITS = 20

#: Go's strconv.ParseBool, which every Docker driver uses.
_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}

_QUANTITY = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?)([a-z]*)", re.ASCII)

_DECIMAL = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}

#: Units of tc(8), in bits per second; a bare number is bits, and "bps" is bytes.
_RATES: Mapping[str, int] = {
    prefix + unit: factor * bits
    for prefix, factor in (_DECIMAL | _BINARY).items()
    for unit, bits in (("bit", 1), ("bps", 8))
} | {"": 1}

#: Units of tc(8), in bytes; its k is 1024.
_SIZES: Mapping[str, int] = {"": 1, "b": 1, "k": 2**10, "kb": 2**10, "m": 2**20, "mb": 2**20, "g": 2**30, "gb": 2**30}

#: The least and most bits per second that are a limit: below, a burst would take longer to earn than the kernel's
#: 32 bits of 64 ns can say (net/sched/sch_tbf.c, psched_ns_t), and there is no faster link than that.
_LEAST_RATE, _MOST_RATE = 8_000, 10**12
_MOST_SIZE = 2**32 - 1  # TCA_TBF_BURST is an u32


def boolean(text: str) -> bool:
    """Read a truth value as Docker does; ValueError for anything else."""
    if text not in _BOOLEANS:
        raise ValueError("write true or false")
    return _BOOLEANS[text]


def number(least: int, most: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from *least* to *most*, in decimal digits and nothing else."""

    def read_number(text: str) -> int:
        # int() alone would take "1_400", " 1400" and digits of other scripts
        plain = text.isascii() and text.isdigit() and len(text) <= _DIGITS
        value = int(text) if plain else -1
        if not least <= value <= most:
            raise ValueError(f"write a whole number from {least} to {most}")
        return value

    return read_number


def mtu(text: str) -> int | None:
    """Read an MTU in bytes; 0 leaves the choice to the driver. 68 is the least of RFC 791, 65535 the kernel's most."""
    return None if text == "0" else number(68, 65535)(text)


def text(value: str) -> str:
    """Take the text as it is."""
    return value


def choice(kinds: type[E]) -> Callable[[str], E]:
    """Return a reader of the values of *kinds*, an enumeration of texts."""
    known = {kind.value: kind for kind in kinds}

    def read_choice(text: str) -> E:
        if text not in known:
            *first, last = known
            raise ValueError(f"write {', '.join(first)} or {last}")
        return known[text]

    return read_choice


def rate(text: str) -> int:
    """Read a rate as tc(8) does and return bits per second; 0 is no limit."""
    value = _quantity(text, _RATES)
    if value is None or (value and not _LEAST_RATE <= value <= _MOST_RATE):
        raise ValueError("write a rate like 512kbit, 10mbit or 1gbit, from 8kbit to 1tbit, or 0 for no limit")
    return value


def size(text: str) -> int:
    """Read a size as tc(8) does and return bytes."""
    value = _quantity(text, _SIZES)
    if value is None or not 0 < value <= _MOST_SIZE:
        raise ValueError("write a size like 16000, 64kb or 1mb, less than 4gb")
    return value


def _quantity(text: str, units: Mapping[str, int]) -> int | None:
    match = _QUANTITY.fullmatch(text.lower())
    if match is None or match[2] not in units:
        return None
    return int(Decimal(match[1]) * units[match[2]])
