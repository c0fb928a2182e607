"""containerd in a pretend host, started before dockerd and outliving it, as the packages' own units have it.

dockerd finds it by its default socket, in the host's private ``/run``. Not left to dockerd to start: each end of
dockerd would take a second longer, and a killed dockerd would leave it behind half ended.
"""

import socket
import time
from pathlib import Path

from tests.engines.host import Host, Spawned
from tests.engines.shelf import Unpacked
from tests.engines.trouble import Trouble

_STARTS = 30.0
"""Seconds until its socket must take connections: 0.03 on an idle machine."""

_UNUSED = (
    "io.containerd.grpc.v1.cri",
    "io.containerd.internal.v1.opt",
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.zfs",
)
"""Plugins that Docker does not need: one is Kubernetes' own, one writes to /opt, the others look for file systems."""


def start(host: Host, programs: Unpacked) -> Spawned:
    """Start the containerd of *programs* on *host* and wait for its socket; Trouble with the end of its log if not."""
    configuration = host.state / "containerd.toml"
    unused = ", ".join(f'"{plugin}"' for plugin in _UNUSED)
    configuration.write_text(f'version = 2\nroot = "{host.state}/containerd"\ndisabled_plugins = [{unused}]\n')
    argv: list[str | Path] = [programs.program("containerd"), "--log-level=warn", f"--config={configuration}"]
    process = host.spawn(argv, log=host.state / "containerd.log", environment=programs.environment())
    deadline = time.monotonic() + _STARTS
    while not _answers(host):
        if process.wait(0.01) or time.monotonic() > deadline:
            raise Trouble(f"containerd on {host.name} did not answer within {_STARTS} s, or ended:\n{process.tail()}")
    return process


def _answers(host: Host) -> bool:
    with socket.socket(socket.AF_UNIX) as attempt:
        return attempt.connect_ex(str(host.run_folder / "containerd" / "containerd.sock")) == 0
