"""Asking drivers: the one place where a driver's code runs. Bounded, checked, and marked as ours.

A driver is asked in a worker thread with a deadline. One that overruns is abandoned (its thread is not waited for);
after two overruns it is suspended until the daemon restarts. A thread that hogs the interpreter cannot be stopped.
What a driver does wrong harms the call that asked it, and no other driver: each has threads of its own.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar, cast

import trio
from attrs import evolve

from linkwright.engine import answers
from linkwright.engine.desired import Scope
from linkwright.engine.observation import DriverOverrun, Observer, nobody
from linkwright.engine.registry import Registered, package_of
from linkwright.errors import DriverFault, LinkwrightError, Refused, Unavailable
from linkwright.model import Endpoint, Network, PortBinding, StoredNetwork
from linkwright.plan import SHARED, Hold, Key, Link, Mark, Resource, Sysctl
from linkwright.sdk import (
    Admits,
    Claim,
    Claims,
    CommonOptions,
    Driver,
    Join,
    LooksAt,
    Publishes,
    SkipsGateway,
    read,
    read_endpoint,
)

T = TypeVar("T")
A = TypeVar("A")

#: Seconds that one answer of a driver may take: less than the shortest call of Docker's that needs one
#: (``wire.routes``), so that it is the driver that is named. Docker waits for ever, its user does not.
DEADLINE: Final = 4.0
_OVERRUNS: Final = 2

#: Questions that one driver may be asked at a time. Abandoned ones count: they still occupy their thread.
_THREADS: Final = 8

#: Runs a question somewhere and returns its answer; cancelled, it leaves the question to itself.
Somewhere = Callable[[Callable[[], Any]], Awaitable[Any]]


class Threads:
    """Worker threads of one driver: a driver whose threads all hang keeps nobody else from having one."""

    def __init__(self) -> None:
        """Have some, made as they are needed."""
        self._limiter = trio.CapacityLimiter(_THREADS)

    async def __call__(self, question: Callable[[], Any]) -> Any:
        """Run *question* in one of them, so that the loop goes on whatever a driver does."""
        return await trio.to_thread.run_sync(question, abandon_on_cancel=True, limiter=self._limiter)


class Asking:
    """The drivers, behind a door that only lets checked answers through."""

    def __init__(
        self,
        drivers: Iterable[Registered],
        *,
        instance: str,
        deadline: float = DEADLINE,
        manage_forwarding: bool = False,
        observer: Observer = nobody,
        somewhere: Somewhere | None = None,
    ) -> None:
        """Take *drivers*; their links are marked with *instance*, their code runs *somewhere* or in threads.

        With *manage_forwarding* a host-wide setting that a driver requires is one that we make.
        """
        self._drivers = {registered.name: registered for registered in drivers}
        self._somewhere: dict[str, Somewhere] = {name: somewhere or Threads() for name in self._drivers}
        self._instance = instance
        self._deadline = deadline
        self._manage_forwarding = manage_forwarding
        self._observer = observer
        self._overruns: dict[str, int] = dict.fromkeys(self._drivers, 0)
        self._typed: dict[str, tuple[StoredNetwork, Network[Any]]] = {}

    @property
    def registered(self) -> tuple[Registered, ...]:
        """Every driver, by name."""
        return tuple(self._drivers[name] for name in sorted(self._drivers))

    def suspended(self, name: str) -> bool:
        """Whether the driver has overrun too often."""
        return self._overruns.get(name, 0) >= _OVERRUNS

    # --- options -------------------------------------------------------------------------------------------------

    def options(self, name: str, pairs: Mapping[str, str]) -> Any:
        """Read ``-o`` pairs as the driver's options class; Refused naming what is wrong."""
        return self._options(name, lambda driver: read(driver.options, pairs, driver=name))

    def endpoint_options(self, network: StoredNetwork, endpoint: Endpoint) -> Any:
        """Read ``--driver-opt`` pairs as the driver's class for endpoints; Refused naming what is wrong."""
        name = network.driver
        return self._options(name, lambda driver: read_endpoint(driver.endpoint_options, endpoint, driver=name))

    def _options(self, name: str, reading: Callable[[Driver[Any]], Any]) -> Any:
        try:
            return reading(self.named(name).driver)
        except LinkwrightError:
            raise
        except Exception as error:
            raise self._raised(name, error) from error

    def typed(self, network: StoredNetwork) -> Network[Any]:
        """Return *network* as its driver sees it: options read, gateways left out if the user wants none."""
        stored, typed = self._typed.get(network.id, (None, None))
        if typed is None or stored is not network:  # making an endpoint asks three times
            typed = self._read(network)
            self._typed[network.id] = (network, typed)
        return typed

    def forget(self, network_id: str) -> None:
        """The network is gone, or was not made after all."""
        self._typed.pop(network_id, None)

    def _read(self, network: StoredNetwork) -> Network[Any]:
        options = self.options(network.driver, network.options)
        typed = network.with_options(options)
        if isinstance(options, CommonOptions) and not options.gateway:
            typed = evolve(typed, subnets=tuple(evolve(subnet, gateway=None) for subnet in typed.subnets))
        return typed

    # --- questions -----------------------------------------------------------------------------------------------

    async def looks_at(self, name: str, options: Any) -> tuple[str, ...]:
        """The links on the host that the driver wants to know about."""
        driver = self.named(name).driver
        if not isinstance(driver, LooksAt):
            return ()
        return self._checked(name, answers.names, await self._ask(name, lambda: driver.looks_at(options)))

    async def skip_gateway(self, name: str, pairs: Mapping[str, str], *, internal: bool) -> tuple[bool, bool]:
        """Whether (IPv4, IPv6) can do without a gateway address."""
        driver, options = self.named(name).driver, self.options(name, pairs)
        if isinstance(options, CommonOptions) and not options.gateway:
            return True, True
        if not isinstance(driver, SkipsGateway):
            return False, False
        answer = await self._ask(name, lambda: driver.skip_gateway(options, internal=internal))
        return self._checked(name, answers.skips, answer)

    async def admit(self, network: StoredNetwork, others: Iterable[StoredNetwork]) -> None:
        """Let the driver refuse *network* beside the *others* it has, but for those whose options it cannot read."""
        driver = self.named(network.driver).driver
        if isinstance(driver, Admits):
            typed, beside = self.typed(network), tuple(self._readable(others))
            await self._ask(network.driver, lambda: driver.admit(typed, beside, network.host))

    def beside(self, name: str) -> frozenset[str]:
        """The drivers whose networks *name* is asked to ``admit`` its own beside, itself among them."""
        return self.named(name).driver.capabilities.beside | {name}

    def takes_mac(self, network: StoredNetwork) -> bool:
        """Whether endpoints of *network* have hardware addresses of their own."""
        capable = self.named(network.driver).driver.capabilities.takes_mac
        return capable and getattr(self.typed(network).options, "takes_mac", True) is not False

    async def claims(self, network: StoredNetwork) -> tuple[Claim, ...]:
        """Return what has to be chosen for *network*."""
        driver, typed = self.named(network.driver).driver, self.typed(network)
        if not isinstance(driver, Claims):
            return ()
        answer = await self._ask(network.driver, lambda: driver.claims(typed, None))
        return self._checked(network.driver, answers.claims, answer)

    async def wishes(
        self, network: StoredNetwork, endpoints: Iterable[Endpoint] = ()
    ) -> dict[Scope, dict[Key, Resource]]:
        """Return what *network* and *endpoints* wish for, and those as ways outside, checked and marked, in one hop."""
        driver, typed, mark = self.named(network.driver).driver, self.typed(network), Mark(self._instance, network.id)
        whole, marks = Scope(network.id), {}
        questions: dict[Scope, Callable[[], object]] = {whole: partial(driver.network, typed)}
        for endpoint in endpoints:
            marks[endpoint.id] = _endpoint_mark(mark, endpoint)
            questions[Scope(network.id, endpoint.id)] = partial(_of_endpoint, driver, typed, endpoint)
            if publisher := _publisher(driver, typed, endpoint):
                questions[Scope(network.id, endpoint.id, outside=True)] = partial(publisher.publish, typed, endpoint)
        found = await self._ask(network.driver, lambda: {scope: question() for scope, question in questions.items()})
        wishes = {whole: self._marked(network.driver, found.pop(whole), mark, around=())}
        for scope, answer in found.items():  # an endpoint's own come before those it has as the way outside
            around = {**wishes[whole], **wishes.get(evolve(scope, outside=False), {})}
            wishes[scope] = self._marked(network.driver, answer, marks[scope.endpoint], around=around)
        return wishes

    async def endpoint(self, network: StoredNetwork, endpoint: Endpoint, around: Iterable[Key]) -> dict[Key, Resource]:
        """Return what *endpoint* wishes for; *around* are the keys that its network sees to."""
        driver, typed = self.named(network.driver).driver, self.typed(network)
        answer = await self._ask(network.driver, lambda: _of_endpoint(driver, typed, endpoint))
        mark = _endpoint_mark(Mark(self._instance, network.id), endpoint)
        return self._marked(network.driver, answer, mark, around=around)

    async def bindings(
        self, network: StoredNetwork, endpoint: Endpoint, ports: tuple[PortBinding, ...]
    ) -> tuple[tuple[PortBinding, ...], ...]:
        """Return what *ports* need on the host, in groups; Refused if the driver cannot publish any."""
        driver, typed = self.named(network.driver).driver, self.typed(network)
        if not ports:
            return ()
        if not isinstance(driver, Publishes):
            raise Refused(
                f"driver {network.driver} cannot publish {', '.join(str(port) for port in ports)}: leave out -p and "
                "-P, and reach the container by its own address"
            )
        answer = await self._ask(network.driver, lambda: driver.bindings(typed, endpoint, ports))
        return self._checked(network.driver, partial(answers.bindings, asked=ports), answer)

    async def outside(self, network: StoredNetwork, endpoint: Endpoint, around: Iterable[Key]) -> dict[Key, Resource]:
        """Return what has to be there while *endpoint* is its container's way outside, as it now is."""
        driver, typed = self.named(network.driver).driver, self.typed(network)
        publisher = _publisher(driver, typed, endpoint)
        if publisher is None:
            return {}
        answer = await self._ask(network.driver, lambda: publisher.publish(typed, endpoint))
        mark = _endpoint_mark(Mark(self._instance, network.id), endpoint)
        return self._marked(network.driver, answer, mark, around=around)

    async def join(self, network: StoredNetwork, endpoint: Endpoint, wishes: Mapping[Key, Resource]) -> Join:
        """Return how *endpoint* is joined; its link has to be one that *wishes* make."""
        driver, typed = self.named(network.driver).driver, self.typed(network)
        answer = await self._ask(network.driver, lambda: driver.join(typed, endpoint))
        return self._checked(network.driver, partial(answers.join, made=wishes), answer)

    # --- the way there and back ----------------------------------------------------------------------------------

    async def _ask(self, name: str, question: Callable[[], T]) -> T:
        if self.suspended(name):
            raise Unavailable(
                f"driver {name} of {self.named(name).origin} is suspended: it did not answer in time twice; restart "
                "linkwright to try again"
            )
        with trio.move_on_after(self._deadline):
            try:
                return cast("T", await self._somewhere[name](partial(_contained, question)))
            except LinkwrightError:
                raise
            except Exception as error:
                raise self._raised(name, error) from error
        self._overruns[name] += 1
        self._observer(DriverOverrun(name))
        raise Unavailable(f"driver {name} of {self.named(name).origin} did not answer within {self._deadline:g} s")

    def _checked(self, name: str, check: Callable[[Any], A], answer: object) -> A:
        try:
            return check(answer)
        except answers.Broken as error:
            raise self._fault(name, str(error)) from None
        except Exception as error:  # an answer so odd that even looking at it raises
            raise self._raised(name, error) from error

    def _marked(self, name: str, answer: object, mark: Mark, *, around: Iterable[Key]) -> dict[Key, Resource]:
        resources = self._checked(name, partial(answers.wishes, around=around), answer)
        return {resource.key: self._ours(resource, mark) for resource in resources}

    def _ours(self, resource: Resource, mark: Mark) -> Resource:
        if isinstance(resource, Link) and resource.hold is Hold.OWN:
            return evolve(resource, mark=Mark(self._instance, SHARED) if resource.shared else mark)
        if isinstance(resource, Sysctl) and self._manage_forwarding:
            return evolve(resource, hold=Hold.OWN)
        return resource

    def _readable(self, others: Iterable[StoredNetwork]) -> Iterable[Network[Any]]:
        for other in others:
            with suppress(LinkwrightError):  # it is frozen; what it holds in the kernel is still in the way
                yield self.typed(other)

    def _raised(self, name: str, error: Exception) -> DriverFault:
        cause = error.__cause__ if isinstance(error, _Escaped) else error
        return self._fault(name, f"it raised {type(cause).__name__}: {cause}")

    def _fault(self, name: str, text: str) -> DriverFault:
        return DriverFault(f"driver {name} of {self.named(name).origin} broke its contract: {text}")

    def named(self, name: str) -> Registered:
        """The driver called *name*; Refused, with the package to install, if there is none."""
        try:
            return self._drivers[name]
        except KeyError:
            raise Refused(
                f"no driver {name!r} is installed; pip install {package_of(name)}, then restart linkwright"
            ) from None


class _Escaped(Exception):
    """A driver raised what would end the daemon (``sys.exit`` is no Exception)."""


def _contained(question: Callable[[], T]) -> T:
    try:
        return question()
    except Exception:
        raise
    except BaseException as error:
        raise _Escaped from error


def _of_endpoint(driver: Driver[Any], network: Network[Any], endpoint: Endpoint) -> object:
    """Ask for *endpoint*'s own wishes. They stand while its ports come and go, so it is shown without any."""
    if endpoint.external or endpoint.ports:
        endpoint = evolve(endpoint, external=False, ports=(), published=())
    return driver.endpoint(network, endpoint)


def _publisher(driver: Driver[Any], network: Network[Any], endpoint: Endpoint) -> Publishes | None:
    """The driver, if it has to say something about *endpoint* as the way outside."""
    return driver if isinstance(driver, Publishes) and endpoint.external and not network.internal else None


def _endpoint_mark(mark: Mark, endpoint: Endpoint) -> Mark:
    return evolve(mark, endpoint=endpoint.id, mac=endpoint.mac, addresses=endpoint.addresses)
