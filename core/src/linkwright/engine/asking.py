"""Asking drivers: the one place where a driver's code runs. Bounded, checked, and marked as ours.

A driver is asked in a worker thread with a deadline. One that overruns is abandoned (its thread is not waited for);
after two overruns it is suspended until the daemon restarts. A thread that hogs the interpreter cannot be stopped.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar, cast

import trio
from attrs import evolve

from linkwright.engine.observation import DriverOverrun, Observer, nobody
from linkwright.engine.registry import Registered
from linkwright.errors import DriverFault, LinkwrightError, Refused, Unavailable
from linkwright.model import Endpoint, Network, StoredNetwork
from linkwright.plan import Hold, Key, Link, Mark, Resource, Wishes, check
from linkwright.sdk import Admits, CommonOptions, Join, LooksAt, SkipsGateway, read

T = TypeVar("T")

#: Seconds that one answer of a driver may take. Docker waits for ever, its user does not.
DEADLINE = 5.0
_OVERRUNS = 2


#: Runs a question somewhere and returns its answer; cancelled, it leaves the question to itself.
Somewhere = Callable[[Callable[[], Any]], Awaitable[Any]]


async def in_thread(question: Callable[[], T]) -> T:
    """Run *question* in a worker thread, so that the loop goes on whatever a driver does."""
    return await trio.to_thread.run_sync(question, abandon_on_cancel=True)


class Asking:
    """The drivers, behind a door that only lets checked answers through."""

    def __init__(
        self,
        drivers: Iterable[Registered],
        *,
        instance: str,
        deadline: float = DEADLINE,
        observer: Observer = nobody,
        somewhere: Somewhere = in_thread,
    ) -> None:
        """Take *drivers*; their links are marked with *instance*, their code runs *somewhere*."""
        self._somewhere = somewhere
        self._drivers = {registered.name: registered for registered in drivers}
        self._instance = instance
        self._deadline = deadline
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

    def options(self, name: str, pairs: Mapping[str, str]) -> Any:
        """Read ``-o`` pairs as the driver's options class; Refused naming what is wrong."""
        return read(self._named(name).driver.options, pairs, driver=name)

    def typed(self, network: StoredNetwork) -> Network[Any]:
        """Return *network* as its driver sees it: options read, gateways left out if the user wants none."""
        stored, typed = self._typed.get(network.id, (None, None))
        if typed is None or stored is not network:  # making an endpoint asks three times
            typed = self._read(network)
            self._typed[network.id] = (network, typed)
        return typed

    def forget(self, network_id: str) -> None:
        """The network is gone."""
        self._typed.pop(network_id, None)

    def _read(self, network: StoredNetwork) -> Network[Any]:
        options = self.options(network.driver, network.options)
        typed = network.with_options(options)
        if isinstance(options, CommonOptions) and not options.gateway:
            typed = evolve(typed, subnets=tuple(evolve(subnet, gateway=None) for subnet in typed.subnets))
        return typed

    async def looks_at(self, name: str, options: Any) -> tuple[str, ...]:
        """The links on the host that the driver wants to know about."""
        driver = self._named(name).driver
        return await self._ask(name, lambda: driver.looks_at(options)) if isinstance(driver, LooksAt) else ()

    async def skip_gateway(self, name: str, pairs: Mapping[str, str], *, internal: bool) -> tuple[bool, bool]:
        """Whether (IPv4, IPv6) can do without a gateway address."""
        driver, options = self._named(name).driver, self.options(name, pairs)
        if isinstance(options, CommonOptions) and not options.gateway:
            return True, True
        if not isinstance(driver, SkipsGateway):
            return False, False
        return await self._ask(name, lambda: driver.skip_gateway(options, internal=internal))

    async def admit(self, network: StoredNetwork, others: Iterable[StoredNetwork]) -> None:
        """Let the driver refuse *network* beside the *others* it has."""
        driver = self._named(network.driver).driver
        if isinstance(driver, Admits):
            typed, beside = self.typed(network), tuple(self.typed(other) for other in others)
            await self._ask(network.driver, lambda: driver.admit(typed, beside, network.host))

    async def wishes(self, network: StoredNetwork, endpoints: Iterable[Endpoint] = ()) -> list[dict[Key, Resource]]:
        """Return the wishes of *network*, and of each of *endpoints* in order, checked and marked, in one hop."""
        driver, typed, endpoints = self._named(network.driver).driver, self.typed(network), tuple(endpoints)

        def answer() -> list[Wishes]:
            return [driver.network(typed), *(driver.endpoint(typed, endpoint) for endpoint in endpoints)]

        own, *theirs = await self._ask(network.driver, answer)
        mark = Mark(self._instance, network.id)
        marked = self._checked(network.driver, own, mark, around=())
        return [
            marked,
            *(
                self._checked(network.driver, wishes, _endpoint_mark(mark, endpoint), around=marked)
                for endpoint, wishes in zip(endpoints, theirs, strict=True)
            ),
        ]

    async def join(self, network: StoredNetwork, endpoint: Endpoint, wishes: Mapping[Key, Resource]) -> Join:
        """Return how *endpoint* is joined; its link has to be one that *wishes* make."""
        driver, typed = self._named(network.driver).driver, self.typed(network)
        join = await self._ask(network.driver, lambda: driver.join(typed, endpoint))
        made = {link.name for link in wishes.values() if isinstance(link, Link)}
        made |= {
            peer for link in wishes.values() if isinstance(link, Link) and (peer := getattr(link.kind, "peer", None))
        }
        if join.source not in made:
            raise self._fault(network.driver, f"it hands over link {join.source!r}, which it did not wish for")
        return join

    async def _ask(self, name: str, question: Callable[[], T]) -> T:
        if self.suspended(name):
            raise Unavailable(
                f"driver {name} is suspended: it did not answer in time twice; restart linkwright to try again"
            )
        with trio.move_on_after(self._deadline):
            try:
                return cast("T", await self._somewhere(question))
            except LinkwrightError:
                raise
            except Exception as error:
                raise self._fault(name, f"it raised {type(error).__name__}: {error}") from error
        self._overruns[name] += 1
        self._observer(DriverOverrun(name))
        raise Unavailable(f"driver {name} did not answer within {self._deadline:g} s")

    def _checked(self, name: str, wishes: object, mark: Mark, *, around: Iterable[Key]) -> dict[Key, Resource]:
        if not isinstance(wishes, Wishes):
            raise self._fault(name, f"it answered {type(wishes).__name__} instead of Wishes")
        if notes := check(wishes, around=around):
            raise self._fault(name, "; ".join(str(note) for note in notes))
        return {resource.key: _marked(resource, mark) for resource in wishes}

    def _fault(self, name: str, text: str) -> DriverFault:
        return DriverFault(f"driver {name} of {self._named(name).origin} broke its contract: {text}")

    def _named(self, name: str) -> Registered:
        try:
            return self._drivers[name]
        except KeyError:
            raise Refused(
                f"no driver {name!r} is installed; pip install linkwright-{name}, then restart linkwright"
            ) from None


def _endpoint_mark(mark: Mark, endpoint: Endpoint) -> Mark:
    return evolve(mark, endpoint=endpoint.id, mac=endpoint.mac, addresses=endpoint.addresses)


def _marked(resource: Resource, mark: Mark) -> Resource:
    return evolve(resource, mark=mark) if isinstance(resource, Link) and resource.hold is Hold.OWN else resource
