"""The bridge driver: pure functions from what Docker asked for to what the host must have.

What it imitates of Docker's own bridge is in moby's ``daemon/libnetwork/drivers/bridge``.
"""

from typing import Any, ClassVar

from linkwright import sdk
from linkwright_bridge import admission, attachment, device, publishing
from linkwright_bridge.options import EndpointOptions, Options
from linkwright_bridge.reading import GatewayMode
from linkwright_bridge.rules import rules


class Bridge(sdk.Driver[Options]):
    """Networks that stand on a bridge: one of their own, or one that they adopt."""

    name: ClassVar[str] = "bridge"
    options: ClassVar[type[Options]] = Options
    endpoint_options: ClassVar[type[EndpointOptions]] = EndpointOptions

    def looks_at(self, options: Options) -> tuple[str, ...]:
        """A bridge that is to be adopted: whether it is there and is one, and its MTU."""
        return (options.bridge_name,) if options.adopt and options.bridge_name else ()

    def skip_gateway(self, options: Options, *, internal: bool) -> tuple[bool, bool]:  # noqa: ARG002 - isolated is
        """A family that is isolated has none."""
        return options.mode4 is GatewayMode.ISOLATED, options.mode6 is GatewayMode.ISOLATED

    def admit(
        self,
        network: sdk.Network[Any],
        others: tuple[sdk.Network[Any], ...],
        host: sdk.HostFacts,  # noqa: ARG002 - the network's own are these
    ) -> None:
        """A bridge is one network's, and so is a subnet."""
        admission.check(network)
        admission.check_beside(network, others)

    def network(self, network: sdk.Network[Options]) -> sdk.Wishes:
        """One bridge with the gateway addresses, known to the firewall, and routing if the network leads anywhere."""
        admission.check(network)
        return sdk.Wishes((device.link(network), *device.vlans(network), *device.addresses(network), *rules(network)))

    def endpoint(self, network: sdk.Network[Options], endpoint: sdk.Endpoint) -> sdk.Wishes:
        """One veth pair: the host's end a port of the bridge, the other for the sandbox; and what its port may do."""
        return sdk.Wishes(attachment.wishes(network, endpoint, self._options(endpoint)))

    def join(self, network: sdk.Network[Options], endpoint: sdk.Endpoint) -> sdk.Join:
        """The container's end of the pair; the gateway is the bridge, or the auxiliary address named for it."""
        gateways = attachment.gateways(network, endpoint, self._options(endpoint))
        return sdk.Join(sdk.sandbox_end(endpoint), gateways, announce=True)

    def bindings(
        self, network: sdk.Network[Options], endpoint: sdk.Endpoint, ports: tuple[sdk.PortBinding, ...]
    ) -> tuple[tuple[sdk.PortBinding, ...], ...]:
        """Ports of the host, where the network has its containers take addresses of the host."""
        return publishing.bindings(network, endpoint, ports)

    def publish(self, network: sdk.Network[Options], endpoint: sdk.Endpoint) -> sdk.Wishes:
        """What leads from those to the container, or opens its own ports."""
        return sdk.Wishes(publishing.publish(network, endpoint))

    def _options(self, endpoint: sdk.Endpoint) -> EndpointOptions:
        return sdk.read_endpoint(EndpointOptions, endpoint, driver=self.name)
