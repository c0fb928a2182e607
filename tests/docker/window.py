"""The counter window: what moved while a test ran, against what the test said would move.

Every counter is watched but those that count ordinary work, so that a new one is watched from its first day. A test
names the failures that it provokes, each with its number; one more, or one less, fails it, and so do a traceback in
the daemon's log and a daemon that was started anew without the test's saying so.
"""

from collections.abc import Mapping
from typing import Final

from linkwright.daemon.metrics.table import TABLE, Kind
from tests.docker.daemon import Daemon, Samples, series
from tests.engines import Trouble

STARTED: Final = series("linkwright_start_time_seconds")

WORK: Final = frozenset(
    {
        "linkwright_announcements_total",
        "linkwright_conntrack_forgotten_total",
        "linkwright_endpoint_receive_bytes_total",
        "linkwright_endpoint_receive_drop_total",  # what a container is sent is not always wanted
        "linkwright_endpoint_receive_packets_total",
        "linkwright_endpoint_transmit_bytes_total",
        "linkwright_endpoint_transmit_drop_total",
        "linkwright_endpoint_transmit_packets_total",
        "linkwright_external_connectivity_calls_total",
        "linkwright_external_connectivity_ports_total",
        "linkwright_firewall_dropped_packets_total",
        "linkwright_ipam_commits_total",
        "linkwright_kernel_batches_total",
        "linkwright_kernel_doomed_removed_total",
        "linkwright_kernel_operations_total",
        "linkwright_netlink_events_total",
        "linkwright_store_changes_total",
        "linkwright_store_commits_total",
        "linkwright_store_copies_total",
        "linkwright_store_transactions_total",
        "linkwright_store_written_bytes_total",
    }
)
"""Counters that move when all is well."""

WATCHED: Final = frozenset(row.name for row in TABLE if row.kind is Kind.COUNTER) - WORK


class Window:
    """From its making to ``close``: what the watched counters of *daemon* did."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._before = daemon.metrics()
        self._log = daemon.log.stat().st_size
        self._expected: dict[str, float] = {}
        self._some: set[str] = set()
        self._any: set[str] = set()
        self._restarted = False

    def expect(self, name: str, times: float = 1, **labels: str) -> None:
        """Say that a counter moves by *times* in this test, no more and no less."""
        one = _watched(name, labels)
        self._expected[one] = self._expected.get(one, 0) + times

    def expect_some(self, name: str, **labels: str) -> None:
        """Say that a counter moves in this test, by a number that is nobody's promise."""
        self._some.add(_watched(name, labels))

    def allow(self, name: str, **labels: str) -> None:
        """Say that a counter may move in this test: whether it does depends on what is noticed first."""
        self._any.add(_watched(name, labels))

    def expect_refusal(self, method: str, times: float = 1, *, plugin: str = "lw-bridge") -> None:
        """Say that calls of *method* are refused in this test, because the user asked for something wrong."""
        self.expect("linkwright_rpc_failures_total", times, plugin=plugin, method=method, outcome="refused")

    def expect_restart(self) -> None:
        """Say that the daemon is started anew in this test. Its counters begin at 0 then, and so does the window."""
        self._restarted = True

    def moved(self) -> Mapping[str, float]:
        """The watched counters that have moved so far, and by how much."""
        return _difference({} if self._restarted else self._before, self._daemon.metrics())

    def close(self) -> None:
        """Judge; Trouble that names each counter that did not do as expected."""
        after = self._daemon.metrics()
        if not self._restarted and after[STARTED] != self._before[STARTED]:
            raise Trouble(f"linkwright on {self._daemon.host.name} was started anew:\n{self._tail()}")
        moved = _difference({} if self._restarted else self._before, after)
        wrong = [
            f"{one} moved by {moved.get(one, 0):g}, expected was {self._expected.get(one, 0):g}"
            for one in sorted({*moved, *self._expected} - self._some - self._any)
            if moved.get(one, 0) != self._expected.get(one, 0)
        ]
        wrong += [f"{one} did not move, and was expected to" for one in sorted(self._some - moved.keys())]
        if wrong:
            raise Trouble("\n".join([*wrong, "the log of the test:", self._tail()]))
        if "Traceback" in self._tail():
            raise Trouble(f"there is a traceback in the log:\n{self._tail()}")

    def _tail(self) -> str:
        with self._daemon.log.open(errors="replace") as log:
            log.seek(self._log)
            return log.read()


def _watched(name: str, labels: Mapping[str, str]) -> str:
    if name not in WATCHED:
        raise Trouble(f"{name} is not watched, so nothing can be expected of it")
    return series(name, **labels)


def _difference(before: Samples, after: Samples) -> dict[str, float]:
    watched = {one: number for one, number in after.items() if one.partition("{")[0] in WATCHED}
    moved = {one: number - before.get(one, 0) for one, number in watched.items()}
    return {one: number for one, number in moved.items() if number}
