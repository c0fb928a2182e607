"""The commands over a real kernel, in namespaces of the test's own, and what another user may do."""

import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from subprocess import PIPE

import pytest
import trio
from core.tests.cli.conftest import STORAGE, WEB, Served, serving

from linkwright.testkit.hosts import real_host
from linkwright.testkit.namespaces import Namespace, made

BRIDGE, GONE = f"lwb{WEB[:12]}", f"lwb{STORAGE[:12]}"

#: Seconds without an event after which none is on its way: the kernel gathers changes of carriers for one
#: (linkwatch_schedule_work, net/core/link_watch.c).
QUIET = 1.5


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """A host without IPv6, whose address detection would send events when it likes; it forwards packets."""
    with made() as host:
        for setting in ("net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1"):
            host.run("sysctl", "-qw", setting)
        host.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        host.run("ip", "link", "set", "lo", "up")
        yield host


@pytest.fixture
async def drifted(namespace: Namespace, tmp_path: Path, nursery: trio.Nursery) -> AsyncIterator[Served]:
    """A daemon on that host with two networks; somebody deleted one's bridge and spoiled the other's."""
    with made() as sandbox:
        async with real_host(namespace, sandbox) as host, serving(host.kernel, tmp_path, nursery) as daemon:
            await host.kernel.prepare()
            await daemon.network()
            await daemon.network(STORAGE, "10.8.0.0/24")
            namespace.run("ip", "link", "del", GONE)
            namespace.run("ip", "link", "set", BRIDGE, "mtu", "1280")
            namespace.run("ip", "addr", "del", "10.7.0.1/24", "dev", BRIDGE)
            namespace.run("nft", "flush", "set", "inet", "linkwright", "outward")
            yield daemon


class Monitor:
    """``ip monitor all``, and marks by which it is known to listen."""

    def __init__(self, namespace: Namespace, output: trio.abc.ReceiveStream) -> None:
        self._namespace = namespace
        self._output = output
        self._marks = 0

    async def until_quiet(self) -> str:
        """Return what it writes until nothing has come for a while."""
        written = b""
        while True:
            with trio.move_on_after(QUIET) as waiting:
                written += await self._output.receive_some()
            if waiting.cancelled_caught:
                return written.decode()

    async def listening(self) -> None:
        """Wait until it listens, and all that happened before has been told."""
        while f"192.0.2.{self._marks}" not in await self.until_quiet():
            self._mark()

    async def since(self) -> str:
        """Return what it wrote up to a mark that is made now, without what the mark does."""
        self._mark()
        lines = (await self.until_quiet()).splitlines(keepends=True)
        assert any(f"192.0.2.{self._marks}" in line for line in lines), "the monitor is deaf"
        # An address is told on two lines, and as the route that the kernel makes of it.
        return "".join(line for line in lines if "192.0.2." not in line and "valid_lft" not in line)

    def _mark(self) -> None:
        self._marks += 1
        self._namespace.run("ip", "addr", "add", f"192.0.2.{self._marks}/32", "dev", "lo")


@asynccontextmanager
async def monitoring(namespace: Namespace) -> AsyncIterator[Monitor]:
    """Watch everything that changes in *namespace*."""
    command = [*namespace.enter, "ip", "monitor", "all"]
    async with trio.open_nursery() as nursery:
        process = await nursery.start(partial(trio.run_process, command, stdout=PIPE))
        monitor = Monitor(namespace, process.stdout)
        await monitor.listening()
        yield monitor
        nursery.cancel_scope.cancel()


@pytest.mark.netns
async def test_s_06_on_a_drifted_host_a_plan_is_listed_and_nothing_happens(
    drifted: Served, namespace: Namespace
) -> None:
    """Under ``ip monitor all``: both plans name their commands, and not one event is seen, nor a rule changed."""
    rules = namespace.run("nft", "-s", "list", "ruleset")
    async with monitoring(namespace) as monitor:
        plan = await drifted.text("plan")
        imagined = await drifted.text("plan", "--driver", "bridge", "--subnet", "10.9.0.0/24")
        seen = await monitor.since()

    assert seen == ""
    assert rules == namespace.run("nft", "-s", "list", "ruleset")
    assert "ip addr add 10.9.0.1/24 dev lwb000000000000\n" in imagined
    for command in (
        f"ip link set {BRIDGE} mtu 1500\n",
        f"ip addr add 10.7.0.1/24 dev {BRIDGE}\n",
        f"nft add element inet linkwright outward {{ {BRIDGE} }}\n",
        f"ip link add {GONE} mtu 1500 ",
    ):
        assert command in plan


@pytest.mark.netns
async def test_r_12_what_was_planned_is_then_repaired(drifted: Served, namespace: Namespace) -> None:
    """The monitor that saw nothing of the plan sees the repair, and afterwards there is nothing to do."""
    async with monitoring(namespace) as monitor:
        result = await drifted.run("repair")
        seen = await monitor.since()

    assert (result.exit_code, result.stderr) == (0, "")
    assert GONE in seen
    assert "10.8.0.1/24" in namespace.run("ip", "addr", "show", "dev", GONE)
    assert await drifted.text("plan") == "# nothing to do: the host is as it should be\n"


@pytest.mark.netns
async def test_s_01_another_user_is_told_to_be_root(served: Served) -> None:
    """The socket is there and refuses: that is another thing than no daemon."""
    script = (
        "import os, sys, linkwright.cli.status as _; from linkwright.cli import main; "
        "os.setuid(65534); main(['status', '--run-dir', sys.argv[1]])"
    )
    command = [sys.executable, "-c", script, str(served.run_dir)]

    done = await trio.run_process(command, check=False, capture_stdout=True, capture_stderr=True, env={**os.environ})

    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode() == f"Error: {served.run_dir}/admin.sock is for root alone; use sudo\n"
