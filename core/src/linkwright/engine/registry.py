"""Which drivers there are, and the checks at the door. Pure: who finds the packages is ``daemon.discovery``.

A driver that breaks a rule here is refused with its distribution and version in the message; the daemon starts
without it (``--strict`` makes it fatal).
"""

import inspect
from collections.abc import Callable
from typing import Any

import attrs
from attrs import field, frozen

from linkwright.errors import DriverFault
from linkwright.sdk import API, POWERS, Driver
from linkwright.sdk.options import specs

#: What each method of the contract is handed, beside itself.
_SIGNATURES = {"network": 1, "endpoint": 2, "join": 2}


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
    for rule, broken in _RULES.items():
        if broken(entry_name, candidate):
            raise DriverFault(f"driver {entry_name!r} of {origin} is not loaded: {rule}")
    try:
        driver = candidate()  # type: ignore[operator]
    except Exception as error:
        raise DriverFault(
            f"driver {entry_name!r} of {origin} is not loaded: its class cannot be made: {error}"
        ) from error
    return Registered(driver, origin)


def _wrong_signature(_: str, candidate: Any) -> bool:
    for name, count in _SIGNATURES.items():
        parameters = list(inspect.signature(getattr(candidate, name)).parameters.values())[1:]
        required = [p for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
        if len(required) != count:
            return True
    return False


def _unreadable_options(_: str, candidate: Any) -> bool:
    options = getattr(candidate, "options", None)
    if not (inspect.isclass(options) and attrs.has(options)):
        return True
    specs(options)
    try:
        options()
    except TypeError:
        return True
    return False


_RULES: dict[str, Callable[[str, Any], bool]] = {
    "it is no subclass of linkwright.sdk.Driver": lambda _, c: not (inspect.isclass(c) and issubclass(c, Driver)),
    f"its contract version (api) is not {API}": lambda _, c: c.api != API,
    "its name is not its entry point's": lambda name, c: getattr(c, "name", None) != name,
    "it leaves methods of the contract undefined": lambda _, c: inspect.isabstract(c),
    "a method of the contract takes other arguments": _wrong_signature,
    "its options are no attrs class with a default for each field": _unreadable_options,
}
