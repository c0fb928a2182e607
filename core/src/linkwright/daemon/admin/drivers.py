"""The drivers there are, and why others are left out. The same document with a daemon and without one."""

from collections.abc import Callable, Iterable

from linkwright.daemon.admin import views
from linkwright.daemon.admin.asked import Asked, Work
from linkwright.daemon.admin.insides import Insides
from linkwright.daemon.admin.views import Document
from linkwright.engine.registry import Registered
from linkwright.errors import DriverFault


async def drivers(insides: Insides, _: Asked) -> Work:
    """Those that the daemon has loaded."""
    asking = insides.engine.asking
    suspended = frozenset(one.name for one in asking.registered if asking.suspended(one.name))
    return lambda: document("daemon", asking.registered, insides.faults, suspended=suspended.__contains__)


def document(
    source: str,
    registered: Iterable[Registered],
    faults: Iterable[DriverFault],
    *,
    suspended: Callable[[str], bool] = lambda _: False,
) -> Document:
    """Return the page; *source* says who knows of them: "daemon", or "installed" where none was asked."""
    return {
        "source": source,
        "drivers": [views.driver(one, suspended=suspended(one.name)) for one in registered],
        "left_out": [str(fault) for fault in faults],
    }
