"""What a driver does wrong harms the call that asked it, and nobody else: overruns, nonsense, and worse."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any, ClassVar

import attrs
import pytest
import trio
from core.tests.engine.conftest import ENDPOINT, NETWORK, World, here
from core.tests.engine.paper import Paper, registered

from linkwright import sdk
from linkwright.engine.asking import Asking
from linkwright.engine.bounded import DEADLINE
from linkwright.engine.desired import Scope
from linkwright.engine.observation import DriverOverrun, Observation
from linkwright.errors import Conflict, DriverFault, Refused, Unavailable
from linkwright.model import Endpoint, HostFacts, PortBinding, Protocol, StoredNetwork
from linkwright.plan import Bridge, Element, Link, Mark, Sysctl, Wishes
from linkwright.wire.routes import TABLE, Touches

LINK = Link("lwpaper", Bridge())


def network(name: str = "paper", **options: str) -> StoredNetwork:
    """A stored network of driver *name*."""
    return StoredNetwork(id=NETWORK, driver=name, options=options)


def endpoint() -> Endpoint:
    """An endpoint of it."""
    return Endpoint(id=ENDPOINT, network=NETWORK, ipv4=ip_interface("10.1.0.2/24"))  # type: ignore[arg-type]


async def never(_: Callable[[], Any]) -> Any:
    """Where a question is never answered."""
    await trio.sleep_forever()


class Powerful(Paper):
    """A driver on paper with all optional powers."""

    def looks_at(self, options: object) -> Any:  # noqa: ARG002 - the core's, as below
        """What was handed in."""
        return self.answers["looks_at"]()

    def skip_gateway(self, options: object, *, internal: bool) -> Any:  # noqa: ARG002
        """What was handed in."""
        return self.answers["skip_gateway"]()

    def admit(self, network: object, others: Any, host: HostFacts) -> None:  # noqa: ARG002
        """What was handed in."""
        self.answers["admit"](others)


# --- too slow ------------------------------------------------------------------------------------------------------


async def test_a_driver_that_overruns_twice_is_suspended_and_told(autojump_clock: object) -> None:
    """Each overrun takes its deadline, is counted, and names the driver; from then on the answer comes at once."""
    told: list[Observation] = []
    asking = Asking([registered(Paper())], instance="default", deadline=5, observer=told.append, somewhere=never)
    times: list[float] = []
    texts: list[str] = []
    for _ in range(3):
        began = trio.current_time()
        with pytest.raises(Unavailable) as refused:
            await asking.wishes(network())
        times.append(trio.current_time() - began)
        texts.append(str(refused.value))

    assert times == [pytest.approx(5), pytest.approx(5), 0]
    assert texts[0] == texts[1] == "driver paper of linkwright-paper 1.2 did not answer within 5 s"
    assert texts[2].startswith("driver paper of linkwright-paper 1.2 is suspended: ")
    assert asking.drivers.suspended == ("paper",)
    assert told == [DriverOverrun("paper"), DriverOverrun("paper")]


async def test_a_suspended_driver_keeps_no_other_from_answering(autojump_clock: object) -> None:
    """Each is counted by itself."""
    good, bad = Paper(), Paper()
    asking = Asking([registered(named(good, "good")), registered(named(bad, "bad"))], instance="default")
    asking.drivers._somewhere["good"], asking.drivers._somewhere["bad"] = here, never

    for _ in range(2):
        with pytest.raises(Unavailable):
            await asking.wishes(network("bad"))

    assert await asking.wishes(network("good")) == {Scope(NETWORK): {}}
    assert asking.drivers.suspended == ("bad",)


def named(driver: Paper, name: str) -> Paper:
    """The same under another name."""
    driver.name = name  # type: ignore[misc]
    return driver


def test_a_driver_is_named_before_the_call_that_asks_it_gives_up() -> None:
    """Were the call's deadline the first, the user would read that linkwright is slow, and no overrun be counted."""
    asks = [
        route.effort.deadline
        for route in TABLE
        if route.effort.deadline > 2 or route.effort.touches is not Touches.NOTHING
    ]

    assert min(asks) > DEADLINE


@contextmanager
def hanging(count: int) -> Iterator[Callable[[], Any]]:
    """A question that hangs in its thread until the test is over."""
    released = threading.Event()
    try:
        yield lambda: released.wait(60)
    finally:
        released.set()


async def test_threads_that_hang_are_the_drivers_own() -> None:
    """A hundred questions hang; another driver is answered, and so is whoever else in the process needs a thread."""
    with hanging(100) as question:
        asking = Asking(
            [registered(named(Paper(network=lambda _: question()), "bad")), registered(named(Paper(), "good"))],
            instance="default",
            deadline=0.05,
        )
        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(_swallowed, asking)
        with trio.fail_after(5):
            assert await asking.wishes(network("good")) == {Scope(NETWORK): {}}
            assert await trio.to_thread.run_sync(lambda: 7) == 7
        assert trio.to_thread.current_default_thread_limiter().borrowed_tokens == 0


async def _swallowed(asking: Asking) -> None:
    with pytest.raises(Unavailable):
        await asking.wishes(network("bad"))


# --- wrong answers -------------------------------------------------------------------------------------------------


def _raise(error: BaseException) -> Any:
    raise error


NONSENSE: dict[str, tuple[Any, str]] = {
    "nothing": (None, "answered NoneType instead of Wishes"),
    "a list": ([LINK], "answered list instead of Wishes"),
    "a class": (Wishes, "answered type instead of Wishes"),
    "texts": (Wishes(("lwpaper",)), "wished for 'lwpaper', which is no resource"),  # type: ignore[arg-type]
    "wishes in wishes": (Wishes((Wishes(),)), "which is no resource"),  # type: ignore[arg-type]
    "a link that is not ours": (Wishes.of(Link("eth0", Bridge())), "a link of ours is named lw"),
    "one twice": (Wishes.of(LINK, LINK), "is wished for twice"),
    "a setting of somebody else's": (Wishes.of(Sysctl("kernel/panic", "1")), "only settings below net/"),
}


@pytest.mark.parametrize("nonsense", NONSENSE)
async def test_nonsense_is_the_drivers_fault_and_makes_nothing(world: World, nonsense: str) -> None:
    """The package is named, with what it answered; the host is as before, and the next call is served."""
    answer, text = NONSENSE[nonsense]
    driver = Paper(network=lambda _: answer)
    world.drivers = [*world.drivers, registered(driver)]
    world.restart()
    before = world.host()

    described = await world.engine.networks.described(
        "paper", NETWORK, subnets=(), ipv4=True, ipv6=False, internal=False, options={}
    )
    with pytest.raises(DriverFault, match=text) as refused:
        await world.engine.networks.create(described)

    assert "driver paper of linkwright-paper 1.2 broke its contract" in str(refused.value)
    assert before == world.host()
    await world.network()


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("no luck"), "it raised ValueError: no luck"),
        (RecursionError("too deep"), "it raised RecursionError: too deep"),
        (SystemExit(3), "it raised SystemExit: 3"),
        (KeyboardInterrupt(), "it raised KeyboardInterrupt"),
        (GeneratorExit(), "it raised GeneratorExit"),
    ],
)
@pytest.mark.parametrize("in_threads", [True, False])
async def test_whatever_a_driver_raises_ends_its_own_call_only(
    error: BaseException, text: str, in_threads: bool
) -> None:
    """Not even ``sys.exit`` in a driver ends the daemon."""
    driver = registered(Paper(network=lambda _: _raise(error)))
    asking = Asking([driver], instance="default", somewhere=None if in_threads else here)

    with pytest.raises(DriverFault, match=text):
        await asking.wishes(network())
    assert sys.exc_info() == (None, None, None)


async def test_what_a_driver_refuses_is_for_the_user() -> None:
    """Refused and Conflict pass as they are: the move is the user's."""
    asking = Asking(
        [registered(Paper(network=lambda _: _raise(Conflict("taken"))))], instance="default", somewhere=here
    )

    with pytest.raises(Conflict, match=r"^taken$"):
        await asking.wishes(network())


ROUTE = sdk.StaticRoute(ip_network("10.9.0.0/24"), ip_address("10.1.0.9"))
GATEWAY = ip_address("10.1.0.1")

JOINS: dict[str, tuple[Any, str]] = {
    "nothing": (None, "answered NoneType instead of Join"),
    "another link": (sdk.Join("lwother"), "hands over link 'lwother', which it did not wish for"),
    "no link": (sdk.Join(""), "hands over link ''"),
    "a gateway with a length": (sdk.Join("lwpaper", (ip_interface("10.1.0.1/24"),)), "no bare address"),
    "a gateway in words": (sdk.Join("lwpaper", ("10.1.0.1",)), "no bare address"),  # type: ignore[arg-type]
    "two gateways": (sdk.Join("lwpaper", (GATEWAY, ip_address("10.1.0.2"))), "two gateways of one family"),
    "a route that is none": (sdk.Join("lwpaper", (), ("10.9.0.0/24",)), "is none"),  # type: ignore[arg-type]
    "a route via another family": (
        sdk.Join("lwpaper", (), (sdk.StaticRoute(ip_network("10.9.0.0/24"), ip_address("fd00::1")),)),
        "cannot go via",
    ),
    "a route via an interface": (
        sdk.Join("lwpaper", (), (sdk.StaticRoute(ip_network("10.9.0.0/24"), ip_interface("10.1.0.9/24")),)),
        "cannot go via",
    ),
}


@pytest.mark.parametrize("wrong", JOINS)
async def test_a_wrong_join_is_found_before_it_is_noted(world: World, wrong: str) -> None:
    """Docker would roll it back with a message about something else; here nothing has been joined yet."""
    answer, text = JOINS[wrong]
    world.drivers = [registered(Paper(endpoint=lambda _, __: Wishes.of(LINK), join=lambda _, __: answer))]
    world.restart()
    described = await world.engine.networks.described(
        "paper", NETWORK, subnets=(), ipv4=True, ipv6=False, internal=False, options={}
    )
    await world.engine.networks.create(described)
    made = await world.endpoint()

    with pytest.raises(DriverFault, match=text):
        await world.join()

    assert made == world.engine.state.endpoints[ENDPOINT]


async def test_a_right_join_passes() -> None:
    """A link or its peer, one gateway a family, routes on-link or via their own family."""
    answer = sdk.Join("lwpaper", (GATEWAY, ip_address("fd00::1")), (ROUTE, sdk.StaticRoute(ip_network("fd00::/8"))))
    asking = Asking([registered(Paper(join=lambda _, __: answer))], instance="default", somewhere=here)

    assert await asking.join(network(), endpoint(), {LINK.key: LINK}) == answer


@pytest.mark.parametrize(
    ("power", "answer", "text"),
    [
        ("looks_at", None, "wants to look at None"),
        ("looks_at", "eth0", "wants to look at 'eth0'"),
        ("looks_at", ("eth0", 7), "link names are a tuple of texts"),
        ("looks_at", ("e" * 16,), "longer than a link's name"),
        ("skip_gateway", True, "not two truth values"),
        ("skip_gateway", (True,), "not two truth values"),
        ("skip_gateway", (1, 0), "not two truth values"),
    ],
)
async def test_a_wrong_answer_of_an_optional_power_is_the_drivers_fault(power: str, answer: Any, text: str) -> None:
    """It would fail later, and be taken for a bug of linkwright's."""
    driver = Powerful()
    driver.answers[power] = lambda: answer
    asking = Asking([registered(driver)], instance="default", somewhere=here)

    ask = {
        "looks_at": lambda: asking.looks_at("paper", sdk.CommonOptions()),
        "skip_gateway": lambda: asking.skip_gateway("paper", {}, internal=False),
    }
    with pytest.raises(DriverFault, match=text):
        await ask[power]()


async def test_a_network_whose_options_cannot_be_read_keeps_no_other_from_being_made() -> None:
    """It is frozen since its driver's new version; the driver is asked about a new network beside the others."""
    seen: list[Any] = []
    driver = Powerful()
    driver.answers["admit"] = seen.append
    asking = Asking([registered(driver)], instance="default", somewhere=here)
    old = attrs.evolve(network(), id="01" * 32, options={"gone": "1"})
    other = attrs.evolve(network(), id="02" * 32)

    await asking.admit(network(), [old, other])

    assert [[one.id for one in others] for others in seen] == [["02" * 32]]


@attrs.frozen
class Fragile(sdk.CommonOptions):
    """Options whose reader has a mistake."""

    level: int = sdk.option("level", parse=lambda text: {"low": 1}[text], default=0, help="how high")


class FragileDriver(Paper):
    """A driver with those."""

    options: ClassVar[type[Any]] = Fragile


async def test_an_option_reader_that_raises_is_the_drivers_fault() -> None:
    """A value nobody thought of is no bug of linkwright's, and an unknown option is the user's."""
    asking = Asking([registered(FragileDriver())], instance="default", somewhere=here)

    assert asking.options("paper", {"level": "low"}).level == 1
    with pytest.raises(DriverFault, match="it raised KeyError: 'high'"):
        asking.options("paper", {"level": "high"})
    with pytest.raises(Refused, match="has no option"):
        asking.options("paper", {"other": "1"})


async def test_what_we_own_is_marked_and_what_we_borrow_is_not() -> None:
    """A network's link, an endpoint's with its addresses; a link of the host's keeps its own alias."""
    borrowed = Link("eth9", up=None, hold=sdk.Hold.BORROW)
    driver = Paper(
        network=lambda _: Wishes.of(Link("lwnet", Bridge()), borrowed, Element("bridges", ("lwnet",))),
        endpoint=lambda _, __: Wishes.of(Link("lwend", Bridge(), master="lwnet")),
    )
    asking = Asking([registered(driver)], instance="blue", somewhere=here)

    answers = await asking.wishes(network(), [endpoint()])

    assert list(answers) == [Scope(NETWORK), Scope(NETWORK, ENDPOINT)]
    marks = {key: getattr(wish, "mark", None) for wishes in answers.values() for key, wish in wishes.items()}
    assert marks == {
        ("link", "lwnet"): Mark("blue", NETWORK),
        ("link", "eth9"): None,
        ("element", "bridges", "lwnet"): None,
        ("link", "lwend"): Mark("blue", NETWORK, ENDPOINT, addresses=endpoint().addresses),
    }


@pytest.mark.parametrize(("managed", "hold"), [(False, sdk.Hold.BORROW), (True, sdk.Hold.OWN)])
async def test_a_required_setting_is_made_only_where_the_operator_lets_us(managed: bool, hold: sdk.Hold) -> None:
    """``--manage-forwarding``, for networks and endpoints alike."""
    setting = Sysctl("net/ipv4/ip_forward", "1", hold=sdk.Hold.BORROW)
    driver = registered(Paper(network=lambda _: Wishes.of(setting), endpoint=lambda _, __: Wishes.of(setting)))
    asking = Asking([driver], instance="default", manage_forwarding=managed, somewhere=here)

    answers = await asking.wishes(network(), [endpoint()])

    assert [wishes[setting.key] for wishes in answers.values()] == [attrs.evolve(setting, hold=hold)] * 2


async def test_an_unknown_driver_is_refused_with_what_to_install() -> None:
    """S-05: which package, and that linkwright has to be restarted."""
    with pytest.raises(Refused, match="pip install linkwright-macvlan"):
        await Asking([], instance="default").wishes(network("macvlan"))


# --- ports ---------------------------------------------------------------------------------------------------------

ANY4, ANY6 = ip_address("0.0.0.0"), ip_address("::")
WEB = PortBinding(Protocol.TCP, 80, host_port=8080, host_port_end=8080)


class Publisher(Paper):
    """A driver on paper that publishes."""

    def bindings(self, network: object, endpoint: object, ports: object) -> Any:  # noqa: ARG002 - the core's, as below
        """What was handed in."""
        return self.answers["bindings"](ports)

    def publish(self, network: object, endpoint: Endpoint) -> Any:  # noqa: ARG002
        """What was handed in."""
        self.asked += 1
        return self.answers["publish"](endpoint)


def publisher(answer: Any = None, **answers: Any) -> tuple[Publisher, Asking]:
    """Such a driver behind the door; asked what has to be bound it answers *answer*."""
    driver = Publisher()
    driver.answers |= {"bindings": lambda _: answer, "publish": lambda _: Wishes()} | answers
    return driver, Asking([registered(driver)], instance="default", somewhere=here)


BINDINGS: dict[str, tuple[Any, str]] = {
    "nothing": (None, "groups of bindings are tuples in a tuple"),
    "no groups": ((WEB,), "groups of bindings are tuples in a tuple"),
    "an empty group": (((),), "groups of bindings are tuples in a tuple"),
    "texts": ((("8080:80",),), "'8080:80' bound, which is no binding"),
    "an address that is not named": (((WEB,),), "no binding of a named address"),
    "an address with a length": (
        ((attrs.evolve(WEB, host_address=ip_interface("192.0.2.1/24")),),),
        "no binding of a named address",
    ),
    "what nobody asked for": (
        ((PortBinding(Protocol.UDP, 80, ANY4, 8080, 8080),),),
        "nobody asked for port 80/udp",
    ),
    "two ports in one": (
        ((attrs.evolve(WEB, host_address=ANY4), attrs.evolve(WEB, host_address=ANY6, host_port=8081)),),
        "in one group, which cannot be one port",
    ),
}


@pytest.mark.parametrize("nonsense", BINDINGS)
async def test_nonsense_about_ports_is_the_drivers_fault(nonsense: str) -> None:
    """Found before a socket is opened for it."""
    answer, text = BINDINGS[nonsense]
    _, asking = publisher(answer)

    with pytest.raises(DriverFault, match=text):
        await asking.bindings(network(), endpoint(), (WEB,))


async def test_what_has_to_be_bound_is_asked_only_where_there_are_ports() -> None:
    """A right answer passes as it is."""
    groups = ((attrs.evolve(WEB, host_address=ANY4), attrs.evolve(WEB, host_address=ANY6)),)
    _, asking = publisher(groups)

    assert await asking.bindings(network(), endpoint(), (WEB,)) == groups
    assert await asking.bindings(network(), endpoint(), ()) == ()


async def test_a_driver_is_asked_about_the_way_outside_only_while_an_endpoint_is_one() -> None:
    """Its wishes are a scope of their own, may rest on the endpoint's, and are checked and marked like those."""
    on_it = Sysctl("net/ipv4/conf/lwend/route_localnet", "1", before_up="lwend")
    driver, asking = publisher(
        endpoint=lambda _, __: Wishes.of(Link("lwend", Bridge())), publish=lambda _: Wishes.of(on_it)
    )
    inside = attrs.evolve(endpoint(), ports=(WEB,))
    outside = attrs.evolve(inside, external=True)
    internal = attrs.evolve(network(), internal=True)

    assert list(await asking.wishes(network(), [inside])) == [Scope(NETWORK), Scope(NETWORK, ENDPOINT)]
    assert list(await asking.wishes(internal, [outside])) == [Scope(NETWORK), Scope(NETWORK, ENDPOINT)]
    asked = driver.asked
    assert await asking.outside(network(), inside, ()) == {}
    assert await asking.outside(internal, outside, ()) == {}
    assert driver.asked == asked

    scope = Scope(NETWORK, ENDPOINT, outside=True)
    assert (await asking.wishes(network(), [outside]))[scope] == {on_it.key: on_it}
    assert await asking.outside(network(), outside, [("link", "lwend")]) == {on_it.key: on_it}
    with pytest.raises(DriverFault, match="requires link lwend"):
        await asking.outside(network(), outside, ())
    driver.answers["publish"] = lambda _: None
    with pytest.raises(DriverFault, match="instead of Wishes"):
        await asking.wishes(network(), [outside])


async def test_an_endpoints_own_wishes_do_not_hang_on_its_ports() -> None:
    """They are made once, and stand while ports come and go: so the driver is not shown any there."""
    seen: list[Endpoint] = []
    _, asking = publisher(endpoint=lambda _, shown: seen.append(shown) or Wishes())
    bare = endpoint()
    binding = attrs.evolve(WEB, host_address=ANY4)
    outside = attrs.evolve(bare, ports=(WEB,), external=True, published=(binding,))

    await asking.wishes(network(), [bare])
    await asking.wishes(network(), [outside])
    await asking.endpoint(network(), outside, ())

    assert seen == [bare, bare, bare]


async def test_making_an_endpoint_asks_its_driver_once(world: World) -> None:
    """What the network wishes for is known: its making is the hot path."""
    driver = Paper(endpoint=lambda _, __: Wishes.of(Link("lwpaper", Bridge(), master=None)))
    world.drivers = [registered(driver)]
    world.restart()
    described = await world.engine.networks.described(
        "paper", NETWORK, subnets=(), ipv4=True, ipv6=False, internal=False, options={}
    )
    await world.engine.networks.create(described)
    driver.asked = 0

    await world.endpoint()
    await world.join()

    assert driver.asked == 2
