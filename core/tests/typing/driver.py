"""A driver as its author writes it, for type checkers: everything in here is what they let pass at their strictest.

It is not run. ``test_checked`` has it checked, and checked again with each line marked WRONG uncommented.
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


@frozen
class EndpointOptions(sdk.EndpointOptions):
    """What an endpoint may say for itself."""

    seat: int = sdk.option("seat", parse=sdk.number(1, 9), default=1, help="which seat")


class Toy(sdk.Driver[Options]):
    """One link for each network, one pair for each endpoint."""

    name: ClassVar[str] = "toy"
    options: ClassVar[type[Options]] = Options
    endpoint_options: ClassVar[type[EndpointOptions]] = EndpointOptions
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
        mine = sdk.read_endpoint(EndpointOptions, endpoint, driver=self.name)
        assert_type(mine.seat, int)
        # WRONG: mine.saet
        # WRONG: sdk.veth(endpoint, "lwb1", 1500)
        return sdk.Wishes.of(sdk.veth(endpoint, bridge=sdk.link_name("b", network.id), mtu=1500))

    def join(self, network: sdk.Network[Options], endpoint: sdk.Endpoint) -> sdk.Join:
        """Its other end."""
        # WRONG: return sdk.Join(endpoint)
        return sdk.Join(sdk.sandbox_end(endpoint), sdk.gateways(network, endpoint))

    def looks_at(self, options: Options) -> tuple[str, ...]:
        """An optional power, found by its shape."""
        return (options.colour,)

    def bindings(
        self, network: sdk.Network[Options], endpoint: sdk.Endpoint, ports: tuple[sdk.PortBinding, ...]
    ) -> tuple[tuple[sdk.PortBinding, ...], ...]:
        """Another one: published ports, a group for each."""
        # WRONG: return ports
        return () if network.internal or endpoint.ipv4 is None else tuple((port,) for port in ports)

    def publish(self, network: sdk.Network[Options], endpoint: sdk.Endpoint) -> sdk.Wishes:
        """What leads to the container from there."""
        bridge = sdk.link_name("b", network.id)
        return sdk.Wishes(sdk.Element("trusted", (bridge, str(port.port))) for port in endpoint.published)


powers: tuple[sdk.LooksAt, sdk.Publishes] = (Toy(), Toy())
options = sdk.read(Options, {"colour": "blue"}, driver="toy")
assert_type(options, Options)
# WRONG: other: sdk.Admits = Toy()
