"""What ``engine.ports.HostPorts`` promises, asked of the fake and of the real one alike."""

import pytest
import trio
from core.tests.hostports.conftest import ANY4, ANY6, ONE4, ONE6, Host, bind, both, numbers

from linkwright.errors import Conflict, Exhausted
from linkwright.model import Address, Protocol

TCP, UDP = Protocol.TCP, Protocol.UDP
TARGETS = (ONE4,)


@pytest.mark.parametrize("protocol", [TCP, UDP])
@pytest.mark.parametrize("address", [ANY4, ANY6, ONE4, ONE6], ids=str)
async def test_b_27_a_held_port_is_nobody_elses(host: Host, protocol: Protocol, address: Address) -> None:
    """Another server is refused the port, also one that would share it, until we let it go."""
    binding = bind(address, 8080, protocol=protocol)

    held = await host.ports.hold("a", [(binding,)], TARGETS)

    assert [(one.host_address, one.host_port, one.port) for one in held] == [(address, 8080, 80)]
    with pytest.raises(Conflict):
        host.take(protocol, binding.host_address, 8080)
    host.ports.release("a")
    host.take(protocol, binding.host_address, 8080)


@pytest.mark.parametrize("protocol", [TCP, UDP])
@pytest.mark.parametrize(("mine", "theirs"), [(ANY4, ONE4), (ONE4, ANY4), (ANY6, ONE6), (ONE6, ANY6), (ONE4, ONE4)])
async def test_b_27_a_port_of_another_process_is_refused_by_name(
    host: Host, protocol: Protocol, mine: Address, theirs: Address
) -> None:
    """On the address itself, or where either means every address."""
    host.take(protocol, theirs, 8080)

    with pytest.raises(Conflict, match="8080"):
        await host.ports.hold("a", [(bind(mine, 8080, protocol=protocol),)], TARGETS)


async def test_p_16_all_are_held_or_none(host: Host) -> None:
    """The second of two is taken: the first is free again, and so is what came before it in its own group."""
    host.take(TCP, ANY6, 8081)

    with pytest.raises(Conflict, match="8081"):
        await host.ports.hold("a", [both(8080), both(8081, 81)], TARGETS)

    host.take(TCP, ANY4, 8080)
    host.take(TCP, ANY4, 8081)


async def test_p_16_what_the_owner_had_before_it_has_still(host: Host) -> None:
    """A request that comes to nothing changes nothing."""
    await host.ports.hold("a", [both(8080)], TARGETS)
    host.take(TCP, ANY4, 8081)

    with pytest.raises(Conflict):
        await host.ports.hold("a", [both(8082, 82), both(8081, 81)], TARGETS)

    with pytest.raises(Conflict):
        host.take(TCP, ANY4, 8080)
    host.take(TCP, ANY4, 8082)


async def test_b_11_an_open_port_is_chosen_and_is_one_for_the_group(host: Host) -> None:
    """Over families, and over protocols; two containers never get the same."""
    first = await host.ports.hold("a", [(*both(0), *both(0, protocol=UDP))], TARGETS)
    second = await host.ports.hold("b", [both(0)], TARGETS)

    assert len(set(numbers(first))) == len(set(numbers(second))) == 1
    assert 0 not in numbers(first)
    assert set(numbers(first)).isdisjoint(numbers(second))
    assert [one.host_port_end for one in first] == numbers(first)  # it is no choice any more
    for protocol in (TCP, UDP):
        with pytest.raises(Conflict):
            host.take(protocol, ANY6, numbers(first)[0])


async def test_b_10_the_first_free_port_of_a_range_is_taken(host: Host) -> None:
    """Free for the whole group: one that is taken for a family only will not do."""
    host.take(TCP, ANY4, 8000)
    host.take(TCP, ANY6, 8001)

    held = await host.ports.hold("a", [both(8000, last=8003), both(8000, 81, last=8003)], TARGETS)

    assert numbers(held) == [8002, 8002, 8003, 8003]
    with pytest.raises(Exhausted, match="8000-8003"):
        await host.ports.hold("b", [both(8000, last=8003)], TARGETS)
    host.take(TCP, ANY6, 8000)
    host.take(TCP, ANY4, 8001)


async def test_protocols_do_not_share_their_ports(host: Host) -> None:
    """Nor families: DNS is one container's by UDP and another's by TCP."""
    await host.ports.hold("a", [(bind(ANY4, 53, protocol=UDP),)], TARGETS)
    await host.ports.hold("b", [(bind(ANY4, 53),)], TARGETS)
    await host.ports.hold("c", [(bind(ANY6, 53),)], TARGETS)

    host.take(UDP, ANY6, 53)


async def test_two_addresses_may_have_one_port(host: Host) -> None:
    """Each its own; every address of the family is each of them."""
    await host.ports.hold("a", [(bind(ONE4, 8080),), (bind(ONE6, 8080),)], TARGETS)

    with pytest.raises(Conflict):
        await host.ports.hold("b", [(bind(ANY4, 8080),)], TARGETS)
    host.take(TCP, ANY4 + 2130706433, 8080)  # 127.0.0.1


async def test_asked_for_again_what_is_held_stays_and_the_rest_goes(host: Host) -> None:
    """Docker repeats itself, and moves the role of the gateway with fewer ports or others."""
    await host.ports.hold("a", [both(8080), both(8081, 81)], TARGETS)

    held = await host.ports.hold("a", [both(8080, 8888), both(8082, 82)], TARGETS)

    assert numbers(held) == [8080, 8080, 8082, 8082]
    host.take(TCP, ANY4, 8081)
    for port in (8080, 8082):
        with pytest.raises(Conflict):
            host.take(TCP, ANY6, port)


async def test_of_its_own_nothing_is_in_an_owners_way(host: Host) -> None:
    """From one address to all of them: what it had is what it lets go for that."""
    await host.ports.hold("a", [(bind(ONE4, 8080),)], TARGETS)

    held = await host.ports.hold("a", [both(8080)], TARGETS)

    assert numbers(held) == [8080, 8080]
    await host.ports.hold("a", [], TARGETS)
    host.take(TCP, ANY4, 8080)


async def test_what_was_let_go_for_a_request_that_failed_is_held_again(host: Host) -> None:
    """Nothing has changed, also where something had to make room."""
    await host.ports.hold("a", [(bind(ONE4, 8080),)], TARGETS)
    host.take(TCP, ANY6, 8080)

    with pytest.raises(Conflict):
        await host.ports.hold("a", [both(8080)], TARGETS)

    with pytest.raises(Conflict):
        host.take(TCP, ONE4, 8080)
    host.take(TCP, ANY4 + 2130706433, 8080)
    host.ports.release("a")
    host.take(TCP, ONE4, 8080)


async def test_letting_go_of_nothing_is_fine(host: Host) -> None:
    """Leave and DeleteEndpoint come twice, and for endpoints that published nothing."""
    host.ports.release("a")
    await host.ports.hold("a", [], TARGETS)
    host.ports.release("a")
    host.ports.release("a")


async def test_a_call_that_is_cancelled_has_done_nothing(host: Host) -> None:
    """Docker is answered an error then, and the ports are free."""
    with trio.CancelScope() as scope:
        scope.cancel()
        await host.ports.hold("a", [both(8080)], TARGETS)

    assert scope.cancelled_caught
    host.take(TCP, ANY4, 8080)
    host.take(TCP, ANY6, 8080)


# --- a restart -----------------------------------------------------------------------------------------------------


async def test_after_a_restart_all_is_held_again(host: Host) -> None:
    """As it was, and nothing is lost."""
    held = await host.ports.hold("a", [both(8080), both(0, 81)], TARGETS)
    ports = host.restart()

    await ports.restore("a", held, TARGETS)

    assert ports.lost() == {}
    for one in held:
        with pytest.raises(Conflict):
            host.take(TCP, ANY4, one.host_port)


async def test_what_was_taken_meanwhile_is_told_and_may_come_back(host: Host) -> None:
    """The rest is held all the same; whoever was quicker keeps the port, until it lets go and somebody asks again."""
    held = await host.ports.hold("a", [both(8080), both(8081, 81)], TARGETS)
    ports = host.restart()
    let_go = host.take(TCP, ANY4, 8081)

    await ports.restore("a", held, TARGETS)

    lost = ports.lost()
    assert list(lost) == [held[2]]
    assert "8081" in lost[held[2]]
    with pytest.raises(Conflict):
        host.take(TCP, ANY6, 8081)

    let_go()
    await ports.restore("a", held, TARGETS)

    assert ports.lost() == {}
    with pytest.raises(Conflict):
        host.take(TCP, ANY4, 8081)


async def test_who_has_gone_has_lost_nothing(host: Host) -> None:
    """A container ends, or asks for its ports anew: what it had lost is no longer missed."""
    held = await host.ports.hold("a", [both(8080)], TARGETS)
    ports = host.restart()
    let_go = host.take(TCP, ANY4, 8080)
    await ports.restore("a", held, TARGETS)
    let_go()

    await ports.hold("a", [both(8080)], TARGETS)
    assert ports.lost() == {}

    ports = host.restart()
    host.take(TCP, ANY4, 8080)
    await ports.restore("a", held, TARGETS)
    ports.release("a")
    assert ports.lost() == {}


async def test_restoring_lets_go_of_what_is_not_named(host: Host) -> None:
    """It is what the owner has, and all of it."""
    held = await host.ports.hold("a", [both(8080), both(8081, 81)], TARGETS)

    await host.ports.restore("a", held[:2], TARGETS)

    host.take(TCP, ANY4, 8081)
    with pytest.raises(Conflict):
        host.take(TCP, ANY4, 8080)
