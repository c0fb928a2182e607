"""Addresses for the host itself, out of our own ledger: leases that Docker knows nothing of."""

from ipaddress import ip_address

import pytest
import trio
from core.tests.daemon.desk import NETWORK, SPACE, Desk, a_desk, network_request

from linkwright.daemon.claimed import Claimed
from linkwright.errors import Conflict, Refused
from linkwright.model import LeaseKind, StoredNetwork, Subnet
from linkwright.sdk import AddressClaim

POOL = f"{SPACE}/10.1.0.0/24"


@pytest.fixture
async def desk(nursery: trio.Nursery) -> Desk:
    """A daemon with one network on 10.1.0.0/24, of our own IPAM."""
    desk = a_desk()
    await desk.start()
    await nursery.start(desk.parts.ipam.run)
    assert (await desk.network()).ok
    return desk


def claimed(desk: Desk) -> Claimed:
    """The allocator under test."""
    return Claimed(desk.parts.holdings, desk.parts.ipam)


def of(desk: Desk) -> tuple[StoredNetwork, Subnet]:
    """The network and its subnet."""
    network = desk.networks[NETWORK]
    return network, network.subnets[0]


async def test_an_address_is_leased_to_the_host_until_it_is_given_back(desk: Desk) -> None:
    """Nobody is given it meanwhile, whoever asks; ReleaseAddress is not for Docker to say."""
    network, subnet = of(desk)
    text = await claimed(desk).take(network, AddressClaim("host", subnet))
    lease = desk.leases()[text]
    assert (lease.kind, lease.owner) == (LeaseKind.HOST, f"network {NETWORK[:12]}")
    assert await desk.address(POOL) != f"{text}/24"
    asked = {"PoolID": POOL, "Address": text}
    assert "is held by the host itself" in (await desk.call("IpamDriver.RequestAddress", asked)).error
    assert (await desk.call("IpamDriver.ReleaseAddress", asked)).ok
    assert text in desk.leases()
    await claimed(desk).give_back(network, {"host": text})
    assert text not in desk.leases()
    await claimed(desk).give_back(network, {"host": text})


async def test_one_that_is_asked_for_by_name_is_that_one_or_none(desk: Desk) -> None:
    """The holder is told."""
    network, subnet = of(desk)
    claim = AddressClaim("host", subnet, ip_address("10.1.0.77"))
    assert await claimed(desk).take(network, claim) == "10.1.0.77"
    with pytest.raises(Conflict, match="is held by the host itself 'network abababababab'"):
        await claimed(desk).take(network, claim)


async def test_what_another_has_by_now_is_not_taken_from_it(desk: Desk) -> None:
    """The pool went first, as Docker has it, and its address was given to a container of the next network."""
    network, subnet = of(desk)
    text = await claimed(desk).take(network, AddressClaim("host", subnet))
    await desk.call("IpamDriver.ReleasePool", {"PoolID": POOL})
    assert text not in desk.leases()
    await desk.pool()
    await desk.address(POOL, text)
    await claimed(desk).give_back(network, {"host": text})
    assert desk.leases()[text].kind is LeaseKind.ENDPOINT


async def test_it_outlives_both_daemons(desk: Desk, nursery: trio.Nursery) -> None:
    """Docker's replay does not name it, and it is not taken for lost."""
    network, subnet = of(desk)
    text = await claimed(desk).take(network, AddressClaim("host", subnet))
    await desk.start()
    await nursery.start(desk.parts.ipam.run)
    await desk.call("Plugin.Activate")
    await desk.pool()
    for _ in range(3):
        await desk.parts.ipam.observe(())
    assert desk.leases()[text].kind is LeaseKind.HOST


async def test_addresses_of_another_ipam_are_not_ours_to_give(desk: Desk) -> None:
    """The refusal says what to do, with what the driver knows besides."""
    other = "cd" * 32
    request = network_request(other, "10.2.0.0/24", "10.2.0.1/24", space="LocalDefault")
    assert (await desk.call("NetworkDriver.CreateNetwork", request)).ok
    network = desk.networks[other]
    with pytest.raises(Refused) as refused:
        await claimed(desk).take(network, AddressClaim("host", network.subnets[0], otherwise="do without"))
    assert str(refused.value) == (
        "no address of 10.2.0.0/24 can be chosen for the host: another IPAM driver than linkwright's gives them out; "
        "create the network with --ipam-driver lw-ipam, or do without"
    )
    await claimed(desk).give_back(network, {"host": "10.2.0.9"})
