"""Who answers for the facts in a running daemon. Joining only: ``facts`` says what is asked, ``readings`` what for."""

import platform
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from linkwright import __version__
from linkwright.daemon.metrics import traffic
from linkwright.daemon.metrics.facts import Facts, Sources
from linkwright.engine.desired import Scope
from linkwright.engine.engine import Engine
from linkwright.ipam.actor import ActorStatistics
from linkwright.kernel.linux import KernelStatistics
from linkwright.model import Endpoint
from linkwright.plan import Bridge, Link, Veth
from linkwright.store.statistics import Statistics


def sources_of(
    engine: Engine,
    *,
    ipam: Callable[[], ActorStatistics],
    store: Callable[[], Statistics],
    kernel: Callable[[], KernelStatistics],
    checks: Callable[[], Mapping[str, bool]],
    drops: Callable[[], Mapping[str, int]],
    started: float,
    counters: Path = traffic.FILE,
) -> Sources:
    """Return the sources that *engine* and the other parts are. *started* is in seconds since the Unix epoch."""
    asking, state = engine.asking, engine.state

    def links_of(network: str, endpoint: str = "") -> Iterator[Link]:
        wishes = engine.applying.desired.of(Scope(network, endpoint))
        return (wish for wish in wishes.values() if isinstance(wish, Link))

    def link_of(endpoint: Endpoint) -> str:
        links = links_of(endpoint.network, endpoint.id)
        return next((link.name for link in links if isinstance(link.kind, Veth)), "")

    def bridge_ports(facts: Facts) -> Iterator[tuple[str, int]]:
        bridges = {
            (network.id, link.name)
            for network in facts.networks
            for link in links_of(network.id)
            if isinstance(link.kind, Bridge)
        }
        ports = Counter(
            one.network
            for one in facts.endpoints
            if any((one.network, link.master) in bridges for link in links_of(one.network, one.id))
        )
        return ((network, ports[network]) for network in {network for network, _ in bridges})

    return Sources(
        version=__version__,
        python=platform.python_version(),
        started=started,
        networks=state.networks.values,
        endpoints=state.endpoints.values,
        frozen=lambda: engine.reconcile.frozen,
        lost=engine.publishing.lost,
        drops=lambda: drops().items(),
        parents=lambda: tuple(engine.parents.up.items()),
        drivers=lambda: ((one.name, one.origin.distribution, one.origin.version) for one in asking.drivers.registered),
        suspended=lambda: asking.drivers.suspended,
        ipam=ipam,
        store=store,
        kernel=kernel,
        checks=checks,
        bridge_ports=bridge_ports,
        traffic=traffic.reader(link_of, file=counters),
    )
