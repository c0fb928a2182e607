"""What cannot be had, in words for the person who asked: of one network, and of one beside others on this host."""

from collections.abc import Callable, Iterable, Sequence

from linkwright import sdk
from linkwright_bridge import device
from linkwright_bridge.options import Options
from linkwright_bridge.reading import GatewayMode

#: Every link of ours begins like this, so that a person sees whose it is.
_OURS = "lw"


def check(network: sdk.Network[Options]) -> None:
    """Raise Refused for what this driver cannot make of *network*."""
    for why in _CHECKS:
        words = why(network)
        if words:
            raise sdk.Refused(words)


def check_beside(network: sdk.Network[Options], others: Iterable[sdk.Network[Options]]) -> None:
    """Raise Conflict if one of *others* is in the way of *network*, as Docker's own bridge does.

    Two bridges with one subnet would be two routes to it, and one network's containers would get the other's packets.
    """
    name, subnets = device.name(network), _routed(network)
    for other in others:
        words = "" if other.id == network.id else _same_bridge(name, other) or _overlap(subnets, other)
        if words:
            raise sdk.Conflict(
                f"cannot create network {_shown(network)}: conflicts with network {_shown(other)}: {words}"
            )


def _shown(network: sdk.Network[Options]) -> str:
    return f"{network.id[:12]} ({device.name(network)})"


def _same_bridge(name: str, other: sdk.Network[Options]) -> str:
    same = name == device.name(other)
    return "networks have same bridge name; name another by com.docker.network.bridge.name" if same else ""


def _overlap(subnets: Iterable[sdk.Subnet], other: sdk.Network[Options]) -> str:
    for theirs in _routed(other):
        for mine in subnets:
            if mine.pool.overlaps(theirs.pool):
                pools = f"{mine.pool} and {theirs.pool}"
                return f"networks have overlapping IPv{mine.version}, {pools}; take another --subnet"
    return ""


def _routed(network: sdk.Network[Options]) -> list[sdk.Subnet]:
    """The subnets that the host has a way to."""
    return [one for one in network.subnets if network.options.mode(one.version) is not GatewayMode.ISOLATED]


# --- of one network --------------------------------------------------------------------------------------------


def _addresses(network: sdk.Network[Options]) -> str:
    if network.subnets and all(subnet.pool.prefixlen for subnet in network.subnets):
        return ""
    return (
        "a bridge network needs addresses, and the null IPAM gives none; leave out --ipam-driver null, "
        "or use --ipam-driver lw-ipam"
    )


def _families(network: sdk.Network[Options]) -> str:
    for version, said in ((4, network.options.ipv4), (6, network.options.ipv6)):
        if said is not None and said != bool(network.subnets_of(version)):
            gives, flag = ("an", "=false") if not said else ("no", "")
            return (
                f"com.docker.network.enable_ipv{version} is {str(said).lower()}, and Docker gives this network {gives} "
                f"IPv{version} subnet: engines before 28 do not understand it; use --ipv{version}{flag}"
            )
    return ""


def _own_name(network: sdk.Network[Options]) -> str:
    if network.options.adopt or device.name(network).startswith(_OURS):
        return ""
    return (
        f"{network.options.bridge_name!r} cannot be the name of a bridge that linkwright makes: those begin with "
        f"{_OURS}, so that it can be seen whose they are; to take a bridge that is there already add -o adopt=true"
    )


def _adopted(network: sdk.Network[Options]) -> str:
    options = network.options
    if not options.adopt:
        return ""
    found = network.host.link(options.bridge_name)
    if options.bridge_name.startswith(_OURS) or (found is not None and found.ours):
        return f"{options.bridge_name} cannot be adopted: it is linkwright's own, and goes when its network goes"
    if found is None:
        return f"there is no link {options.bridge_name!r} on this host to adopt; see `ip link show type bridge`"
    if found.kind != sdk.Bridge.kind:
        return f"{options.bridge_name} cannot be adopted: it is {found.kind or 'hardware'} and no bridge"
    if options.mtu not in {None, found.mtu}:
        return (
            f"MTU {options.mtu} is not the {found.mtu} of {options.bridge_name}, and an adopted bridge is left as it "
            "is; leave mtu out, or set the bridge's first"
        )
    return ""


def _isolated(network: sdk.Network[Options]) -> str:
    modes = [version for version in (4, 6) if network.options.mode(version) is GatewayMode.ISOLATED]
    if network.internal or not modes:
        return ""
    return (
        f"gateway_mode_ipv{modes[0]}=isolated is for networks that lead nowhere; add --internal, or take another mode"
    )


def _gateways(network: sdk.Network[Options]) -> str:
    for subnet in network.subnets:
        name = f"DefaultGatewayIPv{subnet.version}"
        named = subnet.auxiliary.get(name)
        if named is not None and named not in subnet.pool:
            return f"--aux-address {name}={named} is no address of {subnet.pool}, so containers could not reach it"
    return ""


def _vlans(network: sdk.Network[Options]) -> str:
    if not network.options.vlan_filtering or "vlan_filtering" in network.host.features:
        return ""
    return (
        "vlan_filtering needs a kernel that keeps VLANs apart on bridges (CONFIG_BRIDGE_VLAN_FILTERING), and this one "
        "does not"
    )


_CHECKS: Sequence[Callable[[sdk.Network[Options]], str]] = (
    _addresses,
    _families,
    _own_name,
    _adopted,
    _isolated,
    _gateways,
    _vlans,
)
