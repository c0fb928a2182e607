"""What the tests of the store share: records of every kind, and a store of each sort that can be started again."""

from collections.abc import AsyncIterator, Awaitable, Callable
from ipaddress import IPv4Interface, IPv4Network, IPv6Interface, ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from linkwright.model import (
    Endpoint,
    EndpointState,
    FoundBefore,
    HostFacts,
    Lease,
    LeaseKind,
    LeaseState,
    LinkFact,
    Mac,
    Network,
    Pool,
    PortBinding,
    Protocol,
    Sandbox,
    Subnet,
)
from linkwright.model.change import Record
from linkwright.store import Contents, MemoryStore, SqliteStore, Store

Restart = Callable[[], Awaitable[Store]]


def _records() -> st.SearchStrategy[Record]:
    text = st.text(max_size=8)
    ids = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=4)
    pairs = st.dictionaries(text, text, max_size=3)
    seconds = st.floats(min_value=0, allow_infinity=False) | st.integers(0, 2**40).map(float)
    v4 = st.builds(
        lambda raw, length: IPv4Interface((raw, length)), st.binary(min_size=4, max_size=4), st.integers(0, 32)
    )
    v6 = st.builds(
        lambda raw, length: IPv6Interface((raw, length)), st.binary(min_size=16, max_size=16), st.integers(0, 128)
    )
    interfaces = v4 | v6
    addresses = interfaces.map(lambda interface: interface.ip)
    prefixes = interfaces.map(lambda interface: interface.network)
    macs = st.binary(min_size=6, max_size=6).map(Mac)
    ports = st.builds(
        PortBinding,
        st.sampled_from(Protocol),
        st.integers(1, 65535),
        st.none() | addresses,
        st.integers(0, 65535),
        st.integers(0, 65535),
    )
    bindings = st.lists(ports, max_size=2).map(tuple)
    links = st.builds(LinkFact, text, text, st.integers(0, 2**31), text, st.booleans())
    hosts = st.builds(
        HostFacts,
        uplink=st.none() | links,
        addresses=st.lists(interfaces, max_size=2).map(tuple),
        links=st.lists(links, max_size=2).map(tuple),
        features=st.frozensets(text, max_size=3),
    )
    subnets = st.builds(Subnet, prefixes, st.none() | interfaces, st.dictionaries(text, addresses, max_size=2), text)
    networks = st.builds(
        Network[Any],
        id=ids,
        driver=text,
        options=pairs,
        subnets=st.lists(subnets, max_size=2).map(tuple),
        ipv4=st.booleans(),
        ipv6=st.booleans(),
        internal=st.booleans(),
        host=hosts,
        claims=pairs,
        created=seconds,
    )
    endpoints = st.builds(
        Endpoint,
        id=ids,
        network=ids,
        ipv4=st.none() | v4,
        ipv6=st.none() | v6,
        mac=st.none() | macs,
        mac_given=st.booleans(),
        options=pairs,
        name=text,
        state=st.sampled_from(EndpointState),
        sandbox=st.none() | st.builds(Sandbox, text, text),
        ports=bindings,
        published=bindings,
        external=st.booleans(),
        claims=pairs,
        boot=text,
        created=seconds,
    )
    epochs = st.integers(0, 2**40)
    pools = st.builds(
        Pool,
        id=ids,
        space=text,
        subnet=prefixes,
        range=st.none() | prefixes,
        listener=text,
        options=pairs,
        references=st.integers(0, 9),
        automatic=st.booleans(),
        created=seconds,
        born=epochs,
        asked=epochs,
        seen=epochs,
        engine=text,
    )
    leases = st.builds(
        Lease,
        pool=ids,
        address=addresses,
        kind=st.sampled_from(LeaseKind),
        state=st.sampled_from(LeaseState),
        owner=text,
        mac=text,
        since=seconds,
        epoch=epochs,
    )
    found = st.builds(FoundBefore, key=ids, boot=text, attributes=pairs)
    return networks | endpoints | pools | leases | found


@pytest.fixture(scope="session")
def any_record() -> st.SearchStrategy[Record]:
    """Records of every kind, each field anything that its type allows."""
    return _records()


@pytest.fixture(scope="session")
def sample() -> Contents:
    """One record of each kind with every field set, and one with as few as can be."""
    mac = Mac.parse("02:42:0a:00:00:02")
    uplink = LinkFact("eth0", "", 9000, "02:00:00:00:00:01", up=True, ours=True, master="bond0")
    binding = PortBinding(Protocol.TCP, 80, ip_address("192.0.2.1"), 8080, 8090)
    return Contents.of(
        [
            Network(
                "net-full",
                "bridge",
                {"parent": "eth0", "mode": "bridgé"},
                subnets=(
                    Subnet(ip_network("10.0.0.0/24"), ip_interface("10.0.0.1/24"), {"printer": ip_address("10.0.0.9")}),
                    Subnet(ip_network("fd00::/64"), ip_interface("fd00::1/64"), {}, "global"),
                ),
                ipv6=True,
                internal=True,
                host=HostFacts(uplink, (ip_interface("192.0.2.1/24"),), (uplink,), frozenset({"nft", "br_netfilter"})),
                claims={"vni": "42"},
                created=1700000000.25,
            ),
            Network("net-least", "bridge", {}),
            Endpoint(
                "end-full",
                "net-full",
                ipv4=IPv4Interface("10.0.0.2/24"),
                ipv6=IPv6Interface("fd00::2/64"),
                mac=mac,
                mac_given=True,
                options={"exposed": "80/tcp"},
                name="web",
                state=EndpointState.JOINED,
                sandbox=Sandbox("/run/docker/netns/1", "boot-1"),
                ports=(binding,),
                published=(binding,),
                external=True,
                claims={"port": "8080"},
                boot="boot-1",
                created=1700000001,
            ),
            Endpoint("end-least", "net-least"),
            Pool(
                "pool-full",
                "local",
                IPv4Network("10.0.0.0/24"),
                range=IPv4Network("10.0.0.128/25"),
                listener="lw-ipam",
                options={"sticky": "name"},
                references=2,
                automatic=True,
                created=1700000000.0,
                born=1,
                asked=2,
                seen=3,
                engine="4711 at 99",
            ),
            Pool("pool-least", "global", ip_network("fd00::/64")),
            Lease(
                "pool-full",
                ip_address("10.0.0.2"),
                LeaseKind.AUXILIARY,
                LeaseState.QUARANTINED,
                owner="web",
                mac=str(mac),
                since=1700000001.5,
                epoch=3,
            ),
            Lease("pool-least", ip_address("fd00::2")),
            FoundBefore("link full0", "boot-1", {"mtu": "9000", "up": "false"}),
            FoundBefore("link least0", ""),
        ]
    )


@pytest.fixture(params=["memory", "sqlite"])
async def restart(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Restart]:
    """Start a store; called again, close it and start the next on what it left."""
    stores: list[Store] = []

    async def start() -> Store:
        if request.param == "memory":
            store: Store = MemoryStore(await stores[-1].load(), facts=stores[-1].facts()) if stores else MemoryStore()
        else:
            if stores:
                await stores[-1].aclose()
            store = (await SqliteStore.open(tmp_path / "state")).store
        stores.append(store)
        return store

    yield start
    for store in stores:
        await store.aclose()


@pytest.fixture
async def store(restart: Restart) -> Store:
    """An empty store of either sort."""
    return await restart()
