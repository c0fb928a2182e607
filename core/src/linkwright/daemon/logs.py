"""Log lines: structlog set up once, by the composition root, and what the engine tells, as lines.

One request's id, and the ids of what it is about, go through all its lines by context variables (``identity``; trio's
tasks and worker threads inherit them). Rule: what came from outside never ends a line or reaches a terminal unescaped.
"""

import json
import logging
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final, TextIO

import attrs
import structlog

from linkwright.daemon.printable import printable
from linkwright.engine.observation import (
    Announced,
    Collected,
    Drift,
    DriverOverrun,
    ExternalConnectivity,
    FlowsForgotten,
    Observation,
    Observer,
    SetupStage,
    UnknownId,
)

_log = structlog.get_logger("linkwright")

#: Characters of one value. A message of ours may name many things; a line of a log has an end all the same.
_LONGEST: Final = 4096

Event = MutableMapping[str, Any]


def configure(*, format: str, level: str, stream: TextIO) -> None:  # noqa: A002 - the setting's name
    """Write log lines of *level* and above to *stream*, from now on and for the whole process.

    *format* is "console" (coloured if *stream* is a terminal) or "json"; *level* is one of ``config.LOG_LEVELS``.
    """
    ending = _JSON if format == "json" else _console(colours=stream.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            *ending,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,  # else the first daemon of a process would decide for the others
    )


def identity(call: object) -> dict[str, str]:
    """The ids in *call* (a ``wire.Request``), to be bound while it is served: one grep finds an endpoint's story."""
    named = {name: getattr(call, attribute, None) for name, attribute in _IDENTITIES.items()}
    return {name: str(value) for name, value in named.items() if value}


_IDENTITIES: Final = {"network": "network_id", "endpoint": "endpoint_id", "pool": "pool", "address": "address"}


# --- observations --------------------------------------------------------------------------------------------


def log_observation(observation: Observation, /) -> None:
    """Log what the engine tells; an ``Observer``."""
    level, event = _LINES[type(observation)]
    if isinstance(observation, Drift) and not observation.repaired:
        level, event = "warning", "differs and is not repaired"
    if isinstance(observation, Announced) and observation.reason:
        level, event = "warning", "its neighbours could not be told where it is"
    _log.log(getattr(logging, level.upper()), event, **attrs.asdict(observation))


#: Observation → level and event. What happens at every container's start is for debugging only.
_LINES: Final[Mapping[type, tuple[str, str]]] = {
    SetupStage: ("debug", "stage"),
    Drift: ("info", "differed and was repaired"),
    UnknownId: ("debug", "nothing is known of it"),
    Collected: ("info", "collected"),
    DriverOverrun: ("warning", "a driver did not answer in time"),
    ExternalConnectivity: ("debug", "published ports"),
    FlowsForgotten: ("debug", "tracked connections forgotten"),
    Announced: ("debug", "announced to its neighbours"),
}


class Sparing:
    """Passes on what it is told, but the same drift only once in a while: what cannot be repaired is seen at each look.

    A disk full of the same line helps nobody (flannel#2470: 7.7 GB a day); the counters tell how often it was.
    """

    def __init__(
        self, listener: Observer, timer: Callable[[], float], *, every: float = 600.0, most: int = 1000
    ) -> None:
        """Tell *listener*, the same thing every *every* seconds of *timer*; remember *most* things."""
        self._listener = listener
        self._timer = timer
        self._every = every
        self._most = most
        self._told: dict[Observation, float] = {}

    def __call__(self, observation: Observation, /) -> None:
        """Pass it on, or not."""
        if isinstance(observation, Drift):
            now = self._timer()
            if now - self._told.get(observation, -self._every) < self._every:
                return
            self._told.pop(observation, None)  # so that the oldest come first
            self._told[observation] = now
            while len(self._told) > self._most:
                del self._told[next(iter(self._told))]
        self._listener(observation)


def to_all(*listeners: Observer) -> Observer:
    """Return an observer that tells each of *listeners*."""

    def tell(observation: Observation, /) -> None:
        for listener in listeners:
            listener(observation)

    return tell


# --- lines ---------------------------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    """Make of *value* what JSON knows; an address or a path is its text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in value]
    return str(value)


def _plain_values(_: object, __: str, event: Event) -> Event:
    first = [key for key in ("timestamp", "level", "event") if key in event]
    return {key: _plain(event[key]) for key in dict.fromkeys([*first, *event])}


def _shown(value: Any) -> str:
    """One word of a line for people: escaped, and in quotes where it could be taken for several words."""
    value = _plain(value)
    text = printable(value if isinstance(value, str) else json.dumps(value), longest=_LONGEST)
    plain = text and not any(c in ' ="' for c in text)
    return text if plain or not isinstance(value, str) else '"' + text.replace('"', '\\"') + '"'


def _shown_values(_: object, __: str, event: Event) -> Event:
    shown = {printable(key): value if key in _AS_IT_IS else _shown(value) for key, value in event.items()}
    shown["event"] = printable(str(event.get("event", "")), longest=_LONGEST)
    if "exception" in event:
        lines = str(event["exception"]).split("\n")
        shown["exception"] = "\n".join(f"    | {printable(line, longest=_LONGEST)}" for line in lines)
    return shown


_AS_IT_IS: Final = frozenset({"timestamp", "level", "event", "exception"})
_JSON: Final = (_plain_values, structlog.processors.JSONRenderer())


#: SGR sequences (ECMA-48) for a terminal; a file gets none.
_RESET, _BRIGHT, _DIM, _CYAN, _MAGENTA = "\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[36m", "\x1b[35m"


def _console(*, colours: bool) -> tuple[Any, ...]:
    def style(code: str) -> str:
        return code if colours else ""

    def column(key: str, key_style: str | None, value_style: str) -> structlog.dev.Column:
        # The values are text that is fit to print already, quotes included: structlog's own quotes came with 24.
        formatter = structlog.dev.KeyValueColumnFormatter(key_style, value_style, style(_RESET), str)
        return structlog.dev.Column(key, formatter)

    levels = structlog.dev.ConsoleRenderer.get_default_level_styles(colors=colours)
    columns = [
        column("timestamp", None, style(_DIM)),
        structlog.dev.Column("level", structlog.dev.LogLevelColumnFormatter(levels, style(_RESET))),
        column("event", None, style(_BRIGHT)),
        column("", style(_CYAN), style(_MAGENTA)),
    ]
    return (_shown_values, structlog.dev.ConsoleRenderer(columns=columns))
