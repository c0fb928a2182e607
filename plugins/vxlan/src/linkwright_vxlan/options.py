"""The options of the vxlan driver."""

from collections.abc import Sequence
from ipaddress import ip_address

from attrs import frozen

from linkwright import sdk


def _vtep(text: str) -> sdk.IPAddress:
    address = ip_address(text.strip())
    if address.is_multicast or address.is_unspecified or address.is_loopback or address.is_link_local:
        raise ValueError(f"{address} is no address that another host can be reached at")
    return address


def _vteps(text: str) -> Sequence[sdk.IPAddress]:
    addresses = tuple(dict.fromkeys(_vtep(part) for part in text.split(",")))
    if len({address.version for address in addresses}) > 1:
        raise ValueError("all of them are IPv4, or all IPv6: one segment has one underlay")
    return addresses


@frozen
class Options(sdk.CommonOptions):
    """``-o`` of ``docker network create -d lw-vxlan``."""

    vni: int | None = sdk.option(
        "vni",
        parse=sdk.number(1, (1 << 24) - 1),
        default=None,
        help="the segment's number, equal on all its hosts (required)",
    )
    peers: Sequence[sdk.IPAddress] = sdk.option(
        "peers",
        parse=_vteps,
        default=(),
        help="addresses of the segment's hosts, separated by commas; this host's own may be among them",
    )
    port: int = sdk.option(
        "port",
        parse=sdk.number(1, 65535),
        default=4789,
        help="UDP port, equal on all its hosts",
    )
    local: sdk.IPAddress | None = sdk.option(
        "local",
        parse=_vtep,
        default=None,
        help="this host's address for the segment; without it, the uplink's",
    )
