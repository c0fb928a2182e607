"""The tutorial, typed into a shell: every command of docs/tutorial/first-network.md on a host with a real Docker."""

import re
import sys
from pathlib import Path

from tests.engines import Dockerd, busybox, shelf

PAGE = Path(__file__).parents[1] / "docs/tutorial/first-network.md"
COMMANDS = re.compile(r"^# (.*)$", re.MULTILINE)
BLOCKS = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)

#: What a reader does between two commands: looks whether it is ready.
READY = "until linkwright status >/dev/null 2>&1; do kill -0 %1; done"


def script() -> str:
    """All commands as one shell session, with job control as a terminal has it, that ends at the first failure.

    Installing is left out: the environment of the tests has it.
    """
    lines = ["set -me"]
    for block in BLOCKS.findall(PAGE.read_text()):
        for command in COMMANDS.findall(block):
            if "/opt/linkwright" in command:
                continue
            lines += [f"echo '# {command.replace(chr(39), '')}'", command.replace(" busybox ", f" {busybox.IMAGE} ")]
            if command.startswith("linkwright serve"):
                lines.append(READY)
            if command.startswith("kill"):
                lines.append("wait %1 || true")
    return "\n".join(lines)


def test_the_tutorial_works_as_written(dockerd: Dockerd) -> None:
    """On each engine: every command succeeds, in the page's order, and what the page says of them is so."""
    programs = dockerd.host.environment()["PATH"]
    docker = shelf.need(dockerd.engine).environment()
    path = f"{docker['PATH']}:{Path(sys.executable).parent}:{programs}"
    done = dockerd.host.run(["bash", "-c", script()], environment={**docker, "PATH": path}, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = dict(re.findall(r"^# (.*)\n((?:(?!# (?:linkwright|docker|ip|kill) ).*\n)*)", done.stdout, re.MULTILINE))
    assert done.stdout.count("3 packets transmitted, 3 packets received") == 3
    assert "bridge" in told["linkwright drivers"]
    assert "ip link add lwb" in told["linkwright plan --driver bridge --subnet 10.99.0.0/24"]
    assert "10.99.0.0/24" in told["linkwright pool ls"]
    assert told["linkwright plan"] == "# nothing to do: the host is as it should be\n"
    assert "Lately:" in told["linkwright status"]
    assert "repaired" in told["linkwright status"]
    assert "no networks" in done.stdout.rpartition("# linkwright network ls\n")[2]
