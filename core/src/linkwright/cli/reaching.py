"""How a command reaches the daemon: the admin socket in its run directory. Nothing is shown here (``showing``)."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlencode

import click
import trio
from attrs import frozen

from linkwright.daemon import client
from linkwright.daemon.client import Answer
from linkwright.errors import LinkwrightError, Unavailable

F = TypeVar("F", bound=Callable[..., Any])

#: Seconds to wait. The daemon bounds each question itself and says so; this is for one that hangs as a whole.
PATIENCE: Final = 180.0

_OK: Final = 200


class NoDaemon(LinkwrightError):
    """Nobody answers at the admin socket."""

    outcome = "unavailable"


class Failed(LinkwrightError):
    """The daemon answered with an error, whose text this carries."""


@frozen
class Daemon:
    """The daemon whose run directory is *run_dir*."""

    run_dir: Path

    @property
    def socket(self) -> Path:
        """Where it listens to us."""
        return self.run_dir / "admin.sock"

    def get(self, *path: str, query: Mapping[str, str] | None = None) -> Any:
        """Ask for what is at *path*, given in segments, and return the document; NoDaemon, Failed, Unavailable."""
        return self._asked(path, query=query or {}).json()

    def get_text(self, *path: str) -> str:
        """Ask for plain text; errors as in ``get``."""
        return self._asked(path).body.decode()

    def post(self, *path: str, document: object = None) -> Any:
        """Hand *document* to what is at *path*, and return what it answers; errors as in ``get``."""
        return self._asked(path, method="POST", body=json.dumps(document).encode()).json()

    def _asked(
        self, path: Sequence[str], *, query: Mapping[str, str] | None = None, method: str = "GET", body: bytes = b""
    ) -> Answer:
        target = "/" + "/".join(quote(segment, safe="") for segment in path)
        if query:
            target += f"?{urlencode(query)}"
        try:
            answer = trio.run(partial(client.request, self.socket, target, method=method, body=body, deadline=PATIENCE))
        except Unavailable as error:
            raise self._explained(error) from error
        if answer.status != _OK:
            raise Failed(_text_of(answer))
        return answer

    def _explained(self, error: Unavailable) -> LinkwrightError:
        match error.__cause__:
            case FileNotFoundError() | ConnectionRefusedError() | NotADirectoryError():
                return NoDaemon(
                    f"no linkwright answers at {self.socket}; start it with `linkwright serve`, or name the run "
                    "directory of the one you mean with --run-dir (or LINKWRIGHT_RUN_DIR)"
                )
            case PermissionError():
                return Failed(f"{self.socket} is for root alone; use sudo")
        return error


def _text_of(answer: Answer) -> str:
    try:
        return str(answer.json()["error"])
    except (LinkwrightError, KeyError, TypeError):
        return f"linkwright answered with status {answer.status}: {answer.body[:200]!r}"


def at_daemon(command: F) -> F:
    """Give *command* the option ``--run-dir``, handed to it as ``daemon``."""
    return click.option(
        "--run-dir",
        "daemon",
        envvar="LINKWRIGHT_RUN_DIR",
        default="/run/linkwright",
        metavar="DIRECTORY",
        callback=lambda _, __, value: Daemon(Path(value)),
        help="Where the daemon's admin.sock lies.  [env: LINKWRIGHT_RUN_DIR; default: /run/linkwright]",
    )(command)
