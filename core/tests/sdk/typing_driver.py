"""A driver as its author writes it, for the type checker: everything here is what ``mypy --strict`` has to let pass.

It is not run. ``test_face`` has it checked, and checked again with each line marked WRONG uncommented.
"""

# ruff: noqa: ERA001 - the mistakes are commented out on purpose

from typing import ClassVar, assert_type

from attrs import frozen

from linkwright import sdk


@frozen
class Options(sdk.CommonOptions):
    """Options of the author's own beside the common ones."""

    colour: str = sdk.option("colour", parse=sdk.text, default="red", help="which colour")
    weight: int = sdk.option("weight", parse=sdk.number(1, 9), default=1, help="how heavy")
    # WRONG: length: int = sdk.option("length", parse=sdk.text, default="1", help="how long")


class Toy(sdk.Driver[Options]):
    """One link for each network, one pair for each endpoint."""

    name: ClassVar[str] = "toy"
    options: ClassVar[type[Options]] = Options
    capabilities: ClassVar[sdk.Capabilities] = sdk.Capabilities(connectivity="global")

    def network(self, network: sdk.Network[Options]) -> sdk.Wishes:
        """The author's own options are known by type."""
        assert_type(network.options.weight, int)
        assert_type(network.options.mtu, int | None)
        # WRONG: network.options.wieght
        # WRONG: network.options.weight = 3
        # WRONG: return [sdk.Link("lwb1")]
        bridge = sdk.link_name("b", network.id)
        return sdk.Wishes.of(sdk.Link(bridge, sdk.Bridge()), None)

    def endpoint(self, network: sdk.Network[Options], endpoint: sdk.Endpoint) -> sdk.Wishes:
        """A pair on the bridge."""
        # WRONG: sdk.veth(endpoint, "lwb1", 1500)
        return sdk.Wishes.of(sdk.veth(endpoint, bridge=sdk.link_name("b", network.id), mtu=1500))

    def join(self, network: sdk.Network[Options], endpoint: sdk.Endpoint) -> sdk.Join:
        """Its other end."""
        # WRONG: return sdk.Join(endpoint)
        return sdk.Join(sdk.sandbox_end(endpoint), sdk.gateways(network, endpoint))

    def looks_at(self, options: Options) -> tuple[str, ...]:
        """An optional power, found by its shape."""
        return (options.colour,)


powers: sdk.LooksAt = Toy()
options = sdk.read(Options, {"colour": "blue"}, driver="toy")
assert_type(options, Options)
# WRONG: other: sdk.Admits = Toy()
