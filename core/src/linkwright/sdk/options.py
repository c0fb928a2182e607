"""Driver options: ``docker network create -o key=value`` as a frozen class. Reading and refusing only.

A driver declares one attrs field for each option with ``option``; ``read`` makes the value or refuses, naming the
unknown key and the nearest known one. Docker's own generic labels pass unread (``DOCKER_LABELS``).
"""

import difflib
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs

from linkwright.errors import Refused

O = TypeVar("O")  # noqa: E741 - reads "options"
T = TypeVar("T")

_METADATA = "linkwright.option"

#: Labels that the engine, compose or another driver understands; they say nothing to ours and are let through.
#: moby daemon/libnetwork/netlabel/labels.go.
DOCKER_LABELS = frozenset(
    {
        "com.docker.network.advertise_addr_ms",
        "com.docker.network.advertise_addr_nmsgs",
        "com.docker.network.enable_ipv4",
        "com.docker.network.enable_ipv6",
    }
)

#: More digits than any number that means something here; int() refuses thousands of them in words of its own.
_DIGITS = 20

#: How alike two words have to be to be taken for one (difflib's own cutoff), and how much of a key is compared.
_NEAR = 0.6
_COMPARED = 100

#: Go's strconv.ParseBool, which every Docker driver uses.
_BOOLEANS = {
    **dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "F", "false", "FALSE", "False"), False),
}


@attrs.frozen
class OptionSpec:
    """What is known of one option: its keys (the first is the one to show), how to read it, what it is for."""

    keys: tuple[str, ...]
    parse: Callable[[str], Any]
    help: str


def option(*keys: str, parse: Callable[[str], T], default: T, help: str) -> T:  # noqa: A002 - as argparse has it
    """Declare an option as a field of an options class; *keys* are all the names it goes by."""
    spec = OptionSpec(keys, parse, help)
    field: Any = attrs.field(default=default, metadata={_METADATA: spec})
    return field  # type: ignore[no-any-return]


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


@attrs.frozen
class CommonOptions:
    """Options that the core itself understands, for every driver whose options class inherits this one."""

    mtu: int | None = option(
        "com.docker.network.driver.mtu",
        "mtu",
        parse=mtu,
        default=None,
        help="MTU in bytes of everything the network makes; without it, what the uplink or parent allows",
    )
    interface_prefix: str = option(
        "com.docker.network.container_iface_prefix",
        parse=text,
        default="eth",
        help="what interfaces in the container are called before their number",
    )
    gateway: bool = option(
        "gateway",
        parse=boolean,
        default=True,
        help="have a gateway address and a default route; without, the first address is free for a container",
    )
    stable_mac: bool = option(
        "stable_mac",
        parse=boolean,
        default=False,
        help="derive hardware addresses from the network and the endpoint's name or address: equal after a restart",
    )


def specs(options: type) -> dict[str, OptionSpec]:
    """Return the options of class *options* by field name."""
    found = {field.name: field.metadata.get(_METADATA) for field in attrs.fields(options)}
    return {name: spec for name, spec in found.items() if spec is not None}


def read(options: type[O], pairs: Mapping[str, str], *, driver: str) -> O:
    """Make an *options* value from ``-o`` pairs.

    Raises Refused, naming every unknown key with the nearest known one, or the key whose value cannot be read.
    """
    fields = {key: (name, spec) for name, spec in specs(options).items() for key in spec.keys}
    values: dict[str, Any] = {}
    for key, value in pairs.items():
        if key in fields:
            name, spec = fields[key]
            try:
                parsed = spec.parse(value)
            except (ValueError, TypeError, Refused) as error:
                raise Refused(f"option {key}={value!r} of driver {driver}: {error} ({spec.help})") from None
            if values.setdefault(name, parsed) != parsed:
                raise Refused(f"driver {driver} was given {' and '.join(spec.keys)} with different values; name one")
        elif key not in DOCKER_LABELS:
            raise Refused(unknown_option(key, fields, of=f"driver {driver}"))
    try:
        return options(**values)
    except ValueError as error:
        raise Refused(f"options of driver {driver}: {error}") from None


def unknown_option(key: str, known: Mapping[str, object], *, of: str) -> str:
    """Return the refusal of *key*: the nearest known key, or all of them where none is near."""
    near = _nearest(key, known)
    advice = f"did you mean {near!r}?" if near else f"it knows {', '.join(sorted(known)) or 'none'}"
    return f"{of} has no option {key!r}; {advice}"


def _nearest(key: str, known: Mapping[str, object]) -> str | None:
    """Compare last words first: all of Docker's labels begin alike, and `-o com.example.mut` means the MTU."""
    last = key[-_COMPARED:].rpartition(".")[2]
    scored = [(_likeness(last, other.rpartition(".")[2]), _likeness(key[-_COMPARED:], other), other) for other in known]
    by_last, in_full, other = max(scored, default=(0.0, 0.0, ""))
    return other if max(by_last, in_full) >= _NEAR else None


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio()
