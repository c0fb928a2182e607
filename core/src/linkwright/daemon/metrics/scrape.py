"""From recorded metrics and facts to Prometheus' text format. The families are made anew for each scrape.

So what is gone from the host is gone from the next scrape, and nothing has to be unregistered.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from attrs import frozen
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from linkwright.daemon.metrics.facts import Facts
from linkwright.daemon.metrics.labels import Known
from linkwright.daemon.metrics.table import TABLE, Kind

#: The text format; every Prometheus reads it (prometheus.io, exposition formats).
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_FAMILIES: Final = {Kind.COUNTER: CounterMetricFamily, Kind.GAUGE: GaugeMetricFamily}


@frozen
class _One:
    """A collector of one family, as prometheus_client calls it."""

    family: Metric

    def collect(self) -> Iterable[Metric]:
        """Return it."""
        return (self.family,)


@frozen
class Scrape:
    """One scrape: what *registry* has recorded, and what *facts* say."""

    registry: CollectorRegistry
    facts: Facts
    known: Known

    def text(self) -> bytes:
        """Return everything as Prometheus reads it."""
        # One by one: joining megabytes at once would keep the interpreter from the loop's thread.
        return b"".join(generate_latest(_One(family)) for family in self.collect())

    def collect(self) -> Iterator[Metric]:
        """Yield each family of the table once."""
        for recorded in self.registry.collect():
            # When a counter was made is OpenMetrics' business; in this format each would be one more series.
            recorded.samples = [sample for sample in recorded.samples if not sample.name.endswith("_created")]
            yield recorded
        yield from self._read()

    def _read(self) -> Iterator[Metric]:
        for row in TABLE:
            if row.read is None:
                continue
            family = _FAMILIES[row.kind](row.name, row.help, labels=row.label_names)
            samples: Iterable[tuple[tuple[str, ...], float]] = row.read(self.facts)
            # Known combinations exist at 0: a series that appears with its first event has no rate then.
            for labels, value in (dict.fromkeys(self.known.initial(row.labels), 0.0) | dict(samples)).items():
                family.add_metric(labels, value)
            yield family
