"""Metrics that are recorded as things happen: complete from the start, exact, and bounded."""

import ast
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import get_args

import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families

from linkwright import engine, errors
from linkwright.daemon.metrics import TABLE, Kind, Known, Metrics, Sources, labels, methods_of
from linkwright.daemon.metrics.recording import Call
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
from linkwright.errors import LinkwrightError
from linkwright.wire.replies import Api
from linkwright.wire.routes import ROUTES

KNOWN = Known(
    plugins={"lw-bridge": methods_of([Api.NETWORK_DRIVER, Api.IPAM_DRIVER]), "lw-ipam": methods_of([Api.IPAM_DRIVER])},
    drivers=("bridge",),
    checks=("start",),
)

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(text: bytes) -> Samples:
    """Every sample of an exposition, by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def value(samples: Samples, name: str, **wanted: str) -> float:
    """The sum of the samples *name* that have the labels *wanted*; KeyError if there is none."""
    found = [number for (one, its), number in samples.items() if one == name and wanted.items() <= dict(its).items()]
    if not found:
        raise KeyError(name, wanted)
    return sum(found)


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        """Begin at no particular time."""
        self.now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def test_the_known_methods_of_a_socket_are_those_it_serves() -> None:
    """One for IPAM alone has no series for the calls of a network driver."""
    assert {*methods_of([Api.NETWORK_DRIVER, Api.IPAM_DRIVER])} == {path[1:] for path in ROUTES}
    assert {method.partition(".")[0] for method in methods_of([Api.IPAM_DRIVER])} == {"Plugin", "IpamDriver"}


def test_a_label_whose_values_a_daemon_knows_shares_its_name_with_no_other() -> None:
    """They are looked up by that name."""
    filled = {label.name: label for label in (labels.PLUGIN, labels.METHOD, labels.DRIVER, labels.CHECK)}
    assert {label for row in TABLE for label in row.labels if label.name in filled} == set(filled.values())


async def test_o_02_every_counter_exists_at_0_from_the_start_with_all_label_values() -> None:
    """A series that appears with its first event has no rate, so the first failure would go unseen."""
    samples = parsed(await Metrics(KNOWN).scrape(Sources()))
    for row in TABLE:
        if row.kind is Kind.COUNTER and row.labels != (labels.ENDPOINT,):
            expected = {frozenset(zip(row.label_names, values, strict=True)) for values in KNOWN.initial(row.labels)}
            there = {its: number for (name, its), number in samples.items() if name == row.name}
            assert there == dict.fromkeys(expected, 0.0)
            assert expected
    failures = [its for name, its in samples if name == "linkwright_rpc_failures_total"]
    assert len(failures) == (23 - 1 + 7) * len(labels.FAILURES)


async def test_o_03_500_calls_of_which_20_fail_are_counted_exactly() -> None:
    """Totals in the histogram, failures beside them, and nothing anywhere else."""
    metrics = Metrics(KNOWN)
    ends = ["ok"] * 480 + ["refused"] * 10 + ["kernel"] * 7 + ["unavailable"] * 3
    for number, end in enumerate(ends):
        method = "NetworkDriver.Join" if number % 2 else "IpamDriver.RequestAddress"
        with metrics.rpc("lw-bridge", method) as call:
            call.outcome = end
    samples = parsed(await metrics.scrape(Sources()))
    count, failures = "linkwright_rpc_duration_seconds_count", "linkwright_rpc_failures_total"
    assert value(samples, count) == 500
    assert [value(samples, count, outcome=end) for end in ("ok", "refused", "kernel", "unavailable")] == [480, 10, 7, 3]
    assert [value(samples, failures, outcome=end) for end in ("refused", "kernel", "unavailable")] == [10, 7, 3]
    assert value(samples, failures) == 20
    assert value(samples, count, method="NetworkDriver.Join") == 250


async def test_a_call_s_time_is_what_the_timer_says() -> None:
    """In seconds, in the bucket it belongs to."""
    clock = Clock()
    metrics = Metrics(KNOWN, timer=clock)
    with metrics.rpc("lw-ipam", "IpamDriver.RequestPool") as call:
        clock.now += 0.02
        call.outcome = "ok"
    samples = parsed(await metrics.scrape(Sources()))
    where = {"plugin": "lw-ipam", "method": "IpamDriver.RequestPool", "outcome": "ok"}
    name = "linkwright_rpc_duration_seconds"
    assert value(samples, f"{name}_sum", **where) == pytest.approx(0.02)
    assert value(samples, f"{name}_bucket", le="0.01", **where) == 0
    assert value(samples, f"{name}_bucket", le="0.025", **where) == 1


async def test_a_call_under_way_is_seen_and_a_call_that_raises_is_counted_as_a_bug() -> None:
    """Whoever answers a call says how it ended; who could not has a bug."""
    metrics = Metrics(KNOWN)
    with suppress(ZeroDivisionError), metrics.rpc("lw-bridge", "NetworkDriver.Join"):
        inside = parsed(await metrics.scrape(Sources()))
        raise ZeroDivisionError
    after = parsed(await metrics.scrape(Sources()))
    assert value(inside, "linkwright_rpc_in_flight", plugin="lw-bridge") == 1
    assert value(inside, "linkwright_rpc_in_flight", plugin="lw-ipam") == 0
    assert value(after, "linkwright_rpc_in_flight") == 0
    assert value(after, "linkwright_rpc_failures_total", outcome="error") == 1


async def test_a_call_that_is_cancelled_counts_as_stopping() -> None:
    """Nothing but our own end cancels a call that is being answered."""
    metrics = Metrics(KNOWN)
    with trio.CancelScope() as scope:
        scope.cancel()
        with metrics.rpc("lw-bridge", "NetworkDriver.Join"):
            await trio.lowlevel.checkpoint()
    samples = parsed(await metrics.scrape(Sources()))
    assert scope.cancelled_caught
    assert value(samples, "linkwright_rpc_failures_total", outcome="stopping") == 1


async def test_what_nobody_knows_of_becomes_other_and_no_new_series() -> None:
    """A label never gets a value that was made up at run time."""
    metrics = Metrics(KNOWN)
    for number in range(100):
        with metrics.rpc("lw-bridge", f"NetworkDriver.X{number}") as call:
            call.outcome = f"outcome {number}"
        metrics(Drift(f"kind {number}", repaired=True, text=""))
        metrics(UnknownId(f"call {number}"))
        metrics(DriverOverrun(f"driver {number}"))
    samples = parsed(await metrics.scrape(Sources()))
    assert value(samples, "linkwright_rpc_duration_seconds_count", method="other", outcome="error") == 100
    assert value(samples, "linkwright_drift_repaired_total", kind="other") == 100
    assert value(samples, "linkwright_rpc_unknown_total", call="other") == 100
    assert value(samples, "linkwright_driver_overruns_total", driver="other") == 100


#: Observation → the samples that move, and by how much.
TOLD: list[tuple[Observation, dict[tuple[str, tuple[tuple[str, str], ...]], float]]] = [
    (
        SetupStage("bridge", "kernel", 0.002),
        {("linkwright_endpoint_setup_seconds_count", (("driver", "bridge"), ("stage", "kernel"))): 1},
    ),
    (
        Drift("link", repaired=True, text="x"),
        {
            ("linkwright_drift_found_total", (("kind", "link"),)): 1,
            ("linkwright_drift_repaired_total", (("kind", "link"),)): 1,
        },
    ),
    (Drift("joined", repaired=False, text="x"), {("linkwright_drift_found_total", (("kind", "joined"),)): 1}),
    (UnknownId("Leave"), {("linkwright_rpc_unknown_total", (("call", "Leave"),)): 1}),
    (Collected("network", "forgotten", "ab"), {("linkwright_collected_total", (("what", "network"),)): 1}),
    (DriverOverrun("bridge"), {("linkwright_driver_overruns_total", (("driver", "bridge"),)): 1}),
    (
        ExternalConnectivity("bridge", "program", 3),
        {
            ("linkwright_external_connectivity_calls_total", (("action", "program"), ("driver", "bridge"))): 1,
            ("linkwright_external_connectivity_ports_total", (("action", "program"), ("driver", "bridge"))): 3,
        },
    ),
    (FlowsForgotten(3), {("linkwright_conntrack_forgotten_total", ()): 3}),
    (Announced("ab"), {("linkwright_announcements_total", ()): 1}),
    (
        Announced("ab", "its link did not come up in time"),
        {("linkwright_announcements_total", ()): 1, ("linkwright_announcement_failures_total", ()): 1},
    ),
]


@pytest.mark.parametrize(("observation", "moved"), TOLD, ids=lambda it: type(it).__name__)
async def test_p_11_what_the_engine_tells_moves_its_counters_and_no_other(
    observation: Observation, moved: dict[tuple[str, tuple[tuple[str, str], ...]], float]
) -> None:
    """Among them deletions of what was never known, which Docker is told are done."""
    metrics = Metrics(KNOWN)
    before = parsed(await metrics.scrape(Sources()))
    metrics(observation)
    after = parsed(await metrics.scrape(Sources()))
    differs = {key: after[key] - before[key] for key in after if after[key] != before[key]}
    counted = {key: by for key, by in differs.items() if not key[0].endswith(("_sum", "_bucket"))}
    assert counted == {(name, frozenset(its)): by for (name, its), by in moved.items()}


def test_every_kind_of_observation_is_counted() -> None:
    """One that nobody listens to would raise in the middle of a request."""
    assert {type(observation) for observation, _ in TOLD} == {*get_args(Observation)}


def test_every_outcome_of_the_error_tree_is_a_label_value() -> None:
    """And every label value is one that something has."""
    tree = {
        kind.outcome for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, LinkwrightError)
    }
    assert {*labels.FAILURES} == tree | {labels.UNDECODABLE}
    assert Call().outcome in labels.FAILURES


#: What the engine constructs, the position of the argument that becomes a label value, and which label.
SPOKEN = {
    "_stage": (1, labels.STAGE),
    "Drift": (0, labels.DRIFT),
    "UnknownId": (0, labels.CALL),
    "Collected": (0, labels.WHAT),
    "ExternalConnectivity": (1, labels.ACTION),
}


def _spoken() -> Iterator[tuple[str, str]]:
    """Each literal that the engine's code passes for a label value, by what it makes."""
    for path in Path(engine.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            name = getattr(node, "func", None) and ast.unparse(node.func).rpartition(".")[2]  # type: ignore[attr-defined]
            if name in SPOKEN and isinstance(node, ast.Call):
                position, _ = SPOKEN[name]
                if len(node.args) > position and isinstance(node.args[position], ast.Constant):
                    yield name, ast.literal_eval(node.args[position])


def test_every_word_that_the_engine_says_is_known_in_advance() -> None:
    """A new kind of drift, or stage, has to be added to the table of labels, or it would be counted as "other"."""
    said = {(name, word) for name, word in _spoken()}
    assert {name for name, _ in said} == {*SPOKEN}
    assert [word for name, word in sorted(said) if word not in SPOKEN[name][1].values] == []
    stages = {word for name, word in said if name == "_stage"}
    assert stages == {*labels.STAGE.values}
