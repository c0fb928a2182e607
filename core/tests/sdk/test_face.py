"""The public face of ``linkwright.sdk``: what an author may import, and that a type checker understands it.

Adding a name is a change that a minor version may make. Removing or renaming one breaks drivers that are not ours.
"""

import inspect
import subprocess
import sys
from pathlib import Path

from linkwright import sdk

ROOT = Path(__file__).parents[3]
DRIVER = Path(__file__).with_name("typing_driver.py")

#: What a driver needs: the contract, the values it is handed, the wishes it answers, and what saves it writing.
FACE = {
    "the contract": "API POWERS Admits Capabilities Driver Join LooksAt SkipsGateway StaticRoute Wishes",
    "refusing": "Conflict Refused",
    "what it is handed": "Endpoint HostFacts IPAddress Interface LinkFact Mac Network PortBinding Prefix Subnet",
    "links": "Bridge BridgePort Existing Hold Link Macvlan MacvlanMode Veth Vxlan",
    "other wishes": "Address Element FdbEntry Neighbour Route Sysctl",
    "options": "CommonOptions OptionSpec boolean interface_name mtu number option read specs text",
    "saves writing": "bridge_rules gateways link_name sandbox_end veth",
}


def test_the_face_is_what_it_was() -> None:
    """A name that comes or goes is a decision, made here."""
    assert set(sdk.__all__) == {name for names in FACE.values() for name in names.split()}
    assert len(set(sdk.__all__)) == len(sdk.__all__)


def test_every_name_is_there_and_says_what_it_is() -> None:
    """What an author sees in an editor: a docstring for each class and function."""
    for name in sdk.__all__:
        thing = getattr(sdk, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert inspect.getdoc(thing), f"sdk.{name} has no docstring"


def test_the_contract_asks_for_three_methods() -> None:
    """A driver of thirty lines is a driver."""
    assert {"network", "endpoint", "join"} == sdk.Driver.__abstractmethods__
    assert sdk.API == 1


def test_a_power_is_found_by_its_shape() -> None:
    """No registration, no flags: the method is there, or it is not."""

    class Looker(sdk.Driver[None]):
        def network(self, network: sdk.Network[None]) -> sdk.Wishes:
            return sdk.Wishes.of(sdk.Link(sdk.link_name("b", network.id)))

        def endpoint(self, network: sdk.Network[None], endpoint: sdk.Endpoint) -> sdk.Wishes:
            return sdk.Wishes.of(sdk.veth(endpoint, bridge=sdk.link_name("b", network.id), mtu=1500))

        def join(self, network: sdk.Network[None], endpoint: sdk.Endpoint) -> sdk.Join:
            return sdk.Join(sdk.sandbox_end(endpoint), [*sdk.gateways(network, endpoint), None])

        def looks_at(self, options: object) -> tuple[str, ...]:
            return (str(options),)

    found = {name for name, power in sdk.POWERS.items() if isinstance(Looker(), power)}
    assert found == {"looks-at"}
    endpoint = sdk.Endpoint("e", "n")
    assert Looker().join(sdk.Network("n", "toy", None), endpoint) == sdk.Join(sdk.sandbox_end(endpoint), ())


def checked(*files: Path) -> subprocess.CompletedProcess[str]:
    """Have *files* checked as an author would, with the repository's own strictness."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", *map(str, files)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


def test_an_authors_driver_passes_the_type_checker_and_each_mistake_does_not(tmp_path: Path) -> None:
    """Types are a promise to authors: what is right passes strictly, and a wrong name, shape or value is seen."""
    text = DRIVER.read_text()
    lines = text.splitlines()
    wrong = [number for number, line in enumerate(lines, 1) if "# WRONG: " in line]
    mistaken = tmp_path / "mistaken_driver.py"
    mistaken.write_text(text.replace("# WRONG: ", ""))
    report = checked(DRIVER, mistaken)
    complaints = [line for line in report.stdout.splitlines() if ": error: " in line]
    assert [line for line in complaints if "typing_driver" in line] == []
    assert wrong == sorted({int(line.split(":")[1]) for line in complaints if "mistaken_driver" in line})
    assert report.stderr == ""
