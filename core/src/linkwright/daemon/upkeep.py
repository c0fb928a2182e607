"""What is done by the clock and by nobody's request: addresses observed, Docker asked. One loop, no nursery.

Rule: each look is bounded and tolerated by itself; what fails is told once and tried again at the next turn.
"""

from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address

import structlog
import trio

from linkwright.daemon.backends import Backed
from linkwright.daemon.witness import Witness
from linkwright.engine.engine import Engine
from linkwright.errors import LinkwrightError
from linkwright.ipam.actor import Actor

_log = structlog.get_logger(__name__)


async def upkeep(
    *,
    engine: Engine,
    ipam: Actor,
    live: Callable[[], Awaitable[frozenset[IPv4Address | IPv6Address]]],
    witness: Witness | None,
    period: float,
) -> None:
    """Take a turn each *period* seconds, for ever.

    *live* reads the addresses that links and neighbours of the host show.
    """

    async def observe() -> None:
        joined = {address.ip for endpoint in engine.state.endpoints.values() for address in endpoint.addresses}
        await ipam.observe(frozenset(await live()) | joined)

    looks = {"addresses": observe} | ({"witness": witness.look} if witness is not None else {})
    looks |= {"IPAM back-end": ipam.settle} if isinstance(ipam, Backed) else {}
    failing = dict.fromkeys(looks, "")
    while True:
        await trio.sleep(period)
        for name, look in looks.items():
            problem = await _tried(look)
            if problem and problem != failing[name]:
                _log.warning("upkeep was not finished; it is tried again", look=name, error=problem)
            failing[name] = problem


async def _tried(look: Callable[[], Awaitable[None]]) -> str:
    """Look, and return what went wrong."""
    try:
        await look()
    except LinkwrightError as error:
        return str(error)
    return ""
