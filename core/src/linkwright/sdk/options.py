"""Driver options: ``docker network create -o key=value``, and ``--driver-opt`` of an endpoint, as frozen classes.

A driver declares one attrs field for each option with ``option``; ``read`` (of a network) and ``read_endpoint`` make
the value or refuse, naming the unknown key and the nearest known one. Docker's own generic labels pass unread. How the
text of a value is read is ``sdk.values``.
"""

import difflib
import functools
from collections.abc import Callable, Container, Mapping
from typing import Any, TypeVar

import attrs

from linkwright.errors import Refused
from linkwright.model import Endpoint
from linkwright.sdk.names import interface_name
from linkwright.sdk.values import boolean, mtu, text

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

#: The same of endpoints: settings are the engine's own to make (27+), and the name is IPAM's to be told.
DOCKER_ENDPOINT_LABELS = frozenset({"com.docker.network.endpoint.name", "com.docker.network.endpoint.sysctls"})

#: How alike two words have to be to be taken for one (difflib's own cutoff), and how much of a key is compared.
_NEAR = 0.6
_COMPARED = 100


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


@attrs.frozen
class EndpointOptions:
    """``--driver-opt`` that the core itself understands, for endpoints of every driver; to be inherited as well."""

    interface: str = option(
        "com.docker.network.endpoint.ifname",
        "ifname",
        parse=interface_name,
        default="",
        help="what the interface in the container is called (engines before 29.8 ignore it)",
    )


def specs(options: type) -> dict[str, OptionSpec]:
    """Return the options of class *options* by field name."""
    found = {field.name: field.metadata.get(_METADATA) for field in attrs.fields(options)}
    return {name: spec for name, spec in found.items() if spec is not None}


def read(options: type[O], pairs: Mapping[str, str], *, driver: str) -> O:
    """Make an *options* value from ``-o`` pairs of a network.

    Raises Refused, naming every unknown key with the nearest known one, or the key whose value cannot be read.
    """
    return _read(options, pairs, driver=driver, word="option", passing=DOCKER_LABELS)


def read_endpoint(options: type[O], endpoint: Endpoint, *, driver: str) -> O:
    """Make an *options* value from the ``--driver-opt`` pairs of *endpoint*. Refused like ``read``."""
    return _read(options, endpoint.options, driver=driver, word="endpoint option", passing=DOCKER_ENDPOINT_LABELS)


def _read(options: type[O], pairs: Mapping[str, str], *, driver: str, word: str, passing: Container[str]) -> O:
    kind: type = options
    fields = _by_key(kind)
    values: dict[str, Any] = {}
    for key, value in pairs.items():
        if key in fields:
            name, spec = fields[key]
            try:
                parsed = spec.parse(value)
            except (ValueError, TypeError, Refused) as error:
                raise Refused(f"{word} {key}={value!r} of driver {driver}: {error} ({spec.help})") from None
            if values.setdefault(name, parsed) != parsed:
                raise Refused(f"driver {driver} was given {' and '.join(spec.keys)} with different values; name one")
        elif key not in passing:
            raise Refused(unknown_option(key, fields, of=f"driver {driver}", word=word))
    try:
        return options(**values)
    except ValueError as error:
        raise Refused(f"{word}s of driver {driver}: {error}") from None


@functools.cache
def _by_key(options: type) -> Mapping[str, tuple[str, OptionSpec]]:
    """Each key of *options*, with the field's name: options are read for every endpoint that is made, several times."""
    return {key: (name, spec) for name, spec in specs(options).items() for key in spec.keys}


def unknown_option(key: str, known: Mapping[str, object], *, of: str, word: str = "option") -> str:
    """Return the refusal of *key*: the nearest known key, or all of them where none is near."""
    near = _nearest(key, known)
    advice = f"did you mean {near!r}?" if near else f"it knows {', '.join(sorted(known)) or 'none'}"
    return f"{of} has no {word} {key!r}; {advice}"


def _nearest(key: str, known: Mapping[str, object]) -> str | None:
    """Compare last words first: all of Docker's labels begin alike, and `-o com.example.mut` means the MTU."""
    last = key[-_COMPARED:].rpartition(".")[2]
    scored = [(_likeness(last, other.rpartition(".")[2]), _likeness(key[-_COMPARED:], other), other) for other in known]
    by_last, in_full, other = max(scored, default=(0.0, 0.0, ""))
    return other if max(by_last, in_full) >= _NEAR else None


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other, autojunk=False).ratio()
