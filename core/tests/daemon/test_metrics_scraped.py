"""Metrics that are read at the moment of a scrape: what is gone has no series, and a scrape waits for nothing."""

import re
import threading
from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any, ClassVar, get_args

import pytest
import trio
from attrs import evolve
from core.tests.daemon.test_metrics_recorded import KNOWN, parsed, value
from core.tests.engine.conftest import ENDPOINT, NETWORK, World
from prometheus_client.parser import text_string_to_metric_families

from linkwright.daemon.metrics import TABLE, Kind, Metrics, Row, Sources, sources_of
from linkwright.daemon.metrics.facts import Traffic, idle_kernel
from linkwright.daemon.metrics.labels import RESOURCE
from linkwright.daemon.metrics.manual import page
from linkwright.daemon.metrics.traffic import links, of_endpoints
from linkwright.engine.registry import register
from linkwright.ipam import LOCAL, AddressRequest, Happening, Ledger, PoolRequest
from linkwright.ipam.actor import ActorStatistics
from linkwright.model import (
    Endpoint,
    EndpointState,
    HostFacts,
    LinkFact,
    Mac,
    Network,
    PortBinding,
    Protocol,
    Sandbox,
    StoredNetwork,
    Subnet,
)
from linkwright.model.address import LeaseKind
from linkwright.plan import (
    Address,
    BridgeVlan,
    Element,
    FdbEntry,
    Hairpin,
    Link,
    Neighbour,
    Redirect,
    Resource,
    Route,
    Shaper,
    Sysctl,
    Veth,
)
from linkwright.store import MemoryStore
from linkwright.store.statistics import Statistics
from linkwright.testkit.fake_kernel import FakeKernel
from linkwright_bridge import Bridge
from linkwright_macvlan import Macvlan

ROOT = Path(__file__).parents[3]

#: As Linux prints it; `lwh1` is a host's end whose container received 2000 bytes and sent 1000.
PROC_NET_DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier
    lo:  123456     100    0    0    0     0          0         0   123456     100    0    0    0     0       0       0
  lwh1:    1000      10    0    1    0     0          0         0     2000      20    0    2    0     0       0       0
"""


def ipam(*ledgers: Ledger, **happenings: int) -> ActorStatistics:
    """What an actor over *ledgers* would tell."""
    pools = tuple(pool for ledger in ledgers for pool in ledger.statistics())
    counts = {Happening[name.upper()]: count for name, count in happenings.items()}
    return ActorStatistics(pools, counts, waiting=0, capacity=256, commits=5, failed_commits=1)


def endpoint(number: int, **more: object) -> Endpoint:
    """An endpoint of the one network there is."""
    return Endpoint(id=f"{number:064x}", network=NETWORK, **more)  # type: ignore[arg-type]


NET: StoredNetwork = Network(NETWORK, "bridge", options={})


async def test_networks_and_endpoints_are_counted_by_driver_and_state() -> None:
    """Every state of every driver has a series, also an empty one; a driver that is not installed any more appears."""
    other: StoredNetwork = Network("cd" * 32, "gone", options={})
    ends = [endpoint(1), endpoint(2, state=EndpointState.JOINED), endpoint(3, state=EndpointState.JOINED)]
    sources = Sources(networks=lambda: [NET, other], endpoints=lambda: ends, frozen=lambda: ["cd" * 32])
    samples = parsed(await Metrics(KNOWN).scrape(sources))
    assert value(samples, "linkwright_networks", driver="bridge") == 1
    assert value(samples, "linkwright_networks", driver="gone") == 1
    assert value(samples, "linkwright_networks_frozen", driver="gone") == 1
    assert value(samples, "linkwright_networks_frozen", driver="bridge") == 0
    states = {state.value: value(samples, "linkwright_endpoints", state=state.value) for state in EndpointState}
    assert states == {"creating": 1, "joined": 2, "left": 0, "deleting": 0}


async def test_b_11_a_port_that_was_chosen_is_shown_with_where_it_leads_and_whether_it_is_held() -> None:
    """Docker shows none for a plugin's networks. One line for each host address; gone with the endpoint's ports."""
    chosen = PortBinding(Protocol.TCP, 80, ip_address("0.0.0.0"), host_port=32768, host_port_end=32768)
    lost = evolve(chosen, host_address=ip_address("::"))
    ends = [endpoint(1, published=(chosen, lost)), endpoint(2, ports=(PortBinding(Protocol.UDP, 53),))]
    metrics, sources = Metrics(KNOWN), Sources(endpoints=lambda: ends, lost=lambda: [lost])
    samples = parsed(await metrics.scrape(sources))
    found = [(dict(its), number) for (name, its), number in samples.items() if name == "linkwright_port_info"]
    where = {"endpoint": f"{1:064x}", "protocol": "tcp", "host_port": "32768", "container_port": "80"}
    assert found == [
        (where | {"host_address": "0.0.0.0", "held": "true"}, 1),
        (where | {"host_address": "::", "held": "false"}, 1),
    ]
    del ends[0]
    assert "linkwright_port_info" not in {name for name, _ in parsed(await metrics.scrape(sources))}


async def test_a_pool_s_addresses_are_told_by_state_and_vanish_with_the_pool() -> None:
    """A pool of /29: network, broadcast and gateway are reserved, one address is given out."""
    ledger = Ledger()
    pool = ledger.request_pool(PoolRequest(LOCAL, 4, ip_network("10.9.0.0/29"), listener="lw-bridge"), now=1.0).answer
    ledger.request_address(AddressRequest(pool.id, ip_address("10.9.0.1"), kind=LeaseKind.GATEWAY), now=1.0)
    ledger.request_address(AddressRequest(pool.id), now=1.0)
    metrics, sources = Metrics(KNOWN), Sources(ipam=lambda: ipam(ledger, reclaimed=4))
    samples = parsed(await metrics.scrape(sources))
    where = {"pool": "10.9.0.0/29", "space": "linkwright-local"}
    found = {
        state: value(samples, "linkwright_ipam_addresses", state=state, **where)
        for state in ("capacity", "allocated", "reserved", "quarantined")
    }
    assert found == {"capacity": 8, "allocated": 1, "reserved": 3, "quarantined": 0}
    assert value(samples, "linkwright_ipam_events_total", event="reclaimed") == 4
    assert value(samples, "linkwright_ipam_events_total", event="quarantined") == 0
    ledger.release_pool(pool.id, now=2.0)
    assert not [name for name, _ in parsed(await metrics.scrape(sources)) if name == "linkwright_ipam_addresses"]


async def test_a_range_of_a_pool_is_told_apart_from_the_pool() -> None:
    """Two pools of one subnet are two series, not one that is sometimes this and sometimes that."""
    ledger = Ledger()
    for subrange in (None, ip_network("10.9.4.0/24")):
        ledger.request_pool(PoolRequest(LOCAL, 4, ip_network("10.9.0.0/16"), range=subrange), now=1.0)
    samples = parsed(await Metrics(KNOWN).scrape(Sources(ipam=lambda: ipam(ledger))))
    capacity = {
        dict(its)["pool"]: number
        for (name, its), number in samples.items()
        if name == "linkwright_ipam_addresses" and ("state", "capacity") in its
    }
    assert capacity == {"10.9.0.0/16": 65536, "10.9.0.0/16/10.9.4.0/24": 256}


async def test_store_and_kernel_are_told_as_they_count_themselves() -> None:
    """Numbers pass through unchanged; what the kernel has not done yet is there at 0."""
    kernel = evolve(
        idle_kernel(),
        operations={("create", "link"): 7},
        failures=2,
        events={"newlink": 9},
        overruns=1,
        doomed_waiting=4,
    )
    store = Statistics(commits=10, transactions=4, bytes=99, failures=1, queue=3, largest_group=6)
    samples = parsed(await Metrics(KNOWN).scrape(Sources(store=lambda: store, kernel=lambda: kernel)))
    assert value(samples, "linkwright_kernel_operations_total", action="create", kind="link") == 7
    assert value(samples, "linkwright_kernel_operations_total", action="delete", kind="sysctl") == 0
    assert value(samples, "linkwright_kernel_failures_total") == 2
    assert value(samples, "linkwright_kernel_doomed_links") == 4
    assert value(samples, "linkwright_netlink_events_total", event="newlink") == 9
    assert value(samples, "linkwright_netlink_events_total", event="dellink") == 0
    assert value(samples, "linkwright_netlink_overruns_total") == 1
    names = ("commits_total", "transactions_total", "written_bytes_total", "failures_total", "waiting_commits")
    assert [value(samples, f"linkwright_store_{name}") for name in names] == [10, 4, 99, 1, 3]
    assert value(samples, "linkwright_store_largest_group") == 6


def test_the_kinds_of_operations_are_the_first_words_of_the_resources_keys() -> None:
    """As the kernel's writer counts them: one value of each kind of resource says what its key begins with."""
    mac = Mac.derive("x")
    samples: set[Resource] = {
        Link("lwb0"),
        Address("lwb0", ip_interface("10.1.0.1/24")),
        Route(ip_network("10.1.0.0/24")),
        Neighbour("lwb0", ip_address("10.1.0.2")),
        FdbEntry("lwb0", mac),
        BridgeVlan("lwb0", 10),
        Hairpin("lwh0"),
        Shaper("lwb0", 10_000_000, 15_000),
        Redirect("lwb0", "lwi0"),
        Sysctl("net/ipv4/ip_forward", "1"),
        Element("bridges", ("lwb0",)),
    }
    assert {type(sample) for sample in samples} == {*get_args(Resource)}
    assert {sample.key[0] for sample in samples} == {*RESOURCE.values}


async def test_health_is_a_metric_too() -> None:
    """So that an alert can say which check it is."""
    samples = parsed(await Metrics(KNOWN).scrape(Sources(checks=lambda: {"start": True, "store": False})))
    assert value(samples, "linkwright_ready") == 0
    assert value(samples, "linkwright_health_check", check="start") == 1
    assert value(samples, "linkwright_health_check", check="store") == 0


async def test_o_01_every_series_has_help_and_a_line_in_the_manual() -> None:
    """What is served is what the table declares, kind and labels included, and the page is made from the table."""
    sources = Sources(
        parents=lambda: [("eth0", True)],
        drivers=lambda: [("bridge", "linkwright-bridge", "0.1.0")],
        networks=lambda: [NET],
        endpoints=lambda: [endpoint(1, published=(PortBinding(Protocol.TCP, 80, ip_address("::"), 8080, 8080),))],
        ipam=lambda: ipam(_ledger_with_a_pool()),
        bridge_ports=lambda facts: [(NETWORK, len(facts.endpoints))],
        traffic=lambda facts: [Traffic(one, "lwh1") for one in facts.endpoints],
        checks=lambda: {"start": True},
    )
    served = {
        family.name + ("_total" if family.type == "counter" else ""): family
        for family in text_string_to_metric_families((await Metrics(KNOWN).scrape(sources)).decode())
    }
    assert {*served} == {row.name for row in TABLE}
    manual = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    assert manual == page()
    for row in TABLE:
        family = served[row.name]
        assert (family.documentation, family.type) == (row.help, row.kind.value)
        extra = {"le"} if row.kind is Kind.HISTOGRAM else set()
        assert {*row.label_names} == {name for sample in family.samples for name in sample.labels} - extra
        line = re.search(rf"^\| `{row.name}` \| {row.kind.value} \| (.*?) \| ", manual, re.MULTILINE)
        assert line is not None
        assert line[1] == (", ".join(f"`{name}`" for name in row.label_names) or "none")


def _ledger_with_a_pool() -> Ledger:
    ledger = Ledger()
    ledger.request_pool(PoolRequest(LOCAL, 4, ip_network("10.9.0.0/24")), now=1.0)
    return ledger


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_names_follow_prometheus_advice(row: Row) -> None:
    """One prefix, base units, no label that the scraper or the site sets, none called type."""
    assert re.fullmatch(r"linkwright_[a-z0-9_]+", row.name)
    assert row.name.endswith("_total") == (row.kind is Kind.COUNTER)
    assert (row.kind is Kind.HISTOGRAM) == bool(row.buckets) == (row.kind is Kind.HISTOGRAM and row.read is None)
    assert not re.search(r"_(ms|milliseconds|kb|kilobytes|bits|percent)(_|$)", row.name)
    assert not {*row.label_names} & {"type", "le", "instance", "job", "cluster", "env", "host"}
    assert row.help[0].isupper() or row.help[0].isdigit()
    assert row.help.endswith(".")
    assert list(row.buckets) == sorted(row.buckets)


async def test_s_03_names_are_escaped() -> None:
    """A quote, a line's end and an escape sequence in a container's name stay one label of one series."""
    wild = 'a"b\\c\nlinkwright_ready 1\n\x1b[31m\u202e😀'
    text = await Metrics(KNOWN).scrape(
        Sources(networks=lambda: [NET], endpoints=lambda: [endpoint(1, name=wild, sandbox=Sandbox(f"/x/{wild}", ""))])
    )
    info = [its for name, its in parsed(text) if name == "linkwright_endpoint_info"]
    assert [dict(its)["name"] for its in info] == ['a"b\\\\c\\nlinkwright_ready 1\\n\\x1b[31m\\u202e😀']
    assert b"\x1b" not in text
    assert len([line for line in text.splitlines() if line.startswith(b"linkwright_ready")]) == 1


async def test_o_04_1000_endpoints_are_few_series_each_and_scraped_within_a_second() -> None:
    """At most 20 series for each, and no label that grows with the traffic."""
    ends = [
        endpoint(
            number,
            state=EndpointState.JOINED,
            ipv4=ip_interface(f"10.1.{number // 250}.{number % 250 + 2}/16"),
            sandbox=Sandbox(f"/run/docker/netns/{number:012x}", "boot"),
        )
        for number in range(1000)
    ]
    table = PROC_NET_DEV + "".join(f"  lw{number:x}: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n" for number in range(len(ends)))
    sources = Sources(
        networks=lambda: [NET],
        endpoints=lambda: ends,
        traffic=lambda facts: of_endpoints(facts.endpoints, links(table), lambda one: f"lw{int(one.id, 16):x}"),
    )
    metrics = Metrics(KNOWN)
    without = len(parsed(await metrics.scrape(Sources())))
    with trio.fail_after(1):
        text = await metrics.scrape(sources)
    samples = parsed(text)
    assert len(samples) - without <= 20 * len(ends)
    assert value(samples, "linkwright_endpoint_receive_packets_total") == 1000
    known_labels = {name for row in TABLE for name in row.label_names} | {"le"}
    assert {name for _, its in samples for name, _ in its} <= known_labels
    assert not {"remote", "remote_ip", "error", "reason", "text"} & known_labels


async def test_o_08_a_scrape_is_answered_while_calls_hang_and_every_worker_thread_is_taken() -> None:
    """Drivers that hang hold trio's threads; the scrape has one of its own."""
    metrics = Metrics(KNOWN)
    limiter = trio.to_thread.current_default_thread_limiter()
    borrowers = [object() for _ in range(int(limiter.total_tokens))]
    for borrower in borrowers:
        limiter.acquire_on_behalf_of_nowait(borrower)
    try:
        with metrics.rpc("lw-bridge", "NetworkDriver.Join"), trio.fail_after(1):
            samples = parsed(await metrics.scrape(Sources()))
    finally:
        for borrower in borrowers:
            limiter.release_on_behalf_of(borrower)
    assert value(samples, "linkwright_rpc_in_flight") == 1


async def test_o_08_the_loop_only_gathers_and_the_rest_is_done_in_a_thread() -> None:
    """What the loop changes is read on the loop, where it cannot change meanwhile; a file is not."""
    threads: dict[str, threading.Thread] = {}

    def networks() -> list[StoredNetwork]:
        threads["networks"] = threading.current_thread()
        return []

    def traffic(_: object) -> list[Traffic]:
        threads["traffic"] = threading.current_thread()
        return []

    await Metrics(KNOWN).scrape(Sources(networks=networks, traffic=traffic))
    assert threads["networks"] is threading.current_thread()
    assert threads["traffic"] is not threading.current_thread()


async def test_a_source_that_fails_is_left_out_and_counted() -> None:
    """A bug in one place must not blind the operator to all the others."""

    def broken(*_: object) -> Any:
        raise ZeroDivisionError

    metrics = Metrics(KNOWN)
    sources = Sources(networks=lambda: [NET], store=broken, traffic=broken)
    samples = parsed(await metrics.scrape(sources))
    assert value(samples, "linkwright_networks") == 1
    failures = "linkwright_scrape_source_failures_total"
    assert [value(samples, failures, source=name) for name in ("store", "traffic", "networks")] == [1, 1, 0]


def test_o_11_traffic_is_told_from_the_container_s_side() -> None:
    """What the host's end transmits the container receives."""
    ends = [endpoint(1), endpoint(2)]
    names = {ends[0].id: "lwh1", ends[1].id: ""}
    found = list(of_endpoints(ends, links(PROC_NET_DEV), lambda one: names[one.id]))
    assert found == [
        Traffic(
            ends[0],
            "lwh1",
            receive_bytes=2000,
            receive_packets=20,
            receive_drop=2,
            transmit_bytes=1000,
            transmit_packets=10,
            transmit_drop=1,
        )
    ]


def test_the_kernel_s_own_file_is_read() -> None:
    """Every Linux has a loopback link, and its two directions are equal."""
    numbers = links(Path("/proc/net/dev").read_text())["lo"]
    assert len(numbers) == 16
    assert numbers[0] == numbers[8]


def sources_over(world: World, counters: Path) -> Sources:
    """As the daemon has them."""
    return sources_of(
        world.engine,
        ipam=ipam,
        store=world.store.statistics,
        kernel=idle_kernel,
        checks=dict,
        drops=lambda: {"isolation": 7},
        started=1_000_000.0,
        counters=counters,
    )


class Fabric(Bridge):
    """Somebody's own driver that makes a bridge."""

    name: ClassVar[str] = "fabric"


async def test_ports_of_a_bridge_are_counted_for_every_driver_that_makes_one(tmp_path: Path) -> None:
    """By what is wished for: a driver nobody knows, with two endpoints and with none, and one that makes no bridge."""
    kernel = FakeKernel(host=HostFacts(uplink=LinkFact("eth9"), links=(LinkFact("eth9"),)))
    kernel.state.sysctls |= {"net/ipv4/ip_forward": "1"}
    kernel.foreign_create(Link("eth9", Veth("eth8")))
    await kernel.prepare()
    world = World(kernel, MemoryStore(), [register("fabric", Fabric), register("macvlan", Macvlan)])
    for number, driver in enumerate(("fabric", "fabric", "macvlan"), 1):
        pool = ip_network(f"10.{number}.0.0/24")
        subnet = Subnet(pool, ip_interface(f"{pool[1]}/24"), space="test")
        described = world.engine.networks.described(
            driver, f"{number}" * 64, subnets=(subnet,), ipv4=True, ipv6=False, internal=False, options={}
        )
        await world.engine.networks.create(await described)
    for number, network in enumerate((1, 1, 3), 2):
        await world.endpoint(f"{number}" * 64, f"10.{network}.0.{number}/24", network=f"{network}" * 64)

    samples = parsed(await Metrics(KNOWN).scrape(sources_over(world, tmp_path / "none")))

    ports = {dict(its)["network"]: ports for (name, its), ports in samples.items() if name == "linkwright_bridge_ports"}
    assert ports == {"1" * 64: 2, "2" * 64: 0}


async def test_o_11_a_running_daemon_s_endpoints_are_joined_to_their_links(tmp_path: Path) -> None:
    """The engine's own wishes tell which link on the host belongs to which endpoint id."""
    kernel = FakeKernel(host=HostFacts(uplink=LinkFact("eth9")))
    kernel.state.sysctls |= {"net/ipv4/ip_forward": "1"}
    await kernel.prepare()
    store = MemoryStore()
    world = World(kernel, store, [register("bridge", Bridge)])
    await world.network()
    await world.endpoint()
    await world.join()
    veths = [one for one in kernel.resources().values() if isinstance(one, Link) and isinstance(one.kind, Veth)]
    [link] = [one.name for one in veths if one.master]
    file = tmp_path / "dev"
    file.write_text(PROC_NET_DEV.replace("lwh1", link))
    samples = parsed(await Metrics(KNOWN).scrape(sources_over(world, file)))
    assert value(samples, "linkwright_endpoints", driver="bridge", state="joined") == 1
    assert value(samples, "linkwright_firewall_dropped_packets_total", rule="isolation") == 7
    assert value(samples, "linkwright_networks", driver="bridge") == 1
    assert value(samples, "linkwright_store_commits_total") == store.statistics().commits > 0
    assert value(samples, "linkwright_endpoint_receive_bytes_total", endpoint=ENDPOINT) == 2000
    labels = {"sandbox": "0123456789ab", "ipv4": "10.1.0.2", "link": link, "driver": "bridge", "network": NETWORK}
    assert value(samples, "linkwright_endpoint_info", endpoint=ENDPOINT, **labels) == 1
