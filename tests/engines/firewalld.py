"""The real firewalld in a pretend host, with a D-Bus system bus of its own at the usual place in the private ``/run``.

Both are of the unpacked row "firewalld"; its configuration is on the host's disk, and nothing of the machine's is read
but what it does with nftables, in the host's own network. No polkit: the bus lets its root do everything, or not.
"""

import shutil
import signal
import subprocess
import time

from tests.engines import shelf
from tests.engines.host import Host, Spawned
from tests.engines.trouble import Trouble

_STARTS = 60.0
"""Seconds until it must answer: one and a half on an idle machine."""

_STOPS = 30.0

_ZONES = "org.fedoraproject.FirewallD1.zone"

_BUS = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
 <type>system</type>
 <listen>unix:path=/run/dbus/system_bus_socket</listen>
 <auth>EXTERNAL</auth>
 <policy context="default">
  <allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/>{rules}
 </policy>
</busconfig>
"""
"""dbus-daemon(1). What a real host's says of firewalld is in share/dbus-1/system.d: root may do everything."""


class Firewalld:
    """firewalld and its bus on *host*; ``start`` it before use. Trouble when it is not unpacked."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.log = host.state / "firewalld.log"
        self._programs = shelf.need("firewalld")
        self._python = self._programs.program("python3.11")
        self._bus: Spawned | None = None
        self._process: Spawned | None = None

    def start(self, *, refusing: str = "") -> None:
        """Start it, and first a bus if none runs, and wait until it answers. The bus refuses *refusing*."""
        self.start_bus(refusing=refusing)
        configuration = self.host.state / "firewalld"
        if not configuration.exists():
            shutil.copytree(self._programs.root / "etc/firewalld", configuration)
        argv = [
            self._python,
            self._programs.program("firewalld"),
            "--nofork",
            "--nopid",
            "--log-target=console",
            f"--system-config={configuration}",
            f"--default-config={self._programs.root / 'usr/lib/firewalld'}",
        ]
        self._process = self.host.spawn(argv, log=self.log, environment=self._programs.environment())
        deadline = time.monotonic() + _STARTS
        while self.command("--state", check=False).returncode:
            if self._process.wait(0.05) or time.monotonic() > deadline:
                raise Trouble(f"firewalld on {self.host.name} did not answer, or ended:\n{self._process.tail()}")

    def start_bus(self, *, refusing: str = "") -> None:
        """Start a bus without firewalld, if none runs; it refuses the call *refusing* of zones to anybody."""
        if self._bus is not None and self._bus.running():
            return
        path = self.host.run_folder / "dbus" / "system_bus_socket"
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        rules = f'<deny send_interface="{_ZONES}" send_member="{refusing}"/>' if refusing else ""
        configuration = self.host.state / "bus.conf"
        configuration.write_text(_BUS.format(rules=rules))
        argv = [self._programs.program("dbus-daemon"), f"--config-file={configuration}", "--nofork", "--nopidfile"]
        log = self.host.state / "bus.log"
        self._bus = self.host.spawn(argv, log=log, environment=self._programs.environment())
        deadline = time.monotonic() + _STARTS
        while not path.exists():
            if self._bus.wait(0.01) or time.monotonic() > deadline:
                raise Trouble(f"the bus on {self.host.name} did not come up:\n{self._bus.tail()}")

    def stop(self) -> None:
        """End firewalld with SIGTERM and wait; its rules go with it, the bus stays."""
        self.signal(signal.SIGTERM)
        if self._process is not None and not self._process.wait(_STOPS):
            raise Trouble(f"firewalld on {self.host.name} did not end in {_STOPS} s:\n{self._process.tail()}")

    def stop_bus(self) -> None:
        """End the bus; firewalld ends with it."""
        if self._bus is not None:
            self._bus.signal(signal.SIGTERM)
            if not self._bus.wait(_STOPS):
                raise Trouble(f"the bus on {self.host.name} did not end in {_STOPS} s")

    def signal(self, number: signal.Signals) -> None:
        """Send firewalld a signal: stopped (SIGSTOP), it hangs as far as anybody can tell."""
        if self._process is not None:
            self._process.signal(number)

    def command(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run ``firewall-cmd`` in the host, as an administrator does."""
        argv = [self._python, self._programs.program("firewall-cmd"), *arguments]
        return self.host.run(argv, check=check, environment=self._programs.environment())

    def reload(self) -> None:
        """What an administrator does after a change: everything that was said at run time only is gone."""
        self.command("--reload")

    def members(self, zone: str = "trusted") -> set[str]:
        """The interfaces in *zone*, at run time."""
        return set(self.command(f"--zone={zone}", "--list-interfaces").stdout.split())
