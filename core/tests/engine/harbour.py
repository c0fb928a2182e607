"""A bridge driver that publishes in the plainest way, so that what the engine does with ports can be seen alone."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

from linkwright import sdk
from linkwright.model import PortBinding
from linkwright.plan import Element, Resource, Sysctl, Wishes
from linkwright_bridge import Bridge

EVERY = {4: ip_address("0.0.0.0"), 6: ip_address("::")}


class Harbour(Bridge):
    """An endpoint's ports are elements of ``wildcard4`` and ``published4``; ``asked`` counts the questions."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.broken = False

    def bindings(self, _: Any, __: sdk.Endpoint, ports: tuple[PortBinding, ...]) -> tuple[tuple[PortBinding, ...], ...]:
        """Both families for a port that names no address, as Docker's own bridge has it."""
        self.asked.append("bindings")
        return tuple(tuple(self._on_host(port)) for port in ports)

    def _on_host(self, port: PortBinding) -> Iterator[PortBinding]:
        for address in (port.host_address,) if port.host_address else EVERY.values():
            yield PortBinding(port.protocol, port.port, address, port.host_port, port.host_port_end)

    def publish(self, network: sdk.Network[Any], endpoint: sdk.Endpoint) -> Wishes:
        """One element for each IPv4 binding; and a setting of the bridge, which the endpoints share."""
        self.asked.append("publish")
        if self.broken:
            raise ValueError("not today")
        return Wishes(tuple(self._elements(network, endpoint)))

    def _elements(self, network: sdk.Network[Any], endpoint: sdk.Endpoint) -> Iterator[Resource]:
        assert endpoint.external
        for binding in endpoint.published:
            assert binding.host_address is not None
            if binding.host_address.version == 4 and endpoint.ipv4 is not None:
                where = () if binding.host_address.is_unspecified else (str(binding.host_address),)
                name = "published4" if where else "wildcard4"
                inside = (str(endpoint.ipv4.ip), str(binding.port))
                yield Element(name, (*where, str(binding.protocol), str(binding.host_port)), inside)
        if endpoint.published:
            yield Sysctl(f"net/ipv4/conf/{sdk.link_name('b', network.id)}/route_localnet", "1")
