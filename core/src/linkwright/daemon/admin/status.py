"""How the daemon stands, on one page. What is gathered here is in memory, but for two settings of the kernel."""

import os
from collections import Counter
from typing import Final

import attrs

from linkwright import __version__
from linkwright.daemon.admin.asked import Asked, Work
from linkwright.daemon.admin.doubts import doubts
from linkwright.daemon.admin.insides import Insides
from linkwright.daemon.admin.recent import Memory
from linkwright.daemon.admin.views import Document, moment
from linkwright.errors import LinkwrightError
from linkwright.model import EndpointState
from linkwright.plan.resources import Sysctl

#: What makes a host a router, by family.
FORWARDING: Final = {"ipv4": "net/ipv4/ip_forward", "ipv6": "net/ipv6/conf/all/forwarding"}


async def status(insides: Insides, _: Asked) -> Work:
    """Version, checks, counts, what is frozen, unconfirmed or was repaired lately."""
    document = {
        **_identity(insides),
        **_checks(insides),
        "networks": _networks(insides),
        "endpoints": _endpoints(insides),
        "ports": _ports(insides),
        "pools": _pools(insides),
        "drivers": _drivers(insides),
        "frozen": _frozen(insides),
        "unconfirmed": [{"network": network, "reason": reason} for network, reason in sorted(doubts(insides).items())],
        "witness": _witness(insides),
        "forwarding": await _forwarding(insides),
        "firewall": {"rule_error": insides.rule_error(), "zone_error": insides.zones().error},
        "store": {**attrs.asdict(insides.store.statistics()), "recovery": _recovery(insides)},
        "kernel": _kernel(insides),
        "reconcile": {"last_look": moment(insides.looked())},
    }
    memories = insides.recent.memories()
    return lambda: {**document, "recent": [_memory(memory) for memory in memories]}


def _identity(insides: Insides) -> Document:
    return {
        "version": __version__,
        "instance": insides.config.instance,
        "pid": os.getpid(),
        "boot_id": insides.engine.kernel.boot_id(),
        "started": moment(insides.started),
        "uptime_seconds": max(0, round(insides.clock() - insides.started)),  # the clock may be put back
    }


def _checks(insides: Insides) -> Document:
    reasons = insides.health.reasons()
    checks = {name: {"ok": not reason, "reason": reason} for name, reason in reasons.items()}
    return {"ready": not any(reasons.values()), "checks": checks}


def _networks(insides: Insides) -> Document:
    networks = insides.engine.state.networks.values()
    counts = Counter(network.driver for network in networks)
    return {"total": len(networks), "by_driver": dict(sorted(counts.items()))}


def _endpoints(insides: Insides) -> Document:
    counts = Counter(endpoint.state for endpoint in insides.engine.state.endpoints.values())
    return {"total": counts.total(), "by_state": {state.value: counts[state] for state in EndpointState}}


def _ports(insides: Insides) -> Document:
    engine = insides.engine
    published = sum(len(endpoint.published) for endpoint in engine.state.endpoints.values())
    return {"published": published, "lost": len(engine.publishing.lost())}


def _pools(insides: Insides) -> Document:
    pools = insides.ipam.statistics().pools
    unsure = insides.ipam.unconfirmed()
    return {
        "total": len(pools),
        "allocated": sum(pool.allocated for pool in pools),
        "quarantined": sum(pool.quarantined for pool in pools),
        "unconfirmed": [one.pool.id for one in unsure if not one.asked],
        "unconfirmed_leases": sum(len(one.leases) for one in unsure),
    }


def _drivers(insides: Insides) -> Document:
    asking = insides.engine.asking
    return {
        "loaded": [registered.name for registered in asking.drivers.registered],
        "suspended": list(asking.drivers.suspended),
        "left_out": [str(fault) for fault in insides.faults],
    }


def _frozen(insides: Insides) -> list[Document]:
    networks = insides.engine.state.networks
    return [
        {"network": network, "driver": networks[network].driver if network in networks else "", "reason": reason}
        for network, reason in sorted(insides.engine.reconcile.frozen.items())
    ]


def _witness(insides: Insides) -> Document:
    if insides.witness is None:
        return {"asked": False, "error": ""}
    return {"asked": True, "error": insides.witness.error}


async def _forwarding(insides: Insides) -> Document:
    try:
        seen = (await insides.engine.kernel.observe(("sysctl", path) for path in FORWARDING.values())).resources
    except LinkwrightError:
        seen = {}  # the rest of the page is worth having just then
    values = {resource.path: resource.value for resource in seen.values() if isinstance(resource, Sysctl)}
    families = {family: values[path] != "0" if path in values else None for family, path in FORWARDING.items()}
    return {**families, "managed": insides.config.manage_forwarding}


def _recovery(insides: Insides) -> Document | None:
    report = insides.recovered
    if report is None:
        return None
    return {
        "text": str(report),
        "damage": report.damage,
        "found": moment(report.found),
        "aside": report.aside,
        "source": report.source,
        "lost": list(report.lost),
    }


def _kernel(insides: Insides) -> Document:
    figures = insides.kernel()
    if figures is None:
        return {"overruns": 0, "receive_buffer": None}
    return {"overruns": figures.overruns, "receive_buffer": figures.receive_buffer}


def _memory(memory: Memory) -> Document:
    return {
        "what": type(memory.what).__name__.lower(),
        "first": moment(memory.first),
        "last": moment(memory.last),
        "times": memory.times,
        "details": attrs.asdict(memory.what),
    }
