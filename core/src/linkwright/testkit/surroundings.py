"""Two sorts of host for one battery: an imaginary one, and network namespaces. Each with an uplink, and sandboxes.

Docker's moves of links are played here, and what a host has is read so that it can be compared. What Docker says is
``docker_side``.
"""

import fnmatch
import re
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import trio
from attrs import frozen

from linkwright.engine.ports import Kernel
from linkwright.model import HostFacts, Interface, LinkFact, Mac
from linkwright.plan import Link, Veth
from linkwright.testkit.example import ADDRESSES, FEATURES, FORWARDING, ROUTERS, UPLINK
from linkwright.testkit.fake_kernel import FakeKernel
from linkwright.testkit.fake_kernel_state import SYSCTL_DEFAULTS
from linkwright.testkit.hosts import real_host
from linkwright.testkit.place import Place

T = TypeVar("T")

#: Seconds until links that were taken out of use have to be gone: they go together, a moment later (kernel.doom).
_SWEPT: Final = 10.0

#: What the kernel changes by itself, of links and of settings.
_CARRIER: Final = re.compile(r"NO-CARRIER,|,LOWER_UP| state [A-Z]+")
_RESTLESS: Final = re.compile(r"^net\.(netfilter|unix|.*\.(mtu|base_reachable_time.*|stable_secret|.*_count)\b)")


@frozen
class Dress:
    """What Docker gives a link that it has moved into a sandbox."""

    name: str
    mac: Mac | None
    addresses: tuple[Interface, ...]
    routes: tuple[str, ...] = ()  # as ip-route(8) has them, the default ones last


class Surroundings(Protocol):
    """A host that a daemon works on, and Docker's ways on it."""

    @property
    def kernel(self) -> Kernel:
        """The kernel under test."""

    async def sandbox(self) -> str:
        """Make a sandbox; the path that Docker would say."""

    async def move_in(self, link: str, sandbox: str, dress: Dress) -> None:
        """Docker moves *link* into *sandbox* and dresses it."""

    async def move_back(self, link: str, sandbox: str, dress: Dress) -> None:
        """Docker moves it back, down and under its first name."""

    async def has(self) -> Any:
        """Everything that the host has, to be compared with ``==``."""


# --- an imaginary one --------------------------------------------------------------------------------------------


class Imaginary:
    """The fake kernel with an uplink."""

    def __init__(self, kernel: FakeKernel) -> None:
        """Put the uplink into *kernel*, which forwards."""
        self.kernel = kernel
        kernel.foreign_create(Link(UPLINK, Veth("wire0")))
        kernel.state.sysctls |= dict.fromkeys(FORWARDING, "1")

    async def sandbox(self) -> str:
        """Make one."""
        await trio.lowlevel.checkpoint()
        path = f"/run/docker/netns/{secrets.token_hex(6)}"
        self.kernel.sandboxes.add(path)
        return path

    async def move_in(self, link: str, sandbox: str, dress: Dress) -> None:  # noqa: ARG002 - nobody is in there
        """Lend it."""
        await trio.lowlevel.checkpoint()
        self.kernel.lend(link, sandbox)

    async def move_back(self, link: str, sandbox: str, dress: Dress) -> None:  # noqa: ARG002
        """Take it back."""
        await trio.lowlevel.checkpoint()
        self.kernel.give_back(link)

    async def has(self) -> Any:
        """Resources, and the settings that are not as a fresh kernel has them."""
        await trio.lowlevel.checkpoint()
        settings = self.kernel.state.sysctls.items()
        changed = {("sysctl", path): value for path, value in settings if value != _default(path)}
        return {**self.kernel.resources(), **changed}


def imaginary(
    *, facts: HostFacts | None = None, make: Callable[..., FakeKernel] = FakeKernel, **options: Any
) -> Imaginary:
    """Return an imaginary host that knows *facts* of itself; by themselves, those of ``example``."""
    told = facts or HostFacts(LinkFact(UPLINK, kind="veth"), addresses=ADDRESSES, features=FEATURES)
    return Imaginary(make(host=told, **options))


def _default(path: str) -> str | None:
    return next((value for pattern, value in SYSCTL_DEFAULTS.items() if fnmatch.fnmatch(path, pattern)), None)


# --- a real one --------------------------------------------------------------------------------------------------


class Real:
    """Namespaces: the host that the daemon works in, its router, and the sandboxes."""

    def __init__(self, kernel: Kernel, host: Place, make: Callable[[], Place]) -> None:
        """Work in *host*."""
        self.kernel = kernel
        self.host = host
        self._make = make
        self._sandboxes: dict[str, Place] = {}

    def inside(self, sandbox: str) -> Place:
        """The sandbox at that path."""
        return self._sandboxes[sandbox]

    async def sandbox(self) -> str:
        """Make a network namespace."""
        place = await _aside(self._make)
        self._sandboxes[place.path] = place
        return place.path

    async def move_in(self, link: str, sandbox: str, dress: Dress) -> None:
        """As libnetwork's osl does: moved, renamed, dressed, up."""
        place, mac = self._sandboxes[sandbox], f" address {dress.mac}" if dress.mac else ""
        await self._do(self.host, f"link set {link} netns {place.name}")
        lines = [f"link set {link} down name {dress.name}{mac}"]
        lines += [f"addr add {one} dev {dress.name}{' nodad' if ':' in str(one) else ''}" for one in dress.addresses]
        routes = (f"route add {route} dev {dress.name}" for route in dress.routes)
        await self._do(place, *lines, f"link set {dress.name} up", *routes)

    async def move_back(self, link: str, sandbox: str, dress: Dress) -> None:
        """Down, renamed, moved."""
        place = self._sandboxes[sandbox]
        await self._do(place, f"link set {dress.name} down name {link}", f"link set {link} netns {self.host.name}")

    async def has(self) -> Any:
        """Links, addresses, routes and neighbours in the words of ip(8), the rule set of nft(8), and all settings.

        Waits until links on their way out are gone.
        """
        with trio.fail_after(_SWEPT):
            links = await self._read("ip", "-o", "-d", "link")
            while "lwx" in links:
                await trio.sleep(0.02)
                links = await self._read("ip", "-o", "-d", "link")
        words = {"links": _CARRIER.sub("", links), "addresses": await self._read("ip", "-o", "addr")}
        for family in ("-4", "-6"):
            words[f"routes {family}"] = await self._read("ip", family, "route", "show", "table", "all")
            words[f"proxies {family}"] = await self._read("ip", family, "neigh", "show", "proxy")
        words["forwarding entries"] = await self._read("bridge", "fdb")
        words["rules"] = re.sub(r"packets \d+ bytes \d+", "", await self._read("nft", "list", "ruleset"))
        settings = await self._read("sysctl", "-a", "--pattern", r"^net\.")
        words["settings"] = "\n".join(line for line in settings.splitlines() if not _RESTLESS.match(line))
        return {name: sorted(text.splitlines()) for name, text in words.items()}

    async def _read(self, *command: str) -> str:
        return await _aside(partial(self.host.run, *command))

    async def _do(self, place: Place, *lines: str) -> None:
        for line in lines:
            await _aside(partial(place.ip, line))


async def _aside(work: Callable[[], T]) -> T:
    return await trio.to_thread.run_sync(work)


@asynccontextmanager
async def real(make: Callable[[], Place]) -> AsyncIterator[Real]:
    """A namespace with the real kernel's code in it, an uplink to a router, and forwarding."""
    host, router = make(), make()
    host.ip(f"link add {UPLINK} type veth peer name wire0 netns {router.name}")
    host.ip(f"link set {UPLINK} addrgenmode none")  # its own addresses would come a moment later
    router.ip("link set wire0 up")
    for address, gateway in zip(ADDRESSES, ROUTERS, strict=True):
        host.ip(f"addr add {address} dev {UPLINK}{' nodad' if address.version == 6 else ''}")  # noqa: PLR2004
        router.ip(f"addr add {gateway}/{address.network.prefixlen} dev wire0{' nodad' if ':' in gateway else ''}")
    host.ip(f"link set {UPLINK} up")
    for gateway in ROUTERS:
        host.ip(f"route add default via {gateway}")
    host.run("sysctl", "-qw", *(f"{path.replace('/', '.')}=1" for path in FORWARDING))
    async with real_host(host, make()) as found:
        yield Real(found.kernel, host, make)


def missing(features: Iterable[str], facts: HostFacts) -> tuple[str, ...]:
    """Those of *features* that the host of *facts* does not have."""
    return tuple(sorted(frozenset(features) - facts.features))


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return what is there after and was not before, and the other way round, a line each."""
    lines: list[str] = []
    for name in {**before, **after}:
        one, other = _lines(before.get(name)), _lines(after.get(name))
        lines += [f"- {name}: {line}" for line in one if line not in other]
        lines += [f"+ {name}: {line}" for line in other if line not in one]
    return lines


def _lines(thing: Any) -> list[str]:
    if thing is None:
        return []
    return [str(line) for line in (thing if isinstance(thing, list) else [thing])]
