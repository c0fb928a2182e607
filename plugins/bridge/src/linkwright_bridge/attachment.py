"""An endpoint's place on the bridge: its pair, what its port does, whom it may send as, how fast, in which VLANs."""

from collections.abc import Iterator

from attrs import evolve

from linkwright import sdk
from linkwright_bridge import device
from linkwright_bridge.options import EndpointOptions, Options


def wishes(
    network: sdk.Network[Options], endpoint: sdk.Endpoint, mine: EndpointOptions
) -> Iterator[sdk.Link | sdk.BridgeVlan | sdk.Hairpin | sdk.Shaper | sdk.Redirect | sdk.Element]:
    """What is there while the endpoint exists; Refused if it cannot be had with these options."""
    options = network.options
    port = sdk.BridgePort(isolated=True) if options.isolates_ports else None
    host_end = sdk.veth(endpoint, bridge=device.name(network), mtu=device.mtu(network), port=port)
    yield evolve(host_end, mac=_high(endpoint)) if options.adopt else host_end
    if options.hairpin:  # without it, ``publishing`` knows who needs it
        yield sdk.Hairpin(host_end.name)
    if options.vlan_filtering:
        yield from _vlans(host_end.name, mine)
    elif mine.vlan is not None or mine.trunk:
        raise sdk.Refused("vlan and trunk are for networks made with -o vlan_filtering=true, and this one was not")
    yield from _limits(options, endpoint, mine, host_end)
    if options.spoof_check:
        if mine.trunk:
            raise sdk.Refused(
                "spoof_check does not see what is behind a VLAN tag, so it drops it; leave out one or trunk"
            )
        yield from _senders(host_end.name, endpoint)


def gateways(network: sdk.Network[Options], endpoint: sdk.Endpoint, mine: EndpointOptions) -> tuple[sdk.IPAddress, ...]:
    """The gateways of the container. In a VLAN of its own it does not reach the bridge, only what else is in it."""
    found = sdk.gateways(network, endpoint)
    if not network.options.vlan_filtering or mine.vlan == device.DEFAULT_VLAN or not (mine.vlan or mine.trunk):
        return found
    own = {address.interface.ip for address in device.addresses(network)}
    return tuple(gateway for gateway in found if gateway not in own)


def _high(endpoint: sdk.Endpoint) -> sdk.Mac:
    """Return a hardware address that no bridge takes for its own: it takes the lowest of its ports'.

    Whoever made the adopted bridge need not have set its address, and it would change with our ports
    (br_stp_recalculate_bridge_id). libvirt gives its ports fe:… for the same reason.
    """
    return sdk.Mac(b"\xfe" + sdk.Mac.derive(endpoint.id, "host").octets[1:])


def _vlans(host_end: str, mine: EndpointOptions) -> Iterator[sdk.BridgeVlan]:
    untagged = mine.vlan if mine.vlan is not None or mine.trunk else device.DEFAULT_VLAN
    if untagged is not None:
        yield sdk.BridgeVlan(host_end, untagged, pvid=True, untagged=True)
    for first, last in mine.trunk:
        yield sdk.BridgeVlan(host_end, first, last=last)


def _limits(
    options: Options, endpoint: sdk.Endpoint, mine: EndpointOptions, host_end: sdk.Link
) -> Iterator[sdk.Link | sdk.Shaper | sdk.Redirect]:
    inward = _first(mine.rate_in, mine.rate, options.rate_in, options.rate)
    outward = _first(mine.rate_out, mine.rate, options.rate_out, options.rate)
    if mine.burst and not (inward or outward):
        raise sdk.Refused("burst is for a limit, and there is none; add rate, rate_in or rate_out")
    burst = mine.burst or options.burst
    yield from sdk.rate_limits(endpoint, host_end, inward=inward, outward=outward, burst=burst)


def _first(*rates: int | None) -> int | None:
    return next((rate for rate in rates if rate is not None), None)


def _senders(host_end: str, endpoint: sdk.Endpoint) -> Iterator[sdk.Element]:
    """Whom the container may be: what it sends as anybody else is dropped where it enters the bridge."""
    if endpoint.mac is None:
        raise sdk.Refused("spoof_check needs to know the container's hardware address, and it has none")
    yield sdk.Element("checked", (host_end,))
    yield sdk.Element("macs", (host_end, str(endpoint.mac)))
    for address in endpoint.addresses:
        yield sdk.Element(f"senders{address.version}", (host_end, str(address.ip)))
