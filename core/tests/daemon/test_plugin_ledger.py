"""Docker's calls and the ledger behind them: whose life an epoch is, what an address is for, which pool is free."""

from ipaddress import ip_network

import pytest
import trio
from core.tests.daemon.desk import (
    CURL,
    DOCKERD,
    ENDPOINT,
    NETWORK,
    NEXT_DOCKERD,
    OTHER,
    SANDBOX,
    SPACE,
    Desk,
    a_desk,
    endpoint_request,
    network_request,
)
from core.tests.engine.paper import Paper, registered

from linkwright.daemon.peer import Peer
from linkwright.model import LeaseKind, Pool

POOL = f"{SPACE}/10.1.0.0/24"
UNKNOWN = Peer()


@pytest.fixture
async def desk(nursery: trio.Nursery) -> Desk:
    """A daemon that has just started on an empty host."""
    desk = a_desk()
    await desk.start()
    await nursery.start(desk.parts.ipam.run)
    return desk


async def restarted(desk: Desk, nursery: trio.Nursery) -> None:
    """Our own restart, over the same store."""
    await desk.start()
    await nursery.start(desk.parts.ipam.run)
    await desk.parts.engine.reconcile.start()


# --- epochs --------------------------------------------------------------------------------------------------------


async def test_an_epoch_begins_with_a_dockerd_and_not_with_each_call(desk: Desk) -> None:
    """Activation begins one; what the same dockerd asks afterwards does not, on whatever connection."""
    await desk.call("Plugin.Activate")
    began = desk.epoch()
    for name in ("IpamDriver.GetCapabilities", "NetworkDriver.GetCapabilities", "IpamDriver.GetDefaultAddressSpaces"):
        await desk.call(name)
    await desk.network()

    assert (began, desk.epoch()) == (1, 1)


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("NetworkDriver.GetCapabilities", None),
        ("NetworkDriver.EndpointOperInfo", {"NetworkID": NETWORK, "EndpointID": ENDPOINT}),
        ("NetworkDriver.DeleteEndpoint", {"NetworkID": NETWORK, "EndpointID": OTHER}),
        ("NetworkDriver.GwAllocCheck", {"Options": {}}),
        ("NetworkDriver.CreateNetwork", network_request(OTHER, "10.9.0.0/24", "10.9.0.1/24", space="theirs")),
    ],
)
async def test_an_operator_who_asks_a_network_driver_is_no_new_dockerd(desk: Desk, name: str, document: object) -> None:
    """Else every lease would be unconfirmed until a replay that never comes, and the next dockerd's call one more."""
    await desk.call("Plugin.Activate")
    await desk.network()
    began = desk.epoch()

    await desk.call(name, document, peer=CURL)
    await desk.pool(peer=DOCKERD)

    assert began == desk.epoch()


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("Plugin.Activate", None),
        ("IpamDriver.GetCapabilities", None),
        ("IpamDriver.ReleaseAddress", {"PoolID": "", "Address": "10.1.0.9"}),
    ],
)
async def test_another_dockerd_begins_an_epoch_by_activating_or_by_asking_ipam(
    desk: Desk, name: str, document: object
) -> None:
    """After a crash of dockerd, whichever of these comes first."""
    await desk.call("Plugin.Activate")

    await desk.call(name, document, peer=NEXT_DOCKERD)

    assert desk.epoch() == 2


async def test_a_peer_that_is_not_known_begins_one_by_asking_for_capabilities(desk: Desk) -> None:
    """A managed plugin is in another pid namespace and is never activated: the capabilities are asked for once."""
    for name, expected in (
        ("IpamDriver.GetDefaultAddressSpaces", 0),
        ("NetworkDriver.GetCapabilities", 0),
        ("IpamDriver.GetCapabilities", 1),
        ("IpamDriver.GetDefaultAddressSpaces", 1),
        ("IpamDriver.GetCapabilities", 2),
    ):
        await desk.call(name, peer=UNKNOWN)
        assert desk.epoch() == expected, name


async def test_each_socket_has_epochs_of_its_own(desk: Desk) -> None:
    """Docker activates each name by itself."""
    await desk.call("Plugin.Activate")
    await desk.call("Plugin.Activate", plugin="lw-ipam")
    await desk.call("Plugin.Activate", plugin="lw-ipam", peer=NEXT_DOCKERD)

    assert (desk.epoch("lw-bridge"), desk.epoch("lw-ipam"), desk.epoch("lw-macvlan")) == (1, 2, 0)


async def test_our_own_restart_begins_none(desk: Desk, nursery: trio.Nursery) -> None:
    """The same dockerd goes on: nothing of what it holds is in doubt."""
    await desk.call("Plugin.Activate")
    await desk.network()

    await restarted(desk, nursery)
    await desk.address(POOL)

    assert desk.epoch() == 1
    assert not desk.parts.ipam.unconfirmed()


async def test_i_20_a_replay_finds_everything_where_it_was(desk: Desk) -> None:
    """A new dockerd asks for pool, gateway, auxiliary and endpoint addresses again, without names; twice over."""
    await desk.call("Plugin.Activate")
    pool, gateway = await desk.pool(), await desk.address(POOL, gateway=True)
    await desk.address(POOL, "10.1.0.5")
    await desk.call(
        "NetworkDriver.CreateNetwork", network_request(gateway=gateway, auxiliary={"printer": "10.1.0.5/24"})
    )
    address = await desk.address(POOL, name="web")
    await desk.endpoint(address=address)
    before = {lease: (held.kind, held.owner) for lease, held in desk.leases().items()}

    for peer in (NEXT_DOCKERD, Peer(400, 4)):
        await desk.call("Plugin.Activate", peer=peer)
        assert pool == await desk.pool(peer=peer)
        assert gateway == await desk.address(POOL, "10.1.0.1", gateway=True, peer=peer)
        for again in ("10.1.0.5", address.partition("/")[0]):
            await desk.address(POOL, again, peer=peer)
        assert before == {lease: (held.kind, held.owner) for lease, held in desk.leases().items()}
        assert not desk.parts.ipam.unconfirmed()


# --- what an address is for ----------------------------------------------------------------------------------------


async def test_auxiliary_addresses_are_noted_with_their_names(desk: Desk) -> None:
    """RequestAddress looks like ``--ip``; only CreateNetwork says what they are for, and what they are called."""
    await desk.pool()
    gateway = await desk.address(POOL, gateway=True)
    for last in (5, 6, 7):
        await desk.address(POOL, f"10.1.0.{last}")

    auxiliary = {"printer": "10.1.0.5/24", "router": "10.1.0.6/24"}
    await desk.call("NetworkDriver.CreateNetwork", network_request(gateway=gateway, auxiliary=auxiliary))

    assert {address: (lease.kind, lease.owner) for address, lease in desk.leases().items()} == {
        "10.1.0.1": (LeaseKind.GATEWAY, ""),
        "10.1.0.5": (LeaseKind.AUXILIARY, "printer"),
        "10.1.0.6": (LeaseKind.AUXILIARY, "router"),
        "10.1.0.7": (LeaseKind.ENDPOINT, ""),
    }


async def test_a_gateway_asked_for_like_any_other_address_is_noted_as_one(desk: Desk) -> None:
    """A swarm's manager, or whoever plays Docker, may not say the type; the network says which it is."""
    await desk.pool()
    await desk.address(POOL, "10.1.0.254")

    await desk.call("NetworkDriver.CreateNetwork", network_request(gateway="10.1.0.254/24"))

    assert desk.leases()["10.1.0.254"].kind is LeaseKind.GATEWAY


async def test_another_ipam_drivers_addresses_are_not_ours_to_note(desk: Desk) -> None:
    """The same numbers in Docker's own address space say nothing about ours."""
    await desk.pool()
    await desk.address(POOL, "10.1.0.5")
    before = desk.leases()

    request = network_request(space="LocalDefault", auxiliary={"printer": "10.1.0.5/24"})
    assert (await desk.call("NetworkDriver.CreateNetwork", request)).ok

    assert before == desk.leases()


async def test_i_24_a_containers_name_reaches_its_endpoint_and_all_its_addresses(desk: Desk) -> None:
    """IPAM is told the name, the network driver is not; an address that came without gets it from the other."""
    for pool, six in (("10.1.0.0/24", False), ("fd00:1::/64", True)):
        await desk.pool(pool)
        await desk.address(f"{SPACE}/{pool}", gateway=True)
        assert six == (":" in pool)
    request = network_request()
    request["IPv6Data"] = network_request(pool="fd00:1::/64", gateway="fd00:1::1/64")["IPv6Data"]
    await desk.call("NetworkDriver.CreateNetwork", request)
    four, six_address = await desk.address(POOL, name="web"), await desk.address(f"{SPACE}/fd00:1::/64")

    assert (await desk.endpoint(address=four, six=six_address)).ok

    assert desk.endpoints[ENDPOINT].name == "web"
    owners = {lease.owner for lease in desk.leases().values() if lease.kind is LeaseKind.ENDPOINT}
    assert owners == {"web"}


# --- which pool is free --------------------------------------------------------------------------------------------


async def automatic(desk: Desk, *, six: bool = False) -> str:
    """RequestPool without a pool."""
    request = {"AddressSpace": SPACE, "Pool": "", "SubPool": "", "Options": {}, "V6": six}
    said = await desk.call("IpamDriver.RequestPool", request)
    assert said.ok, said
    return str(said.document["Pool"])


async def test_i_04_automatic_pools_keep_clear_of_routes_and_nameservers(nursery: trio.Nursery) -> None:
    """A pool around the host's nameserver would cut the host off from it; both are read at that moment."""
    desk = a_desk()
    await desk.start()
    await nursery.start(desk.parts.ipam.run)
    desk.kernel.routes = (ip_network("172.17.0.0/16"), ip_network("0.0.0.0/0"))
    desk.nameservers = (ip_network("172.18.200.1/32"), ip_network("fd00::53/128"))

    assert await automatic(desk) == "172.19.0.0/16"
    desk.nameservers = (ip_network("192.168.15.1/32"),)
    assert [await automatic(desk) for _ in range(13)][-2:] == ["172.31.0.0/16", "192.168.16.0/20"]


async def test_a_network_in_a_named_space_is_not_taken_for_forgotten(desk: Desk) -> None:
    """Docker calls the space by the name that we gave for all local ones; the pool is in one of its own."""
    pool = await desk.pool(Options={"linkwright.space": "blue"})
    assert pool == f"{SPACE}:blue/10.1.0.0/24"
    await desk.address(pool, gateway=True)
    await desk.call("NetworkDriver.CreateNetwork", network_request())

    for _ in range(3):
        desk.now += 3600
        await desk.parts.engine.collecting.collect()

    assert list(desk.networks) == [NETWORK]


async def test_i_19_a_network_removed_and_made_again_fifty_times(desk: Desk) -> None:
    """The pool goes before the network (L3); each time it works, and begins empty."""
    for number in range(50):
        network = f"{number:02x}" * 32
        assert (await desk.network(network)).ok
        assert (await desk.endpoint(network=network, address=await desk.address(POOL))).ok
        await desk.about("DeleteEndpoint", network=network)
        await desk.call("IpamDriver.ReleaseAddress", {"PoolID": POOL, "Address": "10.1.0.1"})
        await desk.call("IpamDriver.ReleasePool", {"PoolID": POOL})
        assert (await desk.call("NetworkDriver.DeleteNetwork", {"NetworkID": network})).ok

    assert not desk.networks
    assert not await desk.stored()
    assert set(desk.kernel.resources()) == {("link", "lo")}


@pytest.mark.parametrize("lost", ["DeleteNetwork", "everything"])
async def test_l_3_a_network_whose_deletion_was_lost_makes_way_on_the_same_subnet(desk: Desk, lost: str) -> None:
    """Docker has released its pool and holds it again for the new one: the reference is not the old network's."""
    await desk.network()
    await desk.call("IpamDriver.ReleaseAddress", {"PoolID": POOL, "Address": "10.1.0.1"})
    await desk.call("IpamDriver.ReleasePool", {"PoolID": POOL})
    if lost == "everything":
        await desk.parts.engine.collecting.collect()

    assert (await desk.network(OTHER)).ok

    assert list(desk.networks) == [OTHER]
    assert ("link", "lwbabababababab") not in desk.kernel.resources()
    for _ in range(3):
        desk.now += 3600
        await desk.parts.engine.collecting.collect()
    assert list(desk.networks) == [OTHER]


async def test_two_networks_that_share_a_subnet_are_both_held(nursery: trio.Nursery) -> None:
    """The same RequestPool twice is one pool with two references; removing one network leaves the other.

    Their driver has no address of the host in either, so that there is nothing to keep apart.
    """
    desk = a_desk()
    desk.drivers = (*desk.drivers, registered(Paper()))
    await desk.start()
    await nursery.start(desk.parts.ipam.run)
    for network in (NETWORK, OTHER):
        await desk.pool()
        assert (await desk.call("NetworkDriver.CreateNetwork", network_request(network), plugin="lw-paper")).ok
    assert [pool.references for pool in desk.parts.ipam.records() if isinstance(pool, Pool)] == [2]
    for _ in range(3):
        desk.now += 3600
        await desk.parts.engine.collecting.collect()
    assert set(desk.networks) == {NETWORK, OTHER}

    await desk.call("IpamDriver.ReleasePool", {"PoolID": POOL})
    await desk.call("NetworkDriver.DeleteNetwork", {"NetworkID": NETWORK})
    for _ in range(3):
        desk.now += 3600
        await desk.parts.engine.collecting.collect()

    assert list(desk.networks) == [OTHER]


async def test_i_19_a_bridge_on_the_subnet_of_another_is_refused_until_that_was_given_back(desk: Desk) -> None:
    """Docker holds the pool twice, so there are two: the refusal names the first. Held once, it is the new one's."""
    await desk.network()
    await desk.pool()
    refused = await desk.call("NetworkDriver.CreateNetwork", network_request(OTHER))
    assert f"conflicts with network {NETWORK[:12]}" in refused.error
    await desk.call("IpamDriver.ReleasePool", {"PoolID": POOL})
    assert list(desk.networks) == [NETWORK]

    await desk.call("IpamDriver.ReleasePool", {"PoolID": POOL})
    await desk.pool()
    assert (await desk.call("NetworkDriver.CreateNetwork", network_request(OTHER))).ok
    assert (await desk.call("NetworkDriver.DeleteNetwork", {"NetworkID": NETWORK})).ok
    assert list(desk.networks) == [OTHER]


# --- leases of the dead --------------------------------------------------------------------------------------------


async def test_i_10_the_address_of_a_container_that_died_unseen_is_given_at_once(desk: Desk) -> None:
    """``--ip`` of a running container is refused with its owner; of one whose sandbox is gone it is given."""
    await desk.network()
    address = await desk.address(POOL, "10.1.0.5", name="web")
    await desk.endpoint(address=address)
    await desk.join()
    desk.kernel.lend("lwccdcdcdcdcdcd", SANDBOX)
    desk.now += 3600
    request = {"PoolID": POOL, "Address": "10.1.0.5", "Options": {"com.docker.network.endpoint.name": "new"}}

    refused = await desk.call("IpamDriver.RequestAddress", request)
    assert "web" in refused.error
    desk.kernel.destroy_sandbox(SANDBOX)

    assert (await desk.call("IpamDriver.RequestAddress", request)).ok
    assert not desk.endpoints
    assert desk.leases()["10.1.0.5"].owner == "new"


async def test_a_dead_endpoints_lease_ends_with_it_and_a_newcomers_does_not(desk: Desk) -> None:
    """What nobody released is given back; what was given again since is somebody else's."""
    await desk.network()
    for endpoint, address in ((ENDPOINT, "10.1.0.5"), (OTHER, "10.1.0.6")):
        await desk.address(POOL, address)
        assert (await desk.call("NetworkDriver.CreateEndpoint", endpoint_request(endpoint, f"{address}/24"))).ok
    desk.now += 3600
    await desk.call("IpamDriver.ReleaseAddress", {"PoolID": POOL, "Address": "10.1.0.6"})
    await desk.address(POOL, "10.1.0.6", name="newcomer")

    for _ in range(2):
        await desk.parts.engine.collecting.collect()

    assert not desk.endpoints
    assert {address: lease.owner for address, lease in desk.leases().items()} == {
        "10.1.0.1": "",
        "10.1.0.6": "newcomer",
    }
