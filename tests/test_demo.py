"""``linkwright demo`` played as users play it: as root, without privileges, in colour, killed, with a real Docker."""

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from linkwright.cli.demo.scenes import SCENES
from tests.engines import shelf

COMMAND = (sys.executable, "-c", "from linkwright.cli import main; main()", "demo")

#: What the demo promises to show, in this order.
SECTIONS = (
    "A machine of its own",
    "The daemon",
    "Driver bridge: ",
    "Driver macvlan: ",
    "Driver vxlan: ",
    "A crash",
    "A slip of the hand",
    "What Prometheus would have seen",
    "The way out",
)
#: Seconds that it may take on a slow machine; an idle one needs 4.
PATIENCE = 120.0

#: Root without any capability but the one that a user namespace for uid 0 needs (user_namespaces(7), since 5.12).
WITHOUT_PRIVILEGES = ("setpriv", "--bounding-set=-all,+setfcap", "--inh-caps=-all")
NOBODY = 65534
#: In a user namespace of its own, which has limits of its own.
NO_MORE = "echo 0 > /proc/sys/user/max_user_namespaces"


def demo(
    *arguments: str, prefix: Sequence[str] = (), command: Sequence[str] = COMMAND, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Play it to its end with its output piped."""
    return subprocess.run(
        [*prefix, *command, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        env={**os.environ, **variables},
    )


def assert_all_was_shown(done: subprocess.CompletedProcess[str]) -> None:
    """Every section was there and every promise kept, in plain text, and the end was reached."""
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    shown = [section for line in lines for section in SECTIONS if line.startswith(section)]
    assert list(SECTIONS) == shown
    assert [line for line in lines if line.startswith("  NOT")] == []
    assert "  ok  the namespaces are gone" in lines[-1]


def test_every_driver_of_this_repository_has_a_scene() -> None:
    """A new driver is shown in the demo, or the demo is not of "each installed driver"."""
    packages = (Path(__file__).parents[1] / "plugins").glob("*/pyproject.toml")
    projects = [tomllib.loads(path.read_text())["project"] for path in packages]
    assert sorted(SCENES) == sorted(name for one in projects for name in one["entry-points"]["linkwright.drivers"])


@pytest.mark.netns
def test_the_demo_shows_what_it_promises() -> None:
    """Plans, links, pings, metrics, a crash that loses no packet, a repair; and nothing is left."""
    before = {path.name for path in Path("/run").iterdir()}
    done = demo()
    assert_all_was_shown(done)
    for wanted in (
        r"\$ linkwright plan --driver bridge .*\n +nft add element inet linkwright bridges",
        r"host +lwb[0-9a-f]{12} +bridge",
        r"ok  web-1 pings web-2, 10\.80\.1\.3: \d+ µs",
        r"ok  lan-2 pings the router outside, 192\.0\.2\.1: \d+ µs",
        r"\$ kill -9 \d+",
        r"# nothing to do: the host is as it should be",
        *(rf"ok  network {name}: \d+ echoes sent, 0 lost" for name in ("web", "lan", "far")),
        r"\$ ip link del lwb[0-9a-f]{12}\n  ok  it is back",
        r"linkwright_networks +0 +3 +3 +3\n",
        r'linkwright_endpoints\{state="joined"\} +0 +6 +6 +7\n',
        r"ok  linkwright knows of 0 networks, 0 endpoints, 0 pools",
        r"ok  links on the host: lo, uplink0, as before",
    ):
        assert re.search(wanted, done.stdout), f"{wanted} is not in\n{done.stdout}"
    assert set() == {path.name for path in Path("/run").iterdir()} & {"linkwright.log", "router", "state"} - before


@pytest.mark.netns
def test_the_demo_needs_no_privileges() -> None:
    """In a user namespace, everything is shown all the same."""
    assert_all_was_shown(demo(prefix=WITHOUT_PRIVILEGES))


@pytest.mark.netns
def test_the_demo_runs_for_anybody() -> None:
    """As a user who is nobody, with the interpreter of this version that everybody may use."""
    prefix = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    # /usr/bin/env is in between because setpriv itself may still look into root's folders when it executes.
    as_nobody = (*prefix, "/usr/bin/env", f"PYTHONPATH={os.pathsep.join(path for path in sys.path if path)}")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    candidates = (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}")
    usable = [
        candidate
        for candidate in candidates
        if not subprocess.run([*as_nobody, candidate, "-c", "import linkwright, trio"], check=False).returncode
    ]
    if not usable:
        pytest.skip(f"neither the checkout nor a {version} may be read by everybody: {', '.join(candidates)}")
    assert_all_was_shown(demo(prefix=as_nobody, command=(usable[0], *COMMAND[1:])))


@pytest.mark.netns
@pytest.mark.parametrize(
    ("prefix", "told"),
    [
        (
            ("setpriv", "--bounding-set=-all", "--inh-caps=-all"),
            r"Operation not permitted\): .* run that with --privileged",
        ),
        (
            (
                "unshare",
                "--user",
                "--map-root-user",
                "sh",
                "-c",
                f'{NO_MORE}; exec setpriv --bounding-set=-all "$@"',
                "-",
            ),
            r"unshare: No space left on device\): no more namespaces may be made .*",
        ),
    ],
    ids=["nobody may", "no more"],
)
def test_without_namespaces_the_demo_says_what_to_do(prefix: tuple[str, ...], told: str) -> None:
    """One line, no traceback: what was refused, and what can be done about it."""
    done = demo(prefix=prefix)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(rf"Error: namespaces of the demo's own could not be made \(.*{told}\n", done.stderr)


@pytest.mark.netns
def test_the_demo_is_coloured_on_a_terminal() -> None:
    """The same story, with escape sequences."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND], stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"}
    )
    os.close(theirs)
    shown = bytearray()
    with suppress(OSError):  # EIO: nobody has the other end any more
        while select.select([ours], [], [], PATIENCE)[0] and (part := os.read(ours, 65536)):
            shown += part
    os.close(ours)
    assert process.wait(PATIENCE) == 0
    text = shown.decode()
    assert "\x1b[1;36mA crash\x1b[0m" in text
    assert "\x1b[1;32m  ok  " in text


# --- its end, whatever kind of end ---------------------------------------------------------------------------


class Performance:
    """A demo under way, and everybody in its network namespace."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            ["env", "--default-signal=INT", *COMMAND],  # a shell's job in the background has it ignored, and so had we
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._opened = ExitStack()

    def reach(self, section: str) -> Path:
        """Read on until *section* begins, and return the name of the network namespace that it plays in."""
        assert self.process.stdout is not None
        assert any(line.startswith(section) for line in self.process.stdout), f"it ended before {section}"
        own = Path("/proc/self/ns/net").readlink()
        pid = self.process.pid
        while (network := Path(f"/proc/{pid}/ns/net").readlink()) == own:
            pid = int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
        opened = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)  # while it is open, no other network gets its number
        self._opened.callback(os.close, opened)
        return network

    def close(self) -> None:
        """Read what is left, and collect it."""
        self.process.communicate(timeout=PATIENCE)
        self._opened.close()


def inhabitants(network: Path) -> list[int]:
    """The processes in a network namespace, as descriptors that tell when they end (pidfd_open(2))."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "ns" / "net").readlink() == network:
                found.append(os.pidfd_open(int(process.name)))
    return found


def all_end(processes: Sequence[int]) -> bool:
    """Wait until all of them have ended; False if that takes too long."""
    deadline = time.monotonic() + PATIENCE
    waiting = set(processes)
    while waiting and time.monotonic() < deadline:
        waiting -= set(select.select(list(waiting), [], [], 1.0)[0])
    for descriptor in processes:
        os.close(descriptor)
    return not waiting


@pytest.mark.netns
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_demo_that_is_ended_leaves_nothing(how: signal.Signals) -> None:
    """Not a process of its own is left, so neither is a namespace: no file holds one."""
    performance = Performance()
    try:
        network = performance.reach("A crash")
        processes = inhabitants(network)
        assert len(processes) >= 3, "the maker, process 1 and the daemon"
        os.kill(performance.process.pid, how)
        assert all_end(processes)
        assert inhabitants(network) == []
    finally:
        performance.close()
    assert {signal.SIGKILL: -9, signal.SIGTERM: -15, signal.SIGINT: 130}[how] == performance.process.returncode
    assert not Path("/run/linkwright.log").exists()


@pytest.mark.netns
def test_a_reader_who_has_seen_enough_ends_the_demo() -> None:
    """``linkwright demo | head`` prints no traceback and leaves nothing."""
    process = subprocess.Popen([*COMMAND], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(PATIENCE) == 1


# --- drivers of others ---------------------------------------------------------------------------------------

DRIVER = """
from attrs import frozen
from linkwright import sdk

@frozen
class Options(sdk.CommonOptions):
    pass

class Odd(sdk.Driver[Options]):
    name = "odd"
    options = Options

    def network(self, network):
        {network}

    def endpoint(self, network, endpoint):
        return sdk.Wishes.of(sdk.veth(endpoint, bridge="", mtu=1500))

    def join(self, network, endpoint):
        return sdk.Join(sdk.sandbox_end(endpoint), ())
"""


def installed(folder: Path, network: str) -> str:
    """Lay a distribution with a driver into *folder* and return a PYTHONPATH that has it."""
    info = folder / "linkwright_odd-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: linkwright-odd\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[linkwright.drivers]\nodd = odd:Odd\n")
    (folder / "odd.py").write_text(DRIVER.format(network=network))
    return str(folder)


@pytest.mark.netns
def test_a_driver_that_wants_more_is_left_out_with_its_own_words(tmp_path: Path) -> None:
    """The demo cannot guess a stranger's options; the others are shown, and that is success."""
    path = installed(tmp_path, "raise sdk.Refused('it needs -o moon=full')")
    done = demo(PYTHONPATH=path)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "Driver odd: a driver that this demo does not know" in done.stdout
    assert re.search("It needs more than this demo can guess, and is left out.*it needs -o moon=full", done.stdout)
    assert "network web: " in done.stdout


@pytest.mark.netns
def test_what_is_shown_and_does_not_work_fails_the_demo(tmp_path: Path) -> None:
    """A driver whose containers cannot reach each other is a promise not kept: status 1, and the daemon's log."""
    done = demo(PYTHONPATH=installed(tmp_path, "return sdk.Wishes()"))
    assert done.returncode == 1
    assert "  NOT odd-net-1 pings odd-net-2, 10.80.128.3: no answer" in done.stdout
    assert "  ok  web-1 pings web-2" in done.stdout
    assert "The end of linkwright.log" in done.stdout


# --- a real Docker -------------------------------------------------------------------------------------------


def test_without_an_engine_the_demo_with_docker_says_what_is_missing(tmp_path: Path) -> None:
    """By name, and before anything is made."""
    done = demo("--docker", PATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert "the program dockerd, the program docker, the program containerd, the program runc" in done.stderr


def test_the_demo_plays_with_a_real_docker(engine: str) -> None:
    """The same story on each engine of the tests, and its control groups are gone."""
    variables = shelf.need(engine).environment()
    tools = os.pathsep.join(
        dict.fromkeys(str(Path(found).parent) for name in ("ip", "iptables") if (found := shutil.which(name)))
    )
    done = demo("--docker", **{**variables, "PATH": f"{variables['PATH']}:{tools}"})
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert re.search(rf"  ok  Docker {re.escape(engine)}\S* is ready", done.stdout)
    assert [line for line in done.stdout.splitlines() if line.startswith("  NOT")] == []
    assert list(Path("/sys/fs/cgroup").glob("**/linkwright-demo-*")) == []
