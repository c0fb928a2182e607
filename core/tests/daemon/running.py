"""The whole program in a network namespace of its own: started as systemd starts it, spoken to as Docker speaks.

Nothing here sleeps or polls: the program says when it is ready, a process says when it has ended, and the kernel's
events are read up to a mark that the test makes itself.
"""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import trio
from attrs import define, field

from linkwright.daemon import client
from linkwright.testkit.namespaces import Namespace

#: Seconds in which whatever is waited for has to happen; it takes about one.
PATIENCE = 30.0

#: Seconds without an event after which the kernel has said all about what was done: it gathers changes of a link's
#: carrier for up to one (net/core/link_watch.c).
QUIET = 1.5


@define
class Program:
    """One life of the daemon."""

    process: subprocess.Popen[str]
    supervisor: socket.socket
    log: Path

    def told(self) -> str:
        """The next thing it tells its supervisor of itself; "" if it ends instead. What it asks to be kept is not."""
        while self.reaches(self.supervisor.fileno()):
            if not (said := self.supervisor.recv(1000)).startswith(b"FDSTORE"):
                return said.decode()
        return ""

    def keeps(self, number: int) -> list[tuple[str, socket.socket]]:
        """The next sockets that it asks its supervisor to keep, by name."""
        kept = []
        for _ in range(number):
            assert self.reaches(self.supervisor.fileno()), self.said
            text, descriptors, _, _ = socket.recv_fds(self.supervisor, 1000, 1)
            words = dict(line.split("=") for line in text.decode().splitlines())
            kept.append((words["FDNAME"], socket.socket(fileno=descriptors[0])))
        return kept

    def reaches(self, descriptor: int) -> bool:
        """Wait until something can be read from *descriptor*, and say whether it can: or else the program has ended."""
        ended = os.pidfd_open(self.process.pid)
        try:
            ready, _, _ = select.select([descriptor, ended], [], [], PATIENCE)
        finally:
            os.close(ended)
        assert ready, f"it neither came so far nor ended; it said: {self.said}"
        return descriptor in ready

    def ended(self) -> int:
        """Its exit status; negative for a signal."""
        return self.process.wait(PATIENCE)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send it a signal and wait for its end."""
        self.process.send_signal(number)
        return self.ended()

    @property
    def said(self) -> str:
        """Its log so far."""
        return self.log.read_text()


@define
class Site:
    """A host for one daemon: a network namespace, and folders."""

    namespace: Namespace
    folder: Path
    programs: list[Program] = field(factory=list)

    @property
    def plugins(self) -> Path:
        """Where Docker looks for sockets."""
        return self.folder / "plugins"

    @property
    def sockets(self) -> list[str]:
        """The socket files there are, but for the supervisor's."""
        return sorted(str(path.relative_to(self.folder)) for path in self.folder.rglob("*.sock"))

    def start(
        self,
        *options: str,
        given: Sequence[socket.socket] = (),
        program: Sequence[str] | None = None,
        environ: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> Program:
        """Start it, with *given* sockets as systemd hands them over, and with a supervisor to tell."""
        folder = folder or self.folder
        folder.mkdir(exist_ok=True)
        number = len(self.programs)
        supervisor = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        supervisor.bind(str(self.folder / f"supervisor-{number}"))
        log = self.folder / f"log-{number}"
        places = [
            f"--{name}-dir={folder / where}" for name, where in (("plugin", "plugins"), ("run", "run"), ("state", "s"))
        ]
        serve = [
            *(program or (str(Path(sys.executable).with_name("linkwright")),)),
            "serve",
            *places,
            "--metrics=off",
            *options,
        ]
        command = [
            *self.namespace.enter,
            sys.executable,
            "-c",
            _AS_SYSTEMD_DOES,
            *map(str, _numbers(given)),
            "--",
            *serve,
        ]
        with log.open("w") as output:
            process = subprocess.Popen(
                command,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=_numbers(given),
                env={**os.environ, "NOTIFY_SOCKET": str(self.folder / f"supervisor-{number}"), **(environ or {})},
                text=True,
            )
        self.programs.append(Program(process, supervisor, log))
        return self.programs[-1]

    def ready(self, *options: str, **more: Any) -> Program:
        """Start it and wait until it is ready."""
        program = self.start(*options, **more)
        assert program.told() == "READY=1", program.said
        return program

    def call(self, name: str, document: Any = None, *, plugin: str = "lw-bridge") -> Any:
        """Call it as Docker does."""
        body = b"" if document is None else json.dumps(document).encode()
        return self.ask(f"plugins/{plugin}.sock", "POST", f"/{name}", body)

    def ask(self, where: str, method: str, target: str, body: bytes = b"") -> Any:
        """Send one request to the socket *where*, and return what came back as JSON."""

        async def ask() -> client.Answer:
            return await client.request(self.folder / where, target, method=method, body=body)

        answer = trio.run(ask)
        assert answer.status == 200, answer
        return answer.json()

    def links(self) -> set[str]:
        """The names of the links in the namespace, but for those on their way out (``kernel.condemn``)."""
        names = {line.split(": ")[1].partition("@")[0] for line in self.namespace.run("ip", "-o", "link").splitlines()}
        return {name for name in names if not name.startswith("lwx")}

    def end(self) -> None:
        """Kill whatever is left of it."""
        for program in self.programs:
            if program.process.poll() is None:
                program.process.kill()
                program.process.wait()
            program.supervisor.close()


#: Moves the descriptors named to 3, 4, … and becomes the program behind ``--``, with its own pid in LISTEN_PID.
_AS_SYSTEMD_DOES = """
import os, sys
split = sys.argv.index("--")
given = [int(each) for each in sys.argv[1:split]]
for number, descriptor in enumerate(given):
    os.dup2(descriptor, 200 + number, inheritable=False)
    os.set_inheritable(descriptor, False)
for number in range(len(given)):
    os.dup2(200 + number, 3 + number)
if given:
    names = os.environ.get("LISTEN_FDNAMES", ":".join(["linkwright.socket"] * len(given)))
    os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(given)), "LISTEN_FDNAMES": names}
os.execv(sys.argv[split + 1], sys.argv[split + 1:])
"""


def _numbers(given: Sequence[socket.socket]) -> tuple[int, ...]:
    return tuple(one.fileno() for one in given)


def listening(path: Path) -> socket.socket:
    """A socket as systemd makes one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    one = socket.socket(socket.AF_UNIX)
    one.bind(str(path))
    one.listen(16)
    return one


@contextlib.contextmanager
def watched(namespace: Namespace) -> Iterator[list[str]]:
    """Give a list that in the end holds every change of the kernel meanwhile, in the words of ip-monitor(8).

    But for multicast neighbours (NOARP), which the kernel keeps by itself.
    """
    changes: list[str] = []
    command = [*namespace.enter, "ip", "-o", "monitor", "link", "address", "route", "neigh"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        monitor = _Monitor(namespace, process)
        try:
            # A mark at both ends: what lies between was seen, and nothing that was is missing.
            monitor.mark("markbegin")
            monitor.drain()
            yield changes
            seen = monitor.mark("markend")
        finally:
            process.kill()
    changes += [line for line in seen if not any(word in line for word in ("markend", "NOARP"))]


class _Monitor:
    """What the kernel tells in a namespace, line by line."""

    def __init__(self, namespace: Namespace, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdout is not None
        self._namespace = namespace
        self._descriptor = process.stdout.fileno()

    def mark(self, name: str) -> list[str]:
        """Make and remove a link called *name*, again until that is seen, and return what was told up to it."""
        text = ""
        while True:
            self._namespace.run("ip", "link", "add", name, "type", "bridge")
            self._namespace.run("ip", "link", "del", name)
            while more := self._more(1.0):
                text += more
                lines = text.splitlines()
                if text.endswith("\n") and any(line.startswith("Deleted") and f" {name}:" in line for line in lines):
                    return lines

    def drain(self) -> None:
        """Read over the kernel's own echoes of what was done before, until it is quiet."""
        while self._more(QUIET):
            pass

    def _more(self, seconds: float) -> str:
        if not select.select([self._descriptor], [], [], seconds)[0]:
            return ""
        more = os.read(self._descriptor, 65536).decode()
        assert more, "ip monitor has ended"
        return more
