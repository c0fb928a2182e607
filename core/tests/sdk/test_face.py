"""The public face of ``linkwright.sdk``: what an author may import. What type checkers make of it is in ``typing``.

Adding a name is a change that a minor version may make. Removing or renaming one breaks drivers that are not ours.
"""

import inspect
from pathlib import Path

from linkwright import sdk

ROOT = Path(__file__).parents[3]

#: What a driver needs: the contract, the values it is handed, the wishes it answers, and what saves it writing.
FACE = {
    "the contract": "API POWERS Capabilities Driver Join StaticRoute Wishes",
    "its optional powers": "Admits Claims LooksAt Publishes SkipsGateway",
    "what is chosen for it": "AddressClaim Claim",
    "refusing": "Conflict Refused",
    "what it is handed": "Endpoint HostFacts LinkFact Network PortBinding Subnet",
    "what that is made of": "IPAddress Interface Mac Prefix Protocol",
    "links": (
        "Bridge BridgePort Existing Hold Ifb Ipvlan IpvlanFlag IpvlanMode Link Macvlan MacvlanMode Veth Vlan Vxlan"
    ),
    "other wishes": "Address BridgeVlan Element FdbEntry Hairpin Neighbour Redirect Route Shaper Sysctl",
    "options": "CommonOptions EndpointOptions OptionSpec option read read_endpoint specs",
    "values of options": "boolean choice interface_name mtu number rate size text",
    "saves writing": "bridge_rules gateways link_name rate_limits sandbox_end veth",
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


def test_the_powers_are_explained() -> None:
    """docs/explanation/drivers.md has a line for each, with its methods."""
    page = (ROOT / "docs/explanation/drivers.md").read_text()
    for power in sdk.POWERS.values():
        methods = ", ".join(
            f"`{name}`" for name in vars(power) if inspect.isfunction(vars(power)[name]) and name[0] != "_"
        )
        assert f"| `{power.__name__}` | {methods} | " in page
