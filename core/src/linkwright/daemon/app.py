"""The composition root: what runs, in one screen (``_live``).

The only module that opens a nursery, but for that of the relays of published ports (``hostports.hold``).

::

    services (end last)   kernel (requests, deletions, monitor, firewall) · host ports · moments · ipam · reconcile ·
                          upkeep · metrics
      doors (open last, close first)   one listener for each plugin socket, the admin socket

Sockets appear only when the first dump and difference are done; those that systemd hands over hold Docker's calls
until then. At the end the doors close first, what is inside finishes or is refused, then the services go.
What they are made of is ``house``.
"""

import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

import structlog
import trio
from attrs import define, field

from linkwright import __version__
from linkwright.daemon import http, logs, sockets
from linkwright.daemon.config import Config, Listen
from linkwright.daemon.exposition import Exposition, refusal
from linkwright.daemon.house import House, open_house
from linkwright.daemon.notify import notify
from linkwright.daemon.upkeep import upkeep
from linkwright.engine import moments
from linkwright.errors import LinkwrightError, Refused
from linkwright.hostports import PREFIX

_log = structlog.get_logger(__name__)

#: Seconds that calls which are inside may still take when we stop. Docker's own stop waits 10 s for a container.
DRAIN: Final = 10.0


#: How many clients the metrics port serves at a time, and after how many idle seconds it closes a connection: anybody
#: may connect there, and descriptors are what Docker's calls need too.
METRICS_CLIENTS: Final = 64
METRICS_IDLE: Final = 120.0


def main(config: Config) -> None:
    """Run the daemon until SIGTERM or SIGINT. LinkwrightError if it cannot start."""
    logs.configure(format=config.log_format, level=config.log_level, stream=sys.stderr)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # 1024 is for select(2), and soon used up by ports
    try:
        trio.run(serve, config, os.environ)
    except BaseExceptionGroup as group:
        only = _only(group)
        if isinstance(only, LinkwrightError):
            raise only from group  # a nursery puts even one error into a group
        raise


async def serve(config: Config, environ: Mapping[str, str]) -> None:
    """Be there until a signal says to stop; one that comes during the start, or a second one, means at once."""
    handed = sockets.inherited(environ, os.getpid(), kept=PREFIX)
    stop = _Stop()
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stop.follow, signals)
            with stop.scope:
                await _live(config, environ, handed, stop)
            nursery.cancel_scope.cancel()
    _log.info("stopped")


@define
class _Stop:
    """Whether we are asked to stop, and what may be cut short for it."""

    asked: trio.Event = field(factory=trio.Event)
    scope: trio.CancelScope = field(factory=trio.CancelScope)
    ready: bool = False  # there is something to be finished in order

    async def follow(self, signals: AsyncIterator[int]) -> None:
        """Take note of each of *signals*."""
        async for number in signals:
            _log.info("going down", signal=signal.Signals(number).name)
            if self.asked.is_set() or not self.ready:
                self.scope.cancel()
            self.asked.set()


async def _live(config: Config, environ: Mapping[str, str], handed: sockets.Inherited, stop: _Stop) -> None:
    """Open the parts in order, run the services, open the doors, wait for the stop, and go back the same way."""
    async with AsyncExitStack() as stack:
        house = await open_house(stack, config, environ, handed)
        async with trio.open_nursery() as services:
            if config.metrics is not None:
                await services.start(_serve_metrics, config.metrics, house.exposition)
            await services.start(house.ipam.run)
            await services.start(house.kernel.run)
            await services.start(partial(house.firewalls.run, events=house.events))
            services.start_soon(house.firewalls.count)
            services.start_soon(house.fd_store.run)
            await services.start(house.host_ports.run)
            report = await house.engine.reconcile.start()
            _log.info("the host is as it should be", steps=len(report.steps), networks=len(house.engine.state.networks))
            house.host_ports.forget_handed()
            services.start_soon(house.firewalls.zones.run)
            services.start_soon(house.engine.reconcile.run, house.happening)
            services.start_soon(_upkeep, house, config.period)
            for _ in range(moments.WORKERS):
                services.start_soon(house.engine.moments.run)
            async with trio.open_nursery() as visitors:
                try:
                    house.doors.open(visitors, handed.listening)
                    stop.ready = True
                    house.health.well("start")
                    notify(environ, "READY=1")
                    _log.info("ready", version=__version__, plugin_dir=str(config.plugin_dir))
                    await stop.asked.wait()
                finally:  # also when a service has crashed: a stale socket costs Docker 15 s for each touch
                    notify(environ, "STOPPING=1")
                    house.doors.close()
                house.connections.close()
                with trio.move_on_after(DRAIN):
                    await house.connections.wait_quiet()
                visitors.cancel_scope.cancel()
            services.cancel_scope.cancel()


async def _upkeep(house: House, period: float) -> None:
    live = house.kernel.live_addresses
    await upkeep(engine=house.engine, ipam=house.ipam, live=live, witness=house.witness, period=period)


async def _serve_metrics(
    listen: Listen,
    exposition: Exposition,
    *,
    task_status: trio.TaskStatus[list[trio.SocketListener]] = trio.TASK_STATUS_IGNORED,
) -> None:
    connections = http.Connections(most=METRICS_CLIENTS)
    serve_one = partial(
        http.serve, handler=exposition.answer, refusal=refusal, connections=connections, idle=METRICS_IDLE
    )
    try:
        listeners = await trio.open_tcp_listeners(listen.port, host=str(listen.address))
    except OSError as error:
        raise Refused(
            f"cannot serve metrics on {listen}: {error.strerror or error}; choose another address with --metrics, "
            "or --metrics=off"
        ) from error
    await trio.serve_listeners(serve_one, listeners, task_status=task_status)


def _only(error: BaseException) -> BaseException:
    """The one error in *error*, however many groups it is in; *error* where there are several."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
