"""Docker's part by Docker itself (``demo --docker``): dockerd in our namespaces, with everything it has in our folder.

Needs root, and /run as that folder: dockerd keeps things there. No registry is asked: the image is empty, and the
containers see the machine's own programs read-only, which is enough to sleep in.

What is left outside when the demo is killed: empty control groups, which have no namespace that would take them
along. The next ``demo --docker`` removes them.
"""

import io
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any, Final

from linkwright.cli.demo import syscalls
from linkwright.cli.demo.docker import Container, Wanted
from linkwright.cli.demo.program import PATIENCE, Program
from linkwright.cli.demo.served import environment
from linkwright.errors import Refused

#: What has to be installed: Docker's own parts, and what it calls.
_PROGRAMS: Final = ("dockerd", "docker", "containerd", "runc", "iptables", "sleep")

#: Folders that the containers' one program needs, where the machine has them.
_SHARED: Final = ("/bin", "/lib", "/lib64", "/usr", "/nix", "/gnu")

_CGROUPS: Final = Path("/sys/fs/cgroup")
_GROUP: Final = "linkwright-demo"
_IMAGE: Final = "demo"


def missing(which: Callable[[str], str | None] = shutil.which, *, root: bool | None = None) -> list[str]:
    """What ``demo --docker`` lacks on this machine, in words."""
    lacks = [] if (os.geteuid() == 0 if root is None else root) else ["the rights of root"]
    return lacks + [f"the program {name}" for name in _PROGRAMS if which(name) is None]


class RealDocker:
    """A Docker engine that is ours alone. Refused if it cannot be had, Unavailable if it does not start."""

    def __init__(self, folder: Path) -> None:
        """Make the places that it expects, and start it."""
        if folder != Path("/run"):
            raise Refused(f"Docker needs /run, and the demo has only {folder}: linkwright itself lies below /run")
        self.calls: list[str] = []
        self._configuration = folder / "docker-cli"
        self._group = f"{_GROUP}-{os.urandom(4).hex()}"
        _furnish(folder / "machine")
        argv = (
            "dockerd",
            "--host=unix:///run/docker.sock",
            "--exec-root=/run/docker",
            "--pidfile=/run/docker.pid",
            f"--data-root={folder / 'docker-data'}",
            f"--cgroup-parent=/{self._group}",
            "--storage-driver=vfs",  # an overlay needs a file system that bears one; the image is empty
            "--exec-opt=native.cgroupdriver=cgroupfs",  # else systemd makes the groups, on the machine's own bus
            "--group=root",
            "--bridge=none",
        )
        self._program = Program(argv, folder / "dockerd.log")
        self.seconds = self._program.start(_environment())
        self.version = self._docker("version", "--format={{.Server.Version}}").strip()
        self._docker("import", "-", _IMAGE, feed=_empty_archive())

    def create_network(self, wanted: Wanted) -> None:
        """``docker network create``."""
        self._docker(*wanted.arguments)

    def run(self, name: str, network: str) -> Container:
        """``docker run`` of something that sleeps."""
        shared = [f"--volume={folder}:{folder}:ro" for folder in _SHARED if Path(folder).exists()]
        sleep = str(Path(shutil.which("sleep") or "/bin/sleep").resolve())
        self._docker("run", "--detach", f"--name={name}", f"--network={network}", *shared, _IMAGE, sleep, "1000000")
        settings: dict[str, Any] = json.loads(self._docker("inspect", name))[0]["NetworkSettings"]
        endpoint = settings["Networks"][network]
        address = IPv4Interface(f"{endpoint['IPAddress']}/{endpoint['IPPrefixLen']}")
        return Container(name, network, settings["SandboxKey"], address)

    def remove(self, container: Container) -> None:
        """``docker rm -f``."""
        self._docker("rm", "--force", container.name)

    def remove_network(self, name: str) -> None:
        """``docker network rm``."""
        self._docker("network", "rm", name)

    def close(self) -> None:
        """End the engine."""
        self._program.stop()

    def _docker(self, *words: str, feed: bytes = b"") -> str:
        argv = ["docker", f"--config={self._configuration}", "--host=unix:///run/docker.sock", *words]
        done = subprocess.run(  # noqa: S603 - the machine's own docker
            argv, input=feed, capture_output=True, check=False, env=_environment(), timeout=2 * PATIENCE
        )
        if done.returncode:
            raise Refused(f"`docker {' '.join(words)}` failed: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout.decode()


def remove_groups(cgroups: Path = _CGROUPS) -> None:
    """Remove the control groups of demos that have ended, killed or not. Busy ones stay."""
    for top in [*cgroups.glob(f"{_GROUP}-*"), *cgroups.glob(f"*/{_GROUP}-*")]:
        groups = sorted((path for path in [top, *top.rglob("*")] if path.is_dir()), reverse=True)
        for group in groups:
            with suppress(OSError):
                group.rmdir()


def _furnish(private: Path) -> None:
    """Give dockerd an /etc/docker of its own, empty, and a /sys that shows our network namespace."""
    upper, work, aside = private / "etc", private / "work", private / "cgroup"
    _make([upper / "docker", work, aside, private / "docker"])
    has_groups = _CGROUPS.is_mount()
    if has_groups:  # moved, not bound: runc takes the first of two mounts of a controller that it finds
        syscalls.mount(_CGROUPS, aside, flags=syscalls.MOVE)
    syscalls.mount("sysfs", "/sys", "sysfs")
    if has_groups:
        syscalls.mount(aside, _CGROUPS, flags=syscalls.MOVE)
    syscalls.mount("overlay", "/etc", "overlay", data=f"lowerdir=/etc,upperdir={upper},workdir={work}")
    syscalls.mount(private / "docker", "/etc/docker", flags=syscalls.BIND)


def _make(folders: Iterable[Path]) -> None:
    for folder in folders:
        folder.mkdir(parents=True)


def _empty_archive() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w"):
        pass
    return out.getvalue()


def _environment() -> dict[str, str]:
    """Without what would send docker to another engine."""
    return {name: value for name, value in environment().items() if not name.startswith("DOCKER_")}
