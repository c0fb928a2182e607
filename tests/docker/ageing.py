"""Endpoints that are an hour older than they are: linkwright waits with what is new, and tests do not wait with it."""

import json
from typing import Any

from tests.docker.daemon import Daemon
from tests.engines import Trouble

_HOUR = 3600.0

_BORN = {"endpoint": "created", "lease": "since"}
"""Kind of record → the field that says since when there is one."""


def an_hour_passes(daemon: Daemon) -> None:
    """Put all that *daemon*, which must have been ended, has of endpoints and their addresses an hour back."""
    if daemon.running():
        raise Trouble(f"linkwright on {daemon.host.name} is running: its state cannot be made older")
    state = f"--state-dir={daemon.state}"
    lines = [_older(json.loads(line)) for line in daemon.cli("export", state).splitlines()]
    daemon.cli("import", state, "--replace", "-", feed="".join(f"{json.dumps(line)}\n" for line in lines))


def _older(document: dict[str, Any]) -> dict[str, Any]:
    for kind, since in _BORN.items():
        if kind in document:
            document[kind][since] -= _HOUR
    return document
