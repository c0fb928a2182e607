"""A daemon's metrics on a busy day, without the daemon: every metric has data, and everything that grows grows."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Interface, ip_network
from typing import get_args

from attrs import evolve, field, frozen

from linkwright.daemon.metrics import Known, Metrics, Sources, labels, methods_of
from linkwright.daemon.metrics.facts import Facts, Traffic
from linkwright.engine.observation import (
    Announced,
    Collected,
    Drift,
    DriverOverrun,
    ExternalConnectivity,
    FlowsForgotten,
    Observation,
    SetupStage,
    UnknownId,
)
from linkwright.ipam import LOCAL, AddressRequest, Happening, Ledger, PoolRequest
from linkwright.ipam.actor import ActorStatistics
from linkwright.kernel.linux import KernelStatistics
from linkwright.model import Endpoint, EndpointState, Mac, Network, PortBinding, Protocol, Sandbox, StoredNetwork
from linkwright.store.statistics import Statistics
from linkwright.wire.replies import Api

NETWORK = "ab" * 32

KNOWN = Known(
    plugins={"lw-bridge": methods_of(tuple(Api)), "lw-ipam": methods_of([Api.IPAM_DRIVER])},
    drivers=("bridge",),
    checks=("start",),
)

WEB = PortBinding(Protocol.TCP, 80, IPv4Address("192.0.2.7"), 8080, 8080)

EVENTS: tuple[Observation, ...] = (
    *(SetupStage("bridge", stage, 0.003) for stage in labels.STAGE.values),
    Drift("link", repaired=True, text="x"),
    Drift("joined", repaired=False, text="y"),
    UnknownId("Leave"),
    Collected("endpoint", "z", "ab"),
    DriverOverrun("bridge"),
    ExternalConnectivity("bridge", "program", 2),
    FlowsForgotten(3),
    Announced("ab"),
    Announced("cd", "its link did not come up in time"),
)


def _pool() -> Ledger:
    ledger = Ledger()
    pool = ledger.request_pool(PoolRequest(LOCAL, 4, ip_network("10.1.0.0/24")), now=1.0).answer
    ledger.request_address(AddressRequest(pool.id), now=1.0)
    return ledger


@frozen
class Busy:
    """One daemon's worth of metrics; ``work`` lets everything happen once more."""

    metrics: Metrics = field(factory=lambda: Metrics(KNOWN))
    ledger: Ledger = field(factory=_pool)
    rounds: list[None] = field(factory=list)

    def work(self) -> None:
        """Serve one call of each kind and of each outcome, and have everything else happen once."""
        self.rounds.append(None)
        for plugin, methods in KNOWN.plugins.items():
            for method in methods:
                with self.metrics.rpc(plugin, method) as call:
                    call.outcome = labels.OK
        for outcome in labels.FAILURES:
            with self.metrics.rpc("lw-bridge", "NetworkDriver.Join") as call:
                call.outcome = outcome
        for event in EVENTS:
            self.metrics(event)

    @property
    def sources(self) -> Sources:
        """What is there at the moment."""
        network: StoredNetwork = Network(NETWORK, "bridge", options={})
        return Sources(
            version="0.0.0",
            python="3.11",
            started=1_000_000.0,
            networks=lambda: [network],
            endpoints=lambda: [_endpoint(number) for number in (1, 2)],
            suspended=lambda: (),
            lost=lambda: (WEB,),
            drops=lambda: [("isolation", len(self.rounds))],
            parents=lambda: [("eth0", True)],
            ipam=self._ipam,
            store=self._store,
            kernel=self._kernel,
            checks=lambda: {"start": True},
            bridge_ports=lambda facts: [(NETWORK, len(facts.endpoints))],
            traffic=self._traffic,
        )

    def _ipam(self) -> ActorStatistics:
        count = len(self.rounds)
        return ActorStatistics(
            self.ledger.statistics(),
            dict.fromkeys(Happening, count),
            waiting=1,
            capacity=256,
            commits=count,
            failed_commits=count,
        )

    def _store(self) -> Statistics:
        count = len(self.rounds)
        return Statistics(count, count, count, 100 * count, 3, count, count, 2, count, count, "full")

    def _kernel(self) -> KernelStatistics:
        count = len(self.rounds)
        return KernelStatistics(
            operations={("create", "link"): count},
            batches=count,
            failures=count,
            not_undone=count,
            doomed_waiting=1,
            doomed_removed=count,
            events={"newlink": count},
            overruns=count,
            receive_buffer=8 << 20,
        )

    def _traffic(self, facts: Facts) -> Iterable[Traffic]:
        count = len(self.rounds)
        for endpoint in facts.endpoints:
            yield Traffic(endpoint, "lwh1", 1000 * count, count, count, 2000 * count, 2 * count, count)


def _endpoint(number: int) -> Endpoint:
    return Endpoint(
        id=f"{number:064x}",
        network=NETWORK,
        ipv4=IPv4Interface(f"10.1.0.{number + 1}/24"),
        mac=Mac.derive(str(number)),
        name=f"web-{number}",
        state=EndpointState.JOINED,
        published=(evolve(WEB, host_port=8080 + number, host_port_end=8080 + number),),
        sandbox=Sandbox(f"/run/docker/netns/{number:012x}", "boot"),
    )


def unmentioned() -> frozenset[type]:
    """The kinds of observation that never happen here."""
    return frozenset(get_args(Observation)) - {type(event) for event in EVENTS}
