"""Log lines: one event is one line whatever is in it, an endpoint's story is one grep, and nothing floods the disk."""

import io
import json
import re
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, get_args

import attrs
import pytest
import structlog
import trio
import trio.testing

from linkwright.daemon import logs
from linkwright.daemon.config import SETTINGS
from linkwright.daemon.config.settings import LOG_FORMATS, LOG_LEVELS
from linkwright.daemon.printable import LONGEST, printable
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
from linkwright.wire.requests import Join, RequestAddress

WILD = 'a=1 "b"\n2026-01-01T00:00:00Z [error    ] all is lost\x1b[2J\u202e\udc80\\n'

TOLD: list[tuple[Observation, str]] = [
    (SetupStage("bridge", "kernel", 0.002), "debug"),
    (Drift("link", repaired=True, text="ip link add lwb1"), "info"),
    (Drift("link", repaired=False, text="ip link add lwb1"), "warning"),
    (UnknownId("Leave"), "debug"),
    (Collected("endpoint", "its sandbox is gone", "ab"), "info"),
    (DriverOverrun("bridge"), "warning"),
    (ExternalConnectivity("bridge", "program", 2), "debug"),
    (FlowsForgotten(3), "debug"),
    (Announced("ab"), "debug"),
    (Announced("ab", "its link did not come up in time"), "warning"),
]


class Terminal(io.StringIO):
    """A stream that says that a person looks at it."""

    def isatty(self) -> bool:
        """It is."""
        return True


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Structlog's configuration is the process's; put it back."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def written(format: str, *, level: str = "debug", stream: io.StringIO | None = None, **values: Any) -> str:  # noqa: A002
    """What one line with *values* looks like."""
    stream = stream or io.StringIO()
    logs.configure(format=format, level=level, stream=stream)
    structlog.get_logger("test").info("done", **values)
    return stream.getvalue()


def test_the_formats_and_levels_of_the_configuration_are_those_that_there_are() -> None:
    """A setting that passed its check must not fail when it is used."""
    assert {"log_format", "log_level"} <= {setting.field for setting in SETTINGS}
    for format in LOG_FORMATS:  # noqa: A001
        for level in LOG_LEVELS:
            logs.configure(format=format, level=level, stream=io.StringIO())


def test_json_is_one_object_a_line_with_time_level_and_event_first() -> None:
    """For machines: values keep their kind, addresses and paths are text."""
    line = written("json", address=ip_address("10.0.0.1"), count=3, ports=[80, ip_network("::/0")], path=Path("/x"))
    found = json.loads(line)
    assert line.endswith("}\n")
    assert line.count("\n") == 1
    assert list(found)[:3] == ["timestamp", "level", "event"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", found["timestamp"])
    rest = {key: value for key, value in found.items() if key != "timestamp"}
    expected = {
        "level": "info",
        "event": "done",
        "address": "10.0.0.1",
        "count": 3,
        "ports": [80, "::/0"],
        "path": "/x",
    }
    assert rest == expected


def test_console_is_one_line_for_people() -> None:
    """Time, level, event, and values in quotes where they could be taken for several words."""
    line = written("console", name="web 1", address=ip_address("10.0.0.1"), empty="", count=3)
    assert line.partition(" ")[2] == '[info     ] done address=10.0.0.1 count=3 empty="" name="web 1"\n'


def test_colours_are_for_terminals() -> None:
    """A file, or systemd's journal, gets none."""
    assert "\x1b[" in written("console", stream=Terminal(), name="x")
    assert "\x1b[" not in written("console", name="x")
    assert "\x1b[" not in written("json", stream=Terminal(), name="x")


def test_what_is_below_the_level_is_not_written() -> None:
    """Warning and above, say."""
    assert written("json", level="warning") == ""
    assert written("json", level="info") != ""


@pytest.mark.parametrize("format", LOG_FORMATS)
def test_s_03_no_value_ends_a_line_or_reaches_a_terminal_unescaped(format: str) -> None:  # noqa: A002
    """A container's name cannot write log lines of its own, nor clear a screen."""
    line = written(format, name=WILD)
    assert line.count("\n") == 1
    assert line.isprintable() or line.removesuffix("\n").isprintable()


def test_s_03_json_gives_the_wild_name_back_as_it_was() -> None:
    """Escaping is the format's own there, so that nothing is lost."""
    assert json.loads(written("json", name=WILD))["name"] == WILD


@pytest.mark.parametrize("format", LOG_FORMATS)
def test_s_03_a_traceback_cannot_hold_a_line_that_looks_like_ours(format: str) -> None:  # noqa: A002
    """An error's text may come from a request."""
    stream = io.StringIO()
    logs.configure(format=format, level="info", stream=stream)
    structlog.get_logger("test").error("a bug", exc_info=ValueError(WILD.replace("\udc80", "")))
    first, *more = stream.getvalue().splitlines()
    assert "a bug" in first
    assert all(line.startswith("    | ") and line.isprintable() for line in more)
    assert (format == "json") == (not more)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web-1", "web-1"),
        ("Größe 漢字 😀", "Größe 漢字 😀"),
        ("a\nb\tc\0", r"a\nb\tc\x00"),
        ("back\\slash", r"back\\slash"),
        ("\x1b[31m\x9b\u202e\u200b", r"\x1b[31m\x9b\u202e\u200b"),
        ("\udc80", r"\udc80"),
    ],
)
def test_s_03_printable_text_is_escaped_and_left_alone_otherwise(text: str, expected: str) -> None:
    """Two different texts never look the same."""
    assert printable(text) == expected


def test_a_long_text_is_cut_and_shows_it() -> None:
    """A line of a log has an end."""
    assert printable("x" * LONGEST) == "x" * LONGEST
    assert printable("x" * (LONGEST + 1)) == "x" * (LONGEST - 1) + "…"


async def test_o_10_the_ids_of_a_request_are_on_all_its_lines_also_from_a_thread() -> None:
    """One `docker run` is one grep for its endpoint's id; two requests at once do not mix."""
    stream = io.StringIO()
    logs.configure(format="json", level="debug", stream=stream)
    log = structlog.get_logger("test")
    barrier = trio.Event()

    async def serve(number: int) -> None:
        call = Join(network_id="ab" * 32, endpoint_id=f"{number:064x}", sandbox_key="/x")
        with structlog.contextvars.bound_contextvars(request=number, **logs.identity(call)):
            log.info("begun")
            await barrier.wait()
            await trio.to_thread.run_sync(log.info, "in a thread")
            logs.log_observation(SetupStage("bridge", "join", 0.001))

    async with trio.open_nursery() as nursery:
        for number in (1, 2):
            nursery.start_soon(serve, number)
        await trio.testing.wait_all_tasks_blocked()
        barrier.set()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    for number in (1, 2):
        story = [line["event"] for line in lines if line["endpoint"] == f"{number:064x}"]
        assert story == ["begun", "in a thread", "stage"]
        assert {line["request"] for line in lines if line["endpoint"] == f"{number:064x}"} == {number}


def test_o_10_the_ids_of_an_address_request_are_pool_and_address() -> None:
    """IPAM calls know no endpoint; the address leads from one to the other."""
    call = RequestAddress(pool="linkwright-local/10.1.0.0/16", address=ip_address("10.1.0.2"))
    assert logs.identity(call) == {"pool": "linkwright-local/10.1.0.0/16", "address": "10.1.0.2"}


@pytest.mark.parametrize(("observation", "level"), TOLD, ids=lambda it: type(it).__name__)
def test_what_the_engine_tells_is_one_line_of_the_right_level(observation: Observation, level: str) -> None:
    """With everything it says."""
    stream = io.StringIO()
    logs.configure(format="json", level="debug", stream=stream)
    logs.log_observation(observation)
    found = json.loads(stream.getvalue())
    assert found["level"] == level
    assert attrs.asdict(observation).items() <= found.items()


def test_every_kind_of_observation_has_a_line() -> None:
    """One that nobody wrote a line for would raise in the middle of a request."""
    assert {type(observation) for observation, _ in TOLD} == {*get_args(Observation)}


def test_the_same_drift_is_told_once_in_a_while_and_everything_else_always() -> None:
    """What cannot be repaired is seen at each look, twice a minute, for as long as it lasts."""
    told: list[Observation] = []
    now = [0.0]
    sparing = logs.Sparing(told.append, lambda: now[0], every=600.0)
    stays, another = Drift("link", repaired=False, text="a"), Drift("link", repaired=False, text="b")
    for second in range(0, 3600, 30):
        now[0] = float(second)
        sparing(stays)
    sparing(another)
    sparing(UnknownId("Leave"))
    sparing(UnknownId("Leave"))
    assert told == [stays] * 6 + [another] + [UnknownId("Leave")] * 2


def test_what_was_told_is_not_remembered_for_ever() -> None:
    """A host where everything differs anew all day long must not fill the memory; the oldest is forgotten first."""
    told: list[Observation] = []
    sparing = logs.Sparing(told.append, lambda: 0.0, most=2)
    drifts = [Drift("link", repaired=False, text=str(number)) for number in range(3)]
    for drift in (*drifts, drifts[2], drifts[0]):
        sparing(drift)
    assert told == [*drifts, drifts[0]]


def test_an_observation_goes_to_all_who_listen() -> None:
    """Metrics and log, in that order."""
    told: list[tuple[str, Observation]] = []
    tell = logs.to_all(lambda it: told.append(("metrics", it)), lambda it: told.append(("log", it)))
    tell(UnknownId("Leave"))
    assert told == [("metrics", UnknownId("Leave")), ("log", UnknownId("Leave"))]
