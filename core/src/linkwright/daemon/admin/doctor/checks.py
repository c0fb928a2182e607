"""The table of checks, and how they are run: one after the other, each with a deadline."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

import trio
from attrs import frozen

from linkwright.daemon.admin.doctor import filters, host, places
from linkwright.daemon.admin.doctor.surroundings import Finding, Status, Surroundings

#: Seconds for one check. The slowest asks iptables four times.
DEADLINE: Final = 15.0


@frozen
class Check:
    """How to look; *needs_daemon* where only a running one could tell, and the check is left out without."""

    look: Callable[[Surroundings], Finding]
    needs_daemon: bool = False


#: In the order in which they are shown: what keeps the daemon from working, then what keeps packets from flowing.
CHECKS: Final[Mapping[str, Check]] = {
    "daemon": Check(places.daemon),
    "drivers": Check(host.drivers, needs_daemon=True),
    "plugin-dir": Check(places.plugin_dir),
    "sockets": Check(places.sockets, needs_daemon=True),
    "state-dir": Check(places.state_dir),
    "disk": Check(places.disk),
    "clock": Check(host.clock),
    "kernel": Check(host.features),
    "forwarding-ipv4": Check(partial(host.forwarding, version=4)),
    "forwarding-ipv6": Check(partial(host.forwarding, version=6)),
    "iptables": Check(filters.back_end),
    "docker-user-ipv4": Check(partial(filters.rule, version=4)),
    "docker-user-ipv6": Check(partial(filters.rule, version=6)),
    "firewalld": Check(filters.zones, needs_daemon=True),
    "neighbours-ipv4": Check(partial(host.neighbours, version=4)),
    "neighbours-ipv6": Check(partial(host.neighbours, version=6)),
    "events": Check(host.events, needs_daemon=True),
}


async def examine(surroundings: Surroundings) -> Callable[[], dict[str, Any]]:
    """Run every check and return what makes the report of them."""
    found: dict[str, Finding] = {}
    for name, check in CHECKS.items():
        if surroundings.live is not None or not check.needs_daemon:
            found[name] = await _bounded(partial(check.look, surroundings))
    return lambda: {
        "ok": all(finding.status is not Status.FAIL for finding in found.values()),
        "checks": [
            {"check": name, "status": finding.status.value, "text": finding.text, "advice": finding.advice}
            for name, finding in found.items()
        ],
    }


async def _bounded(look: Callable[[], Finding]) -> Finding:
    """Look in a thread. A disk that hangs must not keep the other checks from being told."""
    with trio.move_on_after(DEADLINE):
        try:
            return await trio.to_thread.run_sync(look, abandon_on_cancel=True)
        except Exception as error:  # noqa: BLE001 - a check that cannot look is a finding, and the others go on
            return Finding(Status.WARN, f"could not be looked at: {type(error).__name__}: {error}")
    return Finding(
        Status.FAIL,
        f"no answer within {DEADLINE:g} s",
        "a disk, a mount or a tool hangs; see the kernel's log (dmesg)",
    )
