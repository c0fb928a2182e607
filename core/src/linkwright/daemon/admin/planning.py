"""What would be done to the host: for what there is, and for a network that is not made yet. Nothing is ever done here.

Looking takes the lock of each network that differs, as the reconciler does, and no longer than one look at it.
"""

from collections.abc import Callable, Mapping
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any, Final, TypeVar

from linkwright.daemon.admin.asked import Asked, Work
from linkwright.daemon.admin.insides import Insides
from linkwright.daemon.admin.views import Document
from linkwright.engine.reconcile import Report
from linkwright.errors import Conflict, Refused
from linkwright.ipam.layout import address_at, reserved
from linkwright.ipam.spaces import LOCAL
from linkwright.model import Interface, Pool, Prefix, StoredNetwork, Subnet
from linkwright.plan import Plan, Step, render, table_name

T = TypeVar("T")

#: The id of a network that is not made. Docker's are random: none is this one.
NO_ID: Final = "0" * 64


async def present(insides: Insides, _: Asked) -> Work:
    """What the reconciler would do now, network by network."""
    networks = {network.id: network.driver for network in insides.engine.state.networks.values()}
    report = await insides.engine.reconcile.plan()
    return lambda: report_page(report, networks, table_name(insides.config.instance))


def report_page(report: Report, drivers: Mapping[str, str], table: str) -> Document:
    """A look at everything; *drivers* tells the driver of each network by id, *table* is the firewall's name."""
    return {
        "networks": [
            {"id": network, "driver": drivers.get(network, ""), **plan_page(plan, table)}
            for network, plan in sorted(report.plans.items())
        ],
        "host": plan_page(report.host, table),
        "leftovers": plan_page(report.leftovers, table),
        "reported": list(report.reported),
        "frozen": [
            {"network": network, "driver": drivers.get(network, ""), "reason": reason}
            for network, reason in sorted(report.frozen.items())
        ],
    }


def plan_page(plan: Plan, table: str) -> Document:
    """One plan: its steps in order, what is pending (something in use would be cut), what cannot be."""
    return {
        "steps": [_step(step, table) for step in plan.steps],
        "pending": [_step(step, table) for step in plan.pending],
        "problems": [{"key": list(one.resource.key), "text": one.text} for one in plan.problems],
    }


def _step(step: Step, table: str) -> Document:
    return {
        "action": step.action.value,
        "key": list(step.resource.key),
        "commands": render(step, table).splitlines(),
    }


# --- a network that is not made ------------------------------------------------------------------------------


async def imagined(insides: Insides, asked: Asked) -> Work:
    """What making a network would do: its options read, its neighbours and the kernel looked at, nothing kept."""
    document = asked.document()
    driver = _field(document, "driver", str, "")
    options = {str(key): str(value) for key, value in _field(document, "options", dict, {}).items()}
    internal = _field(document, "internal", bool, default=False)
    engine = insides.engine
    skips = await engine.asking.skip_gateway(driver, options, internal=internal)
    subnets = tuple(_subnet(one, skips) for one in _field(document, "subnets", list, []))
    _refuse_overlaps(insides, subnets)
    network = await engine.networks.described(
        driver,
        NO_ID,
        subnets=subnets,
        ipv4=any(subnet.version == 4 for subnet in subnets),  # noqa: PLR2004
        ipv6=any(subnet.version == 6 for subnet in subnets),  # noqa: PLR2004
        internal=internal,
        options=options,
    )
    await engine.asking.admit(network, _beside(insides, driver))
    plan = await engine.networks.plan(network)
    page = plan_page(plan, table_name(insides.config.instance))
    return lambda: {"driver": driver, "subnets": [str(subnet.pool) for subnet in subnets], **page}


def _beside(insides: Insides, driver: str) -> tuple[StoredNetwork, ...]:
    return tuple(other for other in insides.engine.state.networks.values() if other.driver == driver)


def _refuse_overlaps(insides: Insides, subnets: tuple[Subnet, ...]) -> None:
    """Say what the IPAM driver would say to these subnets, before any network driver is asked."""
    held = [one for one in insides.ipam.records() if isinstance(one, Pool) and one.space == LOCAL]
    for subnet in subnets:
        for pool in held:
            if pool.subnet.version == subnet.version and pool.subnet.overlaps(subnet.pool):
                raise Conflict(f"{subnet.pool} overlaps the pool {pool.id}, which is held; choose another subnet")


def _subnet(document: object, skips: tuple[bool, bool]) -> Subnet:
    if not isinstance(document, dict):
        raise Refused('a subnet is written as {"pool": "10.1.0.0/24", "gateway": "10.1.0.1"}')
    pool: Prefix = _read(ip_network, document.get("pool"), "subnet")
    given = document.get("gateway")
    if given is None:
        return Subnet(pool, None if skips[pool.version == 6] else _first(pool), space=LOCAL)  # noqa: PLR2004
    gateway = _read(ip_address, given, "gateway")
    if gateway not in pool:
        raise Refused(f"the gateway {gateway} is not in the subnet {pool}; choose one that is")
    return Subnet(pool, ip_interface(f"{gateway}/{pool.prefixlen}"), space=LOCAL)


def _first(pool: Prefix) -> Interface:
    """The address that our IPAM gives a gateway that nobody chose."""
    kept = reserved(pool)
    offset = next((offset for offset in range(min(pool.num_addresses, 2)) if offset not in kept), 0)
    return ip_interface(f"{address_at(offset, pool)}/{pool.prefixlen}")


def _read(read: Callable[[str], T], text: object, what: str) -> T:
    try:
        return read(str(text))
    except ValueError as error:
        raise Refused(f"{text!r} cannot be a {what}: {error}") from error


def _field(document: Mapping[str, Any], name: str, kind: type[T], default: T) -> T:
    value = document.get(name, default)
    if not isinstance(value, kind):
        raise Refused(f"the field {name} is to be of type {kind.__name__}, not {type(value).__name__}")
    return value
