"""What every driver promises about its answers, one function for each promise: each yields what is wrong, in words.

Rule 1: a promise judges its own matter only. A driver that raises breaks ``answers`` and nothing else, so that one
mistake is one red test. Rule 2: the core's own judge (``engine.answers``) is asked where there is one, so that what
passes here passes there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from typing import Any, Final

from attrs import evolve, frozen

from linkwright import sdk
from linkwright.engine import answers
from linkwright.model import EndpointState, Sandbox
from linkwright.plan import Key, Link, Resource
from linkwright.testkit import asked, door, plain
from linkwright.testkit.asked import Asked, link_names


@frozen
class Question:
    """A network and endpoints on it, asked of a driver of class *driver*. ``beside`` is another network like it."""

    driver: type[sdk.Driver[Any]]
    network: sdk.Network[Any]
    endpoints: tuple[sdk.Endpoint, ...] = ()
    beside: sdk.Network[Any] | None = None

    def __str__(self) -> str:
        pools = ", ".join(str(subnet.pool) for subnet in self.network.subnets)
        return f"a network with {self.network.options} on {pools}{' (internal)' if self.network.internal else ''}"

    def ask(self) -> Asked | None:
        """Return everything that a new driver says; None if it refuses, or fails to answer, which is ``_answers``'s."""
        with suppress(Exception):
            return asked.ask_unguarded(self.driver(), self.network, *self.endpoints)
        return None


Promise = Callable[[Question], Iterator[str]]


def _answers(question: Question) -> Iterator[str]:
    """It answers, or refuses in words; it raises nothing else."""
    try:
        asked.ask_unguarded(question.driver(), question.network, *question.endpoints)
    except sdk.Refused as refused:
        if not str(refused).strip():
            yield "it refuses without a word: say what cannot be had and what to do about it"
    except Exception as error:  # noqa: BLE001 - whatever it raises is what is looked for
        yield f"it raised {type(error).__name__}: {error}; raise sdk.Refused for what cannot be had"


def _pure(question: Question) -> Iterator[str]:
    """It opens no file, socket or process, starts no thread and does not wait."""
    driver = question.driver()
    with door.shut() as tried, suppress(Exception):
        asked.ask_unguarded(driver, question.network, *question.endpoints)
    if tried:
        yield f"it reaches outside ({', '.join(dict.fromkeys(tried))}): what it has to know comes in as data"


def _repeatable(question: Question) -> Iterator[str]:
    """Asked again, or after a restart, it says the same; ``all_said`` is for asking in another process."""
    driver = question.driver()
    first = _or_why(driver, question)
    if first != _or_why(driver, question):
        yield "asked twice it answers differently: a driver remembers nothing"
    if first != _or_why(question.driver(), evolve(question, network=evolve(question.network))):
        yield "another instance answers differently: after a restart of the daemon everything would be made anew"


def _steady(question: Question) -> Iterator[str]:
    """What it wishes for does not depend on what passes: whether the container has joined, when all was made."""
    said = question.ask()
    if said is None or said != question.ask():  # the latter is ``_repeatable``'s
        return
    later = evolve(
        question,
        network=evolve(question.network, created=1_700_000_000.0),
        endpoints=tuple(
            evolve(
                endpoint,
                state=EndpointState.JOINED,
                sandbox=Sandbox("/run/docker/netns/0123456789ab", "boot"),
                boot="boot",
                created=1_700_000_000.0,
            )
            for endpoint in question.endpoints
        ),
    ).ask()
    if later is None or (said.network, said.endpoints) != (later.network, later.endpoints):
        yield "its wishes change when the container joins, or with the time of day: the container would be cut off"


def _sound(question: Question) -> Iterator[str]:
    """The linter finds nothing: names, parents, bursts, and that all that is needed is wished for."""
    said = question.ask()
    if said is None:
        return
    with _judged() as found:
        answers.wishes(said.network)
    yield from found
    for wishes in said.endpoints:
        with _judged() as found:
            answers.wishes(wishes, around=_keys(said.network))
        yield from found


def _plain(question: Question) -> Iterator[str]:
    """Its wishes are plain values: as JSON and back they are the same."""
    said = question.ask()
    for wishes in (said.network, *said.endpoints) if said is not None else ():
        if not isinstance(wishes, sdk.Wishes):
            continue
        try:
            back = plain.round_trip(wishes)
        except Exception as error:  # noqa: BLE001 - whatever the codec says of it
            yield f"its wishes cannot be written as JSON: {type(error).__name__}: {error}"
        else:
            yield from (
                f"{one} comes back from JSON as {other}"
                for one, other in zip(wishes, back, strict=True)
                if one != other
            )


def _endpoints_apart(question: Question) -> Iterator[str]:
    """Two endpoints share nothing that the first to go would take from the other."""
    said = question.ask()
    if said is not None:
        everything = [said.network, *said.endpoints]
        for number, wishes in enumerate(everything):
            for other in everything[number + 1 :]:
                yield from (f"{text}: name it after the endpoint" for text in _in_common(wishes, other))


def _networks_apart(question: Question) -> Iterator[str]:
    """Two networks share nothing either, unless the driver refuses to have them beside each other."""
    if question.beside is None:
        return
    driver, host = question.driver(), question.network.host
    with suppress(Exception):
        if isinstance(driver, sdk.Admits):
            driver.admit(question.beside, (question.network,), host)
        first, second = driver.network(question.network), driver.network(question.beside)
        for text in _in_common(first, second):
            yield f"{text}: name it after the network, or refuse the second one (sdk.Admits)"


def _joins(question: Question) -> Iterator[str]:
    """The link that it hands over is one that it has wished for, with gateways and routes that Docker can use."""
    said = question.ask()
    if said is not None:
        for wishes, join in zip(said.endpoints, said.joins, strict=True):
            with _judged() as found:
                answers.join(join, {**_by_key(said.network), **_by_key(wishes)})
            yield from found
            if not found and join.source in link_names(said.network):
                yield f"it hands over {join.source}, which is the network's and not the endpoint's"


def _gateways(question: Question) -> Iterator[str]:
    """A gateway can be reached by the container, and a network that leads nowhere has none."""
    said, network = question.ask(), question.network
    for join in said.joins if said is not None else ():
        if not isinstance(join, sdk.Join):
            continue
        if network.internal and join.gateways:
            yield f"an internal network has gateway {join.gateways[0]}: it is to lead nowhere"
        on_link = [subnet.pool for subnet in network.subnets]
        on_link += [route.destination for route in join.routes if route.via is None]
        for gateway in join.gateways:
            if not any(gateway in prefix for prefix in on_link if prefix.version == gateway.version):
                yield f"gateway {gateway} is in no subnet of the network, and no on-link route leads to it"


def _powers(question: Question) -> Iterator[str]:
    """Its optional powers answer what they are to answer."""
    driver, network = question.driver(), question.network
    questions: dict[str, Callable[[], object]] = {}
    if isinstance(driver, sdk.LooksAt):
        questions["looks_at"] = lambda: answers.names(driver.looks_at(network.options))
    if isinstance(driver, sdk.SkipsGateway):
        questions["skip_gateway"] = lambda: answers.skips(
            driver.skip_gateway(network.options, internal=network.internal)
        )
    if isinstance(driver, sdk.Claims):
        questions["claims"] = lambda: answers.claims(driver.claims(network))
    if isinstance(driver, sdk.Admits):
        questions["admit"] = lambda: driver.admit(network, (), network.host)
    for name, question_of in questions.items():
        with _judged() as found, suppress(sdk.Refused):
            question_of()
        yield from (f"{name}: {text}" for text in found)


def _ports(question: Question) -> Iterator[str]:
    """What it publishes is what was asked for, on addresses of the host, and can be had beside its other wishes."""
    driver, network, said = question.driver(), question.network, question.ask()
    if not isinstance(driver, sdk.Publishes) or said is None or network.internal:
        return
    for endpoint, wishes in zip(question.endpoints, said.endpoints, strict=True):
        with _judged() as found, suppress(sdk.Refused):
            groups = answers.bindings(driver.bindings(network, endpoint, _PORTS), asked=_PORTS)
            published = tuple(_chosen(binding) for group in groups for binding in group)
            outside = evolve(endpoint, external=True, ports=_PORTS, published=published)
            answers.wishes(driver.publish(network, outside), around={*_keys(said.network), *_keys(wishes)})
        yield from found


#: What a container is asked to publish: a port of each sort.
_PORTS: Final = (
    sdk.PortBinding(sdk.Protocol.TCP, 80, None, 8080, 8080),
    sdk.PortBinding(sdk.Protocol.UDP, 53, ip_address("192.0.2.1"), 0, 0),
    sdk.PortBinding(sdk.Protocol.TCP, 443, None, 8000, 8010),
)

#: The promises by name, the simplest first. A case of the battery is named after each.
PROMISES: Final[Mapping[str, Promise]] = {
    "answers": _answers,
    "pure": _pure,
    "repeatable": _repeatable,
    "steady": _steady,
    "sound": _sound,
    "plain": _plain,
    "endpoints_apart": _endpoints_apart,
    "networks_apart": _networks_apart,
    "joins": _joins,
    "gateways": _gateways,
    "powers": _powers,
    "ports": _ports,
}


def broken(question: Question) -> str | None:
    """Return the first promise that the answers to *question* break, and how; None if they keep all."""
    for name, promise in PROMISES.items():
        for text in promise(question):
            return f"{name}: {text}"
    return None


def all_said(questions: Iterable[Question]) -> list[object]:
    """What a new driver says to each of *questions*, or how it fails to."""
    return [_or_why(question.driver(), question) for question in questions]


def hold(driver: sdk.Driver[Any], network: sdk.Network[Any], *endpoints: sdk.Endpoint) -> Asked:
    """Hold *driver* to all promises about *network* and *endpoints*, and return what it said. AssertionError."""
    text = broken(Question(type(driver), network, endpoints))
    if text is not None:
        raise AssertionError(text)
    return asked.ask(driver, network, *endpoints)


@contextmanager
def _judged() -> Iterator[list[str]]:
    """The list has what the core's own judge says while inside: nothing, or the one thing that is wrong."""
    found: list[str] = []
    try:
        yield found
    except answers.Broken as broken_rule:
        found.append(str(broken_rule))
    except Exception as error:  # noqa: BLE001 - a driver's own, or of an answer that cannot even be looked at
        found.append(f"{type(error).__name__}: {error}")


def _or_why(driver: sdk.Driver[Any], question: Question) -> object:
    try:
        return asked.ask_unguarded(driver, question.network, *question.endpoints)
    except Exception as error:  # noqa: BLE001 - the same refusal twice is the same answer
        return type(error), str(error)


def _keys(wishes: object) -> Iterable[Key]:
    return _by_key(wishes).keys()


def _by_key(wishes: object) -> dict[Key, Resource]:
    return wishes.by_key() if isinstance(wishes, sdk.Wishes) else {}


def _in_common(one: object, other: object) -> Iterator[str]:
    mine, theirs = _by_key(one), _by_key(other)
    for key in mine.keys() & theirs.keys():
        wish = mine[key]
        borrowed = getattr(wish, "hold", None) is sdk.Hold.BORROW
        if wish != theirs[key]:
            yield f"{' '.join(key)} is wished for twice and differently"
        elif isinstance(wish, Link) and not wish.shared and not borrowed:
            yield f"{' '.join(key)} is wished for twice, and is not shared"


def _chosen(binding: sdk.PortBinding) -> sdk.PortBinding:
    port = binding.host_port or 32768
    return evolve(binding, host_port=port, host_port_end=port)
