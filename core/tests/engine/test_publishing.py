"""Ports: held on the host, led into the container, stored; taken back whole when something fails; closed in the end."""

import errno
from collections.abc import Callable, Sequence
from ipaddress import ip_address

import pytest
import trio
from attrs import evolve
from core.tests.engine.conftest import ENDPOINT, NETWORK, SANDBOX, World
from core.tests.engine.harbour import Harbour
from core.tests.engine.paper import Paper, registered
from core.tests.engine.stubborn import refuse

from linkwright.engine.observation import (
    Collected,
    Drift,
    ExternalConnectivity,
    FlowsForgotten,
    SetupStage,
)
from linkwright.engine.reconcile import SETTLE
from linkwright.errors import Conflict, DriverFault, Exhausted, KernelError, Refused, Unavailable
from linkwright.model import EndpointState, Flows, PortBinding, Protocol
from linkwright.plan import Bridge as BridgeKind
from linkwright.plan import Element, Link, Step, Wishes

OTHER = "ef" * 32
SECOND_NETWORK = "99" * 32
LENT, KEPT = "lwccdcdcdcdcdcd", "lwhcdcdcdcdcdcd"
TCP, UDP, SCTP = Protocol.TCP, Protocol.UDP, Protocol.SCTP
ANY4, ANY6, LOCAL, LAN = (ip_address(text) for text in ("0.0.0.0", "::", "127.0.0.1", "192.0.2.1"))
WEB = ("element", "wildcard4", "tcp", "8080")


def port(inside: int, outside: int = 0, *, last: int = 0, on: object = None, protocol: Protocol = TCP) -> PortBinding:
    """``-p [on:]outside[-last]:inside`` as Docker sends it: the last port of a single one is itself."""
    return PortBinding(protocol, inside, on, outside, last or outside)  # type: ignore[arg-type]


@pytest.fixture
async def quay(world: World) -> World:
    """A host with one network of the driver that publishes, and one joined endpoint."""
    world.drivers = [registered(Harbour())]
    world.restart()
    await world.network()
    await joined(world)
    return world


async def joined(world: World, endpoint: str = ENDPOINT, address: str = "10.1.0.2/24", sandbox: str = SANDBOX) -> None:
    """CreateEndpoint and Join."""
    await world.endpoint(endpoint, address)
    await world.join(endpoint, sandbox)


async def publish(world: World, *ports: PortBinding, endpoint: str = ENDPOINT, ipv6: bool = True) -> None:
    """ProgramExternalConnectivity."""
    await world.engine.endpoints.external(NETWORK, endpoint, ports, ipv6=ipv6)


def harbour(world: World) -> Harbour:
    """The driver."""
    driver = world.drivers[0].driver
    assert isinstance(driver, Harbour)
    return driver


def published(world: World, endpoint: str = ENDPOINT) -> list[str]:
    """What the store says that it publishes."""
    return [str(binding) for binding in world.engine.state.endpoints[endpoint].published]


def led(world: World) -> dict[str, tuple[str, ...]]:
    """Where the firewall leads what comes to which port."""
    elements = [one for one in world.host().values() if isinstance(one, Element)]
    return {" ".join(one.parts): one.data for one in elements if one.set in {"wildcard4", "published4"}}


# --- made ----------------------------------------------------------------------------------------------------------


async def test_b_09_a_port_is_held_led_into_the_container_and_stored(quay: World) -> None:
    """For both families one port; the store has it as asked for and as made."""
    await publish(quay, port(80, 8080), port(53, 5353, protocol=UDP))

    ports = ["0.0.0.0:5353:53/udp", "0.0.0.0:8080:80/tcp", "[::]:5353:53/udp", "[::]:8080:80/tcp"]
    assert quay.host_ports.ports == ports
    assert quay.host_ports.targets == {ENDPOINT: (ip_address("10.1.0.2"),)}
    assert led(quay) == {"tcp 8080": ("10.1.0.2", "80"), "udp 5353": ("10.1.0.2", "53")}
    stored = (await quay.store.load()).endpoints[0]
    assert stored.external
    assert [str(one) for one in stored.ports] == ["8080:80/tcp", "5353:53/udp"]
    assert sorted(map(str, stored.published)) == ports
    assert [told.stage for told in quay.told if isinstance(told, SetupStage)][-1] == "publish"


async def test_b_10_a_port_of_one_address_is_that_addresss_alone(quay: World) -> None:
    """Another container may have the same port of another address."""
    await joined(quay, OTHER, "10.1.0.3/24", "/run/docker/netns/other")
    await publish(quay, port(80, 8080, on=LAN))
    await publish(quay, port(80, 8080, on=LOCAL), endpoint=OTHER)

    assert led(quay) == {"192.0.2.1 tcp 8080": ("10.1.0.2", "80"), "127.0.0.1 tcp 8080": ("10.1.0.3", "80")}
    assert quay.host_ports.ports == ["127.0.0.1:8080:80/tcp", "192.0.2.1:8080:80/tcp"]


async def test_b_10_a_range_onto_a_range_is_single_ports(quay: World) -> None:
    """Docker sends ``-p 8000-8010:80-90`` as eleven ports."""
    await publish(quay, *(port(80 + step, 8000 + step) for step in range(11)))

    assert led(quay) == {f"tcp {8000 + step}": ("10.1.0.2", str(80 + step)) for step in range(11)}


async def test_a_range_onto_one_port_is_the_first_that_is_free(quay: World) -> None:
    """``-p 8000-8002:80``; of four containers the last gets none, and is told which range is full."""
    quay.host_ports.foreign_bind(TCP, ANY6, 8001)
    for number in range(3):
        endpoint = f"{number}" * 64
        await joined(quay, endpoint, f"10.1.0.{number + 10}/24", f"/run/docker/netns/{number}")
        if number < 2:
            await publish(quay, port(80, 8000, last=8002), endpoint=endpoint)
    with pytest.raises(Exhausted, match="8000-8002"):
        await publish(quay, port(80, 8000, last=8002), endpoint="2" * 64)

    assert sorted(led(quay)) == ["tcp 8000", "tcp 8002"]


async def test_a_port_that_is_named_comes_before_one_that_is_left_open(quay: World) -> None:
    """``-p 8000-8001:80 -p 8000:81``: were the range first, it would take what the other names."""
    await publish(quay, port(80, 8000, last=8001), port(81, 8000))

    assert led(quay) == {"tcp 8000": ("10.1.0.2", "81"), "tcp 8001": ("10.1.0.2", "80")}


async def test_b_11_a_chosen_port_is_free_and_nobody_elses(quay: World) -> None:
    """``-p 80``, as ``-P`` for each exposed port: a free one for both families, and never the same twice."""
    quay.host_ports.foreign_bind(TCP, ANY4, quay.host_ports.first)
    await joined(quay, OTHER, "10.1.0.3/24", "/run/docker/netns/other")
    await publish(quay, port(80), port(443))
    await publish(quay, port(80), endpoint=OTHER)

    chosen = [one.host_port for id_ in (ENDPOINT, OTHER) for one in quay.engine.state.endpoints[id_].published]
    assert len(chosen) == 2 * len(set(chosen)) == 6
    assert quay.host_ports.first not in chosen
    assert {int(key.split()[1]): value for key, value in led(quay).items()} == {
        chosen[0]: ("10.1.0.2", "80"),
        chosen[2]: ("10.1.0.2", "443"),
        chosen[4]: ("10.1.0.3", "80"),
    }


async def test_the_same_again_changes_nothing(quay: World) -> None:
    """Docker's retry after a lost answer: the same ports, and no step, no commit, no other socket."""
    for ports in ((port(80), port(81, 8081)), (port(80, 9000, last=9010), port(81, 8081))):
        await publish(quay, *ports)
        before = (quay.host(), published(quay), dict(quay.host_ports.held))
        steps, commits = len(quay.kernel.journal), quay.store.statistics().commits

        await publish(quay, *ports)

        assert (quay.host(), published(quay), quay.host_ports.held) == before
        assert (len(quay.kernel.journal), quay.store.statistics().commits) == (steps, commits)


async def test_other_ports_are_the_difference_only(quay: World) -> None:
    """Program again without a Revoke: what stays is not touched, and a port that was chosen stays as well."""
    await publish(quay, port(80, 8080), port(81), port(82, 8082))
    kept = [one.host_port for one in quay.engine.state.endpoints[ENDPOINT].published if one.port == 81]
    steps = len(quay.kernel.journal)

    await publish(quay, port(81), port(80, 8080), port(83, 8083))

    touched = [(step.action.value, *step.resource.key) for step in quay.kernel.journal[steps:]]
    assert touched == [
        ("create", "element", "wildcard4", "tcp", "8083"),
        ("delete", "element", "wildcard4", "tcp", "8082"),
    ]
    assert sorted(led(quay)) == sorted(["tcp 8080", "tcp 8083", f"tcp {kept[0]}"])
    assert sorted(quay.host_ports.ports) == sorted(published(quay))
    assert quay.engine.state.endpoints[ENDPOINT].ports == (port(81), port(80, 8080), port(83, 8083))


async def test_ports_come_before_a_join_as_after_it(quay: World) -> None:
    """Join says the container's ports again, which are not asked for anew; those that stand are not unlearned."""
    await quay.endpoint(OTHER, "10.1.0.3/24")
    await publish(quay, port(80, 8080), endpoint=OTHER)
    await quay.engine.endpoints.join(NETWORK, OTHER, "/run/docker/netns/other", (port(80, 9999),))

    assert published(quay, OTHER) == ["0.0.0.0:8080:80/tcp", "[::]:8080:80/tcp"]
    assert quay.engine.state.endpoints[OTHER].ports == (port(80, 8080),)


async def test_the_way_outside_without_ports_takes_none(quay: World) -> None:
    """Every container with a gateway is programmed: nothing is held, and the driver is asked once."""
    before = quay.host()
    harbour(quay).asked.clear()
    apply, applied = quay.kernel.apply, []

    async def counted(steps: Sequence[Step]) -> None:
        applied.append(steps)
        await apply(steps)

    quay.kernel.apply = counted  # type: ignore[method-assign]
    await publish(quay)
    assert quay.engine.state.endpoints[ENDPOINT].external
    await quay.engine.endpoints.leave(NETWORK, ENDPOINT)

    assert (quay.host_ports.calls, harbour(quay).asked, applied) == (0, ["publish"], [])
    assert before == quay.host()


async def test_ports_that_are_asked_for_no_more_are_closed(quay: World) -> None:
    """The way outside stays, and nothing is published there any more."""
    await publish(quay, port(80, 8080))
    await publish(quay)

    assert (led(quay), quay.host_ports.held, published(quay)) == ({}, {}, [])
    assert quay.engine.state.endpoints[ENDPOINT].external


async def test_b_05_an_internal_network_publishes_nothing(quay: World) -> None:
    """Docker does not ask for it there; asked all the same, nothing is bound and nothing is led in."""
    await quay.network(SECOND_NETWORK, "10.2.0.0/24", internal=True)
    await quay.endpoint(OTHER, "10.2.0.2/24", network=SECOND_NETWORK)
    before = quay.host()

    await quay.engine.endpoints.external(SECOND_NETWORK, OTHER, (port(80, 8080),))

    assert (before, {}) == (quay.host(), quay.host_ports.held)


async def test_m_10_a_driver_that_cannot_publish_refuses_in_the_answer(world: World) -> None:
    """-p is refused in words that the user sees, and not only in a log; without a port there is nothing to refuse."""
    world.drivers = [registered(Paper(endpoint=lambda _, __: Wishes.of(Link("lwpaper", BridgeKind()))))]
    world.restart()
    described = await world.engine.networks.described(
        "paper", NETWORK, subnets=(), ipv4=True, ipv6=False, internal=False, options={}
    )
    await world.engine.networks.create(described)
    await joined(world)

    with pytest.raises(Refused, match=r"driver paper cannot publish 8080:80/tcp.*leave out -p"):
        await publish(world, port(80, 8080))
    assert not world.engine.state.endpoints[ENDPOINT].external
    await publish(world)
    assert world.engine.state.endpoints[ENDPOINT].external
    await world.engine.endpoints.leave(NETWORK, ENDPOINT)


# --- taken back ----------------------------------------------------------------------------------------------------


async def stored(world: World) -> list[object]:
    """What the store has of endpoints."""
    return list((await world.store.load()).endpoints)


async def assert_as_before(world: World, before: tuple[object, ...]) -> None:
    """Host, sockets, state and store are as they were, and the host has nothing that nobody wishes for."""
    assert before == await everything(world)
    assert not (await world.engine.reconcile.plan()).steps


async def everything(world: World) -> tuple[object, ...]:
    """Whatever could be left over."""
    state = dict(world.engine.state.endpoints)
    return world.host(), dict(world.host_ports.held), dict(world.host_ports.targets), state, await stored(world)


async def test_p_16_a_port_that_is_taken_takes_the_others_back(quay: World) -> None:
    """Of two ports the second is another process's: the error names it, and nothing is left, though no Revoke comes."""
    quay.host_ports.foreign_bind(TCP, ANY6, 8443)
    before = await everything(quay)

    with pytest.raises(Conflict, match=r"\[::\]:8443:443/tcp"):
        await publish(quay, port(80, 8080), port(443, 8443))

    await assert_as_before(quay, before)
    await publish(quay, port(80, 8080), port(443, 8444))
    assert sorted(led(quay)) == ["tcp 8080", "tcp 8444"]


#: What fails, beside the kernel.
FAILURES: dict[str, tuple[Callable[[World], None], type[Exception]]] = {
    "the sockets": (lambda world: world.host_ports.fail_next(Unavailable("no more descriptors")), Unavailable),
    "the driver": (lambda world: setattr(harbour(world), "broken", True), DriverFault),
    "the disk": (lambda world: world.store.fail_next(), Unavailable),
}


@pytest.mark.parametrize("ports_before", [(), (port(80, 8080), port(82))])
async def test_p_16_whatever_step_the_kernel_refuses_everything_is_as_before(
    quay: World, ports_before: tuple[PortBinding, ...]
) -> None:
    """The first one, and the one after, and so on until all of them are done."""
    await publish(quay, *ports_before)
    await quay.engine.reconcile.heal()
    before = await everything(quay)
    for step in range(1, 10):
        quay.kernel.fail_at.clear()
        quay.kernel.fail_next(errno.ENOMEM, step=step)
        try:
            await publish(quay, port(81, 8081), port(80, 8090))
        except KernelError:
            await assert_as_before(quay, before)
        else:
            break

    assert step == (5 if ports_before else 4)
    assert sorted(led(quay)) == ["tcp 8081", "tcp 8090"]


@pytest.mark.parametrize("what", FAILURES)
@pytest.mark.parametrize("ports_before", [(), (port(80, 8080), port(82))])
async def test_p_16_a_failure_at_every_step_leaves_everything_as_before(
    quay: World, what: str, ports_before: tuple[PortBinding, ...]
) -> None:
    """Whether nothing was published before, or other ports were: those are published still."""
    fail, error = FAILURES[what]
    await publish(quay, *ports_before)
    await quay.engine.reconcile.heal()
    before = await everything(quay)
    quay.kernel.forgotten.clear()
    fail(quay)

    with pytest.raises(error):
        await publish(quay, port(81, 8081), port(80, 8090))

    await assert_as_before(quay, before)
    assert not quay.kernel.forgotten
    harbour(quay).broken = False
    await publish(quay, port(81, 8081), port(80, 8090))
    assert sorted(led(quay)) == ["tcp 8081", "tcp 8090"]


@pytest.mark.parametrize("seconds", [0.5, 1.5, 2.5])
@pytest.mark.parametrize("ports_before", [(), (port(80, 8080), port(82))])
async def test_p_16_a_deadline_at_every_step_leaves_everything_as_before(
    quay: World, seconds: float, ports_before: tuple[PortBinding, ...], autojump_clock: object
) -> None:
    """While sockets are bound, in the kernel, at the disk: the caller has gone, and so has all that was begun."""
    await publish(quay, *ports_before)
    quay.store = type(quay.store)(await quay.store.load(), delay=1.0)
    quay.restart()
    await quay.load()
    before = await everything(quay)
    quay.host_ports.delay = quay.kernel.delay = 1.0

    with trio.move_on_after(seconds) as deadline:
        await publish(quay, port(81, 8081), port(80, 8090))

    assert deadline.cancelled_caught
    quay.host_ports.delay = quay.kernel.delay = 0.0
    await assert_as_before(quay, before)


async def test_a_port_lost_in_the_moment_it_was_free_is_told(quay: World) -> None:
    """Other ports were to be published and the disk failed; another process took the old port in between."""
    await publish(quay, port(80, 8080))
    commit = quay.store.commit

    async def full(_: object) -> None:
        quay.host_ports.foreign_bind(TCP, ANY4, 8080)
        raise Unavailable("the disk is full")

    quay.engine.state._commit = full
    with pytest.raises(Unavailable, match="the disk is full"):
        await publish(quay, port(80, 9090))

    quay.engine.state._commit = commit
    assert [str(one) for one in quay.engine.publishing.lost()] == ["0.0.0.0:8080:80/tcp"]
    assert quay.host_ports.ports == ["[::]:8080:80/tcp"]
    assert sorted(led(quay)) == ["tcp 8080"]


# --- who has it ----------------------------------------------------------------------------------------------------


async def test_b_27_another_processs_port_is_refused_by_name_and_a_free_one_works(quay: World) -> None:
    """The family of the listener is named: it may be the other one that is free."""
    quay.host_ports.foreign_bind(TCP, LOCAL, 8080)
    with pytest.raises(Conflict, match=r"0\.0\.0\.0:8080:80/tcp.*another process"):
        await publish(quay, port(80, 8080))

    assert quay.host_ports.held == {}
    await publish(quay, port(80, 8080, on=ANY6))
    assert quay.host_ports.ports == ["[::]:8080:80/tcp"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (port(80, 8080), port(80, 8080)),
        (port(80, 8080, on=ANY4), port(80, 8080, on=LAN)),
        (port(80, 8080, on=LAN), port(81, 8080, on=ANY4)),
        (port(80, 8080, on=LAN), port(81, 8080)),
        (port(80, 8080, on=LAN, protocol=SCTP), port(81, 8080, protocol=SCTP)),
    ],
)
async def test_what_a_container_of_ours_has_is_refused_with_its_name(
    quay: World, first: PortBinding, second: PortBinding
) -> None:
    """Every address clashes with each; endpoint, container's name and network are told, and nothing has changed."""
    await quay.network(SECOND_NETWORK, "10.2.0.0/24")
    await quay.endpoint(OTHER, "10.2.0.2/24", network=SECOND_NETWORK)
    quay.engine.state.endpoints[OTHER] = evolve(quay.engine.state.endpoints[OTHER], name="web")
    await quay.engine.endpoints.external(SECOND_NETWORK, OTHER, (first,))
    before = await everything(quay)

    with pytest.raises(Conflict, match=rf"published by endpoint {OTHER[:12]} \(web\) of network {SECOND_NETWORK[:12]}"):
        await publish(quay, second)

    assert before == await everything(quay)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (port(80, 8080, on=ANY4), port(80, 8080, on=ANY6)),
        (port(80, 8080, on=LAN), port(80, 8080, on=LOCAL)),
        (port(80, 8080), port(80, 8080, protocol=UDP)),
        (port(80, 8080), port(80, 8081)),
    ],
)
async def test_what_does_not_clash_is_not_refused(quay: World, first: PortBinding, second: PortBinding) -> None:
    """Families, addresses, protocols and ports are apart."""
    await joined(quay, OTHER, "10.1.0.3/24", "/run/docker/netns/other")
    await publish(quay, first)
    await publish(quay, second, endpoint=OTHER)

    assert published(quay, OTHER)


@pytest.mark.parametrize(
    "twice", [(port(80, 8080), port(80, 8080)), (port(80, 8080), port(81, 8080, on=LAN)), (port(80, 8080),) * 3]
)
async def test_one_container_cannot_have_a_port_twice(quay: World, twice: tuple[PortBinding, ...]) -> None:
    """As Docker's own bridge has it: which of them a packet is for could not be said."""
    before = await everything(quay)
    with pytest.raises(Conflict, match="they are the same port"):
        await publish(quay, *twice)

    await assert_as_before(quay, before)


async def test_of_two_at_once_one_gets_the_port_and_the_other_is_told_who(quay: World, autojump_clock: object) -> None:
    """In two networks, so no lock is shared: the second asks while the first is still at it."""
    await quay.network(SECOND_NETWORK, "10.2.0.0/24")
    await quay.endpoint(OTHER, "10.2.0.2/24", network=SECOND_NETWORK)
    quay.host_ports.delay = quay.kernel.delay = 1.0
    refused: list[str] = []

    async def program(network: str, endpoint: str) -> None:
        try:
            await quay.engine.endpoints.external(network, endpoint, (port(80, 8080),))
        except Conflict as error:
            refused.append(str(error))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(program, NETWORK, ENDPOINT)
        nursery.start_soon(program, SECOND_NETWORK, OTHER)

    assert len(refused) == 1
    winner = ENDPOINT if ENDPOINT in quay.host_ports.held else OTHER
    assert f"published by endpoint {winner[:12]}" in refused[0]
    assert list(quay.host_ports.held) == [winner]


# --- closed --------------------------------------------------------------------------------------------------------

ENDINGS: dict[str, Callable[[World], object]] = {
    "Revoke": lambda world: world.engine.endpoints.revoke(NETWORK, ENDPOINT),
    "Leave": lambda world: world.engine.endpoints.leave(NETWORK, ENDPOINT),
    "DeleteEndpoint": lambda world: world.engine.endpoints.delete(NETWORK, ENDPOINT),
    "DeleteNetwork": lambda world: world.engine.networks.delete(NETWORK),
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_whatever_ends_it_closes_its_ports(quay: World, ending: str) -> None:
    """L9: after a live-restore no Revoke is sent; after a crash perhaps no Leave either. Each may come twice."""
    await publish(quay, port(80, 8080), port(53, 53, on=LAN, protocol=UDP))
    for _ in range(2):
        await ENDINGS[ending](quay)  # type: ignore[misc]

    assert (led(quay), quay.host_ports.held) == ({}, {})
    for endpoint in quay.engine.state.endpoints.values():
        assert (endpoint.external, endpoint.published) == (False, ())
    assert list(quay.engine.state.endpoints.values()) == await stored(quay)
    assert not (await quay.engine.reconcile.plan()).steps
    quay.host_ports.foreign_bind(TCP, ANY4, 8080)


@pytest.mark.parametrize("ending", ENDINGS)
async def test_l_11_what_the_kernel_will_not_give_up_is_swept_and_not_an_error(quay: World, ending: str) -> None:
    """Docker never asks again: the answer is a success, and the next look finishes the work."""
    await publish(quay, port(80, 8080))
    refuse(quay.kernel, WEB)
    await ENDINGS[ending](quay)  # type: ignore[misc]

    assert quay.host_ports.held == {}
    assert [told.kind for told in quay.told if isinstance(told, Drift)] == ["kernel"]
    assert led(quay)

    refuse(quay.kernel)
    await quay.engine.reconcile.heal()
    assert led(quay) == {}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_l_11_a_driver_that_hangs_keeps_no_port_open(quay: World, ending: str) -> None:
    """What was published is known without asking it."""
    await publish(quay, port(80, 8080))
    harbour(quay).asked.clear()
    harbour(quay).broken = True
    await ENDINGS[ending](quay)  # type: ignore[misc]

    assert (led(quay), quay.host_ports.held, harbour(quay).asked) == ({}, {}, [])


@pytest.mark.parametrize("ending", ENDINGS)
async def test_an_end_cut_short_by_its_deadline_closes_all_the_same(
    quay: World, ending: str, autojump_clock: object
) -> None:
    """The intent is stored when the deadline comes in the kernel: what is left there is nobody's wish, and is swept."""
    await publish(quay, port(80, 8080))
    quay.kernel.delay = 1.0
    with trio.move_on_after(0.5) as deadline:
        await ENDINGS[ending](quay)  # type: ignore[misc]
    quay.kernel.delay = 0.0
    assert deadline.cancelled_caught

    await quay.engine.collecting.collect()
    await quay.engine.reconcile.heal()
    assert (led(quay), quay.host_ports.held) == ({}, {})


async def test_a_port_is_free_only_when_nothing_leads_there_any_more(quay: World, autojump_clock: object) -> None:
    """Were the socket closed first, another process could listen, and its clients would be led into the container."""
    await publish(quay, port(80, 8080))
    quay.kernel.delay = 1.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(quay.engine.endpoints.leave, NETWORK, ENDPOINT)
        await trio.sleep(0.5)
        assert (quay.engine.state.endpoints[ENDPOINT].external, list(quay.host_ports.held)) == (False, [ENDPOINT])

    assert quay.host_ports.held == {}


async def test_a_disk_that_does_not_take_the_leave_leaves_the_ports(quay: World) -> None:
    """Nothing would know of it after a crash; DeleteEndpoint, which Docker sends next, closes them."""
    await publish(quay, port(80, 8080))
    quay.store.fail_next()
    with pytest.raises(Unavailable):
        await quay.engine.endpoints.leave(NETWORK, ENDPOINT)
    assert (list(led(quay)), list(quay.host_ports.held)) == (["tcp 8080"], [ENDPOINT])

    await quay.engine.endpoints.delete(NETWORK, ENDPOINT)
    assert (led(quay), quay.host_ports.held) == ({}, {})


async def test_b_28_a_port_is_free_again_at_once(quay: World) -> None:
    """Fifty containers one after the other on one port: never in use."""
    for number in range(50):
        endpoint = f"{number:064x}"
        await joined(quay, endpoint, "10.1.0.9/24", f"/run/docker/netns/{number}")
        await publish(quay, port(80, 9080), endpoint=endpoint)
        assert led(quay) == {"tcp 9080": ("10.1.0.9", "80")}
        await quay.engine.endpoints.revoke(NETWORK, endpoint)
        await quay.engine.endpoints.leave(NETWORK, endpoint)
        await quay.engine.endpoints.delete(NETWORK, endpoint)

    assert (led(quay), quay.host_ports.held) == ({}, {})


async def test_what_containers_share_goes_with_the_last(quay: World) -> None:
    """A setting of their bridge is wished for by each: the first that leaves does not take it away."""
    setting = ("sysctl", "net/ipv4/conf/lwbabababababab/route_localnet")
    await joined(quay, OTHER, "10.1.0.3/24", "/run/docker/netns/other")
    await publish(quay, port(80, 8080))
    await publish(quay, port(80, 8081), endpoint=OTHER)
    await quay.engine.endpoints.leave(NETWORK, ENDPOINT)

    assert setting in quay.engine.applying.desired.all()
    await quay.engine.endpoints.leave(NETWORK, OTHER)
    assert setting not in quay.engine.applying.desired.all()


# --- connections that are tracked ------------------------------------------------------------------------------------


async def test_b_19_connections_to_a_port_are_forgotten_when_it_is_published_and_when_it_is_not(quay: World) -> None:
    """A client of UDP that never changes its port would be sent to the old place for ever (moby#8795)."""
    tracked = [Flows(UDP, LAN, 5353), Flows(UDP, ANY6, 5353), Flows(TCP, LAN, 5353), Flows(UDP, LAN, 5354)]
    quay.kernel.flows = list(tracked)
    await publish(quay, port(53, 5353, protocol=UDP))
    assert quay.kernel.flows == tracked[2:]

    quay.kernel.flows = list(tracked)
    await publish(quay, port(53, 5353, protocol=UDP), port(54, 5354, protocol=UDP))
    assert quay.kernel.flows == tracked[:3]

    quay.kernel.flows = list(tracked)
    await quay.engine.endpoints.leave(NETWORK, ENDPOINT)
    assert quay.kernel.flows == tracked[2:3]
    assert [told.count for told in quay.told if isinstance(told, FlowsForgotten)] == [2, 1, 3]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("why", ["a deadline", "the kernel"])
async def test_b_19_a_close_that_is_cut_short_has_them_forgotten_when_nothing_leads_there_any_more(
    quay: World, ending: str, why: str, autojump_clock: object
) -> None:
    """Sooner is too soon: a client that sends meanwhile is led to the old place, and tracked, again."""
    await publish(quay, port(53, 5353, protocol=UDP))
    tracked = [Flows(UDP, LAN, 5353), Flows(UDP, LAN, 5354)]
    leads_there = ("element", "wildcard4", "udp", "5353")
    if why == "the kernel":
        refuse(quay.kernel, leads_there)
        await ENDINGS[ending](quay)  # type: ignore[misc]
    else:
        quay.kernel.delay = 1.0
        with trio.move_on_after(0.5) as deadline:
            await ENDINGS[ending](quay)  # type: ignore[misc]
        assert deadline.cancelled_caught
        quay.kernel.delay = 0.0
        refuse(quay.kernel, leads_there)
    await quay.engine.collecting.collect()
    await quay.engine.reconcile.heal()
    assert leads_there in quay.host()
    quay.kernel.flows = list(tracked)
    await quay.engine.reconcile.heal()
    assert quay.kernel.flows == tracked

    refuse(quay.kernel)
    await quay.engine.reconcile.heal()
    assert leads_there not in quay.host()
    assert quay.kernel.flows == tracked[1:]

    quay.kernel.flows = list(tracked)
    await quay.engine.reconcile.heal()
    assert quay.kernel.flows == tracked


async def test_b_19_who_has_the_port_of_a_close_that_was_cut_short_keeps_its_connections(
    quay: World, autojump_clock: object
) -> None:
    """Another container publishes it before the next look: what was tracked before it is forgotten, and no more."""
    await joined(quay, OTHER, "10.1.0.3/24", "/run/docker/netns/other")
    await publish(quay, port(53, 5353, protocol=UDP))
    quay.kernel.delay = 1.0
    with trio.move_on_after(0.5):
        await quay.engine.endpoints.leave(NETWORK, ENDPOINT)
    quay.kernel.delay = 0.0
    before, after = Flows(UDP, ANY4, 5353), Flows(UDP, LAN, 5353)
    quay.kernel.flows = [before]

    await publish(quay, port(53, 5353, on=LAN, protocol=UDP), endpoint=OTHER)
    quay.kernel.flows = [after]
    await quay.engine.reconcile.heal()
    assert (led(quay), quay.kernel.flows) == ({"192.0.2.1 udp 5353": ("10.1.0.3", "53")}, [after])

    await quay.engine.endpoints.leave(NETWORK, OTHER)
    assert quay.kernel.flows == []


async def test_what_cannot_be_forgotten_is_told_and_harms_nothing(quay: World, autojump_clock: object) -> None:
    """The port stands: a kernel that refuses, or takes for ever, is no reason to start no container."""
    quay.kernel.refuse_moments = errno.EPERM
    await publish(quay, port(80, 8080))
    await quay.engine.endpoints.leave(NETWORK, ENDPOINT)

    texts = [told.text for told in quay.told if isinstance(told, Drift)]
    assert len(texts) == 2
    assert all("0.0.0.0 port 8080/tcp" in text and "EPERM" in text for text in texts)

    async def never(_: object) -> int:
        await trio.sleep_forever()
        raise AssertionError

    quay.kernel.forget_flows = never  # type: ignore[method-assign, assignment]
    with trio.move_on_after(0.5) as deadline:
        await publish(quay, port(80, 8080))
    assert (deadline.cancelled_caught, list(led(quay))) == (False, ["tcp 8080"])


# --- moves -----------------------------------------------------------------------------------------------------------


async def test_b_18_the_role_moves_and_takes_the_chosen_port_along(quay: World) -> None:
    """A container is connected to a network that comes first by its name, and disconnected again (engine 20.10)."""
    await quay.network(SECOND_NETWORK, "10.2.0.0/24")
    await quay.endpoint(OTHER, "10.2.0.2/24", network=SECOND_NETWORK)
    await quay.engine.endpoints.join(SECOND_NETWORK, OTHER, SANDBOX, ())
    await publish(quay, port(80), port(81, 8081))
    first = sorted(quay.host_ports.ports)

    await quay.engine.endpoints.revoke(NETWORK, ENDPOINT)
    await quay.engine.endpoints.external(SECOND_NETWORK, OTHER, (port(80), port(81, 8081)))
    assert sorted(quay.host_ports.ports) == first
    assert {inside[0] for inside in led(quay).values()} == {"10.2.0.2"}

    await quay.engine.endpoints.revoke(SECOND_NETWORK, OTHER)
    await publish(quay, port(80), port(81, 8081))
    assert sorted(quay.host_ports.ports) == first
    assert {inside[0] for inside in led(quay).values()} == {"10.1.0.2"}


async def test_a_chosen_port_that_was_lost_on_the_way_is_chosen_anew(quay: World) -> None:
    """Another process took it while nobody had it."""
    await publish(quay, port(80))
    chosen = quay.engine.state.endpoints[ENDPOINT].published[0].host_port
    await quay.engine.endpoints.revoke(NETWORK, ENDPOINT)
    quay.host_ports.foreign_bind(TCP, LAN, chosen)

    await publish(quay, port(80))

    assert {one.host_port for one in quay.engine.state.endpoints[ENDPOINT].published} != {chosen}


async def test_another_containers_chosen_port_is_its_own_affair(quay: World) -> None:
    """Only the sandbox says which endpoints are one container's."""
    await publish(quay, port(80))
    chosen = quay.engine.state.endpoints[ENDPOINT].published[0].host_port
    await quay.engine.endpoints.revoke(NETWORK, ENDPOINT)
    await joined(quay, OTHER, "10.1.0.3/24", "/run/docker/netns/other")
    await publish(quay, port(80), endpoint=OTHER)

    assert quay.engine.state.endpoints[OTHER].published[0].host_port != chosen


async def test_b_18_two_ways_outside_share_the_ports_by_family(quay: World) -> None:
    """Engines from 28 on: another network takes over for IPv6 without a Revoke, and goes again.

    Both are asked for all ports, and only the one for IPv4 is told that IPv6 is not its own.
    """
    ports = (port(80), port(81, 8081))
    await quay.network(SECOND_NETWORK, "10.2.0.0/24")
    await quay.endpoint(OTHER, "10.2.0.2/24", network=SECOND_NETWORK)
    await quay.engine.endpoints.join(SECOND_NETWORK, OTHER, SANDBOX, ())
    await publish(quay, *ports)
    alone = sorted(quay.host_ports.ports)

    await publish(quay, *ports, ipv6=False)
    await quay.engine.endpoints.external(SECOND_NETWORK, OTHER, ports)
    assert sorted(quay.host_ports.ports) == alone
    assert all(text.startswith("0.0.0.0") for text in published(quay))
    assert all(text.startswith("[::]") for text in published(quay, OTHER))

    await quay.engine.endpoints.leave(SECOND_NETWORK, OTHER)
    await publish(quay, *ports)
    assert sorted(published(quay)) == sorted(quay.host_ports.ports) == alone


async def test_a_second_way_outside_takes_another_port_where_the_containers_own_is_taken(quay: World) -> None:
    """What was chosen for IPv4 is another process's for IPv6; what the first one has by name is left to it."""
    ports = (port(80), port(81, 8081))
    await quay.endpoint(OTHER, "10.1.0.3/24")
    await quay.engine.endpoints.join(NETWORK, OTHER, SANDBOX, ())
    await publish(quay, *ports, ipv6=False)
    chosen = next(one.host_port for one in quay.engine.state.endpoints[ENDPOINT].published if one.port == 80)
    quay.host_ports.foreign_bind(TCP, ANY6, chosen)

    await publish(quay, *ports, endpoint=OTHER)

    theirs = {(str(one.host_address), one.port) for one in quay.engine.state.endpoints[OTHER].published}
    assert theirs == {("::", 81), ("0.0.0.0", 80), ("::", 80)}


async def test_one_container_cannot_have_a_port_twice_by_two_ways_either(quay: World) -> None:
    """What the other endpoint has for another port inside is not left to it, but refused."""
    await quay.endpoint(OTHER, "10.1.0.3/24")
    await quay.engine.endpoints.join(NETWORK, OTHER, SANDBOX, ())
    await publish(quay, port(80, 8080))

    with pytest.raises(Conflict, match=f"published by endpoint {ENDPOINT[:12]}"):
        await publish(quay, port(81, 8080), endpoint=OTHER)


# --- an earlier life -------------------------------------------------------------------------------------------------


async def restarted(world: World) -> None:
    """The daemon was killed: sockets and memory are gone, kernel and store are not."""
    world.host_ports.held.clear()
    world.host_ports.targets.clear()
    world.restart()
    await world.load()


async def test_l_9_ports_outlive_the_daemon(quay: World) -> None:
    """No Program comes after a live-restore: what is published is known from the store, chosen ports too."""
    await publish(quay, port(80), port(53, 5353, protocol=UDP))
    before = await everything(quay)
    steps = len(quay.kernel.journal)

    await restarted(quay)

    assert before == await everything(quay)
    assert len(quay.kernel.journal) == steps
    await publish(quay, port(80), port(53, 5353, protocol=UDP))
    assert before == await everything(quay)
    await quay.engine.endpoints.leave(NETWORK, ENDPOINT)
    assert (led(quay), quay.host_ports.held) == ({}, {})


async def test_b_23_elements_that_somebody_flushed_come_back(quay: World) -> None:
    """The table is gone with all that was in it, while we are away or not."""
    await publish(quay, port(80, 8080))
    quay.kernel.foreign_flush()
    await quay.engine.reconcile.heal()
    assert list(led(quay)) == ["tcp 8080"]

    quay.kernel.foreign_flush()
    await restarted(quay)
    assert list(led(quay)) == ["tcp 8080"]


async def test_r_02_a_crash_before_the_store_leaves_nothing_and_the_same_again_works(quay: World) -> None:
    """The elements were in the kernel already: the next start sweeps them, and Docker's next try is like the first."""
    await publish(quay, port(80, 8080))
    kept = await quay.store.load()
    await publish(quay, port(80, 8080), port(81, 8081))
    quay.store = type(quay.store)(kept)

    await restarted(quay)
    assert list(led(quay)) == ["tcp 8080"]
    await publish(quay, port(80, 8080), port(81, 8081))

    assert sorted(led(quay)) == ["tcp 8080", "tcp 8081"]
    assert sorted(published(quay)) == sorted(quay.host_ports.ports)


async def test_a_frozen_network_keeps_its_ports_held(quay: World) -> None:
    """Its driver cannot say what they need: they are led where they were, and nobody else gets them."""
    await publish(quay, port(80, 8080))
    harbour(quay).broken = True
    await restarted(quay)
    assert NETWORK in quay.engine.reconcile.frozen

    assert (list(led(quay)), list(quay.host_ports.held)) == (["tcp 8080"], [ENDPOINT])
    with pytest.raises(Unavailable, match="left as it is"):
        await publish(quay, port(80, 8081))
    await quay.engine.endpoints.leave(NETWORK, ENDPOINT)
    assert quay.host_ports.held == {}
    harbour(quay).broken = False
    await quay.engine.reconcile.heal()
    assert led(quay) == {}


async def test_a_port_lost_over_a_restart_is_told_and_taken_again_when_it_can_be(quay: World) -> None:
    """It leads into the container all the same; a container of ours that asks for it is told who has it."""
    await publish(quay, port(80, 8080))
    quay.host_ports.held.clear()
    quay.host_ports.foreign_bind(TCP, ANY4, 8080)
    await restarted(quay)
    assert [str(one) for one in quay.engine.publishing.lost()] == ["0.0.0.0:8080:80/tcp"]
    assert list(led(quay)) == ["tcp 8080"]

    quay.host_ports.foreign_close(TCP, ANY4, 8080)
    await joined(quay, OTHER, "10.1.0.3/24", "/run/docker/netns/other")
    with pytest.raises(Conflict, match=f"published by endpoint {ENDPOINT[:12]}"):
        await publish(quay, port(80, 8080, on=ANY4), endpoint=OTHER)
    await quay.engine.collecting.collect()
    assert (quay.host_ports.ports, quay.host_ports.lost()) == (["0.0.0.0:8080:80/tcp", "[::]:8080:80/tcp"], {})


async def test_another_boots_endpoint_has_no_ports(quay: World) -> None:
    """R-05: it is collected at the start, and nothing is held for it on the way."""
    await publish(quay, port(80, 8080))
    quay.kernel = type(quay.kernel)(host=quay.kernel.host, boot="00000000-0000-4000-8000-000000000002")
    quay.kernel.state.sysctls["net/ipv4/ip_forward"] = "1"

    await restarted(quay)

    assert (quay.engine.state.endpoints, quay.host_ports.held, led(quay)) == ({}, {}, {})


# --- the dead --------------------------------------------------------------------------------------------------------


async def died(world: World, *, link_gone: bool) -> None:
    """The container's sandbox goes, and Docker says nothing; where its end was not lent yet, the link stays."""
    if link_gone:
        world.kernel.lend(LENT, SANDBOX)
    world.kernel.destroy_sandbox(SANDBOX)


@pytest.mark.parametrize(
    ("link_gone", "age", "makes_way"), [(True, 0, True), (True, 61, True), (False, 61, True), (False, 59, False)]
)
async def test_r_04_a_dead_container_makes_way_for_its_port(
    quay: World, link_gone: bool, age: float, makes_way: bool
) -> None:
    """An engine that was killed never tells of its old endpoints, and starts the container anew on the same port.

    One whose sandbox is not there yet is not dead: up to engine 27 it is made after Program.
    """
    await publish(quay, port(80, 8080))
    await died(quay, link_gone=link_gone)
    quay.now += age
    await joined(quay, OTHER, "10.1.0.3/24", "/run/docker/netns/other")

    if makes_way:
        await publish(quay, port(80, 8080), endpoint=OTHER)
        assert led(quay) == {"tcp 8080": ("10.1.0.3", "80")}
        assert Collected("ports", "the ports were asked for again", ENDPOINT) in quay.told
        assert list(quay.host_ports.held) == [OTHER]
    else:
        with pytest.raises(Conflict, match=f"published by endpoint {ENDPOINT[:12]}"):
            await publish(quay, port(80, 8080), endpoint=OTHER)
        assert led(quay) == {"tcp 8080": ("10.1.0.2", "80")}


async def test_two_dead_containers_make_way_for_one(quay: World) -> None:
    """Each is closed once; a third that lives is named."""
    for number, outside in ((3, 8081), (4, 8082)):
        endpoint = f"{number}" * 64
        await joined(quay, endpoint, f"10.1.0.{number}/24", SANDBOX)
        await publish(quay, port(80, outside), endpoint=endpoint)
    await died(quay, link_gone=False)
    quay.now += 61
    await joined(quay, OTHER, "10.1.0.9/24", "/run/docker/netns/other")
    await publish(quay, port(80, 8080), port(81, 8081), port(82, 8082), endpoint=OTHER)

    assert sorted(led(quay)) == ["tcp 8080", "tcp 8081", "tcp 8082"]
    assert list(quay.host_ports.held) == [OTHER]


async def test_ports_are_closed_when_the_sandbox_takes_the_link_along(quay: World, autojump_clock: object) -> None:
    """By the event, and not at the next look 30 s later; the endpoint itself is collected in its time."""
    await publish(quay, port(80, 8080))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(quay.engine.reconcile.run, quay.kernel.events)
        await died(quay, link_gone=True)
        await trio.sleep(10 * SETTLE)
        assert (led(quay), quay.host_ports.held) == ({}, {})
        nursery.cancel_scope.cancel()

    endpoint = quay.engine.state.endpoints[ENDPOINT]
    assert (endpoint.state, endpoint.external, endpoint.published) == (EndpointState.JOINED, False, ())
    assert [told for told in quay.told if isinstance(told, Collected)] == [
        Collected("ports", "its sandbox is gone", ENDPOINT)
    ]


async def test_ports_of_a_live_container_whose_link_somebody_deleted_stay(quay: World, autojump_clock: object) -> None:
    """``linkwright repair`` may give it a new link: until then its ports are its own."""
    await publish(quay, port(80, 8080))
    quay.kernel.lend(LENT, SANDBOX)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(quay.engine.reconcile.run, quay.kernel.events)
        quay.kernel.foreign_delete(("link", KEPT))
        await trio.sleep(10 * SETTLE)
        nursery.cancel_scope.cancel()

    assert (list(led(quay)), list(quay.host_ports.held)) == (["tcp 8080"], [ENDPOINT])


async def test_ports_are_closed_at_the_first_sighting_where_the_event_was_missed(quay: World) -> None:
    """The endpoint is suspected then, and collected at the second; its ports need not wait for that."""
    await publish(quay, port(80, 8080))
    await died(quay, link_gone=True)
    quay.now += 61
    await quay.engine.collecting.collect()
    assert (led(quay), quay.host_ports.held, list(quay.engine.state.endpoints)) == ({}, {}, [ENDPOINT])

    await quay.engine.collecting.collect()
    assert not quay.engine.state.endpoints


async def test_every_call_about_ports_is_counted(quay: World) -> None:
    """Also those that are refused, and those that change nothing."""
    await publish(quay, port(80, 8080))
    await publish(quay, port(80, 8080))
    await quay.engine.endpoints.revoke(NETWORK, ENDPOINT)
    await quay.engine.endpoints.revoke(NETWORK, ENDPOINT)

    counted = [(told.action, told.ports) for told in quay.told if isinstance(told, ExternalConnectivity)]
    assert counted == [("program", 1), ("program", 1), ("revoke", 1), ("revoke", 1)]


async def test_r_04_a_dead_container_makes_way_though_its_namespace_has_not_ended_yet(quay: World) -> None:
    """The kernel ends it at its leisure, or somebody still looks into it: until then the host's end of the pair stays.

    The other end was lent and is not on the host, so there was a sandbox; and it is not there any more.
    """
    await publish(quay, port(80, 8080))
    quay.kernel.lend(LENT, SANDBOX)
    quay.kernel.sandboxes.discard(SANDBOX)
    await joined(quay, OTHER, "10.1.0.3/24", "/run/docker/netns/other")

    await publish(quay, port(80, 8080), endpoint=OTHER)

    assert led(quay) == {"tcp 8080": ("10.1.0.3", "80")}
    assert Collected("ports", "the ports were asked for again", ENDPOINT) in quay.told
