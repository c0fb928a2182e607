"""Examples: the networks that a driver's author wants the battery to try, and the host that they stand on.

The host is the same at all levels: one uplink with an address of each family, forwarding switched on. So what a driver
wishes for on the imaginary host it wishes for on the real one.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from ipaddress import ip_interface, ip_network
from typing import Any

from attrs import evolve, field, frozen

from linkwright import sdk
from linkwright.engine import answers

#: The host's link to the outside; name it where an option wants a link of the host (``parent=up0``).
UPLINK = "up0"

#: Its addresses, of the ranges for documentation (RFC 5737, RFC 3849), as are the routers' beside it.
ADDRESSES = (ip_interface("192.0.2.1/24"), ip_interface("2001:db8::1/64"))
ROUTERS = ("192.0.2.254", "2001:db8::fe")

#: Settings of a host that somebody made a router of already, Docker as a rule.
FORWARDING = ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding")

#: Every kernel feature that a driver may look for in ``network.host.features`` (``kernel.features``).
FEATURES = frozenset(
    {
        "bridge",
        "dummy",
        "geneve",
        "ifb",
        "ipv6",
        "ipvlan",
        "macvlan",
        "mirred",
        "tbf",
        "veth",
        "vlan",
        "vlan_filtering",
        "vrf",
        "vxlan",
        "wireguard",
    }
)

#: ``-o`` or ``--driver-opt`` pairs.
Pairs = Mapping[str, str]


@frozen
class Example:
    """One ``docker network create`` with containers on it.

    ``options`` are its ``-o`` pairs, ``endpoint_options`` the ``--driver-opt`` pairs of each container. ``siblings`` is
    whether two containers of it reach each other, ``needs`` the kernel features without which it cannot be had.
    """

    options: Pairs = field(factory=dict)
    endpoint_options: Pairs = field(factory=dict)
    subnets: tuple[str, ...] = ("10.201.0.0/24", "fd00:201::/64")
    internal: bool = False
    containers: int = 2
    siblings: bool = True
    needs: tuple[str, ...] = ()

    @classmethod
    def of(cls, one: "Example | Pairs") -> "Example":
        """Return *one*, or the example whose options are the pairs *one*."""
        return one if isinstance(one, Example) else cls(dict(one))

    def __str__(self) -> str:
        pairs = [
            f"{key.rpartition('.')[2]}={value}" for key, value in {**self.options, **self.endpoint_options}.items()
        ]
        return ",".join((*pairs, *(["internal"] if self.internal else []))) or "plain"

    def read(self, driver: sdk.Driver[Any]) -> Any:
        """Return the options as *driver*'s class; Refused."""
        return sdk.read(driver.options, self.options, driver=driver.name)


def facts(driver: sdk.Driver[Any], options: Any, features: Iterable[str] = FEATURES) -> sdk.HostFacts:
    """Return what *driver* is told of the host for a network with *options*."""
    uplink = sdk.LinkFact(UPLINK, kind="veth")
    names: tuple[str, ...] = ()
    if isinstance(driver, sdk.LooksAt):
        with suppress(Exception):  # here and below: what a power answers is judged elsewhere (``promises``)
            names = answers.names(driver.looks_at(options))
    links = (uplink,) if UPLINK in names else ()
    return sdk.HostFacts(uplink=uplink, addresses=ADDRESSES, links=links, features=frozenset(features))


def network(
    driver: sdk.Driver[Any],
    example: Example,
    id: str,  # noqa: A002 - the domain's word
    *,
    subnets: Iterable[sdk.Subnet] | None = None,
    features: Iterable[str] = FEATURES,
) -> sdk.Network[Any]:
    """Return the network that *example* is, as the core hands it to *driver*; Refused.

    *subnets* stand for its own, *features* for a kernel that can do everything.
    """
    options = example.read(driver)
    found = tuple(_subnets(driver, options, example) if subnets is None else subnets)
    if isinstance(options, sdk.CommonOptions) and not options.gateway:
        found = tuple(evolve(subnet, gateway=None) for subnet in found)
    made: sdk.Network[Any] = sdk.Network(
        id=id,
        driver=driver.name,
        options=options,
        subnets=found,
        ipv4=any(subnet.version == 4 for subnet in found),  # noqa: PLR2004
        ipv6=any(subnet.version == 6 for subnet in found),  # noqa: PLR2004
        internal=example.internal,
        host=facts(driver, options, features),
    )
    if isinstance(driver, sdk.Claims):
        with suppress(Exception):
            claims = answers.claims(driver.claims(made))
            chosen = {claim.name: str(claim.address or claim.subnet.pool[-2]) for claim in claims}
            made = evolve(made, claims=chosen)
    return made


def endpoint(
    driver: sdk.Driver[Any],
    network: sdk.Network[Any],
    example: Example,
    id: str,  # noqa: A002 - the domain's word
    place: int,
) -> sdk.Endpoint:
    """Return the container at *place* in *network*, with an address in the first subnet of each family."""
    found: dict[int, Any] = {}
    for version in (4, 6):
        for subnet in network.subnets_of(version)[:1]:
            found[version] = ip_interface(f"{subnet.pool[place + 2]}/{subnet.pool.prefixlen}")
    takes_mac = driver.capabilities.takes_mac and getattr(network.options, "takes_mac", True) is not False
    return sdk.Endpoint(
        id=id,
        network=network.id,
        ipv4=found.get(4),
        ipv6=found.get(6),
        mac=sdk.Mac.derive(id) if takes_mac else None,
        options=dict(example.endpoint_options),
    )


def _subnets(driver: sdk.Driver[Any], options: Any, example: Example) -> Iterator[sdk.Subnet]:
    """Its subnets with the gateways that Docker chooses: none in a family that can do without (GwAllocCheck)."""
    skip = (False, False)
    if isinstance(driver, sdk.SkipsGateway):
        with suppress(Exception):
            skip = answers.skips(driver.skip_gateway(options, internal=example.internal))
    without = {version for version, skipped in zip((4, 6), skip, strict=True) if skipped}
    for pool in map(ip_network, example.subnets):
        gateway = None if pool.version in without else ip_interface(f"{pool[1]}/{pool.prefixlen}")
        yield sdk.Subnet(pool, gateway)
