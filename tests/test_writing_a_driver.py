"""The tutorial for authors, typed into a shell: every command of it, in a clean environment with a real Docker."""

import re
from pathlib import Path

import pytest

from tests.cleanroom import CleanRoom
from tests.engines import ENGINES, Dockerd, busybox, shelf

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/tutorial/writing-a-driver.md").read_text()
COMMANDS = re.compile(r"^# (.*)$", re.MULTILINE)
BLOCKS = re.compile(r"^```console\n(.*?)^```", re.MULTILINE | re.DOTALL)

#: What a reader does between two commands: looks whether it is ready; sees that a job has ended.
READY = "until linkwright status >/dev/null 2>&1; do kill -0 %1; done"
ENDED = "wait %1 || true"


def script() -> str:
    """All commands as one shell session, with job control as a terminal has it, that ends at the first failure."""
    lines = ["set -me"]
    for command in (command for block in BLOCKS.findall(PAGE) for command in COMMANDS.findall(block)):
        lines += [f"echo '# {command.replace(chr(39), '')}'", command.replace(" busybox ", f" {busybox.IMAGE} ")]
        if command.startswith("linkwright serve"):
            lines.append(READY)
        if command.startswith("kill"):
            lines.append(ENDED)
    return "\n".join(lines)


def test_the_driver_shown_is_the_one_that_is_written() -> None:
    """Line by line what ``linkwright new-driver hello`` makes."""
    text = (ROOT / "core/src/linkwright/cli/template/driver.py.in").read_text()
    for word, meaning in (("@name@", "hello"), ("@class@", "Hello"), ("@module@", "linkwright_hello")):
        text = text.replace(word, meaning)
    assert f"```python\n{text}```" in PAGE


def test_every_level_of_the_battery_is_told() -> None:
    """In the order in which they need more."""
    levels = [path.stem for path in (ROOT / "core/src/linkwright/testkit/battery").glob("*.py")]
    told = re.findall(r"^\| `(\w+)` \|", PAGE.partition("The battery has five levels")[2], re.MULTILINE)
    assert told == ["load", "wishes", "talk", "kernel", "docker"]
    assert set(told) <= set(levels)


@pytest.mark.parametrize("engine", ENGINES[-1:], indirect=True, scope="session")
def test_the_tutorial_works_as_written(dockerd: Dockerd, cleanroom: CleanRoom, tmp_path: Path) -> None:
    """Every command succeeds, in the page's order, and what the page says of them is so."""
    docker = shelf.need(dockerd.engine).environment()
    path = f"{cleanroom.programs}:{docker['PATH']}:{dockerd.host.environment()['PATH']}"
    dockerd.host.run(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"])
    text = f"cd {tmp_path}\n{script()}"
    environment = {**docker, **cleanroom.offline(), "PATH": path}
    done = dockerd.host.run(["bash", "-c", text], environment=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = dict(re.findall(r"^# (.*)\n((?:(?!# ).*\n)*)", done.stdout, re.MULTILINE))
    assert " passed" in said["pytest -q"]
    assert "failed" not in said["pytest -q"]
    assert (
        "test_wishes_networks_apart" in said["pytest -q -k wishes || echo found it".replace("found it", '"found it"')]
    )
    assert " passed" in said["pytest -q -k wishes"]
    assert "hello   linkwright-hello" in said["linkwright drivers"]
    assert "type bridge" in said["linkwright plan --driver hello --subnet 10.98.0.0/24"]
    assert "3 packets transmitted, 3 packets received" in said["docker exec two ping -c 3 one"]
