"""What the firewall and the kernel's settings have to know of a network's bridge, by gateway mode.

The sets of the firewall are explained in ``linkwright.kernel.ruleset``.
"""

from collections.abc import Iterator, Mapping

from attrs import evolve

from linkwright import sdk
from linkwright_bridge import device
from linkwright_bridge.options import Options
from linkwright_bridge.reading import GatewayMode

#: The set, for each family, that a bridge of a gateway mode is in besides those of every network that leads outside.
_SETS: Mapping[GatewayMode, str] = {GatewayMode.ROUTED: "routed", GatewayMode.NAT_UNPROTECTED: "unprotected"}


def rules(network: sdk.Network[Options]) -> Iterator[sdk.Element | sdk.Sysctl]:
    """What has to be known while the network exists."""
    options, bridge = network.options, device.name(network)
    spoken = tuple(subnet for subnet in network.subnets if options.mode(subnet.version) is not GatewayMode.ISOLATED)
    versions = sorted({subnet.version for subnet in spoken})
    masquerade = [version for version in versions if _masquerades(options, version)]
    for rule in sdk.bridge_rules(
        evolve(network, subnets=spoken),
        bridge,
        outward=not network.internal,
        siblings=options.icc,
        masquerade=masquerade,
    ):
        if not (options.adopt and _is_of_bridge(rule)):
            yield rule
    if not network.internal:
        yield from _outward(options, bridge, versions)
    isolated6 = options.mode6 is GatewayMode.ISOLATED and "ipv6" in network.host.features
    if isolated6 and not options.adopt:
        # Otherwise the bridge would have a link-local address, which the containers' link-local ones reach.
        yield sdk.Sysctl(f"net/ipv6/conf/{bridge}/disable_ipv6", "1", before_up=bridge)


def _masquerades(options: Options, version: int) -> bool:
    return options.masquerade and options.mode(version).translates and options.source(version) is None


def _is_of_bridge(rule: sdk.Element | sdk.Sysctl) -> bool:
    return isinstance(rule, sdk.Sysctl) and rule.before_up is not None


def _outward(options: Options, bridge: str, versions: list[int]) -> Iterator[sdk.Element]:
    yield sdk.Element("hairpin", (bridge, bridge))
    for version in versions:
        mode, source = options.mode(version), options.source(version)
        if mode in _SETS:
            yield sdk.Element(f"{_SETS[mode]}{version}", (bridge,))
        if source is not None:
            yield sdk.Element(f"source{version}", (bridge,), (str(source),))
    for link in options.trusted:
        yield sdk.Element("trusted", (link, bridge))
