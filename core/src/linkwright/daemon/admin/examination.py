"""The doctor at the admin socket: what the checks need of the running daemon, gathered on the loop."""

from linkwright.daemon.admin.asked import Asked, Work
from linkwright.daemon.admin.doctor import Live, Surroundings, examine
from linkwright.daemon.admin.insides import Insides
from linkwright.errors import LinkwrightError
from linkwright.plan import Sysctl


async def doctor(insides: Insides, _: Asked) -> Work:
    """Every check, with what was found and what to do about it."""
    try:
        features = (await insides.engine.kernel.host_facts()).features
    except LinkwrightError:
        features = None  # a check of its own says so
    surroundings = Surroundings(
        config=insides.config,
        now=insides.clock(),
        features=features,
        live=_live(insides),
        proc=insides.proc,
        run=insides.tool,
    )
    return await examine(surroundings)


def _live(insides: Insides) -> Live:
    engine, kernel = insides.engine, insides.kernel()
    asking, state = engine.asking, engine.state
    settings = [wish for wish in engine.applying.desired.all().values() if isinstance(wish, Sysctl)]
    created = [network.created for network in state.networks.values()]
    created += [endpoint.created for endpoint in state.endpoints.values()]
    return Live(
        drivers=tuple(registered.name for registered in asking.drivers.registered),
        suspended=asking.drivers.suspended,
        left_out=tuple(str(fault) for fault in insides.faults),
        endpoints=len(state.endpoints),
        newest=max(created, default=0.0),
        settings={setting.path: setting.value for setting in settings},
        receive_buffer=kernel.receive_buffer if kernel else 0,
        rule_error=insides.rule_error(),
        zones=insides.zones(),
    )
