"""The fixed tables as data: few rules that never change, over sets that do. Pure; nothing is sent from here.

What the drivers wish for are elements of these sets; the behaviours they make are the specification. An element names
links as the kernel does, so that it can be there before its link is. In table ``inet``:

``bridges``     the bridges of our networks. Whatever is forwarded to or from one of them is judged here.
``siblings``    (from, to) pairs whose containers may talk: (b, b) within one bridge, which only matters where
                br_netfilter sends bridged frames through here; (a, b) between two.
``outward``     bridges whose containers may reach what lies beyond the host, and be reached from there; an internal
                network's is left out.
``hairpin``     (b, b) for each bridge: how a rule sees that a packet goes back to where it came from. What was led
                back there by a published port takes the bridge's address; what was not is between siblings, or nothing.
``others``      bridges of Docker's own: from and to them only by published ports, theirs and ours.
``trusted``     (link, bridge) pairs: whoever is on that link of the host may reach that bridge's containers directly.
``unprotected4`` bridges whose containers anybody may reach directly, at any port. Each set of a family has a twin.
``routed4``     bridges whose containers answer to echo requests (ICMP) from anybody.
``open4``       addresses of containers, with protocol and port, that anybody may reach directly.
``masquerade4`` bridges whose containers take the host's address on their way out;
``source4``     and those that take the address given here instead.
``published4``  address, protocol and port of the host → address and port of the container that is published there;
``wildcard4``   protocol and port → the same, at every address of the host.
``relayed6``    address, protocol and port of the host where we listen ourselves, for what the maps above do not lead:
                closed to networks that do not lead outside;
``relayed_wildcard6`` protocol and port, likewise, at every address of the host.

and in table ``bridge``, where the senders of frames are checked:

``checked``     the host's ends of the pairs to check: ports of any bridge.
``macs``        with their hardware addresses, ``senders4`` and ``senders6`` with their IP addresses. Frames of theirs
                that come from any other are dropped; so is what is neither IP nor ARP, since it cannot be checked.

What is judged good is marked as well as accepted. An accept ends only this table's chain, and a drop anywhere is
final, so beside a FORWARD policy DROP (Docker's, where it switched forwarding on) the mark is what another table can
go by: one constant rule in DOCKER-USER does (``docker_user``). A container cannot forge it: the kernel clears the mark
of a packet that changes its network namespace (skb_scrub_packet).

``foreign`` holds what has nothing to do with us, and lets it pass: the host's own business. With *guard*
(``--manage-forwarding``) it is ours, because then it was we who switched forwarding on: a host that forwards only
because of us must not become a router between its links for anybody who sends packets to it. Replies pass,
and what a DNAT rule of this host invited (Docker's published ports), and whatever comes from a bridge of any kind, so
that Docker's own networks, and virtual machines, keep their way out. The rest is dropped and counted.

Why the rules are in this order, and what each of them keeps away: docs/explanation/firewall.md.

Needs Linux 5.7: ``iifname`` in a postrouting chain ("netfilter: Support iif matches in POSTROUTING").
"""

import hashlib
from ipaddress import IPv4Address

from attrs import evolve

from linkwright.kernel.nftables.numbers import Family
from linkwright.kernel.nftables.statements import (
    AnyOf,
    Between,
    Count,
    Equals,
    Implied,
    InSet,
    Masquerade,
    Rule,
    SetMarkBit,
    Translate,
    Verdict,
    Within,
)
from linkwright.kernel.nftables.table import Chain, Hook, Set, Table
from linkwright.kernel.nftables.text import render
from linkwright.plan.render import table_name

Ruleset = tuple[Table, ...]

#: The mark bit for "our forward chain accepted this", free in what usually shares a host with Docker: kube-proxy and
#: flannel 0x4000 and 0x8000, CNI portmap and netavark 0x2000, Cilium 0x0f00, AWS' CNI 0x80, Calico 0xffff0000,
#: kube-router 0x30000, Tailscale 0xff0000, Docker's encrypted overlays 0xd0c4e3, wg-quick 0xca6c, Istio 0x539.
MARK_BIT = 0x1000

# Priorities: NF_IP_PRI_* of linux/netfilter_ipv4.h, NF_BR_PRI_* of linux/netfilter_bridge.h.
_RAW = -300  # before connections are tracked
_DESTINATION_NAT = -100
_FIRST = -10  # before the chains at priority "filter", iptables' among them: the mark must be there when they look
_SOURCE_NAT = 100
_BRIDGED = -200  # before br_netfilter, which hands the frame to the chains of the inet family

_LINK, _LINKS = ("ifname",), ("ifname", "ifname")
_SERVICE = ("inet_proto", "inet_service")


def _of_family(version: int) -> tuple[Set, ...]:
    address = f"ipv{version}_addr"
    here = (address, "inet_service")
    return (
        Set(f"unprotected{version}", _LINK),
        Set(f"routed{version}", _LINK),
        Set(f"open{version}", (address, *_SERVICE)),
        Set(f"masquerade{version}", _LINK),
        Set(f"source{version}", _LINK, (address,)),
        Set(f"published{version}", (address, *_SERVICE), here),
        Set(f"wildcard{version}", _SERVICE, here),
    )


_SETS = (
    Set("bridges", _LINK),
    Set("siblings", _LINKS),
    Set("outward", _LINK),
    Set("hairpin", _LINKS),
    Set("others", _LINK),
    Set("trusted", _LINKS),
    *_of_family(4),
    *_of_family(6),
    Set("relayed6", ("ipv6_addr", *_SERVICE)),
    Set("relayed_wildcard6", _SERVICE),
)

_IPV4, _IPV6 = Implied("meta nfproto", "ipv4"), Implied("meta nfproto", "ipv6")
_ICMP, _ICMPV6 = Implied("meta l4proto", "icmp"), Implied("meta l4proto", "ipv6-icmp")

_FROM_OURS, _TO_OURS = InSet(("iifname",), "bridges"), InSet(("oifname",), "bridges")
_TO_ELSEWHERE = InSet(("oifname",), "bridges", inverted=True)
_REPLIES = AnyOf("ct state", ("established", "related"))
_PUBLISHED = AnyOf("ct status", ("dnat",))
_BACK = InSet(("iifname", "oifname"), "hairpin")

_PERMIT, _REFUSE, _ACCEPT, _DROP = (
    Verdict("goto", "permit"),
    Verdict("goto", "refuse"),
    Verdict("accept"),
    Verdict("drop"),
)

#: Packets from containers to 127.0.0.1, which a bridge with route_localnet would let in (CVE-2020-8558).
_LOOPBACK: tuple[Rule, ...] = ((_FROM_OURS, _IPV4, Within("ip daddr", "127.0.0.0/8"), Count("loopback"), _DROP),)

_PREROUTING: tuple[Rule, ...] = (
    (_IPV4, Within("ip daddr", "127.0.0.0/8"), Verdict("return")),
    (Equals("fib daddr type", "local"), Verdict("goto", "publish")),
)
_OUTPUT: tuple[Rule, ...] = (
    (_IPV6, Equals("ip6 daddr", "::1"), Verdict("return")),
    (Equals("fib daddr type", "local"), Verdict("goto", "publish")),
)
_PUBLISH: tuple[Rule, ...] = (
    (_IPV6, Within("ip6 saddr", "fe80::/10"), Verdict("return")),
    (_IPV4, Translate("dnat", Family.IP, ("ip daddr", "meta l4proto", "th dport"), "published4")),
    (Translate("dnat", Family.IP, ("meta l4proto", "th dport"), "wildcard4"),),
    (_IPV6, Translate("dnat", Family.IP6, ("ip6 daddr", "meta l4proto", "th dport"), "published6")),
    (Translate("dnat", Family.IP6, ("meta l4proto", "th dport"), "wildcard6"),),
)

#: What is for the host itself. A service of its own may have a relayed port's number at another address, or in IPv4.
_INPUT: tuple[Rule, ...] = ((_FROM_OURS, InSet(("iifname",), "outward", inverted=True), Verdict("goto", "relays")),)
_RELAYS: tuple[Rule, ...] = (
    (_IPV6, InSet(("ip6 daddr", "meta l4proto", "th dport"), "relayed6"), _REFUSE),
    (Equals("meta nfproto", "ipv6"), InSet(("meta l4proto", "th dport"), "relayed_wildcard6"), _REFUSE),
)

_FORWARD: tuple[Rule, ...] = (
    (_FROM_OURS, Verdict("goto", "from_ours")),
    (_TO_OURS, Verdict("goto", "to_ours")),
    (Verdict("goto", "foreign"),),
)
_FROM: tuple[Rule, ...] = (
    (InSet(("iifname", "oifname"), "siblings"), _PERMIT),
    # Neighbour discovery, RFC 4861: with this hop limit it cannot have been routed, so it is a bridged frame.
    (_IPV6, _ICMPV6, Between("icmpv6 type", "133", "137"), Equals("ip6 hoplimit", "255"), _PERMIT),
    (InSet(("iifname",), "outward", inverted=True), _REFUSE),
    (_TO_OURS, InSet(("oifname",), "outward", inverted=True), _REFUSE),
    (_REPLIES, _PERMIT),
    (_PUBLISHED, _PERMIT),
    (InSet(("oifname",), "others"), _REFUSE),
    (_TO_ELSEWHERE, _PERMIT),
    (_BACK, _REFUSE),
    (Verdict("goto", "direct"),),
)
_TO: tuple[Rule, ...] = (
    (InSet(("oifname",), "outward", inverted=True), _REFUSE),
    (_REPLIES, _PERMIT),
    (_PUBLISHED, _PERMIT),
    (InSet(("iifname",), "others"), _REFUSE),
    (InSet(("iifname", "oifname"), "trusted"), _PERMIT),
    (Verdict("goto", "direct"),),
)
_DIRECT: tuple[Rule, ...] = (
    (Equals("meta nfproto", "ipv4"), InSet(("oifname",), "unprotected4"), _PERMIT),
    (Equals("meta nfproto", "ipv6"), InSet(("oifname",), "unprotected6"), _PERMIT),
    (InSet(("oifname",), "routed4"), _IPV4, _ICMP, Equals("icmp type", "echo-request"), _PERMIT),
    (InSet(("oifname",), "routed6"), _IPV6, _ICMPV6, Equals("icmpv6 type", "echo-request"), _PERMIT),
    (_IPV4, InSet(("ip daddr", "meta l4proto", "th dport"), "open4"), _PERMIT),
    (_IPV6, InSet(("ip6 daddr", "meta l4proto", "th dport"), "open6"), _PERMIT),
    (_REFUSE,),
)

_GUARD: tuple[Rule, ...] = (
    (_REPLIES, _ACCEPT),
    (_PUBLISHED, _ACCEPT),
    (Equals("meta iifkind", "bridge"), _ACCEPT),
    (Count("guard"), _DROP),
)

_POSTROUTING: tuple[Rule, ...] = (
    # Without a link that it came by: sent by the host itself, or bridged from port to port by br_netfilter.
    (Equals("iif", "0"), _TO_OURS, _PUBLISHED, Masquerade()),
    (_BACK, _PUBLISHED, Masquerade()),
    (_TO_ELSEWHERE, Translate("snat", Family.IP, ("iifname",), "source4")),
    (_TO_ELSEWHERE, Translate("snat", Family.IP6, ("iifname",), "source6")),
    *(
        (Equals("meta nfproto", protocol), InSet(("iifname",), name), _TO_ELSEWHERE, Masquerade())
        for protocol, name in (("ipv4", "masquerade4"), ("ipv6", "masquerade6"))
    ),
)

_SENDERS = (
    Set("checked", _LINK),
    Set("macs", ("ifname", "ether_addr")),
    Set("senders4", ("ifname", "ipv4_addr")),
    Set("senders6", ("ifname", "ipv6_addr")),
)
_IS_IP, _IS_IP6, _IS_ARP = Implied("meta protocol", "ip"), Implied("meta protocol", "ip6"), Implied("ether type", "arp")
_AT_PORTS = Hook("filter", "prerouting", _BRIDGED)
_SPOOFED = Verdict("goto", "spoofed")

_UNKNOWN = str(IPv4Address(0))

_CHECK: tuple[Rule, ...] = (
    (InSet(("iifname", "ether saddr"), "macs", inverted=True), _SPOOFED),
    (_IS_IP, InSet(("iifname", "ip saddr"), "senders4"), _ACCEPT),
    (_IS_IP6, InSet(("iifname", "ip6 saddr"), "senders6"), _ACCEPT),
    # Who has no address yet: DHCP (RFC 2131), and neighbour and listener discovery (RFC 4861, RFC 3810).
    (_IS_IP, Equals("ip saddr", _UNKNOWN), Implied("meta l4proto", "udp"), Equals("udp dport", "67"), _ACCEPT),
    (_IS_IP6, Equals("ip6 saddr", "::"), _ACCEPT),
    (_IS_IP6, Within("ip6 saddr", "fe80::/10"), _ACCEPT),
    (_IS_ARP, InSet(("iifname", "arp saddr ether"), "macs", inverted=True), _SPOOFED),
    (_IS_ARP, InSet(("iifname", "arp saddr ip"), "senders4"), _ACCEPT),
    (_IS_ARP, Equals("arp saddr ip", _UNKNOWN), _ACCEPT),  # a probe, RFC 5227
    (_SPOOFED,),
)


def ruleset(instance: str = "default", mark_bit: int = MARK_BIT, *, guard: bool = False) -> Ruleset:
    """The tables of *instance*, marking with *mark_bit*; with *guard* they also drop what is not ours.

    ValueError if *mark_bit* is not one bit of 32. Each comment holds a hash of all the rest, so that a table made by
    another version, or with other settings, is known as such.
    """
    if not 0 < mark_bit < 1 << 32 or mark_bit & (mark_bit - 1):
        raise ValueError(f"the mark bit must be one bit of 32, like {MARK_BIT:#x}, not {mark_bit:#x}")
    chains = (
        Chain("loopback", _LOOPBACK, Hook("filter", "prerouting", _RAW)),
        Chain("prerouting", _PREROUTING, Hook("nat", "prerouting", _DESTINATION_NAT)),
        Chain("output", _OUTPUT, Hook("nat", "output", _DESTINATION_NAT)),
        Chain("publish", _PUBLISH),
        Chain("input", _INPUT, Hook("filter", "input", _FIRST)),
        Chain("relays", _RELAYS),
        Chain("forward", _FORWARD, Hook("filter", "forward", _FIRST)),
        Chain("from_ours", _FROM),
        Chain("to_ours", _TO),
        Chain("direct", _DIRECT),
        Chain("permit", ((SetMarkBit(mark_bit), _ACCEPT),)),
        Chain("refuse", ((Count("isolation"), _DROP),)),
        Chain("foreign", _GUARD if guard else ()),
        Chain("postrouting", _POSTROUTING, Hook("nat", "postrouting", _SOURCE_NAT)),
    )
    senders = (
        Chain("prerouting", ((InSet(("iifname",), "checked"), Verdict("goto", "check")),), _AT_PORTS),
        Chain("check", _CHECK),
        Chain("spoofed", ((Count("spoof"), _DROP),)),
    )
    name = table_name(instance)
    counters = ("isolation", "loopback", "guard") if guard else ("isolation", "loopback")
    tables = (
        Table(name, _SETS, chains, counters=counters),
        Table(
            name,
            _SENDERS,
            senders,
            family=Family.BRIDGE,
            counters=("spoof",),
            needed_for="checking what containers send (spoof check)",
        ),
    )
    return tuple(evolve(one, comment=f"linkwright:{instance} rules {_digest(one)}") for one in tables)


def _digest(table: Table) -> str:
    return hashlib.sha256(render([table]).encode()).hexdigest()[:16]
