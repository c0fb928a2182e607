"""The composition root: what runs, in one screen. The only module that opens a nursery.

::

    services (end last)   kernel (requests, deletions, monitor, firewall) · ipam · reconcile · upkeep · metrics
      doors (open last, close first)   one listener for each plugin socket, the admin socket

Sockets appear only when the first dump and difference are done; those that systemd hands over hold Docker's calls
until then. At the end the doors close first, what is inside finishes or is refused, then the services go.
What they are made of is ``house``.
"""

import os
import signal
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Final

import structlog
import trio

from linkwright import __version__
from linkwright.daemon import http, logs, sockets
from linkwright.daemon.config import Config, Listen
from linkwright.daemon.exposition import Exposition, refusal
from linkwright.daemon.house import House, open_house
from linkwright.daemon.notify import notify
from linkwright.daemon.upkeep import upkeep

_log = structlog.get_logger(__name__)

#: Seconds that calls which are inside may still take when we stop. Docker's own stop waits 10 s for a container.
DRAIN: Final = 10.0


def main(config: Config) -> None:
    """Run the daemon until SIGTERM or SIGINT. LinkwrightError if it cannot start."""
    logs.configure(format=config.log_format, level=config.log_level, stream=sys.stderr)
    trio.run(serve, config, os.environ)


async def serve(config: Config, environ: Mapping[str, str]) -> None:
    """Open the parts in order, run the services, open the doors, wait for a signal, and go back the same way."""
    handed = sockets.inherited(environ, os.getpid())
    async with AsyncExitStack() as stack:
        house = await open_house(stack, config)
        async with trio.open_nursery() as services:
            if config.metrics is not None:
                await services.start(_serve_metrics, config.metrics, house.exposition)
            await services.start(house.ipam.run)
            await services.start(house.kernel.run)
            await services.start(partial(house.firewalls.run, events=house.events))
            report = await house.engine.reconcile.start()
            _log.info("the host is as it should be", steps=len(report.steps), networks=len(house.engine.state.networks))
            services.start_soon(house.engine.reconcile.run, house.happening)
            services.start_soon(_upkeep, house, config.period)
            async with trio.open_nursery() as visitors:
                house.doors.open(visitors, handed)
                house.health.well("start")
                notify(environ, "READY=1")
                _log.info("ready", version=__version__, plugin_dir=str(config.plugin_dir))
                await _stop_signal()
                notify(environ, "STOPPING=1")
                house.doors.close()
                house.connections.close()
                with trio.move_on_after(DRAIN):
                    await house.connections.wait_quiet()
                visitors.cancel_scope.cancel()
            services.cancel_scope.cancel()
    _log.info("stopped")


async def _upkeep(house: House, period: float) -> None:
    live = house.kernel.live_addresses
    await upkeep(engine=house.engine, ipam=house.ipam, live=live, witness=house.witness, period=period)


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
