"""Everything the daemon is made of, opened and joined; ``app`` runs it. What is opened here is closed by the stack."""

import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Final

import structlog
import trio
from attrs import frozen

from linkwright.daemon import backends, discovery, http, logs
from linkwright.daemon.admin import Admin, Insides, Recent
from linkwright.daemon.admin import refusal as admin_refusal
from linkwright.daemon.config import Config
from linkwright.daemon.doors import Door, Doors
from linkwright.daemon.exposition import Exposition
from linkwright.daemon.fd_store import FdStore
from linkwright.daemon.firewalls import Firewalls
from linkwright.daemon.health import Health
from linkwright.daemon.metrics import Metrics, sources_of
from linkwright.daemon.namespace_lock import NamespaceLock
from linkwright.daemon.parts import join_parts, known_of, plugin_doors, plugins_of
from linkwright.daemon.recovery import recovered, refuse_to_forget
from linkwright.daemon.sockets import Inherited
from linkwright.daemon.witness import Witness
from linkwright.engine.engine import Engine
from linkwright.engine.observation import Observer
from linkwright.hostports import HeldPorts
from linkwright.ipam.actor import Actor
from linkwright.kernel.docker_user import DockerUser
from linkwright.kernel.linux import LinuxKernel
from linkwright.kernel.nftables.firewall import Firewall
from linkwright.kernel.ruleset import ruleset
from linkwright.plan.steps import KernelEvent
from linkwright.store import Contents, Opened, SqliteStore

_log = structlog.get_logger(__name__)

#: Events that may wait to be looked at; more wait in the socket's buffer, and past that the kernel says so.
_EVENTS: Final = 4096


@frozen(kw_only=True)
class House:
    """What ``app`` runs: the services, and the doors in front of them."""

    engine: Engine
    ipam: Actor
    kernel: LinuxKernel
    firewalls: Firewalls
    host_ports: HeldPorts
    fd_store: FdStore
    events: trio.MemorySendChannel[KernelEvent]
    happening: trio.MemoryReceiveChannel[KernelEvent]
    witness: Witness | None
    health: Health
    exposition: Exposition
    connections: http.Connections
    doors: Doors


async def open_house(stack: AsyncExitStack, config: Config, environ: Mapping[str, str], handed: Inherited) -> House:
    """Find the drivers, take the locks, open state and kernel, and join them; LinkwrightError if one cannot be had."""
    started = time.time()
    fd_store = FdStore(environ)
    host_ports = HeldPorts(keeper=fd_store, handed=handed.kept, fault=_tell)
    stack.callback(host_ports.close)
    found = discovery.find(config.drivers, strict=config.strict)
    for fault in found.faults:
        _log.error("a driver is left out", reason=str(fault))
    backend = backends.find(config.ipam)
    known = known_of(config, found)
    metrics, health, recent = Metrics(known), Health(*known.checks), Recent(time.time)
    observer = logs.to_all(metrics, recent, logs.Sparing(logs.log_observation, time.monotonic))

    stack.callback(NamespaceLock(config.instance).release)
    opened = await SqliteStore.open(config.state_dir)
    store = await stack.enter_async_context(opened.store)
    events, happening = trio.open_memory_channel[KernelEvent](_EVENTS)
    firewalls = await _open_firewalls(stack, config, observer)
    kernel = LinuxKernel(events=events, instance=config.instance, firewall=firewalls)
    await stack.enter_async_context(kernel)

    contents, lost = await _recovered(opened, kernel, config)
    parts = join_parts(
        config,
        found=found,
        kernel=kernel,
        host_ports=host_ports,
        store=store,
        contents=contents,
        observer=observer,
        backend=backend,
    )
    parts.engine.state.lost |= lost
    witness = Witness(config.docker_witness, parts.engine, parts.holdings.release) if config.docker_witness else None
    _watch(health, store, witness)
    connections = http.Connections()
    plugins = plugins_of(config, parts, metrics=metrics, connections=connections, handed=handed.listening)
    insides = Insides(
        config=config,
        engine=parts.engine,
        ipam=parts.ipam,
        store=store,
        health=health,
        recent=recent,
        started=started,
        clock=time.time,
        faults=found.faults,
        witness=witness,
        recovered=opened.recovered,
        kernel=kernel.statistics,
        looked=lambda: parts.engine.reconcile.looked,
        rule_error=lambda: firewalls.rule_error,
        zones=lambda: firewalls.zones.standing,
    )
    sources = sources_of(
        parts.engine,
        ipam=parts.ipam.statistics,
        store=store.statistics,
        kernel=lambda: firewalls.counted(kernel.statistics()),
        drops=lambda: firewalls.dropped,
        checks=health.checks,
        started=started,
    )
    admin = Door(config.run_dir / "admin.sock", Admin(insides).answer, admin_refusal)
    return House(
        engine=parts.engine,
        ipam=parts.ipam,
        kernel=kernel,
        firewalls=firewalls,
        host_ports=host_ports,
        fd_store=fd_store,
        events=events,
        happening=happening,
        witness=witness,
        health=health,
        exposition=Exposition(metrics, sources, health),
        connections=connections,
        doors=Doors((*plugin_doors(config, plugins), admin), connections),
    )


async def _open_firewalls(stack: AsyncExitStack, config: Config, observer: Observer) -> Firewalls:
    table = ruleset(config.instance, config.firewall_mark, guard=config.manage_forwarding)
    firewall = await stack.enter_async_context(Firewall(table))
    return Firewalls(firewall, DockerUser(instance=config.instance, mark_bit=config.firewall_mark), observer)


async def _recovered(opened: Opened, kernel: LinuxKernel, config: Config) -> tuple[Contents, frozenset[str]]:
    """What the daemon starts with, and the networks that were lost (``recovery``)."""
    seen = await kernel.snapshot()
    refuse_to_forget(opened.contents, seen, instance=config.instance, state_dir=config.state_dir)
    if opened.recovered is not None:
        _log.error("the state was damaged and has been rebuilt", report=str(opened.recovered))
    contents, lost = await recovered(opened, seen, instance=config.instance, boot=kernel.boot_id(), now=time.time())
    if lost:
        _log.error("networks are known by the marks on their links only, and left as they are", networks=sorted(lost))
    return contents, lost


def _tell(error: Exception) -> None:
    _log.error("a relay of a published port has failed; this is a bug in linkwright", exc_info=error)


def _watch(health: Health, store: SqliteStore, witness: Witness | None) -> None:
    health.watch("store", lambda: store.statistics().failing)
    if witness is not None:
        health.watch("witness", lambda: witness.error)
