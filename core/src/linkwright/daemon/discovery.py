"""Finding drivers: entry points of the group ``linkwright.drivers``. The checks are ``engine.registry``'s."""

from collections.abc import Iterable

import importlib_metadata
from attrs import field, frozen

from linkwright.engine.registry import Origin, Registered, register
from linkwright.errors import DriverFault, Refused

GROUP = "linkwright.drivers"


@frozen
class Found:
    """The drivers that can be used, and why others cannot."""

    drivers: tuple[Registered, ...] = ()
    faults: tuple[DriverFault, ...] = field(default=())


def find(wanted: Iterable[str] | None = None, *, strict: bool = False) -> Found:
    """Load the drivers named in *wanted*, or all that are installed.

    A package that cannot be loaded is left out and told (with *strict* it is raised); a name that no package has is
    Refused, with those that there are.
    """
    entries = {entry.name: entry for entry in importlib_metadata.entry_points(group=GROUP)}
    names = sorted(entries) if wanted is None else list(wanted)
    if missing := [name for name in names if name not in entries]:
        raise Refused(
            f"no driver {', '.join(missing)} is installed (there are: {', '.join(sorted(entries)) or 'none'}); "
            f"pip install linkwright-{missing[0]}"
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


def _load(entry: importlib_metadata.EntryPoint) -> Registered:
    origin = Origin(entry.dist.name, entry.dist.version) if entry.dist else Origin()
    try:
        candidate = entry.load()
    except Exception as error:
        raise DriverFault(
            f"driver {entry.name!r} of {origin} is not loaded: importing {entry.value} raised "
            f"{type(error).__name__}: {error}"
        ) from error
    return register(entry.name, candidate, origin)
