"""Engine and IPAM over a kernel and a store, and the plugins in front of them. Nothing is opened here."""

import os
import socket
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from attrs import frozen

from linkwright.daemon.backends import Backed, Installed
from linkwright.daemon.calls import Listener
from linkwright.daemon.claimed import Claimed
from linkwright.daemon.config import Config
from linkwright.daemon.discovery import Found
from linkwright.daemon.doors import Door
from linkwright.daemon.holdings import Holdings
from linkwright.daemon.http import Connections
from linkwright.daemon.metrics import Known, Metrics, methods_of
from linkwright.daemon.nameservers import Nameservers, nameservers
from linkwright.daemon.plugin import Plugin, refusal
from linkwright.engine.bounded import Somewhere
from linkwright.engine.engine import Engine
from linkwright.engine.observation import Observer
from linkwright.engine.ports import HostPorts, Kernel
from linkwright.engine.registry import RESERVED, is_name
from linkwright.ipam.actor import Actor
from linkwright.ipam.automatic import docker_defaults
from linkwright.ipam.backend import Builtin
from linkwright.ipam.ledger import Ledger
from linkwright.model import Prefix
from linkwright.store import Contents, Store
from linkwright.wire.replies import Api

#: The drivers of this project, each a package of its own.
OFFICIAL: Final = ("bridge", "ipvlan", "macvlan", "vxlan")


@frozen
class Parts:
    """The two that do the work, and the room where they meet."""

    engine: Engine
    ipam: Actor
    holdings: Holdings


def join_parts(
    config: Config,
    *,
    found: Found,
    kernel: Kernel,
    host_ports: HostPorts,
    store: Store,
    contents: Contents,
    observer: Observer,
    clock: Callable[[], float] = time.time,
    timer: Callable[[], float] = time.perf_counter,
    nameservers: Nameservers = nameservers,
    somewhere: Somewhere | None = None,
    backend: Installed | None = None,
) -> Parts:
    """Make engine and IPAM over *kernel*, *host_ports* and *store* and load *contents* into them."""

    async def taken() -> tuple[Prefix, ...]:
        """What automatic pools keep clear of."""
        return (*await kernel.host_routes(), *await nameservers())

    ledger = Ledger(config.default_pools or docker_defaults(host_seed()))
    ipam = (
        Actor(ledger, commit=store.commit, routes=taken, clock=clock)
        if backend is None or isinstance(backend.backend, Builtin)
        else Backed(ledger, installed=backend, commit=store.commit, routes=taken, clock=clock)
    )
    ipam.load((*contents.pools, *contents.leases))
    holdings = Holdings(ledger, ipam)
    engine = Engine(
        kernel=kernel,
        host_ports=host_ports,
        commit=store.commit,
        drivers=found.drivers,
        clock=clock,
        timer=timer,
        instance=config.instance,
        observer=observer,
        manage_forwarding=config.manage_forwarding,
        docker_bridges=config.docker_bridges,
        witnessed=config.docker_witness is not None,
        references=holdings.references,
        give_back=holdings.give_back,
        allocator=Claimed(holdings, ipam),
        somewhere=somewhere,
        period=config.period,
    )
    engine.state.load(contents)
    return Parts(engine, ipam, holdings)


def host_seed() -> str:
    """What makes this host's automatic IPv6 pools its own: machine-id(5), or the host's name where there is none."""
    try:
        return Path("/etc/machine-id").read_text(encoding="ascii").strip() or socket.gethostname()
    except OSError:
        return socket.gethostname()


def known_of(config: Config, found: Found) -> Known:
    """The label values that this daemon's metrics have from the start."""
    names = [driver.name for driver in found.drivers]
    return Known(
        plugins={
            **{f"{config.prefix}{name}": methods_of(tuple(Api)) for name in names},
            f"{config.prefix}{RESERVED}": methods_of((Api.IPAM_DRIVER,)),
        },
        drivers=names,
        checks=("start", "store", *(("witness",) if config.docker_witness else ())),
    )


def absent_drivers(
    config: Config, *, loaded: Iterable[str], stored: Iterable[str], handed: Iterable[Path]
) -> tuple[str, ...]:
    """Return the drivers that are not there and that Docker may ask for all the same, by name.

    Those are the official ones (unless the operator chose which to load), those of *stored* networks, and those that
    systemd has *handed* sockets over for: a socket that nobody answers at would hang Docker without end.
    """
    folder = Path(os.path.realpath(config.plugin_dir))
    here = (path.name for path in handed if path.parent == folder and path.suffix == ".sock")
    knocked = (
        name.removesuffix(".sock").removeprefix(config.prefix) for name in here if name.startswith(config.prefix)
    )
    asked = {*stored, *knocked, *(OFFICIAL if config.drivers is None else ())}
    return tuple(sorted(name for name in asked - {*loaded, RESERVED} if is_name(name)))


def plugins_of(
    config: Config,
    parts: Parts,
    *,
    metrics: Metrics,
    connections: Connections,
    handed: Iterable[Path] = (),
) -> tuple[Plugin, ...]:
    """A plugin for each driver, there or not, and one that is for addresses alone, named as Docker calls them.

    *handed* are the sockets that systemd has handed over.
    """

    def plugin(name: str, driver: str) -> Plugin:
        listener = Listener(
            name=f"{config.prefix}{name}",
            engine=parts.engine,
            ipam=parts.ipam,
            holdings=parts.holdings,
            driver=driver,
        )
        return Plugin(listener, closing=lambda: connections.closing, timing=metrics.rpc)

    loaded = [registered.name for registered in parts.engine.asking.drivers.registered]
    stored = [network.driver for network in parts.engine.state.networks.values()]
    absent = absent_drivers(config, loaded=loaded, stored=stored, handed=handed)
    return (*(plugin(name, name) for name in (*loaded, *absent)), plugin(RESERVED, ""))


def plugin_doors(config: Config, plugins: tuple[Plugin, ...]) -> tuple[Door, ...]:
    """Where each plugin listens: Docker takes its name from the socket's file name."""
    return tuple(Door(config.plugin_dir / f"{plugin.name}.sock", plugin.answer, refusal) for plugin in plugins)
