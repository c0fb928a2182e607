"""What Prometheus is told. ``table`` declares every metric; nothing is measured or named anywhere else.

``recording`` takes what happens (RPCs, observations of the engine), ``facts`` and ``readings`` look at what is there at
the moment of a scrape, ``scrape`` puts both into Prometheus' text, ``manual`` prints the page of all metrics.
"""

from linkwright.daemon.metrics.facts import Facts, Sources
from linkwright.daemon.metrics.labels import Known, methods_of
from linkwright.daemon.metrics.recording import Metrics
from linkwright.daemon.metrics.scrape import CONTENT_TYPE
from linkwright.daemon.metrics.sources import sources_of
from linkwright.daemon.metrics.table import TABLE, Kind, Row

__all__ = [
    "CONTENT_TYPE",
    "TABLE",
    "Facts",
    "Kind",
    "Known",
    "Metrics",
    "Row",
    "Sources",
    "methods_of",
    "sources_of",
]
