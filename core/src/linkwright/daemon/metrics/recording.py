"""What is counted as it happens: calls of Docker, and what the engine tells. One object for each daemon.

Rule 1: nothing here may raise or wait: it stands in the way of every call. Rule 2: no metric is declared here.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import structlog
import trio
from attrs import define
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from linkwright.daemon.metrics import labels as of
from linkwright.daemon.metrics.facts import Failed, Sources
from linkwright.daemon.metrics.labels import Known
from linkwright.daemon.metrics.scrape import Scrape
from linkwright.daemon.metrics.table import TABLE, Kind, Row
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
from linkwright.errors import LinkwrightError, Stopping

_log = structlog.get_logger(__name__)

_KINDS: Final = {Kind.COUNTER: Counter, Kind.GAUGE: Gauge, Kind.HISTOGRAM: Histogram}


@define
class Call:
    """A call being timed: whoever answers it says how it ended."""

    outcome: str = LinkwrightError.outcome


class Metrics:
    """The recorded metrics of one daemon, in a registry of its own; listens to the engine (``Observer``)."""

    def __init__(self, known: Known, *, timer: Callable[[], float] = time.perf_counter) -> None:
        """Make every metric at 0 with the label values that are *known*. *timer* gives monotonic seconds."""
        self.known = known
        self._timer = timer
        self._registry = CollectorRegistry()
        self._recorded = {row.name: _made(row, known, self._registry) for row in TABLE if row.read is None}
        self._limiter = trio.CapacityLimiter(1)  # not the loop's: threads of hung drivers must not hold up a scrape
        self._failing: frozenset[str] = frozenset()

    @contextmanager
    def rpc(self, plugin: str, method: str) -> Iterator[Call]:
        """Time a call of Docker; what the caller leaves in ``outcome`` labels it. One cut short counts as stopping."""
        call = Call()
        in_flight = self._recorded["linkwright_rpc_in_flight"].labels(plugin)
        in_flight.inc()
        began = self._timer()
        try:
            yield call
        except trio.Cancelled:
            call.outcome = Stopping.outcome
            raise
        finally:
            seconds = self._timer() - began
            in_flight.dec()
            outcome = call.outcome if call.outcome in of.OUTCOME.values else LinkwrightError.outcome
            where = (plugin, self.known.bounded(of.METHOD, method), outcome)
            self._recorded["linkwright_rpc_duration_seconds"].labels(*where).observe(seconds)
            if outcome != of.OK:
                self._recorded["linkwright_rpc_failures_total"].labels(*where).inc()

    def __call__(self, observation: Observation, /) -> None:
        """Count what the engine tells."""
        for name, values, amount in _COUNTED[type(observation)](observation):
            row = _ROWS[name]
            bounded = [self.known.bounded(label, value) for label, value in zip(row.labels, values, strict=True)]
            metric = self._recorded[name].labels(*bounded) if bounded else self._recorded[name]
            if row.kind is Kind.HISTOGRAM:
                metric.observe(amount)
            else:
                metric.inc(amount)

    async def scrape(self, sources: Sources) -> bytes:
        """Return the text for Prometheus. The loop only gathers; the long part is done in a thread."""
        facts, failed = sources.gather()

        def text() -> tuple[bytes, Failed]:
            complete, missing = sources.complete(facts)
            for name in (*failed, *missing):
                self._recorded["linkwright_scrape_source_failures_total"].labels(name).inc()
            return Scrape(self._registry, complete, self.known).text(), missing

        answer, missing = await trio.to_thread.run_sync(text, limiter=self._limiter)
        self._tell({**failed, **missing})
        return answer

    def _tell(self, failed: Failed) -> None:
        """Log a source when it begins to fail, not at each scrape."""
        for name in sorted(failed.keys() - self._failing):
            _log.error("metrics could not be read", source=name, error=str(failed[name]), exc_info=failed[name])
        self._failing = frozenset(failed)


_ROWS: Final[Mapping[str, Row]] = {row.name: row for row in TABLE}

#: One line to count: the metric, the values of its labels, and how much.
_Line = tuple[str, tuple[str, ...], float]


def _drift(drift: Drift) -> Iterator[_Line]:
    yield "linkwright_drift_found_total", (drift.kind,), 1
    if drift.repaired:
        yield "linkwright_drift_repaired_total", (drift.kind,), 1


def _external(external: ExternalConnectivity) -> Iterator[_Line]:
    labels = (external.driver, external.action)
    yield "linkwright_external_connectivity_calls_total", labels, 1
    yield "linkwright_external_connectivity_ports_total", labels, external.ports


def _announced(announced: Announced) -> Iterator[_Line]:
    yield "linkwright_announcements_total", (), 1
    if announced.reason:
        yield "linkwright_announcement_failures_total", (), 1


_COUNTED: Final[Mapping[type, Callable[[Any], Iterator[_Line]]]] = {
    SetupStage: lambda it: iter([("linkwright_endpoint_setup_seconds", (it.driver, it.stage), it.seconds)]),
    Drift: _drift,
    UnknownId: lambda it: iter([("linkwright_rpc_unknown_total", (it.call,), 1)]),
    Collected: lambda it: iter([("linkwright_collected_total", (it.what,), 1)]),
    DriverOverrun: lambda it: iter([("linkwright_driver_overruns_total", (it.driver,), 1)]),
    ExternalConnectivity: _external,
    FlowsForgotten: lambda it: iter([("linkwright_conntrack_forgotten_total", (), it.count)]),
    Announced: _announced,
}


def _made(row: Row, known: Known, registry: CollectorRegistry) -> Any:
    more = {"buckets": row.buckets} if row.kind is Kind.HISTOGRAM else {}
    metric = _KINDS[row.kind](row.name, row.help, row.label_names, registry=registry, **more)
    for values in known.initial(row.labels) if row.labels else ():
        metric.labels(*values)
    return metric
