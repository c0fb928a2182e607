"""From facts to samples: one small function for each metric that is read and not recorded. Pure.

A sample is the values of the labels, in the order of the table, and the number. What is not there yields nothing, so a
pool or network that is gone is gone from the next scrape.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from linkwright.daemon.metrics.facts import Facts, Traffic
from linkwright.daemon.printable import printable
from linkwright.kernel.linux import KernelStatistics
from linkwright.store.statistics import Statistics

Sample = tuple[tuple[str, ...], float]
Reading = Callable[[Facts], Iterable[Sample]]


def build(facts: Facts) -> Iterator[Sample]:
    """Yield the one sample that says which linkwright this is."""
    yield (facts.version, facts.python), 1


def started(facts: Facts) -> Iterator[Sample]:
    """Yield when the daemon started."""
    yield (), facts.started


def ready(facts: Facts) -> Iterator[Sample]:
    """Yield whether every check is well."""
    yield (), float(all(facts.checks.values()))


def checks(facts: Facts) -> Iterator[Sample]:
    """Yield whether each check is well."""
    return (((name,), float(well)) for name, well in facts.checks.items())


def networks(facts: Facts) -> Iterator[Sample]:
    """Yield how many networks each driver has."""
    return _counted(Counter((network.driver,) for network in facts.networks))


def frozen(facts: Facts) -> Iterator[Sample]:
    """Yield how many networks are left as they are."""
    drivers = _drivers(facts)
    return _counted(Counter((drivers.get(network, ""),) for network in facts.frozen))


def endpoints(facts: Facts) -> Iterator[Sample]:
    """Yield how many endpoints each driver has in each state."""
    drivers = _drivers(facts)
    return _counted(Counter((drivers.get(endpoint.network, ""), endpoint.state.value) for endpoint in facts.endpoints))


def published(facts: Facts) -> Iterator[Sample]:
    """Yield how many ports of the host each driver's endpoints publish, by protocol."""
    drivers = _drivers(facts)
    return _counted(
        Counter(
            (drivers.get(endpoint.network, ""), str(binding.protocol))
            for endpoint in facts.endpoints
            for binding in endpoint.published
        )
    )


def lost(facts: Facts) -> Iterator[Sample]:
    """Yield how many of those another process has."""
    yield (), float(len(facts.lost))


def port_info(facts: Facts) -> Iterator[Sample]:
    """Yield where each published port of the host leads, and whether it is held."""
    lost = frozenset(facts.lost)
    for endpoint in facts.endpoints:
        for binding in endpoint.published:
            labels = (
                endpoint.id,
                str(binding.protocol),
                str(binding.host_address),
                str(binding.host_port),
                str(binding.port),
                "false" if binding in lost else "true",
            )
            yield labels, 1.0


def bridge_ports(facts: Facts) -> Iterator[Sample]:
    """Yield how many endpoints are ports of their network's bridge; a network without one has none."""
    return (((network,), float(ports)) for network, ports in facts.bridge_ports)


def drops(facts: Facts) -> Iterator[Sample]:
    """Yield what the firewall dropped."""
    return (((reason,), float(packets)) for reason, packets in facts.drops)


def parents(facts: Facts) -> Iterator[Sample]:
    """Yield whether each link that the host lends us is there and up."""
    return (((printable(name),), float(is_up)) for name, is_up in facts.parents)


def drivers(facts: Facts) -> Iterator[Sample]:
    """Yield where each driver came from."""
    return (((name, printable(distribution), printable(version)), 1.0) for name, distribution, version in facts.drivers)


def suspended(facts: Facts) -> Iterator[Sample]:
    """Yield the drivers that are suspended."""
    return (((driver,), 1.0) for driver in facts.suspended)


def addresses(facts: Facts) -> Iterator[Sample]:
    """Yield how full each pool is."""
    for pool in facts.ipam.pools if facts.ipam else ():
        space, _, name = pool.pool.partition("/")
        for state in ("capacity", "allocated", "reserved", "quarantined"):
            yield (name, space, state), getattr(pool, state)


def happenings(facts: Facts) -> Iterator[Sample]:
    """Yield what has happened to leases."""
    return (((what.value,), float(count)) for what, count in (facts.ipam.happenings if facts.ipam else {}).items())


def ipam(name: str) -> Reading:
    """Return the reading of the figure *name* of ``ActorStatistics``."""

    def read(facts: Facts) -> Iterator[Sample]:
        yield (), float(getattr(facts.ipam, name)) if facts.ipam else 0.0

    return read


def store(figure: Callable[[Statistics], int]) -> Reading:
    """Return the reading of one *figure* of the store's."""

    def read(facts: Facts) -> Iterator[Sample]:
        yield (), float(figure(facts.store))

    return read


def operations(facts: Facts) -> Iterator[Sample]:
    """Yield what was asked of the kernel."""
    return ((key, float(count)) for key, count in facts.kernel.operations.items())


def events(facts: Facts) -> Iterator[Sample]:
    """Yield what the kernel told."""
    return (((name,), float(count)) for name, count in facts.kernel.events.items())


def kernel(figure: Callable[[KernelStatistics], int]) -> Reading:
    """Return the reading of one *figure* of the kernel half's."""

    def read(facts: Facts) -> Iterator[Sample]:
        yield (), float(figure(facts.kernel))

    return read


def endpoint_info(facts: Facts) -> Iterator[Sample]:
    """Yield what joins an endpoint's id to its container, network and link."""
    drivers = _drivers(facts)
    links = {one.endpoint.id: one.link for one in facts.traffic}
    for endpoint in facts.endpoints:
        sandbox = endpoint.sandbox.key.rpartition("/")[2] if endpoint.sandbox else ""
        labels = (
            endpoint.id,
            endpoint.network,
            drivers.get(endpoint.network, ""),
            printable(sandbox),
            links.get(endpoint.id, ""),
            str(endpoint.mac or ""),
            str(endpoint.ipv4.ip) if endpoint.ipv4 else "",
            str(endpoint.ipv6.ip) if endpoint.ipv6 else "",
            printable(endpoint.name),
        )
        yield labels, 1.0


def traffic(figure: Callable[[Traffic], int]) -> Reading:
    """Return the reading of one *figure* of every endpoint's counters."""

    def read(facts: Facts) -> Iterator[Sample]:
        return (((one.endpoint.id,), float(figure(one))) for one in facts.traffic)

    return read


def _drivers(facts: Facts) -> dict[str, str]:
    return {network.id: network.driver for network in facts.networks}


def _counted(counter: "Counter[tuple[str, ...]]") -> Iterator[Sample]:
    return ((labels, float(count)) for labels, count in counter.items())
