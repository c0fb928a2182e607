"""What the marks on the host's links add to an older state: endpoints, and the addresses that they have."""

from ipaddress import ip_address, ip_interface, ip_network
from pathlib import Path
from typing import Any

import pytest

from linkwright.daemon.recovery import LOST, lost_networks, recovered, refuse_to_forget, with_marks
from linkwright.errors import Refused
from linkwright.model import Endpoint, EndpointState, Lease, LeaseState, Mac, Network, Pool, Subnet
from linkwright.model.change import Put
from linkwright.plan import SHARED, Bridge, Link, Mark, Snapshot, Veth
from linkwright.store import Contents, Opened, SqliteStore
from linkwright.store.files import Files

NETWORK, ENDPOINT = "ab" * 32, "cd" * 32
MAC = Mac.parse("02:00:00:00:00:07")
SUBNET = ip_network("10.1.0.0/24")
POOL = Pool("linkwright-local/10.1.0.0/24", "linkwright-local", SUBNET, seen=3)
BOOT, NOW = "a boot", 1_000_000.0


def before(*records: Any, space: str = "linkwright-local") -> Contents:
    """An older state: a network, and *records*."""
    subnet = Subnet(SUBNET, ip_interface("10.1.0.1/24"), space=space)
    return Contents.of([Network(NETWORK, "bridge", {}, (subnet,)), *records])


def host(network: str = NETWORK, instance: str = "default", *addresses: str) -> Snapshot:
    """A host with the link of one endpoint."""
    interfaces = tuple(ip_interface(address) for address in addresses or ("10.1.0.7/24",))
    link = Link("lwhcdcdcdcdcdcd", Veth("elsewhere"), mark=Mark(instance, network, ENDPOINT, MAC, interfaces))
    return Snapshot({link.key: link}, frozenset({link.key}))


def after(contents: Contents, seen: Snapshot) -> Contents:
    """The state with the marks."""
    return with_marks(contents, seen, instance="default", boot=BOOT, now=NOW)


def test_an_endpoint_is_known_again_and_its_address_held() -> None:
    """Else the next container would be given an address that is in use."""
    found = after(before(POOL), host())
    expected = Endpoint(
        ENDPOINT,
        NETWORK,
        ipv4=ip_interface("10.1.0.7/24"),  # type: ignore[arg-type]
        mac=MAC,
        state=EndpointState.JOINED,
        boot=BOOT,
        created=NOW,
    )
    assert found.endpoints == (expected,)
    assert found.leases == (Lease(POOL.id, ip_address("10.1.0.7"), mac=str(MAC), since=NOW, epoch=3),)
    assert (found.networks, found.pools) == (before(POOL).networks, (POOL,))


def test_what_is_known_stays_as_it_is() -> None:
    """The marks add; an endpoint that the state has, and a lease that it holds, are not changed."""
    lease = Lease(POOL.id, ip_address("10.1.0.7"), owner="web", since=1.0)
    contents = before(POOL, lease, Endpoint(ENDPOINT, NETWORK, name="web"))
    assert after(contents, host()) == contents
    assert after(before(POOL, lease), host()).leases == (lease,)


@pytest.mark.parametrize("state", [LeaseState.QUARANTINED, LeaseState.REMEMBERED])
def test_a_lease_that_nobody_holds_is_held_again(state: LeaseState) -> None:
    """It is not resting, or free, while a container has the address."""
    lease = Lease(POOL.id, ip_address("10.1.0.7"), state=state)
    (found,) = after(before(POOL, lease), host()).leases
    assert found.state is LeaseState.HELD


@pytest.mark.parametrize("seen", [host("ef" * 32), host(NETWORK, "blue"), Snapshot()])
def test_strangers_are_not_taken_in(seen: Snapshot) -> None:
    """Endpoints of a network that is not known, or of another instance, add nothing."""
    assert after(before(POOL), seen) == before(POOL)


def test_addresses_of_another_ipam_driver_are_not_ours_to_hold() -> None:
    """The endpoint is known again, and that is all."""
    found = after(before(space="LocalDefault"), host())
    assert (len(found.endpoints), found.leases) == (1, ())


def test_of_two_pools_on_one_subnet_the_range_tells() -> None:
    """A range that has the address, else the pool that is the whole subnet; in whichever order they are stored."""
    low, high = (
        Pool(f"{POOL.id}/{part}", POOL.space, SUBNET, range=part) for part in ip_network("10.1.0.0/24").subnets()
    )
    contents = before(low, high)
    (found,) = after(contents, host(NETWORK, "default", "10.1.0.200/24")).leases
    assert found.pool == high.id
    (found,) = after(contents, host(NETWORK, "default", "10.1.0.7/24")).leases
    assert found.pool == low.id
    (found,) = after(before(high, POOL), host(NETWORK, "default", "10.1.0.7/24")).leases
    assert found.pool == POOL.id


def test_both_families_are_held() -> None:
    """A dual-stack endpoint has two leases; an address in no subnet of the network has none."""
    six = Pool("linkwright-local/fd00:1::/64", "linkwright-local", ip_network("fd00:1::/64"))
    four = before(POOL).networks[0].subnets[0]
    subnets = (four, Subnet(six.subnet, ip_interface("fd00:1::1/64"), space="linkwright-local"))
    contents = Contents.of([Network(NETWORK, "bridge", {}, subnets), POOL, six])
    found = after(contents, host(NETWORK, "default", "10.1.0.7/24", "fd00:1::7/64"))
    assert {lease.pool for lease in found.leases} == {POOL.id, six.id}
    assert after(before(POOL), host(NETWORK, "default", "10.9.0.7/24")).leases == ()


def test_an_empty_state_beside_living_containers_is_no_start() -> None:
    """A mistyped --state-dir must not sweep the links of every container; the refusal names them and the directory."""
    with pytest.raises(Refused, match=r"/var/lib/typo is empty.*lwhcdcdcdcdcdcd.*--state-dir"):
        refuse_to_forget(Contents.of([]), host(), instance="default", state_dir=Path("/var/lib/typo"))


def test_an_empty_state_on_a_host_without_containers_is_a_first_start() -> None:
    """Nothing serves anybody; and with a state there is something to compare with."""
    refuse_to_forget(Contents.of([]), Snapshot(), instance="default", state_dir=Path("/var/lib/linkwright"))
    refuse_to_forget(before(POOL), host(), instance="default", state_dir=Path("/var/lib/linkwright"))


# --- networks that are lost --------------------------------------------------------------------------------------

OTHER = "ef" * 32
BRIDGE = Link("lwbefefefefefef", Bridge(), mark=Mark("default", OTHER))


def links(*links: Link) -> Snapshot:
    """A host with *links*, all of them ours."""
    return Snapshot({link.key: link for link in links}, frozenset(link.key for link in links))


#: What the host has, what was told before, whether the state was rebuilt, and what is lost.
LOSSES: list[tuple[Snapshot, set[str], bool, set[str]]] = [
    (links(BRIDGE), set(), True, {OTHER}),
    (links(BRIDGE), set(), False, set()),  # a crash while it was made: nobody uses it
    (links(BRIDGE), {OTHER}, False, {OTHER}),
    (links(), {OTHER}, True, set()),
    (links(BRIDGE), {NETWORK}, False, set()),
    (host(OTHER), set(), False, {OTHER}),  # an older state was put in place by hand
    (host(OTHER, "blue"), set(), True, set()),
    (host(NETWORK), {NETWORK}, True, set()),
    (links(Link("eth0.50", mark=Mark("default", SHARED))), set(), True, set()),
]


@pytest.mark.parametrize(("seen", "told", "rebuilt", "expected"), LOSSES)
def test_a_network_is_lost_where_marks_tell_of_it_and_the_state_should(
    seen: Snapshot, told: set[str], rebuilt: bool, expected: set[str]
) -> None:
    """A link of an endpoint tells always: no crash leaves it without its network; a bridge after a damage only."""
    assert lost_networks(before(), seen, instance="default", told=told, rebuilt=rebuilt) == expected


async def start(directory: Path, seen: Snapshot) -> tuple[Opened, Contents, frozenset[str]]:
    """Start on the state in *directory* and on a host as *seen*."""
    opened = await SqliteStore.open(directory, copy_interval=3600)
    return opened, *(await recovered(opened, seen, instance="default", boot=BOOT, now=NOW))


async def test_what_was_lost_with_a_damaged_file_is_lost_at_later_starts_too(tmp_path: Path) -> None:
    """A network made since the good copy, and the file damaged: every start leaves it alone until it has gone."""
    async with (await SqliteStore.open(tmp_path, copy_interval=3600)).store as store:
        await store.commit([Put(network) for network in before().networks])
    Files(tmp_path).database.write_bytes(b"torn")

    opened, contents, lost = await start(tmp_path, links(BRIDGE))
    assert opened.recovered is not None
    assert (contents.networks, lost) == (before().networks, {OTHER})
    await opened.store.aclose()

    opened, contents, lost = await start(tmp_path, links(BRIDGE))
    assert opened.recovered is None
    assert (contents.networks, lost) == (before().networks, {OTHER})
    await opened.store.aclose()

    opened, _, lost = await start(tmp_path, links())
    assert lost == frozenset()
    assert opened.store.facts()[LOST] == ""
    await opened.store.aclose()


async def test_a_crash_in_the_middle_of_a_recovery_loses_nothing(tmp_path: Path) -> None:
    """The damage is found again by the next start until all that follows from it is on disk."""
    async with (await SqliteStore.open(tmp_path, copy_interval=3600)).store as store:
        await store.commit([Put(record) for record in before(POOL)])
    Files(tmp_path).database.write_bytes(b"torn")
    opened = await SqliteStore.open(tmp_path, copy_interval=3600)
    await opened.store.remember({LOST: OTHER})
    await opened.store.aclose()

    opened, contents, lost = await start(
        tmp_path, Snapshot({**host().resources, BRIDGE.key: BRIDGE}, host().ours | {BRIDGE.key})
    )

    assert (len(contents.endpoints), len(contents.leases), lost) == (1, 1, {OTHER})
    assert opened.recovered is not None
    await opened.store.aclose()
