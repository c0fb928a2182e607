"""Published ports: what is bound on the host for ``-p``, and what the firewall leads where. By family and gateway mode.

=================================  ==============================================================================
``-p`` without a host address      0.0.0.0 and, if the host has IPv6, [::] with the same port; or ``host_binding``
``-p`` with one                    that one, for a container that has an address it can lead to
IPv6 of the host, to a container   bound, and what comes there is relayed by whoever holds the socket: the kernel
that has IPv4 alone                translates no addresses from one family to the other
a routed family                    nothing is bound: the container's own port is opened
an internal network                nothing is bound, and nothing opened
=================================  ==============================================================================
"""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from attrs import evolve

from linkwright import sdk
from linkwright_bridge import device
from linkwright_bridge.options import Options
from linkwright_bridge.reading import GatewayMode

_EVERY_IPV4 = IPv4Address(0)
_EVERY_ADDRESS: tuple[sdk.IPAddress, ...] = (_EVERY_IPV4, IPv6Address(0))
#: What the holder of an IPv6 socket relays, of whatever comes past the maps: from link-local addresses, for IPv4.
_RELAYED = frozenset({sdk.Protocol.TCP, sdk.Protocol.UDP})


def bindings(
    network: sdk.Network[Options], endpoint: sdk.Endpoint, ports: tuple[sdk.PortBinding, ...]
) -> tuple[tuple[sdk.PortBinding, ...], ...]:
    """What has to be bound on the host, a group for each of *ports*; Refused for one that cannot be published."""
    if network.internal:
        return ()
    groups = (tuple(_bound(network, endpoint, port)) for port in ports)
    return tuple(group for group in groups if group)


def publish(network: sdk.Network[Options], endpoint: sdk.Endpoint) -> Iterator[sdk.Element | sdk.Sysctl | sdk.Hairpin]:
    """What leads to the container while it publishes: from bound ports, and to open ones."""
    if network.internal:
        return
    yield from dict.fromkeys(_opened(network, endpoint))
    led = [element for binding in endpoint.published for element in _led(endpoint, binding)]
    yield from led
    if any(element.data for element in led) and _sends_back(network):
        yield sdk.Hairpin(sdk.link_name("h", endpoint.id))
    if any(_is_for_localhost(binding) for binding in endpoint.published):
        # The kernel takes 127.0.0.0/8 for a martian on any link but lo otherwise, also what comes from this host.
        yield sdk.Sysctl(f"net/ipv4/conf/{device.name(network)}/route_localnet", "1", otherwise="0")


def _bound(network: sdk.Network[Options], endpoint: sdk.Endpoint, port: sdk.PortBinding) -> Iterator[sdk.PortBinding]:
    wanted = _host_addresses(network.options, port)
    why = {address: _impossible(network, endpoint, port.protocol, address) for address in wanted}
    if all(why.values()):
        raise sdk.Refused(f"port {port} cannot be published: {why[wanted[0]]}")
    for address in wanted:
        target = _target(endpoint, address)
        if target is not None and not why[address] and network.options.mode(target.version).translates:
            yield evolve(port, host_address=address)


def _host_addresses(options: Options, port: sdk.PortBinding) -> tuple[sdk.IPAddress, ...]:
    if port.host_address is not None:
        return (port.host_address,)
    return _EVERY_ADDRESS if options.host_binding in {None, _EVERY_IPV4} else (options.host_binding,)


def _target(endpoint: sdk.Endpoint, address: sdk.IPAddress) -> sdk.IPAddress | None:
    """The container's address that what comes to *address* of the host gets to."""
    own = {interface.version: interface.ip for interface in endpoint.addresses}
    return own.get(address.version, own.get(4) if address.version == 6 else None)  # noqa: PLR2004 - IPv6


def _impossible(
    network: sdk.Network[Options], endpoint: sdk.Endpoint, protocol: sdk.Protocol, address: sdk.IPAddress
) -> str:
    """Why what comes to *address* cannot get to the container; "" if it can, or need not."""
    target = _target(endpoint, address)
    if target is None:
        return f"the container has no IPv4 address that what comes to {address} could be led to"
    if not network.options.mode(target.version).translates:
        return ""  # the container's own port is opened, whatever the address of the host
    if address.is_multicast or address.is_link_local:
        return f"{address} is no address of this host that others could connect to"
    if address.version == 6 and "ipv6" not in network.host.features:  # noqa: PLR2004 - IPv6
        return f"this host has no IPv6, so {address} cannot be bound"
    if target.version != address.version and protocol is sdk.Protocol.SCTP:
        return f"SCTP cannot be relayed from {address} to a container that has IPv4 alone"
    return ""


def _led(endpoint: sdk.Endpoint, binding: sdk.PortBinding) -> Iterator[sdk.Element]:
    """Where the firewall leads what comes to *binding*; and what is relayed instead, which not every network gets.

    Of ::1 neither: there is no route_localnet for it, and nobody but the host itself gets there.
    """
    address = binding.host_address
    if address is None or (address.version == 6 and address.is_loopback):  # noqa: PLR2004 - IPv6
        return
    at_one = () if address.is_unspecified else (str(address),)
    place = (*at_one, str(binding.protocol), str(binding.host_port))
    target = _target(endpoint, address)
    if target is not None and target.version == address.version:
        led = f"{'published' if at_one else 'wildcard'}{address.version}"
        yield sdk.Element(led, place, (str(target), str(binding.port)))
    if address.version == 6 and binding.protocol in _RELAYED:  # noqa: PLR2004 - IPv6
        yield sdk.Element("relayed6" if at_one else "relayed_wildcard6", place)


def _sends_back(network: sdk.Network[Options]) -> bool:
    """Whether the container's port has to send back what came by it, for it to reach itself by what it publishes.

    Where bridged frames pass the firewall (br_netfilter) one that is led back to its sender stays a bridged frame
    (br_nf_pre_routing_finish in net/bridge/br_netfilter_hooks.c); elsewhere it is routed, and no port has to. The
    container then hears its own broadcasts, its neighbour solicitations too: those it knows by their nonce (RFC 7527,
    Linux 4.10).
    """
    return network.options.hairpin is None and "br_netfilter" in network.host.features


def _opened(network: sdk.Network[Options], endpoint: sdk.Endpoint) -> Iterator[sdk.Element]:
    for port in endpoint.ports:
        to = [_target(endpoint, port.host_address)] if port.host_address else [own.ip for own in endpoint.addresses]
        for target in to:
            if target is not None and network.options.mode(target.version) is GatewayMode.ROUTED:
                yield sdk.Element(f"open{target.version}", (str(target), str(port.protocol), str(port.port)))


def _is_for_localhost(binding: sdk.PortBinding) -> bool:
    address = binding.host_address
    if address is None or address.version != 4:  # noqa: PLR2004 - IPv4
        return False
    return address.is_unspecified or address.is_loopback
