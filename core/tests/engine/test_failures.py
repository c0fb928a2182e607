"""What fails halfway: the kernel, the disk, the deadline, at each place where a call can be interrupted."""

import pytest
import trio
from attrs import evolve
from core.tests.engine.conftest import ENDPOINT, NETWORK, SANDBOX, World
from core.tests.engine.paper import Paper, registered
from core.tests.engine.stubborn import refuse

from linkwright import sdk
from linkwright.engine.observation import Collected, Drift, UnknownId
from linkwright.errors import Conflict, Unavailable
from linkwright.model import EndpointState, StoredNetwork
from linkwright.model.change import Put
from linkwright.plan import Element, Wishes

OTHER = "ef" * 32
BRIDGE, VETH = ("link", "lwbabababababab"), ("link", "lwhcdcdcdcdcdcd")


async def delete(world: World, what: str) -> None:
    """DeleteNetwork or DeleteEndpoint."""
    if what == "network":
        await world.engine.networks.delete(NETWORK)
    else:
        await world.engine.endpoints.delete(NETWORK, ENDPOINT)


async def test_a_deletion_that_the_kernel_refuses_is_a_deletion_all_the_same(world: World) -> None:
    """Docker has forgotten the network whatever we answer: so have we, and what is left in the kernel is swept."""
    before = world.host()
    await world.network()
    await world.endpoint()
    refuse(world.kernel, BRIDGE)

    await world.engine.networks.delete(NETWORK)
    assert not await world.stored()
    assert BRIDGE in world.host()
    assert [told.kind for told in world.told if isinstance(told, Drift)] == ["kernel"]

    refuse(world.kernel)
    world.restart()
    await world.load()
    assert before == world.host()


async def test_a_network_with_endpoints_goes_as_a_whole_or_not_at_all(world: World) -> None:
    """The kernel refuses the last step of many: the endpoints that would have gone first are still there."""
    await world.network()
    for digit in "123":
        await world.endpoint(digit * 64, f"10.1.0.{digit}7/24")
    before = world.host()
    refuse(world.kernel, ("element", "bridges", BRIDGE[1]))

    await world.engine.networks.delete(NETWORK)

    assert before == world.host()


@pytest.mark.parametrize("what", ["network", "endpoint"])
async def test_a_deletion_that_the_disk_does_not_take_is_finished_later(world: World, what: str) -> None:
    """Docker is told, does not care, and never asks again: the next look goes on."""
    await world.network()
    before = world.host()
    await world.endpoint()
    world.store.fail_next()

    with pytest.raises(Unavailable):
        await delete(world, what)
    await world.engine.collecting.collect()

    assert not (await world.store.load()).endpoints
    if what == "network":
        assert not (await world.store.load()).networks
        assert {("link", "lo")} == set(world.host())
    else:
        assert before == world.host()
    assert not world.engine.networks.owed
    assert not world.engine.ending.owed
    assert not [told for told in world.told if isinstance(told, UnknownId)]


@pytest.mark.parametrize("what", ["network", "endpoint"])
@pytest.mark.parametrize("delay", [0.5, 1.5, 2.5])
async def test_a_deletion_cut_short_by_its_deadline_is_finished_later(
    world: World, what: str, delay: float, autojump_clock: object
) -> None:
    """Waiting for the lock, in the kernel, at the disk: wherever the deadline comes, nothing is left in the end."""
    await world.network()
    await world.endpoint()
    world.store = type(world.store)(await world.store.load(), delay=1.0)
    world.restart()
    await world.load()
    world.kernel.delay = 1.0

    async def hold() -> None:
        async with world.engine.networks.lock(NETWORK):
            await trio.sleep(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hold)
        await trio.testing.wait_all_tasks_blocked()
        with trio.move_on_after(delay) as deadline:
            await delete(world, what)
    assert deadline.cancelled_caught
    await world.engine.collecting.collect()

    contents = await world.store.load()
    assert (bool(contents.networks), bool(contents.endpoints)) == (what == "endpoint", False)
    assert VETH not in world.host()
    assert (BRIDGE in world.host()) == (what == "endpoint")


async def test_a_network_left_by_a_foreign_ipam_driver_goes_too(world: World) -> None:
    """With Docker's own IPAM nobody can tell from pools that the network is gone: only the deletion that failed can."""
    await world.network()
    world.store.fail_next(count=3)
    with pytest.raises(Unavailable):
        await world.engine.networks.delete(NETWORK)

    for _ in range(3):
        await world.engine.collecting.collect()

    assert not await world.stored()


async def test_what_cannot_be_taken_back_is_told_and_swept(world: World) -> None:
    """The disk refuses the endpoint, and then the kernel refuses to unmake it: Docker hears the first reason."""
    await world.network()
    before = world.host()
    commit = world.store.commit

    async def full(_: object) -> None:
        refuse(world.kernel, VETH)
        raise Unavailable("the disk is full")

    world.engine.state._commit = full
    with pytest.raises(Unavailable, match="the disk is full"):
        await world.endpoint()
    told = [told for told in world.told if isinstance(told, Drift)]
    assert [(one.kind, one.repaired) for one in told] == [("kernel", False)]
    assert "could not be taken back" in told[0].text

    world.engine.state._commit = commit
    refuse(world.kernel)
    await world.engine.reconcile.heal()
    assert before == world.host()


async def test_a_cancelled_call_stays_cancelled_though_it_cannot_be_taken_back(
    world: World, autojump_clock: object
) -> None:
    """The deadline comes at the disk, and the kernel refuses to unmake: the deadline is what the caller hears of."""
    await world.network()
    world.store = type(world.store)(await world.store.load(), delay=1.0)
    world.restart()
    await world.load()

    with trio.move_on_after(0.5) as deadline:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.endpoint)
            await trio.sleep(0.2)
            refuse(world.kernel, VETH)

    assert deadline.cancelled_caught


async def test_taking_back_does_not_wait_without_end(world: World, autojump_clock: object) -> None:
    """A kernel that hangs does not hold up whoever was cancelled, and with that the daemon's stop."""
    await world.network()
    world.store = type(world.store)(await world.store.load(), delay=1.0)
    world.restart()
    await world.load()
    began = trio.current_time()

    with trio.move_on_after(0.5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(world.endpoint)
            await trio.sleep(0.2)
            world.kernel.delay = 3600.0

    assert trio.current_time() - began == pytest.approx(5.5)
    world.kernel.delay = 0.0
    await world.engine.reconcile.heal()
    assert VETH not in world.host()


# --- endpoints that are being deleted ------------------------------------------------------------------------------


async def deleting(world: World) -> None:
    """An endpoint whose deletion the kernel refused."""
    await world.network()
    await world.endpoint()
    refuse(world.kernel, VETH)
    await world.engine.endpoints.delete(NETWORK, ENDPOINT)
    assert world.engine.state.endpoints[ENDPOINT].state is EndpointState.DELETING


async def test_an_endpoint_that_is_being_deleted_takes_no_more_calls(world: World) -> None:
    """It cannot join, nor publish; leaving and deleting again succeed."""
    await deleting(world)

    with pytest.raises(Conflict, match="deleting"):
        await world.join()
    with pytest.raises(Conflict, match="being deleted"):
        await world.engine.endpoints.external(NETWORK, ENDPOINT, ())
    await world.engine.endpoints.leave(NETWORK, ENDPOINT)
    await world.engine.endpoints.delete(NETWORK, ENDPOINT)
    assert world.engine.state.endpoints[ENDPOINT].state is EndpointState.DELETING


async def test_an_endpoint_that_is_being_deleted_makes_way_for_the_same_id(world: World) -> None:
    """Asked for again it is not the old one, which would vanish at the next look: that one is finished first."""
    await deleting(world)
    with pytest.raises(Unavailable, match="still being deleted"):
        await world.endpoint()

    refuse(world.kernel)
    made = await world.endpoint()
    await world.engine.collecting.collect()

    assert made.state is EndpointState.CREATING
    assert world.engine.state.endpoints == {ENDPOINT: made}
    assert VETH in world.host()


async def test_what_is_not_collected_is_not_counted_as_collected(world: World) -> None:
    """The kernel goes on refusing: each look tells of that, and none of a collection; the disk is left in peace."""
    await deleting(world)
    commits = world.store.statistics().commits
    for _ in range(3):
        await world.engine.collecting.collect()
    assert not [told for told in world.told if isinstance(told, Collected)]
    assert commits == world.store.statistics().commits

    refuse(world.kernel)
    await world.engine.collecting.collect()
    assert [told.id for told in world.told if isinstance(told, Collected)] == [ENDPOINT]


async def test_a_lease_is_given_back_before_its_endpoint_is_forgotten(world: World) -> None:
    """Were it the other way round, a ledger that cannot be written would keep the address for ever."""
    await world.network()
    await world.endpoint()
    world.now += 61
    world.engine.ending._give_back = failing
    for _ in range(3):
        await world.engine.collecting.collect()
    assert list(world.engine.state.endpoints) == [ENDPOINT]

    world.restart()
    await world.load()
    for _ in range(2):
        await world.engine.collecting.collect()
    assert (world.given_back, list(world.engine.state.endpoints)) == ([ENDPOINT], [])


async def failing(*_: object) -> None:
    """A ledger that cannot be written."""
    raise Unavailable("the ledger is full")


async def test_one_network_that_cannot_be_collected_does_not_keep_the_others(world: World) -> None:
    """Each is tried, and what failed is told."""
    for network, pool in ((NETWORK, "10.1.0.0/24"), (OTHER, "10.2.0.0/24")):
        await world.network(network, pool)
    await world.endpoint()
    await world.endpoint("12" * 32, "10.2.0.2/24", network=OTHER)
    world.now += 61
    give_back = world.engine.ending._give_back

    async def give_back_some(network: object, endpoint: sdk.Endpoint) -> None:
        if endpoint.id == ENDPOINT:
            raise Unavailable("the ledger is full")
        await give_back(network, endpoint)  # type: ignore[arg-type]

    world.engine.ending._give_back = give_back_some
    for _ in range(2):
        await world.engine.collecting.collect()

    assert list(world.engine.state.endpoints) == [ENDPOINT]
    assert {told.text for told in world.told if isinstance(told, Drift)} == {"the ledger is full"}


async def test_r_09_networks_come_back_after_a_reboot_though_the_disk_is_full(world: World) -> None:
    """What is dead cannot be struck off then; what is alive is put back all the same."""
    await world.network()
    before = world.host()
    await world.endpoint()
    boot = "00000000-0000-4000-8000-000000000002"
    kernel = type(world.kernel)(host=world.kernel.host, boot=boot)
    kernel.state.sysctls |= {"net/ipv4/ip_forward": "1"}
    world.kernel = kernel
    world.restart()
    world.store.fail_next(count=100)

    await world.load()

    assert BRIDGE in world.host()
    assert set(before) <= set(world.host())


# --- what others hold ------------------------------------------------------------------------------------------------


async def test_an_eviction_leaves_the_newcomers_lease_alone(world: World) -> None:
    """The address is the new endpoint's by now; only what the old one had beside it is given back."""
    await world.network()
    await world.endpoint()
    given: list[tuple[object, object]] = []

    async def note(_: object, endpoint: sdk.Endpoint) -> None:
        given.append((endpoint.ipv4, endpoint.ipv6))

    world.engine.ending._give_back = note
    await world.endpoint("ee" * 32)

    assert given == [(None, None)]


async def test_a_call_about_another_networks_endpoint_changes_nothing(world: World) -> None:
    """Its own network's lock is not held: for the network that was named there is no such endpoint."""
    await world.network()
    await world.network(OTHER, "10.2.0.0/24")
    await world.endpoint()
    await world.join()
    await world.engine.endpoints.external(NETWORK, ENDPOINT, ())
    before, endpoint = world.host(), world.engine.state.endpoints[ENDPOINT]

    await world.engine.endpoints.leave(OTHER, ENDPOINT)
    await world.engine.endpoints.revoke(OTHER, ENDPOINT)
    await world.engine.endpoints.delete(OTHER, ENDPOINT)
    with pytest.raises(Conflict, match="exists already"):
        await world.endpoint(address="10.2.0.2/24", network=OTHER)

    assert (before, endpoint) == (world.host(), world.engine.state.endpoints[ENDPOINT])
    assert len([told for told in world.told if isinstance(told, UnknownId)]) == 3


async def test_two_networks_that_exclude_each_other_are_not_both_made(world: World, autojump_clock: object) -> None:
    """Both come at once, and neither is stored yet when its driver is asked whether it may be beside the other."""
    world.drivers = [registered(Jealous(network=lambda network: Wishes.of(Element("bridges", (network.id[:12],)))))]
    world.restart()
    world.kernel.delay = 1.0
    outcomes: list[str] = []

    async def create(network: str) -> None:
        described = await world.engine.networks.described(
            "paper", network, subnets=(), ipv4=True, ipv6=False, internal=False, options={}
        )
        try:
            await world.engine.networks.create(described)
            outcomes.append("made")
        except Conflict:
            outcomes.append("refused")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(create, NETWORK)
        nursery.start_soon(create, OTHER)

    assert sorted(outcomes) == ["made", "refused"]


class Jealous(Paper):
    """A driver of which one network can exist on a host."""

    def admit(self, network: object, others: tuple[object, ...], host: object) -> None:  # noqa: ARG002 - the core's
        """Refuse if there is any other."""
        if others:
            raise Conflict("there is one already")


# --- which network holds a pool ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("references", "left"), [(0, []), (1, [OTHER]), (2, [NETWORK, OTHER]), (3, [NETWORK, OTHER])])
async def test_of_networks_on_one_subnet_the_oldest_was_given_back_first(
    world: World, references: int, left: list[str]
) -> None:
    """Pools carry no network's name: Docker removes one of two networks, and the subnet is still held for the other."""
    world.restart(references=lambda: lambda _: references)
    stored = await described(world)
    for network in (NETWORK, OTHER):
        await world.engine.state.commit(Put(evolve(stored, id=network)))

    await world.engine.collecting.collect()
    world.now += 61
    await world.engine.collecting.collect()

    assert list(world.engine.state.networks) == left


async def test_l_3_a_forgotten_network_makes_way_for_one_on_the_same_subnet(world: World) -> None:
    """Docker holds the pool again when CreateNetwork comes: that reference is the new network's, not the old one's."""
    world.restart(references=lambda: lambda _: 1)
    await world.network()

    await world.network(OTHER)

    assert list(world.engine.state.networks) == [OTHER]


async def test_a_network_whose_container_lives_is_never_collected(world: World) -> None:
    """Whatever speaks for it: a live container is not cut off on the strength of what Docker did not say."""
    references = 1
    world.restart(references=lambda: lambda _: references)
    await world.network()
    await world.endpoint()
    await world.join()
    world.kernel.lend("lwccdcdcdcdcdcd", SANDBOX)
    before = world.host()
    references = 0

    for _ in range(3):
        world.now += 61
        await world.engine.collecting.collect()
    assert not await world.engine.networks.collect(NETWORK, "Docker does not know it")

    assert before == world.host()
    assert list(world.engine.state.networks) == [NETWORK]


async def test_a_clock_put_back_does_not_keep_an_orphan(world: World) -> None:
    """R-10: the minute is counted anew, not until the old time comes round again."""
    world.restart(references=lambda: lambda _: 0)
    await world.network()
    await world.engine.collecting.collect()
    world.now -= 86_400
    await world.engine.collecting.collect()
    world.now += 61
    await world.engine.collecting.collect()

    assert not world.engine.state.networks


async def described(world: World) -> StoredNetwork:
    """A network as it would be stored."""
    await world.network("99" * 32)
    network = world.engine.state.networks["99" * 32]
    await world.engine.networks.delete("99" * 32)
    return network
