"""Networks, endpoints and ports of the bridge driver as Docker asks for them, in short words. For the tests beside."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

from attrs import evolve

from linkwright import sdk
from linkwright.model import Sandbox
from linkwright.plan import diff, render_all
from linkwright_bridge import Bridge, Options

DRIVER = Bridge()
FOUR = sdk.Subnet(ip_network("10.1.0.0/24"), ip_interface("10.1.0.1/24"))
SIX = sdk.Subnet(ip_network("fd00:1::/64"), ip_interface("fd00:1::1/64"))
HOST = sdk.HostFacts(uplink=sdk.LinkFact("eth0", mtu=1500), features=frozenset({"ipv6"}))
#: A kernel that lets a person read what matters: no settings of IPv6.
PLAIN = sdk.HostFacts()
#: A host that has a bridge to adopt, and a kernel that keeps VLANs apart.
LAN = evolve(PLAIN, links=(sdk.LinkFact("br0", "bridge", mtu=9000),))
VLANS = evolve(PLAIN, features=frozenset({"vlan_filtering"}))
ENDPOINT = sdk.Endpoint(
    id="e0e1e2e3e4e5" + "0" * 52,
    network="b0b1b2b3b4b5" + "0" * 52,
    ipv4=ip_interface("10.1.0.9/24"),  # type: ignore[arg-type]
    ipv6=ip_interface("fd00:1::9/64"),  # type: ignore[arg-type]
    mac=sdk.Mac.parse("02:42:0a:01:00:09"),
)
ONLY4, ONLY6 = evolve(ENDPOINT, ipv6=None), evolve(ENDPOINT, ipv4=None)

#: The last word of each option's key → the key.
_LABELS = {key.rpartition(".")[2]: key for spec in sdk.specs(Options).values() for key in spec.keys[:1]}


def pairs(short: Mapping[str, str]) -> dict[str, str]:
    """Return *short* with Docker's labels for their last words."""
    return {_LABELS.get(key, key): value for key, value in short.items()}


def options(**short: str) -> Options:
    """Read ``-o``."""
    return sdk.read(Options, pairs(short), driver="bridge")


def network(
    *subnets: sdk.Subnet, host: sdk.HostFacts = HOST, internal: bool = False, o: Mapping[str, str] | None = None
) -> sdk.Network[Options]:
    """Return a network with ``-o`` of *o*."""
    return sdk.Network(
        ENDPOINT.network, "bridge", options(**(o or {})), subnets or (FOUR,), internal=internal, host=host
    )


def endpoint(wanted: sdk.Endpoint = ENDPOINT, /, **driver_opt: str) -> sdk.Endpoint:
    """Return *wanted* with ``--driver-opt``."""
    return evolve(wanted, options=driver_opt)


def port(text: str) -> sdk.PortBinding:
    """Read ``-p``, with the host's address in brackets: ``[::1]:8080:80/udp``, ``8000-8010:80``, ``80``."""
    address = None
    if text.startswith("["):
        inside, _, text = text[1:].partition("]:")
        address = ip_address(inside)
    ports, _, protocol = text.partition("/")
    host, _, container = ports.rpartition(":")
    first, _, last = host.partition("-")
    return sdk.PortBinding(
        sdk.Protocol[(protocol or "tcp").upper()], int(container), address, int(first or 0), int(last or first or 0)
    )


def bound(wanted: sdk.Network[Options], of: sdk.Endpoint, *ports: str) -> list[str]:
    """Return what has to be bound on the host for *ports*, a line for each group."""
    groups = DRIVER.bindings(wanted, of, tuple(map(port, ports)))
    return [" ".join(f"[{one.host_address}]:{evolve(one, host_address=None)}" for one in group) for group in groups]


def publishing(wanted: sdk.Network[Options], of: sdk.Endpoint, *ports: str) -> sdk.Endpoint:
    """Return *of* as it is when *ports* are published; each names its port of the host."""
    asked = tuple(map(port, ports))
    published = tuple(binding for group in DRIVER.bindings(wanted, of, asked) for binding in group)
    return evolve(of, external=True, ports=asked, published=published, sandbox=Sandbox("/run/x", "boot"))


def published(wanted: sdk.Network[Options], of: sdk.Endpoint, *ports: str) -> list[str]:
    """Return what is made for that, beside what is there, a line each."""
    return made(DRIVER.publish(wanted, publishing(wanted, of, *ports)))


def made(wishes: Iterable[Any]) -> list[str]:
    """Return what making *wishes* from nothing looks like; what they borrow is there."""
    wanted = sdk.Wishes(wishes).by_key()
    borrowed = {key: wish for key, wish in wanted.items() if getattr(wish, "hold", None) is sdk.Hold.BORROW}
    return render_all(diff(borrowed, wanted).steps).splitlines()


def lines(text: str) -> list[str]:
    """Return the lines of *text* without their margin."""
    return [" ".join(line.split()) for line in text.strip().splitlines()]
