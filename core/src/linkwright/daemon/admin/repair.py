"""Putting things right on request: what the reconciler does by its timer, now, with a report of what came of it."""

from linkwright.daemon.admin.asked import Asked, Work
from linkwright.daemon.admin.insides import Insides
from linkwright.daemon.admin.planning import report_page
from linkwright.daemon.admin.recent import Remarkable
from linkwright.daemon.admin.views import Document
from linkwright.engine.observation import Collected, Drift
from linkwright.plan import table_name


async def repair(insides: Insides, _: Asked) -> Work:
    """Collect what is dead, make anew what a sandbox misses, heal the rest; say what was done, failed, or is as it was.

    This is the one place where a link in a living sandbox is made anew: somebody has asked for it.
    """
    engine = insides.engine
    with insides.recent.listening() as heard:
        await engine.collecting.collect()
        await engine.rebuilding.rebuild()
        report = await engine.reconcile.heal()
    networks = {network.id: network.driver for network in engine.state.networks.values()}

    def work() -> Document:
        page = report_page(report, networks, table_name(insides.config.instance))
        return {
            "repaired": _drifts(heard, repaired=True),
            "failed": [one for one in _drifts(heard, repaired=False) if one["kind"] in _FAILURES],
            "collected": [
                {"what": one.what, "id": one.id, "reason": one.reason} for one in heard if isinstance(one, Collected)
            ],
            "reported": page["reported"],
            "frozen": page["frozen"],
        }

    return work


#: Kinds of drift that say that a repair was tried: others that stand are in the report, in words.
_FAILURES = frozenset({"kernel", "unavailable"})


def _drifts(heard: list[Remarkable], *, repaired: bool) -> list[Document]:
    return [
        {"network": one.network, "kind": one.kind, "text": one.text}
        for one in heard
        if isinstance(one, Drift) and one.repaired is repaired
    ]
