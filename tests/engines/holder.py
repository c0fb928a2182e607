"""The process that keeps one pretend host alive, and ends it: a program of its own, of the standard library only.

It makes the namespaces and the private mounts, starts programs on request, collects them and their orphans (it is
their subreaper: see prctl(2); many a container's process 1 collects nobody), and when its standard input ends,
whether by ``Host.close`` or because the tests were killed, it ends everything in the host and removes all traces.

Requests and answers are lines of JSON: ``{"spawn": argv, "environment": …, "log": path}`` → ``{"pid": …}``;
``{"end": "keep"}`` ends the host as a loss of power does, and leaves its disk.
"""

import ctypes
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

# linux/sched.h, linux/mount.h, linux/prctl.h; os.unshare and os.setns come with Python 3.12
NEW_MOUNTS, NEW_UTS, NEW_NET = 0x00020000, 0x04000000, 0x40000000
BIND, MOVE, RECURSIVE, PRIVATE = 0x1000, 0x2000, 0x4000, 0x40000
SET_CHILD_SUBREAPER = 36

PATIENCE = 10.0
"""Seconds that killed processes and emptied cgroups get to be gone: they take milliseconds unless the disk is slow."""

CGROUPS = Path("/sys/fs/cgroup")

libc = ctypes.CDLL(None, use_errno=True)


def check(result: int, what: str) -> None:
    """Raise OSError that names *what* when a C call gave -1."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def mount(source: str | Path, target: str | Path, kind: str = "none", flags: int = 0, data: str = "") -> None:
    """The system call of that name; OSError that names both ends when the kernel refuses."""
    arguments = (str(source).encode(), str(target).encode(), kind.encode(), flags, data.encode())
    check(libc.mount(*arguments), f"mount {source} on {target} ({kind})")


def furnish(name: str, state: Path) -> None:
    """Give the new mount namespace what makes it a host of its own, and nothing of the machine's to spoil.

    A /sys that shows this network namespace; a private /etc with another machine id and an empty /etc/docker; a private
    /var/lib, where linkwright keeps its state by default; a private /run, so that no firewalld, systemd or containerd
    of the machine is found there, and so that dockerd's plugin sockets can be reached from outside, below *state*; and
    a boot of its own.
    """
    mount("none", "/", flags=RECURSIVE | PRIVATE)
    private = state / "private"
    for folder in (private, state / "run" / "lock", state / "etc-docker"):
        folder.mkdir(parents=True, exist_ok=True)
    mount("tmpfs", private, "tmpfs")
    upper, aside, lib = private / "etc", private / "cgroup", private / "lib"
    for folder in (upper / "docker", lib, private / "work", private / "work-lib", aside):
        folder.mkdir(parents=True)
    has_cgroups = CGROUPS.is_mount()
    if has_cgroups:  # moved, not bound: runc takes the first of two mounts of a controller that it finds
        mount(CGROUPS, aside, flags=MOVE)
    mount("sysfs", "/sys", "sysfs")
    if has_cgroups:
        mount(aside, CGROUPS, flags=MOVE)
    (upper / "machine-id").write_text(f"{uuid.uuid5(uuid.NAMESPACE_DNS, name).hex}\n")
    (upper / "hostname").write_text(f"{name}\n")
    (upper / "resolv.conf").write_text("nameserver 192.0.2.2\n")  # nobody answers there, and says so at once
    mount("overlay", "/etc", "overlay", data=f"lowerdir=/etc,upperdir={upper},workdir={private / 'work'}")
    mount("overlay", "/var/lib", "overlay", data=f"lowerdir=/var/lib,upperdir={lib},workdir={private / 'work-lib'}")
    mount(state / "etc-docker", "/etc/docker", flags=BIND)
    mount(state / "run", "/run", flags=BIND)
    (private / "boot_id").write_text(f"{uuid.uuid4()}\n")
    mount(private / "boot_id", "/proc/sys/kernel/random/boot_id", flags=BIND)


def spawn(argv: list[str], environment: dict[str, str], log: str) -> int:
    """Start a program in a session of its own, in here, with its output appended to *log*; return its process id."""
    program = shutil.which(argv[0], path=environment.get("PATH"))
    if program is None:
        raise FileNotFoundError(f"no program {argv[0]} in {environment.get('PATH')}")
    files = (
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    )
    usual = (signal.SIGPIPE, signal.SIGXFSZ)  # Python ignores these, and what is ignored is inherited
    return os.posix_spawn(program, argv, environment, file_actions=files, setsid=True, setsigmask=(), setsigdef=usual)


def collect() -> None:
    """Reap every child that has ended, adopted ones too."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def inhabitants() -> set[int]:
    """Who lives in the host: the descendants of this process, and whoever has entered its namespaces."""
    me = os.getpid()
    own = namespaces(Path("/proc/self"))
    parents: dict[int, int] = {}
    found: set[int] = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            status = (process / "stat").read_text().rpartition(")")[2].split()
            parents[int(process.name)] = int(status[1])
            if own & namespaces(process):
                found.add(int(process.name))
        except OSError:  # it ended while we looked; a zombie's namespaces cannot be read
            continue
    family = {me}
    while grown := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= grown
    return (found | family) - {me}


def namespaces(process: Path) -> set[Path]:
    """The network and mount namespaces of a process, given as its folder in /proc."""
    return {(process / "ns" / kind).readlink() for kind in ("net", "mnt")}


def end_inhabitants(wakeup: int) -> set[int]:
    """Kill until nobody is left, as orphans come up from below; return those that would not go in time."""
    deadline = time.monotonic() + PATIENCE
    collect()
    while (left := inhabitants()) and time.monotonic() < deadline:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        select.select([wakeup], [], [], 0.01)  # a child's end wakes us, or the time it takes a stranger to die
        collect()
    return left


def end_cgroups(name: str) -> list[Path]:
    """Remove the cgroups called *name*, in all hierarchies of version 1 or the one of version 2; return what stays."""
    deadline = time.monotonic() + PATIENCE
    while True:
        left = [path for path in (CGROUPS / name, *CGROUPS.glob(f"*/{name}")) if path.is_dir()]
        for top in left:
            for folder, _, _ in os.walk(top, topdown=False):
                try:
                    Path(folder).rmdir()
                except OSError:  # busy while the kernel still takes a process down
                    continue
        left = [path for path in left if path.is_dir()]
        if not left or time.monotonic() > deadline:
            return left
        select.select([], [], [], 0.01)


def serve(wakeup: int) -> str:
    """Answer requests until the input ends; return what is to be done with the disk: keep or remove."""
    unread = b""
    while True:
        ready, _, _ = select.select([0, wakeup], [], [])
        if wakeup in ready:
            os.read(wakeup, 4096)
            collect()
        if 0 not in ready:
            continue
        arrived = os.read(0, 65536)
        if not arrived:
            return "remove"
        *lines, unread = (unread + arrived).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if "end" in request:
                return str(request["end"])
            try:
                tell({"pid": spawn(request["spawn"], request["environment"], request["log"])})
            except OSError as error:
                tell({"error": str(error)})


def tell(answer: dict[str, object]) -> None:
    """Send one line to whoever started us."""
    os.write(1, json.dumps(answer).encode() + b"\n")


def main(name: str, state: Path) -> int:
    """Hold the host *name*, whose disk is *state*, until told to end it; return the exit status."""
    home = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    check(libc.unshare(NEW_MOUNTS | NEW_UTS | NEW_NET), "unshare mount, UTS and network namespaces")
    socket.sethostname(name)
    furnish(name, state)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    check(libc.prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0), "become subreaper")
    wakeup, waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    os.chdir("/")
    tell({"pid": os.getpid()})
    disk = serve(wakeup)
    processes = end_inhabitants(wakeup)
    cgroups = end_cgroups(name)
    check(libc.setns(home, NEW_MOUNTS), "go back to the machine's mounts")  # the host's own end with this
    if disk == "remove":
        shutil.rmtree(state)
    else:
        shutil.rmtree(state / "run")  # a reboot empties /run
    if processes or cgroups:
        sys.stderr.write(f"could not end processes {sorted(processes)}, cgroups {[str(path) for path in cgroups]}\n")
    return 1 if processes or cgroups else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
