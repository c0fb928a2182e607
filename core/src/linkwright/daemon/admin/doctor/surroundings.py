"""What a check is handed, and what it answers. Values, and the one way in which checks run other people's tools."""

import enum
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from attrs import field, frozen

from linkwright.daemon.config import Config
from linkwright.daemon.firewalld import Standing

#: Seconds that a tool may take. iptables waits for its lock as long as another one holds it; we do not.
TOOL_DEADLINE: Final = 3.0


class Status(enum.Enum):
    """How bad it is: ``fail`` means that containers are, or will be, without what they were promised."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@frozen
class Finding:
    """What a check found, and what to do about it ("" where there is nothing to do)."""

    status: Status
    text: str
    advice: str = ""


@frozen
class Done:
    """How a tool ended, and what it wrote. Code 127 is a tool that is not there, as in a shell."""

    code: int
    output: str = ""
    error: str = ""


#: Runs a command and never raises; it may block for ``TOOL_DEADLINE`` seconds.
Tool = Callable[[Sequence[str]], Done]


def run_tool(command: Sequence[str]) -> Done:
    """Run *command*; a ``Tool``."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=TOOL_DEADLINE, check=False, text=True)  # noqa: S603 - words, no shell
    except FileNotFoundError:
        return Done(127, error=f"{command[0]} is not installed")
    except subprocess.TimeoutExpired:
        return Done(124, error=f"{' '.join(command)} did not end within {TOOL_DEADLINE:g} s")
    except OSError as error:
        return Done(126, error=f"{command[0]} cannot be run: {error.strerror or error}")
    return Done(done.returncode, done.stdout, done.stderr.strip())


@frozen(kw_only=True)
class Live:
    """What only a running daemon can tell."""

    drivers: tuple[str, ...] = ()
    suspended: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()  # why, in words
    endpoints: int = 0
    newest: float = 0.0  # when the youngest network or endpoint was made, in seconds since the Unix epoch
    settings: Mapping[str, str] = field(factory=dict)  # below /proc/sys, that networks need
    receive_buffer: int = 0  # bytes of the event socket; 0 where it is not known
    rule_error: str = ""  # why the rule in DOCKER-USER could not be kept
    zones: Standing = field(factory=Standing)  # how it stands with firewalld


@frozen(kw_only=True)
class Surroundings:
    """The host as checks see it. ``live`` is None where no daemon answers, ``features`` where the kernel did not."""

    config: Config
    now: float  # seconds since the Unix epoch
    features: frozenset[str] | None = None
    live: Live | None = None
    proc: Path = Path("/proc")
    run: Tool = run_tool

    def setting(self, path: str) -> str | None:
        """The value of a setting below /proc/sys, None where it cannot be read."""
        try:
            return (self.proc / "sys" / path).read_text(encoding="ascii").strip()
        except OSError:
            return None
