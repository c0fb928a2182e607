"""Networks and endpoints as Docker may ask for them, drawn by Hypothesis: pools, gateways, features, ids.

Whether what is drawn can be had is the driver's to say: it may refuse.
"""

from collections.abc import Mapping, Sequence
from ipaddress import ip_interface, ip_network
from typing import Any, Final

from attrs import evolve
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from linkwright import sdk
from linkwright.testkit import example
from linkwright.testkit.example import FEATURES, Example
from linkwright.testkit.promises import Question

_POOLS: Final = ("10.1.0.0/24", "192.168.128.0/17", "100.64.0.0/10", "fd00:1::/64", "fd00:2::/112")
_IDS: Final = st.binary(min_size=32, max_size=32).map(bytes.hex)

#: A kernel of everything, one without IPv6 and one of which nothing is known.
_KERNELS: Final = st.sampled_from([FEATURES, FEATURES - {"ipv6"}, frozenset[str]()])


def _shown(id: str) -> str:  # noqa: A002 - the domain's word
    """What Docker shows of an id, and a link's name of it."""
    return id[:12]


def sample(driver: type[sdk.Driver[Any]], examples: Sequence[Example], tries: int) -> list[Question]:
    """Return *tries* questions, the same in every run."""
    found: list[Question] = []
    run = settings(
        max_examples=tries,
        derandomize=True,
        deadline=None,  # a slow machine is no failure
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )

    @run
    @given(questions(driver, examples))
    def note(question: Question) -> None:
        found.append(question)

    note()
    return found


@st.composite
def questions(draw: st.DrawFn, /, driver: type[sdk.Driver[Any]], examples: Sequence[Example]) -> Question:
    """Draw a network like one of *examples* on other pools, up to three endpoints, and a network beside it."""
    one, made = draw(st.sampled_from(examples)), driver()
    id, other = draw(st.lists(_IDS, min_size=2, max_size=2, unique_by=_shown))  # noqa: A001 - the domain's word
    subnets, features = draw(_subnets()), draw(_KERNELS)
    one = evolve(one, internal=one.internal or draw(st.booleans()))
    network = example.network(made, one, id, subnets=subnets, features=features)
    beside = evolve(network, id=other, subnets=tuple(_elsewhere(subnet) for subnet in network.subnets))
    endpoints = []
    for endpoint_id in draw(st.lists(_IDS, max_size=3, unique_by=_shown)):
        endpoint = example.endpoint(made, network, one, endpoint_id, 0)
        four, six = (_interface(draw, network, version) for version in (4, 6))
        endpoints.append(evolve(endpoint, ipv4=four, ipv6=six))
    return Question(driver, network, tuple(endpoints), beside)


@st.composite
def asked_for(
    draw: st.DrawFn, /, driver: sdk.Driver[Any], pairs: Mapping[str, Sequence[str]], **facts: Any
) -> tuple[sdk.Network[Any], list[sdk.Endpoint]]:
    """Draw a network with some of *pairs* (key → values to choose from) as ``-o``, and endpoints on it."""
    chosen = draw(st.fixed_dictionaries({}, optional={key: st.sampled_from(values) for key, values in pairs.items()}))
    host = sdk.HostFacts(features=draw(st.sampled_from([frozenset(), frozenset({"ipv6"})])), **facts)
    network: sdk.Network[Any] = sdk.Network(
        id=draw(_IDS),
        driver=driver.name,
        options=sdk.read(driver.options, chosen, driver=driver.name),
        subnets=draw(_subnets()),
        internal=draw(st.booleans()),
        host=host,
    )
    endpoints = [
        sdk.Endpoint(
            id=id,
            network=network.id,
            ipv4=_interface(draw, network, 4),
            ipv6=_interface(draw, network, 6),
            mac=sdk.Mac.derive(id),
        )
        for id in draw(st.lists(_IDS, max_size=3, unique_by=_shown))  # noqa: A001 - the domain's word
    ]
    return network, endpoints


@st.composite
def _subnets(draw: st.DrawFn) -> tuple[sdk.Subnet, ...]:
    found = []
    for pool in draw(st.lists(st.sampled_from(_POOLS).map(ip_network), min_size=1, unique=True)):
        gateway = ip_interface(f"{pool[draw(st.integers(1, 100))]}/{pool.prefixlen}") if draw(st.booleans()) else None
        auxiliary = draw(st.sampled_from([{}, {"router": pool[7]}, {f"DefaultGatewayIPv{pool.version}": pool[9]}]))
        found.append(sdk.Subnet(pool, gateway, auxiliary))
    return tuple(found)


def _interface(draw: st.DrawFn, network: sdk.Network[Any], version: int) -> Any:
    pools = [subnet.pool for subnet in network.subnets_of(version)]
    if not pools:
        return None
    pool = draw(st.sampled_from(pools))
    return ip_interface(f"{pool[draw(st.integers(101, 250))]}/{pool.prefixlen}")


def _elsewhere(subnet: sdk.Subnet) -> sdk.Subnet:
    """The same in another pool, which overlaps none that is drawn."""
    base = "172.31.0.0" if subnet.version == 4 else f"fd01:{subnet.pool.network_address.packed[3]}::"  # noqa: PLR2004
    pool = ip_network((base, subnet.pool.prefixlen), strict=False)
    gateway = ip_interface(f"{pool[1]}/{pool.prefixlen}") if subnet.gateway is not None else None
    return sdk.Subnet(pool, gateway)
