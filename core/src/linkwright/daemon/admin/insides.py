"""The parts of the running daemon that an operator may ask about, handed in by the composition root. No logic."""

from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from linkwright.daemon.admin.doctor.surroundings import Tool, run_tool
from linkwright.daemon.admin.recent import Recent
from linkwright.daemon.config import Config
from linkwright.daemon.firewalld import Standing
from linkwright.daemon.health import Health
from linkwright.daemon.witness import Witness
from linkwright.engine.engine import Engine
from linkwright.errors import DriverFault
from linkwright.ipam.actor import Actor
from linkwright.kernel.linux import KernelStatistics
from linkwright.store import RecoveryReport, Store


@frozen(kw_only=True)
class Insides:
    """One daemon, seen from its admin socket. Times are in seconds since the Unix epoch."""

    config: Config
    engine: Engine
    ipam: Actor
    store: Store
    health: Health
    recent: Recent  # also one of the engine's observers
    started: float
    clock: Callable[[], float]
    faults: tuple[DriverFault, ...] = ()  # the drivers that were left out
    witness: Witness | None = None
    recovered: RecoveryReport | None = None  # what the store had to rebuild at this start
    kernel: Callable[[], KernelStatistics | None] = lambda: None
    looked: Callable[[], float | None] = lambda: None  # when everything was last looked at
    rule_error: Callable[[], str] = lambda: ""  # why the rule in DOCKER-USER could not be kept, "" where it is
    zones: Callable[[], Standing] = Standing  # how it stands with firewalld
    proc: Path = Path("/proc")  # for the doctor, as the next
    tool: Tool = run_tool
