"""The composition root: what runs, in one screen. The only module that opens a nursery.

::

    services (end last)   store · kernel (requests, deletions, monitor, firewall) · ipam · reconcile · upkeep · metrics
      doors (open last, close first)   one listener for each plugin socket, the admin socket

Sockets appear only when the first dump and difference are done; those that systemd hands over hold Docker's calls
until then. At the end the doors close first, what is inside finishes or is refused, then the services go.
"""

import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

import structlog
import trio

from linkwright import __version__
from linkwright.daemon import discovery, http, logs, sockets
from linkwright.daemon.config import Config, Listen
from linkwright.daemon.doors import Doors
from linkwright.daemon.exposition import Exposition, refusal
from linkwright.daemon.health import Health
from linkwright.daemon.metrics import Metrics, sources_of
from linkwright.daemon.notify import notify
from linkwright.daemon.parts import (
    NamespaceLock,
    Parts,
    join_parts,
    known_of,
    open_kernel,
    plugin_doors,
    plugins_of,
)
from linkwright.daemon.recovery import endpoints_by_marks
from linkwright.daemon.upkeep import upkeep
from linkwright.daemon.witness import Witness
from linkwright.kernel.linux import LinuxKernel
from linkwright.plan.steps import KernelEvent
from linkwright.store import Opened, SqliteStore

_log = structlog.get_logger(__name__)

#: Seconds that calls which are inside may still take when we stop. Docker's own stop waits 10 s for a container.
DRAIN: Final = 10.0

#: Events that may wait to be looked at; more wait in the socket's buffer, and past that the kernel says so.
_EVENTS: Final = 4096


def main(config: Config) -> None:
    """Run the daemon until SIGTERM or SIGINT. LinkwrightError if it cannot start."""
    logs.configure(format=config.log_format, level=config.log_level, stream=sys.stderr)
    trio.run(serve, config, os.environ)


async def serve(config: Config, environ: Mapping[str, str]) -> None:
    """Open the parts in order, run the services, open the doors, wait for a signal, and go back the same way."""
    started = time.time()
    handed = sockets.inherited(environ, os.getpid())
    found = discovery.find(config.drivers, strict=config.strict)
    for fault in found.faults:
        _log.error("a driver is left out", reason=str(fault))
    known = known_of(config, found)
    metrics = Metrics(known)
    health = Health(*known.checks)
    observer = logs.to_all(metrics, logs.log_observation)
    events, happening = trio.open_memory_channel[KernelEvent](_EVENTS)
    async with AsyncExitStack() as stack:
        stack.callback(NamespaceLock(config.instance).release)
        opened = await SqliteStore.open(config.state_dir)
        store = await stack.enter_async_context(opened.store)
        kernel, firewall = await open_kernel(stack, config, events)
        parts = join_parts(config, found=found, kernel=kernel, store=store, contents=opened.contents, observer=observer)
        await _recover(opened, parts, kernel)
        witness = Witness(config.docker_witness, parts.engine) if config.docker_witness else None
        connections = http.Connections()
        plugins = plugins_of(config, parts, metrics=metrics, connections=connections)
        sources = sources_of(
            parts.engine,
            ipam=parts.ipam.statistics,
            store=store.statistics,
            kernel=kernel.statistics,
            checks=health.checks,
            started=started,
        )
        doors = Doors(plugin_doors(config, plugins), connections)
        async with trio.open_nursery() as services:
            await services.start(parts.ipam.run)
            await services.start(kernel.run)
            await services.start(partial(firewall.run, events=events))
            report = await parts.engine.reconcile.start()
            _log.info("the host is as it should be", steps=len(report.steps), networks=len(parts.engine.state.networks))
            services.start_soon(parts.engine.reconcile.run, happening)
            services.start_soon(
                partial(upkeep, engine=parts.engine, ipam=parts.ipam, live=kernel.live_addresses, witness=witness)
            )
            if config.metrics is not None:
                await services.start(_serve_metrics, config.metrics, Exposition(metrics, sources, health))
            async with trio.open_nursery() as visitors:
                doors.open(visitors, handed)
                health.well("start")
                notify(environ, "READY=1")
                _log.info("ready", version=__version__, plugins=[plugin.name for plugin in plugins])
                await _stop_signal()
                notify(environ, "STOPPING=1")
                doors.close()
                connections.close()
                with trio.move_on_after(DRAIN):
                    await connections.wait_quiet()
                visitors.cancel_scope.cancel()
            services.cancel_scope.cancel()
    _log.info("stopped")


async def _recover(opened: Opened, parts: Parts, kernel: LinuxKernel) -> None:
    """After a damaged state file: add what the kernel's marks say, and say what happened."""
    if opened.recovered is None:
        return
    _log.error("the state was damaged and has been rebuilt", report=str(opened.recovered))
    state = parts.engine.state
    found = endpoints_by_marks(
        await kernel.snapshot(),
        instance=parts.engine.instance,
        networks=state.networks,
        known=state.endpoints,
        boot=kernel.boot_id(),
        now=time.time(),
    )
    await opened.store.adopt(found)
    state.load(found)


async def _serve_metrics(
    listen: Listen,
    exposition: Exposition,
    *,
    task_status: trio.TaskStatus[list[trio.SocketListener]] = trio.TASK_STATUS_IGNORED,
) -> None:
    connections = http.Connections()
    serve_one = partial(http.serve, handler=exposition.answer, refusal=refusal, connections=connections)
    await trio.serve_tcp(serve_one, listen.port, host=str(listen.address), task_status=task_status)


async def _stop_signal() -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            _log.info("going down", signal=signal.Signals(number).name)
            return
