"""What a network stands on: a link of the host that is borrowed, a VLAN sub-interface that is made, or one of its own.

===========================  ======================================================================================
``parent=eth0``, there       borrowed: nothing of it is changed, not even whether it is up
``parent=eth0.50``, there    borrowed as well, unless we have made it: then this network has it too
``parent=eth0.50``, missing  VLAN 50 of eth0 is made, and goes with the last network that has it
no parent                    an end of a veth pair of the network's own, at whose other end nobody listens
===========================  ======================================================================================

A pair is what every kernel that runs containers has, dummies and ifbs are not. It has a carrier as long as both ends
are up. Its ends are links of the host, which takes what comes in by them for its own unless it is told not to: it would
answer for each address that it has, and forward. So there is no IPv6 on them; of IPv4 nothing is believed to come from
a link without an address and a route back (``rp_filter``), and ARP is not answered, probes neither (``arp_ignore``).
"""

import re
from collections.abc import Iterator
from typing import Any, Self

from attrs import frozen

from linkwright import sdk

#: Links of which the kernel would use the one below instead (macvlan_common_newlink, ipvlan_link_new).
_NOT_A_PARENT = {"macvlan", "macvtap", "ipvlan"}

#: VLAN identifiers there are (IEEE 802.1Q, 9.6: 0 is no VLAN, 4095 is reserved).
_FIRST_VID, _LAST_VID = 1, 4094

#: Kernel feature → its module, and what it is called where kernels are built.
_MODULES = {
    "ipvlan": ("ipvlan", "CONFIG_IPVLAN"),
    "macvlan": ("macvlan", "CONFIG_MACVLAN"),
    "veth": ("veth", "CONFIG_VETH"),
    "vlan": ("8021q", "CONFIG_VLAN_8021Q"),
}

#: What keeps the host from listening where it has no address (Documentation/networking/ip-sysctl.rst).
_DEAF_TO_IPV4 = {"arp_ignore": "8", "rp_filter": "1"}

_SEE = "`ip link` lists them"


@frozen
class Parent:
    """The link that a network's endpoints stand on, and what has to be wished for so that it is there."""

    name: str
    wishes: tuple[sdk.Link | sdk.Sysctl, ...]
    mtu: int | None = None  # what it had when the network was made; of a link of the network's own, none

    @classmethod
    def of(cls, network: sdk.Network[Any]) -> Self:
        """Return what *network* stands on; Refused, naming it, where it cannot."""
        name = network.options.parent
        if not name:
            return cls._own(network)
        fact = network.host.link(name)
        _refuse_odd(name, fact)
        if fact is not None and fact.master:
            raise sdk.Refused(
                f"parent {name!r} is a port of {fact.master}, which takes all its packets; name {fact.master}"
            )
        if fact is not None and not fact.ours:
            return cls(name, (_borrowed(name),), fact.mtu)
        return cls._vlan(network, name, fact)

    @classmethod
    def _own(cls, network: sdk.Network[Any]) -> Self:
        require(network, "veth")
        own, other = (sdk.link_name(letter, network.id) for letter in "pq")
        ends = (sdk.Link(name, sdk.Veth(peer), mtu=network.options.mtu) for name, peer in ((own, other), (other, own)))
        return cls(own, (*ends, *_deaf(own, network), *_deaf(other, network)))

    @classmethod
    def _vlan(cls, network: sdk.Network[Any], name: str, fact: sdk.LinkFact | None) -> Self:
        below, vid = _split(name)
        require(network, "vlan")
        under = network.host.link(below)
        _refuse_odd(below, under)
        if under is None:
            raise sdk.Refused(f"parent {name!r} cannot be made: {below!r} is no link of this host; {_SEE}")
        if not under.up:
            raise sdk.Refused(
                f"parent {name!r} cannot be made: {below} is down, and no VLAN is up on a link that is not; "
                f"`ip link set {below} up` first"
            )
        made = sdk.Link(name, sdk.Vlan(below, vid), shared=True)
        return cls(name, (_borrowed(below), made), (fact or under).mtu)


def looks_at(options: Any) -> tuple[str, ...]:
    """Return the links that decide what a network with *options* stands on."""
    below, dot, _ = options.parent.partition(".")
    return (options.parent, *((below,) if dot and below else ())) if options.parent else ()


def require(network: sdk.Network[Any], feature: str) -> None:
    """Refuse, naming the module, if the kernel is known to lack *feature*; where nothing is known it will say so."""
    if network.host.features and feature not in network.host.features:
        module, setting = _MODULES[feature]
        raise sdk.Refused(f"the kernel has no {feature}: modprobe {module}, or {setting}")


def admit_mtu(network: sdk.Network[Any], parent: Parent) -> None:
    """Refuse an MTU above the parent's: what is larger the LAN would not take."""
    wished = network.options.mtu
    if wished is not None and parent.mtu is not None and wished > parent.mtu:
        raise sdk.Refused(
            f"MTU {wished} is more than the {parent.mtu} of parent {parent.name}; "
            "take a smaller one, or raise the parent's first"
        )


def _borrowed(name: str) -> sdk.Link:
    return sdk.Link(name, up=None, hold=sdk.Hold.BORROW)


def _deaf(end: str, network: sdk.Network[Any]) -> Iterator[sdk.Sysctl]:
    for setting, value in _DEAF_TO_IPV4.items():
        yield sdk.Sysctl(f"net/ipv4/conf/{end}/{setting}", value, before_up=end)
    if "ipv6" in network.host.features:
        yield sdk.Sysctl(f"net/ipv6/conf/{end}/disable_ipv6", "1", before_up=end)


def _refuse_odd(name: str, fact: sdk.LinkFact | None) -> None:
    if name == "lo":
        raise sdk.Refused("lo cannot be a parent: there is no LAN behind it; name another link, or none for no LAN")
    if name.startswith("lw"):
        raise sdk.Refused(f"{name} is a link of linkwright's own and comes and goes with its network; name another one")
    if fact is not None and fact.kind in _NOT_A_PARENT:
        raise sdk.Refused(f"parent {name!r} is a {fact.kind} link itself; name the link that it stands on")


def _split(name: str) -> tuple[str, int]:
    """Read ``eth0.50`` as VLAN 50 of eth0; Refused for a name that is no link's and cannot be such a one either."""
    below, dot, text = name.partition(".")
    if not dot:
        raise sdk.Refused(f"parent {name!r} is no link of this host; {_SEE}, and eth0.50 would be VLAN 50 of eth0")
    if "." in text:
        raise sdk.Refused(
            f"parent {name!r} is no link of this host, and a VLAN within a VLAN is not made; make it with "
            "`ip link add … type vlan`, or name one like eth0.50"
        )
    if not below or not re.fullmatch(r"[1-9][0-9]{0,4}", text) or not _FIRST_VID <= int(text) <= _LAST_VID:
        raise sdk.Refused(
            f"parent {name!r} is no link of this host, and {text!r} is no VLAN of {below!r}: that is a number from "
            f"{_FIRST_VID} to {_LAST_VID}, as in eth0.50"
        )
    return below, int(text)
