"""Which drivers there are, and the checks at the door. Pure: who finds the packages is ``daemon.discovery``.

A driver that breaks a rule here is refused with its distribution and version in the message; the daemon starts
without it (``--strict`` makes it fatal).
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

import attrs
from attrs import field, frozen

from linkwright.errors import DriverFault
from linkwright.sdk import API, POWERS, Capabilities, Driver
from linkwright.sdk.options import specs

#: What each method of the contract, and of the optional powers, is handed beside itself: how many, and which by name.
_SIGNATURES: Final[Mapping[str, tuple[int, tuple[str, ...]]]] = MappingProxyType(
    {
        "network": (1, ()),
        "endpoint": (2, ()),
        "join": (2, ()),
        "looks_at": (1, ()),
        "skip_gateway": (1, ("internal",)),
        "admit": (3, ()),
        "bindings": (3, ()),
        "publish": (2, ()),
        "claims": (1, ()),
    }
)

#: Names of drivers are the last part of their sockets' names: a file's, and not too long for a socket's path.
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")

#: The socket that is for addresses alone has this one.
RESERVED: Final = "ipam"


#: Drivers that come in another package than the one of their name.
_PACKAGES: Final[Mapping[str, str]] = MappingProxyType({"ipvlan": "macvlan"})


def package_of(name: str) -> str:
    """The distribution that most likely has the driver called *name*."""
    return f"linkwright-{_PACKAGES.get(name, name)}"


@frozen
class Origin:
    """Where a driver came from."""

    distribution: str = ""
    version: str = ""

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".strip() or "an unknown distribution"


@frozen
class Registered:
    """A driver that passed the checks, the distribution it came from, and its optional powers by name."""

    driver: Driver[Any]
    origin: Origin = field(factory=Origin)

    @property
    def name(self) -> str:
        """The driver's name: the last part of its socket's, as ``-d lw-<name>``."""
        return self.driver.name

    @property
    def powers(self) -> tuple[str, ...]:
        """The names of the optional powers it has."""
        return tuple(name for name, power in sorted(POWERS.items()) if isinstance(self.driver, power))


def register(entry_name: str, candidate: object, origin: Origin | None = None) -> Registered:
    """Check *candidate*, named by entry point *entry_name*, and make the driver; DriverFault names the broken rule."""
    origin = origin or Origin()
    for rule, broken in RULES.items():
        try:
            why = "" if not broken(entry_name, candidate) else rule
        except Exception as error:  # noqa: BLE001 - a class so odd that even looking at it raises
            why = f"{rule} (looking at it raised {type(error).__name__}: {error})"
        if why:
            raise DriverFault(f"driver {entry_name!r} of {origin} is not loaded: {why}")
    try:
        driver = candidate()  # type: ignore[operator]
    except (Exception, SystemExit) as error:
        raise DriverFault(
            f"driver {entry_name!r} of {origin} is not loaded: its class cannot be made: {error}"
        ) from error
    return Registered(driver, origin)


def is_name(text: str) -> bool:
    """Whether a driver could be called *text*."""
    return _NAME.fullmatch(text) is not None


def _methods(candidate: Any) -> Iterator[tuple[str, Any]]:
    """The methods of the contract, and those of the powers that it has."""
    found = ((name, getattr(candidate, name, None)) for name in _SIGNATURES)
    return ((name, method) for name, method in found if method is not None)


def _wrong_signature(_: str, candidate: Any) -> bool:
    for name, method in _methods(candidate):
        if not callable(method):
            return True
        count, keywords = _SIGNATURES[name]
        unbound = not isinstance(inspect.getattr_static(candidate, name), staticmethod | classmethod)
        try:
            inspect.signature(method).bind(*range(count + unbound), **dict.fromkeys(keywords))
        except TypeError:
            return True
    return False


def _coroutine(_: str, candidate: Any) -> bool:
    kinds = (inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction)
    return any(is_kind(method) for _, method in _methods(candidate) for is_kind in kinds)


def _incapable(_: str, candidate: Any) -> bool:
    told = candidate.capabilities
    return not (isinstance(told, Capabilities) and told.connectivity in {"local", "global"})


def _unreadable_options(_: str, candidate: Any) -> bool:
    return not all(_is_readable(getattr(candidate, name, None)) for name in ("options", "endpoint_options"))


def _is_readable(options: Any) -> bool:
    if not (inspect.isclass(options) and attrs.has(options)):
        return False
    specs(options)
    try:
        options()
    except Exception:  # noqa: BLE001 - whatever a validator raises for its own default
        return False
    return True


RULES: dict[str, Callable[[str, Any], bool]] = {
    "it is no subclass of linkwright.sdk.Driver": lambda _, c: not (inspect.isclass(c) and issubclass(c, Driver)),
    f"its contract version (api) is not {API}": lambda _, c: c.api != API,
    "its name is not its entry point's": lambda name, c: getattr(c, "name", None) != name,
    "a driver's name is 1 to 32 of a-z, 0-9, '-' and '_'": lambda name, _: not is_name(name),
    f"the name {RESERVED} is that of the address plugin": lambda name, _: name == RESERVED,
    "it leaves methods of the contract undefined": lambda _, c: inspect.isabstract(c),
    "a method of the contract takes other arguments": _wrong_signature,
    "a method of the contract is a coroutine or a generator": _coroutine,
    "its options are no attrs class with a default for each field": _unreadable_options,
    "its capabilities are no Capabilities of local or global connectivity": _incapable,
}
