"""What the tests of our drivers share: the promises that every driver makes, and READMEs that are held to the code.

Nothing of a particular driver lives here. Each driver's tests say which networks and endpoints to try.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from enum import Enum
from ipaddress import ip_interface, ip_network
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, frozen
from hypothesis import strategies as st

from linkwright import sdk
from linkwright.plan import NAME_LENGTH, Key, Mark, Plan, Resource, check, diff, render_all
from linkwright.testkit import namespaces
from linkwright.testkit.hosts import FakeHost, Host, real_host
from linkwright.testkit.namespaces import Namespace

#: Audit events (PEP 578) of a process that looks or reaches outside. A driver raises none of them.
_OUTSIDE = ("open", "socket.", "subprocess.", "os.", "shutil.", "urllib.", "ctypes.", "fcntl.", "time.sleep")

#: The sections of a driver's README, in order.
SECTIONS = ("Name", "Description", "Options", "What it does to the host", "Limits", "Metrics", "Examples")


class _Door:
    """Shut while a driver is asked. There is one: an audit hook cannot be removed again."""

    shut = False

    def hook(self, event: str, _: tuple[object, ...]) -> None:
        if self.shut and event.startswith(_OUTSIDE):
            raise AssertionError(f"the driver reaches outside: {event}")


_DOOR = _Door()


@contextmanager
def _no_io() -> Iterator[None]:
    _DOOR.shut = True
    try:
        yield
    finally:
        _DOOR.shut = False


def _made(wishes: Iterable[Resource], *, around: Mapping[Key, Resource]) -> str:
    """Return what making *wishes* looks like where *around* is there already, and what they borrow."""
    wanted = sdk.Wishes(wishes).by_key()
    borrowed = {key: wish for key, wish in wanted.items() if getattr(wish, "hold", None) is sdk.Hold.BORROW}
    return render_all(diff({**around, **borrowed}, {**around, **wanted}).steps)


@frozen
class Asked:
    """A driver's whole answer about a network and some endpoints."""

    network: sdk.Wishes
    endpoints: tuple[sdk.Wishes, ...]
    joins: tuple[sdk.Join, ...]

    @property
    def network_text(self) -> str:
        """What making the network looks like."""
        return _made(self.network, around={})

    @property
    def endpoint_text(self) -> str:
        """What making the endpoints looks like when the network is there."""
        return _made([wish for wishes in self.endpoints for wish in wishes], around=self.network.by_key())


def _ask(driver: sdk.Driver[Any], network: sdk.Network[Any], *endpoints: sdk.Endpoint) -> Asked:
    """Ask *driver* everything, with the door shut."""
    with _no_io():
        return Asked(
            driver.network(network),
            tuple(driver.endpoint(network, endpoint) for endpoint in endpoints),
            tuple(driver.join(network, endpoint) for endpoint in endpoints),
        )


def _names(wishes: Iterable[Resource]) -> list[str]:
    links = [wish for wish in wishes if isinstance(wish, sdk.Link)]
    return [link.name for link in links] + [link.kind.peer for link in links if isinstance(link.kind, sdk.Veth)]


def _promises(driver: sdk.Driver[Any], network: sdk.Network[Any], *endpoints: sdk.Endpoint) -> Asked:
    """Hold *driver* to what every driver promises, and return what it said.

    It does no I/O; it says the same again, and about a network that is equal; the linter finds nothing; each link has
    a name of its own that the kernel takes; what it hands over it has wished for, and a gateway is in a subnet.
    """
    said = _ask(driver, network, *endpoints)
    assert said == _ask(type(driver)(), evolve(network), *endpoints)
    own = said.network.by_key()
    assert check(said.network) == ()
    assert [check(wishes, around=own) for wishes in said.endpoints] == [()] * len(endpoints)
    names = _names([*said.network, *(wish for wishes in said.endpoints for wish in wishes)])
    assert sorted(set(names)) == sorted(names)
    assert all(len(name.encode()) <= NAME_LENGTH for name in names)
    for wishes, join in zip(said.endpoints, said.joins, strict=True):
        assert join.source in _names(wishes)
        assert not (network.internal and join.gateways)
        assert all(any(gateway in subnet.pool for subnet in network.subnets) for gateway in join.gateways)
        assert len({gateway.version for gateway in join.gateways}) == len(join.gateways)
    return said


# --- what Docker may ask for -----------------------------------------------------------------------------------

_POOLS = ("10.1.0.0/24", "192.168.128.0/17", "100.64.0.0/10", "fd00:1::/64", "fd00:2::/112")
_IDS = st.text("0123456789abcdef", min_size=64, max_size=64)
_MTUS = st.sampled_from([1280, 1450, 1500, 9000])


def _shown(id: str) -> str:  # noqa: A002 - the domain's word
    """What Docker shows of an id, and a link's name of it."""
    return id[:12]


@st.composite
def _subnets(draw: st.DrawFn) -> tuple[sdk.Subnet, ...]:
    found = []
    for pool in draw(st.lists(st.sampled_from(_POOLS).map(ip_network), min_size=1, unique=True)):
        gateway = ip_interface(f"{pool[draw(st.integers(1, 100))]}/{pool.prefixlen}") if draw(st.booleans()) else None
        auxiliary = draw(st.sampled_from([{}, {"router": pool[7]}, {f"DefaultGatewayIPv{pool.version}": pool[9]}]))
        found.append(sdk.Subnet(pool, gateway, auxiliary))
    return tuple(found)


def _interface(draw: st.DrawFn, network: sdk.Network[Any], version: int) -> Any:
    pools = [subnet.pool for subnet in network.subnets_of(version)]
    if not pools:
        return None
    pool = draw(st.sampled_from(pools))
    return ip_interface(f"{pool[draw(st.integers(101, 250))]}/{pool.prefixlen}")


@st.composite
def _asked_for(
    draw: st.DrawFn, /, driver: sdk.Driver[Any], pairs: Mapping[str, Sequence[str]], **facts: Any
) -> tuple[sdk.Network[Any], list[sdk.Endpoint]]:
    """Draw a network with some of *pairs* (key → values to choose from) as ``-o``, and endpoints on it."""
    chosen = draw(st.fixed_dictionaries({}, optional={key: st.sampled_from(values) for key, values in pairs.items()}))
    host = sdk.HostFacts(features=draw(st.sampled_from([frozenset(), frozenset({"ipv6"})])), **facts)
    network: sdk.Network[Any] = sdk.Network(
        id=draw(_IDS),
        driver=driver.name,
        options=sdk.read(driver.options, chosen, driver=driver.name),
        subnets=draw(_subnets()),
        internal=draw(st.booleans()),
        host=host,
    )
    endpoints = [
        sdk.Endpoint(
            id=id,
            network=network.id,
            ipv4=_interface(draw, network, 4),
            ipv6=_interface(draw, network, 6),
            mac=sdk.Mac.derive(id),
        )
        for id in draw(st.lists(_IDS, max_size=3, unique_by=_shown))  # noqa: A001 - the domain's word
    ]
    return network, endpoints


# --- READMEs -------------------------------------------------------------------------------------------------


def _default(value: object) -> str:
    """Return a default as it would be typed after ``-o key=``; nothing where it stands for "none"."""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    plain = value.value if isinstance(value, Enum) else value
    return f"`{plain}`" if plain not in (None, "", ()) else ""


def _options_table(options: type) -> str:
    """Return the options of a class as a Markdown table."""
    rows = [
        f"| {', '.join(f'`{key}`' for key in spec.keys)} | {_default(getattr(options(), name))} | {spec.help} |"
        for name, spec in sdk.specs(options).items()
    ]
    return "\n".join(["| option | default | meaning |", "| --- | --- | --- |", *rows])


@frozen
class Example:
    """One ``docker network create`` of a README."""

    driver: str
    pairs: Mapping[str, str]


@frozen
class Readme:
    """A driver's README, cut into sections."""

    title: str
    sections: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> "Readme":
        """Cut the file at *path* at its headings."""
        head, *parts = re.split(r"^## ", path.read_text(), flags=re.MULTILINE)
        return cls(
            head.strip().removeprefix("# "), {name: text for name, _, text in (p.partition("\n") for p in parts)}
        )

    def examples(self) -> list[Example]:
        """Every ``docker network create`` of the section Examples."""
        commands = self.sections["Examples"].replace("\\\n", " ").splitlines()
        found = []
        for words in (shlex.split(line) for line in commands if line.startswith("docker network create")):
            pairs = dict(value.split("=", 1) for flag, value in pairwise(words) if flag == "-o")
            found.append(Example(dict(pairwise(words))["-d"], pairs))
        return found


def _hold_readme(path: Path, driver: sdk.Driver[Any], network: sdk.Network[Any], endpoint: sdk.Endpoint) -> None:
    """Hold the README at *path* to the code; the message of a failure is the text that belongs there."""
    readme, said = Readme.read(path), _ask(driver, network, endpoint)
    assert (readme.title, tuple(readme.sections)) == (f"linkwright-{driver.name}", SECTIONS)
    assert _options_table(driver.options) in readme.sections["Options"]
    shown = re.findall(
        r"^```sh\n(.*?)^```$", readme.sections["What it does to the host"], flags=re.DOTALL | re.MULTILINE
    )
    assert [text for text in (said.network_text, said.endpoint_text) if text] == shown
    examples = readme.examples()
    assert examples
    for example in examples:
        assert example.driver == f"lw-{driver.name}"
        options = sdk.read(driver.options, example.pairs, driver=driver.name)
        _ask(driver, network.with_options(options), endpoint)


@pytest.fixture(scope="session")
def ask() -> Callable[..., Asked]:
    """``ask(driver, network, *endpoints)``: everything a driver has to say, with the door to the outside shut."""
    return _ask


@pytest.fixture(scope="session")
def promises() -> Callable[..., Asked]:
    """``promises(driver, network, *endpoints)``: the same, and held to what every driver promises."""
    return _promises


@pytest.fixture(scope="session")
def asked_for() -> Callable[..., st.SearchStrategy[tuple[sdk.Network[Any], list[sdk.Endpoint]]]]:
    """``asked_for(driver, pairs, **host_facts)``: networks and endpoints as Docker may ask for them."""
    return _asked_for


@pytest.fixture(scope="session")
def hold_readme() -> Callable[..., None]:
    """``hold_readme(path, driver, network, endpoint)``: the README says what the code does."""
    return _hold_readme


@pytest.fixture(scope="session")
def refusal() -> Callable[[Callable[[], object]], str]:
    """``refusal(action)``: the text that it is refused with."""

    def text_of(action: Callable[[], object]) -> str:
        with pytest.raises(sdk.Refused) as refused, _no_io():
            action()
        return str(refused.value)

    return text_of


# --- namespaces ----------------------------------------------------------------------------------------------

#: Ask for an echo until one comes, at most this often, a second apart; exit 0 if one came. A file of its own process:
#: a thread that changes its namespace would change it for whatever runs in it next.
_ECHO = """
import socket, sys
address, size = sys.argv[1], int(sys.argv[2])
v6 = ":" in address
request = bytes([128 if v6 else 8, 0, 0, 0, 0, 1, 0, 1]) + bytes(size)
if not v6:
    total = sum(int.from_bytes(request[i:i + 2], "big") for i in range(0, len(request) - 1, 2))
    request = request[:2] + (0xFFFF - total % 0xFFFF).to_bytes(2, "big") + request[4:]
asking = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_RAW, 58 if v6 else 1)
asking.settimeout(1)
if not v6:
    asking.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER: never cut it
for _ in range(3):
    try:
        asking.sendto(request, (address, 0))
        while True:
            answer, sender = asking.recvfrom(65535)
            if sender[0] == address and answer[0 if v6 else 20] == (129 if v6 else 0):
                sys.exit(0)
    except TimeoutError:
        pass
    except OSError as error:
        sys.exit(str(error))
sys.exit("no answer")
"""


@frozen
class Place(Namespace):
    """A network namespace as a host or a container."""

    def ip(self, line: str) -> None:
        """Run ``ip`` in it."""
        self.run("ip", *line.split())

    def carry_out(self, text: str) -> None:
        """Do what a plan says, line by line, as the person would who read it; the firewall's table is not there."""
        for line in text.splitlines():
            if not line.startswith("nft "):
                self.run(*shlex.split(line))

    def reaches(self, address: str, size: int = 56) -> bool:
        """Whether *address* answers an echo request with *size* bytes of data, uncut."""
        try:
            self.run(sys.executable, "-c", _ECHO, address, str(size))
        except subprocess.CalledProcessError:
            return False
        return True

    def take(self, link: str, source: "Place", *addresses: str) -> None:
        """Move *link* here from *source*, as Docker does: renamed, with its addresses, up."""
        source.ip(f"link set {link} netns {self.name} name eth0")
        for address in addresses:
            self.ip(f"addr add {address} dev eth0 {'nodad' if ':' in address else ''}")
        self.ip("link set eth0 up")


@pytest.fixture
def place() -> Iterator[Callable[[], Place]]:
    """``place()`` is a new network namespace, removed after the test with all that is in it."""
    with ExitStack() as stack:

        def make() -> Place:
            found = Place(stack.enter_context(namespaces.made()).name)
            found.ip("link set lo up")
            return found

        yield make


@pytest.fixture(params=["fake", pytest.param("real", marks=pytest.mark.netns)])
async def host(request: pytest.FixtureRequest) -> AsyncIterator[Host]:
    """A host of each sort, with the code of ours that brings plans to the kernel."""
    if request.param == "fake":
        yield FakeHost()
        return
    make = request.getfixturevalue("place")
    async with real_host(make(), make()) as real:
        yield real


async def _settles(
    host: Host, driver: sdk.Driver[Any], network: sdk.Network[Any], *endpoints: sdk.Endpoint
) -> Mapping[Key, Resource]:
    """Make everything, look again, find nothing to do; return it as the kernel has it. Then unmake it without a trace.

    What a driver wishes and the kernel reads back otherwise would be repaired for ever.
    """
    kernel, said = host.kernel, _ask(driver, network, *endpoints)
    wishes = [*said.network, *(wish for answer in said.endpoints for wish in answer)]
    mark = Mark("default", network.id)
    wanted = {
        wish.key: evolve(wish, mark=mark) if isinstance(wish, sdk.Link) and wish.hold is sdk.Hold.OWN else wish
        for wish in wishes
        if not (isinstance(wish, sdk.Sysctl) and wish.hold is sdk.Hold.BORROW)  # the host's, not the driver's
    }
    await kernel.prepare()
    before = await kernel.snapshot()
    plan = diff((await kernel.observe(wanted)).resources, wanted)
    assert (plan.pending, plan.problems) == ((), ())
    await kernel.apply(plan.steps)
    made = await kernel.observe(wanted)
    assert diff(made.resources, wanted) == Plan()
    await kernel.apply(diff((await kernel.snapshot()).owned(), {}).steps)
    after = await kernel.snapshot()
    assert after.owned() == {}
    assert after.resources.keys() == before.resources.keys()
    return made.resources


@pytest.fixture
def settles() -> Callable[..., Awaitable[Mapping[Key, Resource]]]:
    """Made on a host and looked at, everything is as wished; unmade, it leaves no trace. Takes host and ``ask``'s."""
    return _settles


def pytest_configure() -> None:
    """Hang up the hook once."""
    sys.addaudithook(_DOOR.hook)
