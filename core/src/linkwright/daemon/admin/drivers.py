"""The drivers there are, and why others are left out. The same document with a daemon and without one."""

from collections.abc import Collection, Iterable

from linkwright.daemon.admin import views
from linkwright.daemon.admin.asked import Asked, Work
from linkwright.daemon.admin.insides import Insides
from linkwright.daemon.admin.views import Document
from linkwright.engine.registry import Registered
from linkwright.errors import DriverFault


async def drivers(insides: Insides, _: Asked) -> Work:
    """Those that the daemon has loaded."""
    loaded = insides.engine.asking.drivers
    suspended = loaded.suspended
    return lambda: document("daemon", loaded.registered, insides.faults, suspended=suspended)


def document(
    source: str,
    registered: Iterable[Registered],
    faults: Iterable[DriverFault],
    *,
    suspended: Collection[str] = (),
) -> Document:
    """Return the page; *source* says who knows of them: "daemon", or "installed" where none was asked."""
    return {
        "source": source,
        "drivers": [views.driver(one, suspended=one.name in suspended) for one in registered],
        "left_out": [str(fault) for fault in faults],
    }
