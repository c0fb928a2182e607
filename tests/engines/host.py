"""A pretend host: network, mount and UTS namespaces of its own, a disk, and a way to run programs in there.

Knows nothing of Docker. Everything a host is made of ends with ``Host.close``, and also when the tests are killed:
``holder`` sees to that. Not ``ip netns exec``: it mounts a fresh /sys, in which dockerd finds no cgroups.
"""

import json
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from tests.engines import busybox, shelf
from tests.engines.trouble import Trouble

_HOLDER = Path(__file__).with_name("holder.py")

_ANSWERS = 30.0
"""Seconds the holder may take over a request or its own end. It needs 50 ms, and 10 s where processes will not die."""


class Spawned:
    """A program started in a host and not a child of ours: told apart by a pidfd, so never mistaken for another."""

    def __init__(self, pid: int, log: Path) -> None:
        self.pid = pid
        self.log = log
        try:
            self._handle: int | None = os.pidfd_open(pid)
        except ProcessLookupError:  # over before we could look
            self._handle = None

    def wait(self, timeout: float) -> bool:
        """Whether it has ended within *timeout* seconds."""
        if self._handle is None:
            return True
        watch = select.poll()
        watch.register(self._handle, select.POLLIN)
        return bool(watch.poll(timeout * 1000))

    def running(self) -> bool:
        """Whether it still runs."""
        return not self.wait(0)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when it has ended."""
        if self._handle is not None:
            try:
                signal.pidfd_send_signal(self._handle, number)
            except ProcessLookupError:
                return

    def tail(self, lines: int = 20) -> str:
        """The last *lines* of what it wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    def close(self) -> None:
        """Forget it. Does not end it."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


class Host:
    """A pretend host. ``with Host() as host: host.run(["ip", "link"])``.

    *label* becomes part of its name, which is also its hostname and the cgroup its containers belong in. ``state`` is
    its disk; ``run_folder`` is what it sees as ``/run``, and ``plugins`` where dockerd in it looks for plugin sockets,
    both as paths for the tests outside. ``pid`` is the process whose namespaces make it.
    Needs root. Trouble when the kernel refuses a step.
    """

    def __init__(self, label: str = "") -> None:
        self.name = "-".join(word for word in ("lwt", label, secrets.token_hex(3)) if word)
        # short, whatever TMPDIR says: a unix socket's path has at most 107 bytes
        self.state = Path(tempfile.mkdtemp(prefix=f"{self.name}-", dir="/tmp"))
        self.run_folder = self.state / "run"
        self.plugins = self.run_folder / "docker" / "plugins"
        self.pid = 0
        self._holder: subprocess.Popen[bytes] | None = None
        self._turn = threading.Lock()
        self._spawned: list[Spawned] = []
        self._opened: list[subprocess.Popen[Any]] = []
        self._boot()

    def _boot(self) -> None:
        argv = [sys.executable, "-I", "-S", str(_HOLDER), self.name, str(self.state)]
        pipe = subprocess.PIPE
        self._holder = subprocess.Popen(
            argv,
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            env=self.environment(),
            cwd="/",
            start_new_session=True,  # Ctrl-C is for the tests, which then close their hosts
        )
        try:
            self.pid = self._answer()["pid"]
        except BaseException:
            with suppress(Trouble):  # what came first tells more
                self._end("remove")
            raise

    def _pipes(self) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
        holder = self._holder
        if holder is None or holder.stdin is None or holder.stdout is None or holder.stderr is None:
            raise Trouble(f"host {self.name} has been closed")
        return holder.stdin, holder.stdout, holder.stderr

    def _answer(self) -> dict[str, Any]:
        _, answers, errors = self._pipes()
        deadline = time.monotonic() + _ANSWERS
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([answers], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise Trouble(f"the holder of host {self.name} did not answer within {_ANSWERS} s")
            arrived = os.read(answers.fileno(), 65536)
            if not arrived:
                raise Trouble(f"the holder of host {self.name} ended: {errors.read().decode().strip()}")
            line += arrived
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise Trouble(f"host {self.name}: {answer['error']}")
        return answer

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The variables programs in the host get: search path, language and nothing of the user's session, then *more*.

        The path ends with busybox's commands where it is unpacked: ping, nc, wget, httpd and arping are on every host.
        """
        path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/bin:/bin"
        if shelf.unpacked("busybox"):
            path = f"{path}:{busybox.commands()}"
        return {"PATH": path, "LANG": "C.UTF-8", "HOME": str(self.state), **(more or {})}

    def argv(self, argv: Sequence[str | Path]) -> list[str]:
        """The command that runs *argv* in the host, from ``/``; its process id is the program's own."""
        return ["nsenter", f"--target={self.pid}", "--mount", "--uts", "--net", "--", *map(str, argv)]

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        check: bool = True,
        feed: str | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in the host to its end, with *feed* as its input; *check*: Trouble when its status is not 0."""
        try:
            done = subprocess.run(
                self.argv(argv),
                input="" if feed is None else feed,
                env=self.environment(environment),
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired as late:
            raise Trouble(f"`{_shown(argv)}` on host {self.name} took over {timeout} s") from late
        if check and done.returncode:
            said = (done.stdout + done.stderr).strip()
            raise Trouble(f"`{_shown(argv)}` on host {self.name}: exit status {done.returncode}: {said}")
        return done

    def popen(
        self,
        argv: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> subprocess.Popen[Any]:
        """Start a program in the host, as our child; *options* are Popen's. It is killed when the host is closed."""
        process = subprocess.Popen(self.argv(argv), env=self.environment(environment), **options)
        self._opened.append(process)
        return process

    def spawn(self, argv: Sequence[str | Path], *, log: Path, environment: Mapping[str, str] | None = None) -> Spawned:
        """Start a daemon in the host, as the holder's child, which also collects what the daemon leaves behind."""
        request = {"spawn": [str(word) for word in argv], "environment": self.environment(environment), "log": str(log)}
        with self._turn:
            requests, _, _ = self._pipes()
            requests.write(json.dumps(request).encode() + b"\n")
            requests.flush()
            spawned = Spawned(self._answer()["pid"], log)
        self._spawned.append(spawned)
        return spawned

    def reboot(self) -> None:
        """Cut the power and start again: processes, links and ``/run`` are gone, the rest of the disk is kept."""
        self._end("keep")
        self._boot()

    def close(self) -> None:
        """End everything in the host and remove all traces; Trouble when something would not go. Safe to call twice."""
        if self._holder is not None:
            self._end("remove")

    def _end(self, disk: str) -> None:
        holder, self._holder, self.pid = self._holder, None, 0
        if holder is None:
            return
        errors = b""
        try:
            _, errors = holder.communicate(json.dumps({"end": disk}).encode() + b"\n", timeout=_ANSWERS)
        except subprocess.TimeoutExpired:
            holder.kill()
            _, errors = holder.communicate()
        finally:
            for process in self._opened:  # killed by the holder, and ours to collect
                process.kill()
                process.wait()
                for stream in (process.stdin, process.stdout, process.stderr):
                    if stream is not None:
                        stream.close()
            for spawned in self._spawned:
                spawned.close()
            self._opened.clear()
            self._spawned.clear()
            if disk == "remove":
                shutil.rmtree(self.state, ignore_errors=True)
        if holder.returncode:
            said = errors.decode().strip()
            raise Trouble(f"host {self.name} did not end well: exit status {holder.returncode}: {said}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _shown(argv: Sequence[str | Path]) -> str:
    return " ".join(map(str, argv))
