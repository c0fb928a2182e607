"""Asking drivers: every question that the engine has for them, and what an answer has to be like to be let through.

How their code is run is ``bounded``; what an answer may not be is ``answers``. What is let through is marked as ours.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from attrs import evolve

from linkwright.engine import answers
from linkwright.engine.bounded import DEADLINE, Drivers, Somewhere
from linkwright.engine.desired import Scope
from linkwright.engine.observation import Observer, nobody
from linkwright.engine.registry import Registered
from linkwright.errors import LinkwrightError, Refused
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
        self.drivers = Drivers(drivers, deadline=deadline, observer=observer, somewhere=somewhere)
        self._instance = instance
        self._manage_forwarding = manage_forwarding
        self._typed: dict[str, tuple[StoredNetwork, Network[Any]]] = {}

    # --- options -------------------------------------------------------------------------------------------------

    def options(self, name: str, pairs: Mapping[str, str]) -> Any:
        """Read ``-o`` pairs as the driver's options class; Refused naming what is wrong."""
        return self.drivers.read(name, lambda driver: read(driver.options, pairs, driver=name))

    def endpoint_options(self, network: StoredNetwork, endpoint: Endpoint) -> Any:
        """Read ``--driver-opt`` pairs as the driver's class for endpoints; Refused naming what is wrong."""
        name = network.driver
        return self.drivers.read(name, lambda driver: read_endpoint(driver.endpoint_options, endpoint, driver=name))

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
        driver = self.drivers.named(name).driver
        if not isinstance(driver, LooksAt):
            return ()
        return self.drivers.checked(name, answers.names, await self.drivers.ask(name, lambda: driver.looks_at(options)))

    async def skip_gateway(self, name: str, pairs: Mapping[str, str], *, internal: bool) -> tuple[bool, bool]:
        """Whether (IPv4, IPv6) can do without a gateway address."""
        driver, options = self.drivers.named(name).driver, self.options(name, pairs)
        if isinstance(options, CommonOptions) and not options.gateway:
            return True, True
        if not isinstance(driver, SkipsGateway):
            return False, False
        answer = await self.drivers.ask(name, lambda: driver.skip_gateway(options, internal=internal))
        return self.drivers.checked(name, answers.skips, answer)

    async def admit(self, network: StoredNetwork, others: Iterable[StoredNetwork]) -> None:
        """Let the driver refuse *network* beside the *others* it has, but for those whose options it cannot read."""
        driver = self.drivers.named(network.driver).driver
        if isinstance(driver, Admits):
            typed, beside = self.typed(network), tuple(self._readable(others))
            await self.drivers.ask(network.driver, lambda: driver.admit(typed, beside, network.host))

    def beside(self, name: str) -> frozenset[str]:
        """The drivers whose networks *name* is asked to ``admit`` its own beside, itself among them."""
        return self.drivers.named(name).driver.capabilities.beside | {name}

    def takes_mac(self, network: StoredNetwork) -> bool:
        """Whether endpoints of *network* have hardware addresses of their own."""
        capable = self.drivers.named(network.driver).driver.capabilities.takes_mac
        return capable and getattr(self.typed(network).options, "takes_mac", True) is not False

    async def claims(self, network: StoredNetwork) -> tuple[Claim, ...]:
        """Return what has to be chosen for *network*."""
        driver, typed = self.drivers.named(network.driver).driver, self.typed(network)
        if not isinstance(driver, Claims):
            return ()
        answer = await self.drivers.ask(network.driver, lambda: driver.claims(typed))
        return self.drivers.checked(network.driver, answers.claims, answer)

    async def wishes(
        self, network: StoredNetwork, endpoints: Iterable[Endpoint] = ()
    ) -> dict[Scope, dict[Key, Resource]]:
        """Return what *network* and *endpoints* wish for, and those as ways outside, checked and marked, in one hop."""
        driver, typed, mark = (
            self.drivers.named(network.driver).driver,
            self.typed(network),
            Mark(self._instance, network.id),
        )
        whole, marks = Scope(network.id), {}
        questions: dict[Scope, Callable[[], object]] = {whole: partial(driver.network, typed)}
        for endpoint in endpoints:
            marks[endpoint.id] = _endpoint_mark(mark, endpoint)
            questions[Scope(network.id, endpoint.id)] = partial(_of_endpoint, driver, typed, endpoint)
            if publisher := _publisher(driver, typed, endpoint):
                questions[Scope(network.id, endpoint.id, outside=True)] = partial(publisher.publish, typed, endpoint)
        found = await self.drivers.ask(
            network.driver, lambda: {scope: question() for scope, question in questions.items()}
        )
        wishes = {whole: self._marked(network.driver, found.pop(whole), mark, around=())}
        for scope, answer in found.items():  # an endpoint's own come before those it has as the way outside
            around = {**wishes[whole], **wishes.get(evolve(scope, outside=False), {})}
            wishes[scope] = self._marked(network.driver, answer, marks[scope.endpoint], around=around)
        return wishes

    async def endpoint(self, network: StoredNetwork, endpoint: Endpoint, around: Iterable[Key]) -> dict[Key, Resource]:
        """Return what *endpoint* wishes for; *around* are the keys that its network sees to."""
        driver, typed = self.drivers.named(network.driver).driver, self.typed(network)
        answer = await self.drivers.ask(network.driver, lambda: _of_endpoint(driver, typed, endpoint))
        mark = _endpoint_mark(Mark(self._instance, network.id), endpoint)
        return self._marked(network.driver, answer, mark, around=around)

    async def bindings(
        self, network: StoredNetwork, endpoint: Endpoint, ports: tuple[PortBinding, ...]
    ) -> tuple[tuple[PortBinding, ...], ...]:
        """Return what *ports* need on the host, in groups; Refused if the driver cannot publish any."""
        driver, typed = self.drivers.named(network.driver).driver, self.typed(network)
        if not ports:
            return ()
        if not isinstance(driver, Publishes):
            raise Refused(
                f"driver {network.driver} cannot publish {', '.join(str(port) for port in ports)}: leave out -p and "
                "-P, and reach the container by its own address"
            )
        answer = await self.drivers.ask(network.driver, lambda: driver.bindings(typed, endpoint, ports))
        return self.drivers.checked(network.driver, partial(answers.bindings, asked=ports), answer)

    async def outside(self, network: StoredNetwork, endpoint: Endpoint, around: Iterable[Key]) -> dict[Key, Resource]:
        """Return what has to be there while *endpoint* is its container's way outside, as it now is."""
        driver, typed = self.drivers.named(network.driver).driver, self.typed(network)
        publisher = _publisher(driver, typed, endpoint)
        if publisher is None:
            return {}
        answer = await self.drivers.ask(network.driver, lambda: publisher.publish(typed, endpoint))
        mark = _endpoint_mark(Mark(self._instance, network.id), endpoint)
        return self._marked(network.driver, answer, mark, around=around)

    async def join(self, network: StoredNetwork, endpoint: Endpoint, wishes: Mapping[Key, Resource]) -> Join:
        """Return how *endpoint* is joined; its link has to be one that *wishes* make."""
        driver, typed = self.drivers.named(network.driver).driver, self.typed(network)
        answer = await self.drivers.ask(network.driver, lambda: driver.join(typed, endpoint))
        return self.drivers.checked(network.driver, partial(answers.join, made=wishes), answer)

    # --- marks ----------------------------------------------------------------------------------

    def _marked(self, name: str, answer: object, mark: Mark, *, around: Iterable[Key]) -> dict[Key, Resource]:
        resources = self.drivers.checked(name, partial(answers.wishes, around=around), answer)
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
