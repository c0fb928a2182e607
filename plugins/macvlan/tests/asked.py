"""What Docker may ask of either driver on one host: facts, subnets, networks and an endpoint to take and change."""

from collections.abc import Mapping
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

from linkwright import sdk
from linkwright_macvlan import Ipvlan, IpvlanOptions, Macvlan, Options

MACVLAN, IPVLAN = Macvlan(), Ipvlan()

FOUR = sdk.Subnet(ip_network("192.0.2.0/24"), ip_interface("192.0.2.1/24"))
FOUR_MORE = sdk.Subnet(ip_network("198.51.100.0/24"), ip_interface("198.51.100.1/24"))
SIX = sdk.Subnet(ip_network("2001:db8::/64"), ip_interface("2001:db8::1/64"))
SIX_MORE = sdk.Subnet(ip_network("2001:db8:1::/64"), ip_interface("2001:db8:1::1/64"))

LINKS = (
    sdk.LinkFact("eth0"),
    sdk.LinkFact("eth1", mtu=9000, up=False),
    sdk.LinkFact("eth0.50", kind="vlan"),
    sdk.LinkFact("eth0.60", kind="vlan", mtu=1400, ours=True),
    sdk.LinkFact("eth2", master="br0"),
    sdk.LinkFact("br0", kind="bridge"),
    sdk.LinkFact("mac0", kind="macvlan"),
    sdk.LinkFact("lo", mtu=65536),
    sdk.LinkFact("lwb000000000000", kind="bridge", ours=True),
)
HOST = sdk.HostFacts(uplink=sdk.LinkFact("eth0"), links=LINKS)

ENDPOINT = sdk.Endpoint(
    id="e0e1e2e3e4e5" + "0" * 52,
    network="a0a1a2a3a4a5" + "0" * 52,
    ipv4=ip_interface("192.0.2.9/24"),  # type: ignore[arg-type]
    ipv6=ip_interface("2001:db8::9/64"),  # type: ignore[arg-type]
    mac=sdk.Mac.parse("02:42:0a:01:00:09"),
)


def macvlan(*subnets: sdk.Subnet, internal: bool = False, **o: Any) -> sdk.Network[Options]:
    """Return a macvlan network on eth0, or on another ``parent=``; "" is none."""
    return _network("macvlan", Options, subnets, o, internal=internal)


def ipvlan(*subnets: sdk.Subnet, internal: bool = False, **o: Any) -> sdk.Network[IpvlanOptions]:
    """Return an ipvlan network on eth0, or on another ``parent=``; "" is none."""
    return _network("ipvlan", IpvlanOptions, subnets, o, internal=internal)


def _network(
    driver: str, options: type[Any], subnets: tuple[sdk.Subnet, ...], pairs: Mapping[str, str], *, internal: bool
) -> sdk.Network[Any]:
    given = {key: value for key, value in {"parent": "eth0", **pairs}.items() if value}
    return sdk.Network(
        ENDPOINT.network,
        driver,
        sdk.read(options, given, driver=driver),
        subnets or (FOUR,),
        internal=internal,
        host=HOST,
    )


def host_in(subnet: sdk.Subnet, address: str, name: str = "host") -> sdk.Subnet:
    """Return *subnet* as with ``--aux-address name=address``."""
    return sdk.Subnet(subnet.pool, subnet.gateway, {name: ip_address(address)}, subnet.space)


def own_parent(*, mtu: int | None = None, ipv6: bool = False) -> str:
    """Return what is typed for a network without a parent."""
    size = f" mtu {mtu}" if mtu else ""
    lines = [f"ip link add lwpa0a1a2a3a4a5{size} type veth peer name lwqa0a1a2a3a4a5{size}"]
    for end in ("lwpa0a1a2a3a4a5", "lwqa0a1a2a3a4a5"):
        lines += [f"sysctl -w net.ipv4.conf.{end}.arp_ignore=8", f"sysctl -w net.ipv4.conf.{end}.rp_filter=1"]
        lines += [f"sysctl -w net.ipv6.conf.{end}.disable_ipv6=1"] if ipv6 else []
    return "".join(f"{line}\n" for line in (*lines, "ip link set lwpa0a1a2a3a4a5 up", "ip link set lwqa0a1a2a3a4a5 up"))
