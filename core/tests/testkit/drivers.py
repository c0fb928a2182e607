"""A driver that keeps every promise, and one for each mistake: the good one with one thing otherwise."""

# ruff: noqa: ARG002 - what a driver is handed is the core's choice

import itertools
import json
import socket
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar

from attrs import evolve, frozen

from linkwright import sdk
from linkwright.plan import Resource
from linkwright.testkit import readme as testkit_readme


@frozen
class Options(sdk.CommonOptions):
    """What networks are told."""

    colour: str = sdk.option("colour", parse=sdk.text, default="red", help="nothing is painted")


def bridge(network: sdk.Network[Any]) -> str:
    """What the network's bridge is called."""
    return sdk.link_name("b", network.id)


class Good(sdk.Driver[Options]):
    """A bridge for each network, a pair for each endpoint, ports that are published, and one green network."""

    name: ClassVar[str] = "good"
    options: ClassVar[type[Options]] = Options

    #: What its README tells of beside the options of the good one.
    told: ClassVar[tuple[str, ...]] = ()

    def network(self, network: sdk.Network[Options]) -> sdk.Wishes:
        """A bridge with the gateway's addresses."""
        gateways = [subnet.gateway for subnet in network.subnets if subnet.gateway and not network.internal]
        addresses = [sdk.Address(bridge(network), gateway) for gateway in gateways]
        rules = sdk.bridge_rules(network, bridge(network), outward=bool(gateways))
        return sdk.Wishes((sdk.Link(bridge(network), sdk.Bridge(), mtu=network.options.mtu), *addresses, *rules))

    def endpoint(self, network: sdk.Network[Options], endpoint: sdk.Endpoint) -> sdk.Wishes:
        """A pair."""
        return sdk.Wishes.of(sdk.veth(endpoint, bridge=bridge(network), mtu=network.options.mtu or 1500))

    def join(self, network: sdk.Network[Options], endpoint: sdk.Endpoint) -> sdk.Join:
        """Its other end."""
        return sdk.Join(sdk.sandbox_end(endpoint), sdk.gateways(network, endpoint))

    def skip_gateway(self, options: Options, *, internal: bool) -> tuple[bool, bool]:
        """An internal network needs none."""
        return internal, internal

    def admit(self, network: sdk.Network[Any], others: tuple[sdk.Network[Any], ...], host: sdk.HostFacts) -> None:
        """Green is for one."""
        if network.options.colour == "green" and any(other.options.colour == "green" for other in others):
            raise sdk.Conflict(f"green is network {others[0].id[:12]}'s; take another colour")

    def bindings(
        self, network: sdk.Network[Any], endpoint: sdk.Endpoint, ports: tuple[sdk.PortBinding, ...]
    ) -> tuple[tuple[sdk.PortBinding, ...], ...]:
        """On every IPv4 address."""
        return tuple((evolve(port, host_address=port.host_address or ip_address("0.0.0.0")),) for port in ports)

    def publish(self, network: sdk.Network[Any], endpoint: sdk.Endpoint) -> sdk.Wishes:
        """An element for each."""
        inside = str(endpoint.ipv4.ip) if endpoint.ipv4 else "10.0.0.1"
        return sdk.Wishes(
            sdk.Element("wildcard4", (str(one.protocol), str(one.host_port)), (inside, str(one.port)))
            for one in endpoint.published
        )


def more(wishes: sdk.Wishes, *resources: Resource) -> sdk.Wishes:
    """Return *wishes* and some more."""
    return sdk.Wishes((*wishes, *resources))


class Unregistered(Good):
    """No distribution offers it."""


class Outdated(Good):
    """For another contract."""

    api: ClassVar[int] = 2


@frozen
class Secretive(Options):
    """With an option that no README tells of."""

    size: int = sdk.option("size", parse=sdk.number(1, 9), default=1, help="how big")


class Undocumented(Good):
    """Takes an option that its README does not tell of."""

    options: ClassVar[type[Any]] = Secretive


class Promising(Good):
    """Its README tells of an option that it does not take."""

    told: ClassVar[tuple[str, ...]] = ("weight",)


class Raising(Good):
    """Is not prepared for networks of two families."""

    def network(self, network: sdk.Network[Any]) -> sdk.Wishes:
        """One subnet is expected."""
        (_only,) = network.subnets
        return super().network(network)


class Wordless(Good):
    """Refuses internal networks without a word."""

    def network(self, network: sdk.Network[Any]) -> sdk.Wishes:
        """Not internal."""
        if network.internal:
            raise sdk.Refused("")
        return super().network(network)


class Reading(Good):
    """Looks at the host by itself."""

    def network(self, network: sdk.Network[Any]) -> sdk.Wishes:
        """And does not care whether it may."""
        with suppress(AssertionError):
            Path("/proc/self/comm").read_text()
        return super().network(network)


class Dialling(Good):
    """Wants to know from the kernel."""

    def join(self, network: sdk.Network[Any], endpoint: sdk.Endpoint) -> sdk.Join:
        """By a socket."""
        socket.socket().close()
        return super().join(network, endpoint)


class Counting(Good):
    """Remembers how often it was asked."""

    _count = itertools.count(1400)

    def endpoint(self, network: sdk.Network[Any], endpoint: sdk.Endpoint) -> sdk.Wishes:
        """Another MTU each time."""
        return sdk.Wishes.of(sdk.veth(endpoint, bridge=bridge(network), mtu=next(self._count)))


class Hashing(Good):
    """Makes a number of a name as only this process makes it."""

    def endpoint(self, network: sdk.Network[Any], endpoint: sdk.Endpoint) -> sdk.Wishes:
        """The MTU."""
        return sdk.Wishes.of(sdk.veth(endpoint, bridge=bridge(network), mtu=1400 + hash(endpoint.id) % 100))


class Passing(Good):
    """Lets go of the link when the container has it."""

    def endpoint(self, network: sdk.Network[Any], endpoint: sdk.Endpoint) -> sdk.Wishes:
        """Nothing once it has joined."""
        return super().endpoint(network, endpoint) if endpoint.sandbox is None else sdk.Wishes()


class Foreign(Good):
    """Makes a link that is not called like ours."""

    def network(self, network: sdk.Network[Any]) -> sdk.Wishes:
        """A second bridge."""
        return more(super().network(network), sdk.Link(f"br-{network.id[:6]}", sdk.Bridge()))


class Textual(Good):
    """Takes an MTU for a text."""

    def endpoint(self, network: sdk.Network[Any], endpoint: sdk.Endpoint) -> sdk.Wishes:
        """As it was written."""
        pair = sdk.veth(endpoint, bridge=bridge(network), mtu=1500)
        return sdk.Wishes.of(evolve(pair, mtu="1500"))  # type: ignore[arg-type]  # the mistake


class Crowded(Good):
    """Gives all endpoints of a network one link beside their own."""

    def endpoint(self, network: sdk.Network[Any], endpoint: sdk.Endpoint) -> sdk.Wishes:
        """Named after the network."""
        return more(super().endpoint(network, endpoint), sdk.Link(sdk.link_name("d", network.id), sdk.Ifb()))


class Fixed(Good):
    """Gives all networks one link beside their own."""

    def network(self, network: sdk.Network[Any]) -> sdk.Wishes:
        """Named after nobody."""
        return more(super().network(network), sdk.Link("lwfixed", sdk.Ifb()))


class Unwished(Good):
    """Hands over a link that nobody makes."""

    def join(self, network: sdk.Network[Any], endpoint: sdk.Endpoint) -> sdk.Join:
        """The name is misspelt."""
        return sdk.Join(sdk.link_name("z", endpoint.id), sdk.gateways(network, endpoint))


class Remote(Good):
    """Names a gateway that containers cannot reach."""

    def join(self, network: sdk.Network[Any], endpoint: sdk.Endpoint) -> sdk.Join:
        """It is somewhere else."""
        return sdk.Join(sdk.sandbox_end(endpoint), (ip_address("203.0.113.1"),) if endpoint.ipv4 else ())


class Leaking(Good):
    """Gives internal networks a gateway."""

    def join(self, network: sdk.Network[Any], endpoint: sdk.Endpoint) -> sdk.Join:
        """Whatever they are."""
        return sdk.Join(sdk.sandbox_end(endpoint), sdk.gateways(evolve(network, internal=False), endpoint))


class Vague(Good):
    """Answers a question about two families in one word."""

    def skip_gateway(self, options: Options, *, internal: bool) -> Any:
        """For both."""
        return internal


class Eager(Good):
    """Publishes a port that nobody asked for."""

    def bindings(
        self, network: sdk.Network[Any], endpoint: sdk.Endpoint, ports: tuple[sdk.PortBinding, ...]
    ) -> tuple[tuple[sdk.PortBinding, ...], ...]:
        """Of its own."""
        extra = sdk.PortBinding(sdk.Protocol.TCP, 22, ip_address("0.0.0.0"), 2222, 2222)
        return (*super().bindings(network, endpoint, ports), (extra,))


class Untidy(Good):
    """Changes a setting of the whole host, and does not say what it was."""

    def network(self, network: sdk.Network[Any]) -> sdk.Wishes:
        """For ever."""
        return more(super().network(network), sdk.Sysctl("net/ipv4/conf/all/send_redirects", "0"))


class Unfriendly(Good):
    """Is not prepared for a second network."""

    def admit(self, network: sdk.Network[Any], others: tuple[sdk.Network[Any], ...], host: sdk.HostFacts) -> None:
        """There is to be none."""
        assert not others


class Unplugged(Good):
    """Forgets to put the pair on the bridge."""

    def endpoint(self, network: sdk.Network[Any], endpoint: sdk.Endpoint) -> sdk.Wishes:
        """It leads nowhere."""
        pair = sdk.veth(endpoint, bridge=bridge(network), mtu=1500)
        return sdk.Wishes.of(evolve(pair, master=None))


class Uncanonical(Good):
    """Writes an element otherwise than the kernel tells it."""

    def network(self, network: sdk.Network[Any]) -> sdk.Wishes:
        """The port has a leading zero."""
        element = sdk.Element("open4", ("10.201.0.200", "tcp", "080"))
        return more(super().network(network), element)


#: Driver → the one case that it fails.
BROKEN: Mapping[type[Good], str] = {
    Unregistered: "load_entry_point",
    Outdated: "load_contract",
    Undocumented: "load_readme",
    Promising: "load_readme",
    Raising: "wishes_answers",
    Wordless: "wishes_answers",
    Reading: "wishes_pure",
    Dialling: "wishes_pure",
    Counting: "wishes_repeatable",
    Hashing: "wishes_repeatable",
    Passing: "wishes_steady",
    Foreign: "wishes_sound",
    Textual: "wishes_plain",
    Crowded: "wishes_endpoints_apart",
    Fixed: "wishes_networks_apart",
    Unwished: "wishes_joins",
    Remote: "wishes_gateways",
    Leaking: "wishes_gateways",
    Vague: "wishes_powers",
    Eager: "wishes_ports",
    Untidy: "talk_life",
    Unfriendly: "talk_neighbours",
}

#: The same where only the real kernel tells.
BROKEN_IN_FACT: Mapping[type[Good], str] = {
    Unplugged: "kernel_ping",
    Uncanonical: "kernel_life",
}

#: What each README says, but for the options that it tells of.
_README = """# linkwright-good

The README of a driver of these tests.

## Options

{table}

## Limits

`none` | none |
"""


def readme(driver: type[Good], folder: Path) -> Path:
    """Write the README of *driver* into *folder*: the good one's options, and those that it tells of beside them."""
    rows = [testkit_readme.options_table(Options), *(f"| `{key}` | | |" for key in driver.told)]
    path = folder / "README.md"
    path.write_text(_README.format(table="\n".join(rows)))
    return path


def offered(driver: type[Good], folder: Path) -> Path:
    """Make a distribution in *folder* that offers *driver*, and return where it is to be found."""
    info = folder / "good-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: good\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(
        f"[linkwright.drivers]\n{driver.name} = {driver.__module__}:{driver.__qualname__}\n"
    )
    (info / "direct_url.json").write_text(json.dumps({"url": folder.as_uri(), "dir_info": {}}))
    return folder
