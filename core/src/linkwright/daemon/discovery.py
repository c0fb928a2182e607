"""Finding drivers: entry points of the group ``linkwright.drivers``. The checks are ``engine.registry``'s."""

from collections.abc import Iterable, Sequence

import importlib_metadata
from attrs import field, frozen

from linkwright.engine.registry import Origin, Registered, package_of, register
from linkwright.errors import DriverFault, Refused

GROUP = "linkwright.drivers"


@frozen
class Found:
    """The drivers that can be used, and why others cannot."""

    drivers: tuple[Registered, ...] = ()
    faults: tuple[DriverFault, ...] = field(default=())


def installed() -> frozenset[str]:
    """Return the names of all drivers that are installed, whether they can be loaded or not."""
    return frozenset(importlib_metadata.entry_points(group=GROUP).names)


def find(wanted: Iterable[str] | None = None, *, strict: bool = False) -> Found:
    """Load the drivers named in *wanted*, or all that are installed.

    A package that cannot be loaded is left out and told (with *strict* it is raised); a name that no package has is
    Refused, with those that there are.
    """
    entries: dict[str, list[importlib_metadata.EntryPoint]] = {}
    for entry in importlib_metadata.entry_points(group=GROUP):
        entries.setdefault(entry.name, []).append(entry)
    names = sorted(entries) if wanted is None else list(dict.fromkeys(wanted))
    if missing := [name for name in names if name not in entries]:
        raise Refused(
            f"no driver {', '.join(missing)} is installed (there are: {', '.join(sorted(entries)) or 'none'}); "
            f"pip install {package_of(missing[0])}"
        )
    drivers: list[Registered] = []
    faults: list[DriverFault] = []
    for name in names:
        try:
            drivers.append(_load(entries[name]))
        except DriverFault as fault:
            if strict:
                raise
            faults.append(fault)
    return Found(tuple(drivers), tuple(faults))


def _load(entries: Sequence[importlib_metadata.EntryPoint]) -> Registered:
    entry, *others = entries
    if others:
        packages = " and ".join(sorted(str(_origin(one)) for one in entries))
        raise DriverFault(
            f"driver {entry.name!r} is not loaded: {packages} offer it, and which is meant cannot be told; "
            "pip uninstall the others"
        )
    try:
        candidate = entry.load()
    except (Exception, SystemExit) as error:
        raise DriverFault(
            f"driver {entry.name!r} of {_origin(entry)} is not loaded: importing {entry.value} raised "
            f"{type(error).__name__}: {error}"
        ) from error
    return register(entry.name, candidate, _origin(entry))


def _origin(entry: importlib_metadata.EntryPoint) -> Origin:
    return Origin(entry.dist.name, entry.dist.version) if entry.dist else Origin()
