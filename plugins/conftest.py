"""What the tests of our drivers share beside the kit's battery: READMEs held to the code word by word, and an engine.

What any driver's author needs is in ``linkwright.testkit``; here it is handed to our tests as fixtures. Nothing of a
particular driver lives here.
"""

import json
import re
import shlex
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve, frozen
from hypothesis import strategies as st
from tests.docker.daemon import Daemon
from tests.engines import ENGINES, Dockerd, Outside, busybox
from tests.engines import Host as PretendHost

from linkwright import sdk
from linkwright.plan import Key, Mark, Plan, Resource, diff
from linkwright.testkit import DockerEngine, door, drawing, readme
from linkwright.testkit import promises as every_drivers
from linkwright.testkit.asked import Asked
from linkwright.testkit.asked import ask as ask_driver
from linkwright.testkit.hosts import FakeHost, Host, real_host
from linkwright.testkit.place import Place, places

__all__ = ["Place"]

#: The sections of a driver's README, in order.
SECTIONS = ("Name", "Description", "Options", "What it does to the host", "Limits", "Metrics", "Examples")


# --- asking ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def ask() -> Callable[..., Asked]:
    """``ask(driver, network, *endpoints)``: everything a driver has to say, with the door to the outside shut."""
    return ask_driver


@pytest.fixture(scope="session")
def promises() -> Callable[..., Asked]:
    """``promises(driver, network, *endpoints)``: the same, and held to what every driver promises."""
    return every_drivers.hold


@pytest.fixture(scope="session")
def asked_for() -> Callable[..., st.SearchStrategy[tuple[sdk.Network[Any], list[sdk.Endpoint]]]]:
    """``asked_for(driver, pairs, **host_facts)``: networks and endpoints as Docker may ask for them."""
    return drawing.asked_for


@pytest.fixture(scope="session")
def refusal() -> Callable[[Callable[[], object]], str]:
    """``refusal(action)``: the text that it is refused with."""

    def text_of(action: Callable[[], object]) -> str:
        with pytest.raises(sdk.Refused) as refused, door.shut():
            action()
        return str(refused.value)

    return text_of


# --- READMEs -----------------------------------------------------------------------------------------------------


@frozen
class Example:
    """One ``docker network create`` of a README."""

    driver: str
    pairs: Mapping[str, str]


def _examples(text: str) -> list[Example]:
    """Every ``docker network create`` of the section Examples."""
    commands = text.replace("\\\n", " ").splitlines()
    found = []
    for words in (shlex.split(line) for line in commands if line.startswith("docker network create")):
        pairs = dict(value.split("=", 1) for flag, value in pairwise(words) if flag == "-o")
        found.append(Example(dict(pairwise(words))["-d"], pairs))
    return found


def _hold_readme(path: Path, driver: sdk.Driver[Any], network: sdk.Network[Any], endpoint: sdk.Endpoint) -> None:
    """Hold the README at *path* to the code; the message of a failure is the text that belongs there."""
    (title, sections), said = readme.sections(path), ask_driver(driver, network, endpoint)
    assert (title, tuple(sections)) == (f"linkwright-{driver.name}", SECTIONS)
    assert readme.options_table(driver.options) in sections["Options"]
    if driver.endpoint_options is not sdk.EndpointOptions:
        assert readme.options_table(driver.endpoint_options) in sections["Options"]
    shown = re.findall(r"^```sh\n(.*?)^```$", sections["What it does to the host"], flags=re.DOTALL | re.MULTILINE)
    assert [text for text in (said.network_text, said.endpoint_text) if text] == shown
    examples = _examples(sections["Examples"])
    assert examples
    for example in examples:
        assert example.driver == f"lw-{driver.name}"
        options = sdk.read(driver.options, example.pairs, driver=driver.name)
        ask_driver(driver, network.with_options(options), endpoint)


@pytest.fixture(scope="session")
def hold_readme() -> Callable[..., None]:
    """``hold_readme(path, driver, network, endpoint)``: the README says what the code does."""
    return _hold_readme


# --- hosts -------------------------------------------------------------------------------------------------------


@pytest.fixture
def place() -> Iterator[Callable[[], Place]]:
    """``place()`` is a new network namespace, removed after the test with all that is in it."""
    with places() as make:
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
    kernel, said = host.kernel, ask_driver(driver, network, *endpoints)
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


# --- an engine ---------------------------------------------------------------------------------------------------


class _Engine:
    """A Docker Engine with a linkwright beside it, for the battery's last level."""

    image = busybox.IMAGE

    def __init__(self, dockerd: Dockerd, daemon: Daemon) -> None:
        self._dockerd = dockerd
        self._daemon = daemon

    def docker(self, *arguments: str) -> str:
        """Run ``docker``."""
        return self._dockerd.docker(*arguments)

    def restart_linkwright(self) -> None:
        """Stop and start."""
        self._daemon.restart()

    def host_links(self) -> Sequence[str]:
        """Without those on their way out, which go together a moment later."""
        shown = json.loads(self._dockerd.host.run(["ip", "-j", "link"]).stdout)
        return [one["ifname"] for one in shown if not one["ifname"].startswith("lwx")]


@pytest.fixture(scope="session")
def docker_engine(docker_level: None) -> Iterator[DockerEngine]:
    """The newest engine of the catalogue, with all of our drivers, on a LAN; one for the whole run."""
    engine = ENGINES[-1]
    with ExitStack() as stack:
        lan, host = stack.enter_context(Outside()), stack.enter_context(PretendHost("conformance"))
        lan.plug(host, 1)
        host.run(["sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"])
        dockerd, daemon = Dockerd(host, engine), Daemon(host, drivers=("bridge", "ipvlan", "macvlan", "vxlan"))
        dockerd.start()
        stack.callback(dockerd.stop)
        dockerd.load_image()
        daemon.start()
        stack.callback(daemon.stop)
        yield _Engine(dockerd, daemon)
