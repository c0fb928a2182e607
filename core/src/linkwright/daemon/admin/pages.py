"""Networks and endpoints, as lists and one by one."""

from collections import Counter
from typing import TypeVar

from linkwright.daemon.admin import views
from linkwright.daemon.admin.asked import Asked, Work, meant
from linkwright.daemon.admin.doubts import doubts
from linkwright.daemon.admin.insides import Insides
from linkwright.daemon.admin.views import Document
from linkwright.engine.desired import Scope
from linkwright.engine.publishing import outside_of
from linkwright.model import Endpoint, StoredNetwork
from linkwright.plan import Resource, table_name

R = TypeVar("R", StoredNetwork, Endpoint)


async def networks(insides: Insides, _: Asked) -> Work:
    """All networks, oldest first."""
    state = insides.engine.state
    counts = Counter(endpoint.network for endpoint in state.endpoints.values())
    every, frozen, unsure = tuple(state.networks.values()), insides.engine.reconcile.frozen, doubts(insides)

    def work() -> list[Document]:
        return [
            views.network_line(
                network,
                endpoints=counts[network.id],
                frozen=frozen.get(network.id),
                unconfirmed=unsure.get(network.id),
            )
            for network in _by_age(every)
        ]

    return work


async def network(insides: Insides, asked: Asked) -> Work:
    """One network, by the beginning of its id."""
    engine = insides.engine
    network_id = _network_id(insides, asked.parts["id"])
    found, endpoints = engine.state.networks[network_id], engine.state.endpoints_of(network_id)
    wanted = _wanted(insides, Scope(network_id))
    frozen, unsure = engine.reconcile.frozen.get(network_id), doubts(insides).get(network_id)
    lost = engine.publishing.lost()

    def work() -> Document:
        line = views.network_line(found, endpoints=len(endpoints), frozen=frozen, unconfirmed=unsure)
        lines = [views.endpoint_line(endpoint, lost=lost) for endpoint in endpoints]
        return views.network_page(line, found, endpoints=lines, wishes=views.wishes(wanted, _table(insides)))

    return work


async def endpoints(insides: Insides, asked: Asked) -> Work:
    """All endpoints, oldest first; with ``network`` those of one, with ``dead`` those whose container is gone."""
    state = insides.engine.state
    name = asked.query.get("network")
    found = tuple(state.endpoints.values()) if name is None else state.endpoints_of(_network_id(insides, name))
    if "dead" in asked.query:
        found = tuple([endpoint for endpoint in found if await insides.engine.vitality.dead(endpoint)])
    lost = insides.engine.publishing.lost()
    return lambda: [views.endpoint_line(endpoint, lost=lost) for endpoint in _by_age(found)]


async def endpoint(insides: Insides, asked: Asked) -> Work:
    """One endpoint, by the beginning of its id or by its container's name."""
    endpoints = insides.engine.state.endpoints
    names = {key: (value.name,) if value.name else () for key, value in endpoints.items()}
    found = endpoints[meant(asked.parts["id"], names, what="endpoint")]
    wanted = (*_wanted(insides, Scope(found.network, found.id)), *_wanted(insides, outside_of(found)))
    dead, lost = await insides.engine.vitality.dead(found), insides.engine.publishing.lost()
    return lambda: views.endpoint_page(found, dead=dead, lost=lost, wishes=views.wishes(wanted, _table(insides)))


def _table(insides: Insides) -> str:
    return table_name(insides.config.instance)


def _network_id(insides: Insides, name: str) -> str:
    return meant(name, dict.fromkeys(insides.engine.state.networks, ()), what="network")


def _wanted(insides: Insides, scope: Scope) -> tuple[Resource, ...]:
    return tuple(insides.engine.applying.desired.of(scope).values())


def _by_age(records: tuple[R, ...]) -> list[R]:
    return sorted(records, key=lambda record: (record.created, record.id))
