"""What Docker's calls do, told as conversations with an engine over a kernel and a store in memory."""

import errno
from contextlib import suppress
from ipaddress import ip_address

import pytest
import trio
from attrs import evolve
from core.tests.engine.conftest import ENDPOINT, NETWORK, SANDBOX, World

from linkwright.engine.observation import Collected, Drift, ExternalConnectivity, UnknownId
from linkwright.errors import Conflict, KernelError, NotFound, Refused, Unavailable
from linkwright.model import EndpointState, Mac, PortBinding, Protocol
from linkwright.plan import Bridge, Element, Link, Mark


async def test_a_network_is_a_bridge_with_its_gateway_known_to_the_firewall(world: World) -> None:
    """CreateNetwork leaves exactly what the driver wished for, marked as ours, and stored."""
    await world.network()

    bridge = world.kernel.get(("link", "lwbabababababab"))
    assert isinstance(bridge, Link)
    assert Mark("default", NETWORK) == bridge.mark
    assert bridge.up
    assert ("address", "lwbabababababab", "10.1.0.1/24") in world.kernel.resources()
    assert ("element", "masquerade4", "lwbabababababab") in world.kernel.resources()
    assert [network.id for network in (await world.store.load()).networks] == [NETWORK]


async def test_p_09_an_endpoint_asked_for_twice_is_one_and_with_other_data_is_refused(world: World) -> None:
    """Same id and data: the same answer and one device. Same id, other address: an error that names the endpoint."""
    await world.network()

    first = await world.endpoint()
    before = world.host()
    assert first == await world.endpoint()
    assert before == world.host()
    with pytest.raises(Conflict, match=ENDPOINT[:12]):
        await world.endpoint(address="10.1.0.3/24")
    assert before == world.host()


async def test_p_12_a_network_asked_for_twice_is_one_and_with_another_subnet_is_refused(world: World) -> None:
    """CreateNetwork replayed succeeds and makes no second device; the same id with another subnet does not."""
    await world.network()
    before = world.host()

    await world.network()
    assert before == world.host()
    with pytest.raises(Conflict, match="exists already"):
        await world.network(pool="10.2.0.0/24")
    assert before == world.host()


async def test_p_10_deleting_thrice_succeeds_and_leaves_the_neighbour_alone(world: World) -> None:
    """Leave and DeleteEndpoint may come as often as they like; only the endpoint named is touched."""
    await world.network()
    await world.endpoint("ee" * 32, "10.1.0.9/24")
    before = world.host()
    await world.endpoint()
    await world.join()

    for _ in range(3):
        await world.engine.endpoints.leave(NETWORK, ENDPOINT)
    for _ in range(3):
        await world.engine.endpoints.delete(NETWORK, ENDPOINT)
    assert before == world.host()
    assert [endpoint.id for endpoint in (await world.store.load()).endpoints] == ["ee" * 32]


async def test_p_11_deleting_what_was_never_seen_succeeds_and_is_counted(world: World) -> None:
    """Docker's deletions cannot be vetoed, and an unknown id is worth a counter."""
    await world.engine.endpoints.leave(NETWORK, ENDPOINT)
    await world.engine.endpoints.delete(NETWORK, ENDPOINT)
    await world.engine.networks.delete(NETWORK)
    await world.engine.endpoints.revoke(NETWORK, ENDPOINT)

    calls = [told.call for told in world.told if isinstance(told, UnknownId)]
    assert calls == ["Leave", "DeleteEndpoint", "DeleteNetwork", "RevokeExternalConnectivity"]


async def test_p_13_join_hands_over_a_link_that_exists_and_a_gateway_in_the_pool(world: World) -> None:
    """The source is on the host, short enough, and the gateway bare."""
    await world.network()
    await world.endpoint()

    joined = await world.join()

    assert ("link", joined.join.source) in world.kernel.resources()
    assert len(joined.join.source) <= 15
    assert joined.prefix == "eth"
    assert (ip_address("10.1.0.1"),) == joined.join.gateways


async def test_p_14_an_internal_network_has_no_gateway_and_no_second_nic(world: World) -> None:
    """Join on an --internal network answers no gateway, and asks Docker for none of its own."""
    await world.network(internal=True)
    await world.endpoint()

    joined = await world.join()

    assert joined.join.gateways == ()
    assert not joined.join.gateway_service
    assert ("element", "outward", "lwbabababababab") not in world.kernel.resources()


async def test_p_15_a_strangers_link_of_that_name_is_left_alone_and_named(world: World) -> None:
    """CreateEndpoint over a foreign veth: an error, and nothing left but what was there."""
    await world.network()
    world.kernel.foreign_create(Link("lwhcdcdcdcdcdcd", Bridge(), mtu=1500))
    before = world.host()

    with pytest.raises(Conflict, match="lwhcdcdcdcdcdcd"):
        await world.endpoint()

    assert before == world.host()
    assert not (await world.store.load()).endpoints


async def test_p_23_an_interface_name_is_remembered_until_join_and_bad_ones_are_refused(world: World) -> None:
    """The name comes with CreateEndpoint and not with Join, which has to answer it."""
    ifname = "com.docker.network.endpoint.ifname"
    await world.network()
    await world.endpoint(options={ifname: "foo0"})

    assert (await world.join()).name == "foo0"
    for number, bad in enumerate(("a" * 16, "a/b", ".", "", "a b", "a:b", "eth%d")):
        with pytest.raises(Refused, match="interface name"):
            await world.endpoint(f"{number:064x}", f"10.1.0.{number + 10}/24", options={ifname: bad})


async def test_b_08_a_foreign_bridge_of_the_wanted_name_is_refused_and_left_as_found(world: World) -> None:
    """The name is taken: say so, touch nothing."""
    world.kernel.foreign_create(Link("lwmine", Bridge(), mtu=1400))
    before = world.host()

    with pytest.raises(Conflict, match="lwmine"):
        await world.network(**{"com.docker.network.bridge.name": "lwmine"})

    assert before == world.host()


async def test_b_16_hardware_addresses_given_generated_and_stable(world: World) -> None:
    """A given one is used; a generated one is unicast and local; the stable option gives the same for one address."""
    await world.network(stable_mac="true")
    given = Mac.parse("02:aa:bb:cc:dd:01")

    assert given == (await world.endpoint(mac=given)).mac
    first = await world.endpoint("ee" * 32, "10.1.0.7/24")
    await world.engine.endpoints.delete(NETWORK, "ee" * 32)
    again = await world.endpoint("ff" * 32, "10.1.0.7/24")

    assert first.mac is not None
    assert first.mac == again.mac
    assert first.mac.is_unicast
    assert first.mac.octets[0] & 2


async def test_a_group_address_is_no_hardware_address_for_an_endpoint(world: World) -> None:
    """``--mac-address 01:…`` is refused in words."""
    await world.network()

    with pytest.raises(Refused, match="unicast"):
        await world.endpoint(mac=Mac.parse("01:00:5e:00:00:01"))


async def test_calls_about_an_unknown_network_or_endpoint_say_so(world: World) -> None:
    """CreateEndpoint and Join cannot be made up for."""
    with pytest.raises(NotFound, match="not known"):
        await world.endpoint()
    await world.network()
    with pytest.raises(NotFound, match="not known"):
        await world.engine.endpoints.join(NETWORK, ENDPOINT, SANDBOX, ())


async def test_a_joined_endpoint_does_not_move_to_another_sandbox(world: World) -> None:
    """The same Join again is a repeat; another sandbox is a mistake."""
    await world.network()
    await world.endpoint()
    await world.join()

    assert (await world.join()).prefix == "eth"
    with pytest.raises(Conflict, match="cannot join"):
        await world.join(sandbox="/run/docker/netns/other")


async def test_ports_are_received_stored_and_counted(world: World) -> None:
    """Program and Revoke are remembered for the endpoint, and Leave takes them back when Docker sends no Revoke."""
    await world.network()
    await world.endpoint()
    await world.join()
    ports = (PortBinding(Protocol.TCP, 80, host_port=8080, host_port_end=8080),)

    await world.engine.endpoints.external(NETWORK, ENDPOINT, ports)
    stored = (await world.store.load()).endpoints[0]
    assert (True, ports) == (stored.external, stored.ports)
    await world.engine.endpoints.leave(NETWORK, ENDPOINT)
    assert not (await world.store.load()).endpoints[0].external
    await world.engine.endpoints.revoke(NETWORK, ENDPOINT)
    counted = [(told.action, told.ports) for told in world.told if isinstance(told, ExternalConnectivity)]
    assert counted == [("program", 1), ("revoke", 1)]


async def test_forwarding_that_nobody_enabled_is_refused_by_name_unless_it_is_ours_to_manage(world: World) -> None:
    """A host that forwards everything is a router: that is the operator's decision."""
    world.kernel.state.sysctls["net/ipv4/ip_forward"] = "0"

    with pytest.raises(Refused, match=r"net\.ipv4\.ip_forward is 0.*--manage-forwarding"):
        await world.network()
    await world.network(internal=True)
    await world.engine.networks.delete(NETWORK)
    world.restart(manage_forwarding=True)
    await world.network()

    assert world.kernel.state.sysctls["net/ipv4/ip_forward"] == "1"


async def test_an_unknown_option_is_refused_with_the_nearest_known_one(world: World) -> None:
    """P-22: a misspelt option does not make a network without it."""
    with pytest.raises(Refused, match=r"com\.example\.nb\.mut.*did you mean '[a-z.]*mtu'"):
        await world.network(**{"com.example.nb.mut": "1400"})
    await world.network(**{"com.docker.network.advertise_addr_nmsgs": "2"})


async def test_a_new_holder_of_an_address_evicts_a_dead_one_but_not_a_living_one(world: World) -> None:
    """Trap 14: a killed engine never tells of its old endpoints, and gives their addresses out again."""
    await world.network()
    await world.endpoint()
    await world.join()

    with pytest.raises(Conflict, match="alive"):
        await world.endpoint("ee" * 32)
    world.kernel.sandboxes.clear()
    await world.endpoint("ee" * 32)

    assert [endpoint.id for endpoint in (await world.store.load()).endpoints] == ["ee" * 32]
    assert ("link", "lwhcdcdcdcdcdcd") not in world.kernel.resources()
    assert [told.id for told in world.told if isinstance(told, Collected)] == [ENDPOINT]


async def test_a_network_whose_pool_was_released_does_not_stand_in_a_new_ones_way(world: World) -> None:
    """Docker releases the pool before DeleteNetwork, which may be lost: the new network evicts the old."""
    held = True
    world.restart(references=lambda: lambda _: int(held))
    await world.network()
    held = False

    await world.network("ef" * 32)

    assert [network.id for network in (await world.store.load()).networks] == ["ef" * 32]
    assert ("link", "lwbabababababab") not in world.kernel.resources()


# --- failures ----------------------------------------------------------------------------------------------------


async def test_a_failure_at_any_step_leaves_the_host_and_the_store_as_before(world: World) -> None:
    """Network and endpoint, the kernel refusing step 1, 2, 3, …: each time nothing is left, and in the end it works."""
    for make in (world.network, world.endpoint):
        before, stored = world.host(), await world.stored()
        step = 0
        while True:
            step += 1
            world.kernel.fail_next(errno.ENOMEM, step=step)
            attempted = world.kernel.attempted
            with suppress(KernelError):
                await make()
                break
            assert before == world.host(), f"step {step} of {make.__name__}"
            assert stored == await world.stored()
        assert step > 1
        assert world.kernel.attempted > attempted
        world.kernel.fail_at.clear()


async def test_r_09_a_full_disk_says_so_and_leaves_nothing(world: World) -> None:
    """CreateEndpoint when the store takes nothing: an error, no device; when there is space again it works."""
    await world.network()
    before = world.host()

    world.store.fail_next()
    with pytest.raises(Unavailable):
        await world.endpoint()
    assert before == world.host()

    await world.endpoint()
    assert [endpoint.id for endpoint in (await world.store.load()).endpoints] == [ENDPOINT]


@pytest.mark.parametrize("delay", [0.5, 1.5])
async def test_a_cancelled_call_leaves_nothing(world: World, delay: float, autojump_clock: object) -> None:
    """The deadline comes while the kernel works, or while the disk does: what was begun is undone."""
    world = evolve(world, store=type(world.store)(delay=1.0), told=[], given_back=[])
    await world.network()
    before, stored = world.host(), await world.stored()
    world.kernel.delay = 1.0

    with trio.move_on_after(delay) as deadline:
        await world.endpoint()

    assert deadline.cancelled_caught
    assert before == world.host()
    assert stored == await world.stored()


async def test_l_11_a_deletion_that_the_kernel_refuses_is_finished_later(world: World) -> None:
    """Docker never asks again after a failed DeleteEndpoint: it succeeds, and the next look goes on."""
    await world.network()
    before = world.host()
    await world.endpoint()

    world.kernel.fail_next(errno.EBUSY)
    await world.engine.endpoints.delete(NETWORK, ENDPOINT)
    assert [endpoint.state for endpoint in (await world.store.load()).endpoints] == [EndpointState.DELETING]
    await world.engine.collecting.collect()

    assert before == world.host()
    assert not (await world.store.load()).endpoints


# --- restarts and drift ------------------------------------------------------------------------------------------


async def test_a_restart_changes_nothing_on_a_host_that_is_right(world: World) -> None:
    """Kill -9 and start: the same wishes, an empty plan."""
    await world.network()
    await world.endpoint()
    await world.join()
    before, journal = world.host(), len(world.kernel.journal)

    world.restart()
    await world.load()

    assert before == world.host()
    assert journal == len(world.kernel.journal)


async def test_r_05_after_a_reboot_networks_are_back_and_dead_endpoints_gone(world: World) -> None:
    """Another boot id and an empty kernel: bridges are made again, endpoints and leases of the old boot end."""
    await world.network()
    before = world.host()
    await world.endpoint()
    await world.join()

    world.kernel = FakeKernelAfterReboot(world)
    world.restart()
    await world.load()

    assert before == world.host()
    assert not (await world.store.load()).endpoints
    assert world.given_back == [ENDPOINT]


def FakeKernelAfterReboot(world: World) -> object:  # noqa: N802 - stands for a class
    """The same host with nothing of ours left, under another boot id."""
    kernel = type(world.kernel)(host=world.kernel.host, boot="00000000-0000-4000-8000-000000000002")
    kernel.state.sysctls |= {"net/ipv4/ip_forward": "1"}
    return kernel


async def test_r_12_a_deleted_bridge_and_an_unjoined_link_are_put_back_and_counted(world: World) -> None:
    """Somebody deletes them by hand; a look puts them back, ports and addresses too."""
    await world.network()
    await world.endpoint()
    before = world.host()

    world.kernel.foreign_delete(("link", "lwbabababababab"))
    world.kernel.foreign_delete(("link", "lwhcdcdcdcdcdcd"))
    await world.engine.reconcile.heal()

    assert before == world.host()
    assert {"link", "address", "sysctl"} == {
        told.kind for told in world.told if isinstance(told, Drift) and told.repaired
    }


async def test_r_12_a_joined_link_that_is_deleted_is_reported_and_not_made_again(world: World) -> None:
    """It took the container's interface with it; a new one on the host would help nobody."""
    await world.network()
    await world.endpoint()
    await world.join()

    world.kernel.foreign_delete(("link", "lwhcdcdcdcdcdcd"))
    report = await world.engine.reconcile.heal()

    assert ("link", "lwhcdcdcdcdcdcd") not in world.kernel.resources()
    assert any("lwhcdcdcdcdcdcd" in text for text in report.reported)
    assert [(told.kind, told.repaired) for told in world.told if isinstance(told, Drift)] == [("joined", False)]


async def test_s_06_a_plan_of_a_drifted_host_does_nothing(world: World) -> None:
    """Dry run: the steps are told, the kernel is untouched."""
    await world.network()
    world.kernel.foreign_delete(("link", "lwbabababababab"))
    drifted, journal = world.host(), len(world.kernel.journal)

    report = await world.engine.reconcile.plan()

    assert any(isinstance(step.resource, Link) for step in report.steps)
    assert drifted == world.host()
    assert journal == len(world.kernel.journal)


async def test_what_a_crash_left_is_swept_at_the_start(world: World) -> None:
    """A link of ours that no record knows was made by a call whose answer was lost: it goes."""
    await world.network()
    before = world.host()
    leftover = Link("lwh000000000000", Bridge(), mtu=1500, mark=Mark("default", NETWORK, "00" * 32))
    world.kernel.foreign_create(leftover)

    world.restart()
    await world.load()

    assert before == world.host()


async def test_another_instances_links_are_strangers(world: World) -> None:
    """Two daemons with different instance names keep their marks apart."""
    theirs = Link("lwbother", Bridge(), mtu=1500, up=True, mark=Mark("blue", "11" * 32))
    world.kernel.foreign_create(theirs)
    before = world.host()

    await world.load()

    assert before == world.host()


async def test_an_endpoint_that_no_later_call_names_is_given_up_after_a_while(world: World) -> None:
    """Its answer was lost, so Docker never mentions it again; its lease goes with it."""
    await world.network()
    before = world.host()
    await world.endpoint()

    for _ in range(2):
        await world.engine.collecting.collect()
    assert len((await world.store.load()).endpoints) == 1
    world.now += 61
    for _ in range(2):
        await world.engine.collecting.collect()

    assert before == world.host()
    assert world.given_back == [ENDPOINT]


async def test_an_endpoint_whose_sandbox_is_gone_is_collected_at_the_second_sighting(world: World) -> None:
    """Docker may be between two calls about it, so once is not enough."""
    await world.network()
    await world.endpoint()
    await world.join()
    world.kernel.sandboxes.clear()
    world.now += 61

    await world.engine.collecting.collect()
    assert len((await world.store.load()).endpoints) == 1
    await world.engine.collecting.collect()

    assert not (await world.store.load()).endpoints
    assert world.given_back == [ENDPOINT]


async def test_a_network_whose_pools_were_given_back_is_an_orphan_after_a_minute(world: World) -> None:
    """R-13: DeleteNetwork was lost while we were away; Docker's replay does not name the pool any more."""
    before = world.host()
    held = True
    world.restart(references=lambda: lambda _: int(held))
    await world.network()

    await world.engine.collecting.collect()
    held = False
    await world.engine.collecting.collect()
    world.now += 59
    await world.engine.collecting.collect()
    assert [network.id for network in (await world.store.load()).networks] == [NETWORK]
    world.now += 2
    await world.engine.collecting.collect()

    assert before == world.host()


async def test_a_network_whose_driver_is_gone_is_frozen(world: World) -> None:
    """A missing wish means "no longer wanted", a missing driver does not: nothing of it is touched."""
    await world.network()
    await world.endpoint()
    before = world.host()

    world.drivers = []
    world.restart()
    await world.load()

    assert before == world.host()
    assert "linkwright-bridge" in world.engine.reconcile.frozen[NETWORK]


async def test_the_service_follows_events_and_looks_at_everything_after_an_overrun(
    world: World, autojump_clock: object
) -> None:
    """A deletion is repaired by its event; after an overrun the whole host is read once."""
    await world.network()
    before = world.host()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.engine.reconcile.run, world.kernel.events)
        world.kernel.foreign_delete(("link", "lwbabababababab"))
        await trio.sleep(1)
        assert before == world.host()
        world.kernel.foreign_flush()
        await trio.sleep(1)
        assert before == world.host()
        del world.kernel.state.resources[("element", "bridges", "lwbabababababab")]
        world.kernel.overrun()
        await trio.sleep(1)
        assert before == world.host()
        assert Element("bridges", ("lwbabababababab",)).key in world.kernel.resources()
        nursery.cancel_scope.cancel()


async def test_networks_do_not_wait_for_each_other(world: World, autojump_clock: object) -> None:
    """Order per network, parallel across networks: 8 networks take as long as one."""
    world.kernel.delay = 1.0
    began = trio.current_time()

    async with trio.open_nursery() as nursery:
        for number in range(8):
            nursery.start_soon(world.network, f"{number:02x}" * 32, f"10.{number}.0.0/24")

    assert trio.current_time() - began < 2.0
