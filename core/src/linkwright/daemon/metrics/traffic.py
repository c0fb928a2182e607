"""Traffic of endpoints, from the kernel's counters of their links on the host. One file, read whole: no netlink.

``/proc/net/dev`` (proc(5)) takes the kernel about a microsecond for each link, and never waits for the lock that a
change of the configuration holds. What the host's end of a veth pair receives the container has sent. An endpoint whose
link has moved into the container (macvlan) has no end on the host, and no figures.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from linkwright.daemon.metrics.facts import Facts, Traffic
from linkwright.model import Endpoint

FILE: Final = Path("/proc/net/dev")

_HEADS = 2  # lines

#: Where the columns stand (net/core/net-procfs.c, dev_seq_printf_stats): eight received, eight transmitted.
_RECEIVE: Final = {"bytes": 0, "packets": 1, "drop": 3}
_TRANSMIT: Final = {"bytes": 8, "packets": 9, "drop": 11}


def links(text: str) -> dict[str, tuple[int, ...]]:
    """Read the file: the sixteen counters of each link, by name."""
    found: dict[str, tuple[int, ...]] = {}
    for line in text.splitlines()[_HEADS:]:
        name, colon, numbers = line.partition(":")  # no link's name has one
        if colon:
            found[name.strip()] = tuple(int(number) for number in numbers.split())
    return found


def of_endpoints(
    endpoints: Sequence[Endpoint], counters: Mapping[str, tuple[int, ...]], link_of: Callable[[Endpoint], str]
) -> Iterator[Traffic]:
    """Yield the traffic of those *endpoints* that have a link among *counters*, turned to the container's view."""
    for endpoint in endpoints:
        link = link_of(endpoint)
        numbers = counters.get(link)
        if numbers is not None:
            received = {f"transmit_{what}": numbers[column] for what, column in _RECEIVE.items()}
            transmitted = {f"receive_{what}": numbers[column] for what, column in _TRANSMIT.items()}
            yield Traffic(endpoint, link, **received, **transmitted)


def reader(link_of: Callable[[Endpoint], str], *, file: Path) -> Callable[[Facts], Iterator[Traffic]]:
    """Return a source for ``facts.Sources``: it reads *file* at each scrape."""

    def read(facts: Facts) -> Iterator[Traffic]:
        return of_endpoints(facts.endpoints, links(file.read_text(errors="replace")), link_of)

    return read
