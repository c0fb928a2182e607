"""What is done by the clock and by nobody's request: addresses observed, Docker asked. One loop, no nursery.

Rule: each look is bounded and tolerated; what fails is told once and tried again at the next turn.
"""

from collections.abc import Awaitable, Callable
from ipaddress import IPv4Address, IPv6Address

import structlog
import trio

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
    failing = ""
    while True:
        await trio.sleep(period)
        try:
            joined = {address.ip for endpoint in engine.state.endpoints.values() for address in endpoint.addresses}
            await ipam.observe(frozenset(await live()) | joined)
            if witness is not None:
                await witness.look()
            failing = ""
        except LinkwrightError as error:
            if str(error) != failing:
                _log.warning("upkeep was not finished; it is tried again", error=str(error))
            failing = str(error)
