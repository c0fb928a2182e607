"""The fixed table as data: few rules that never change, over sets that do. Pure; nothing is sent from here.

What the drivers wish for are elements of these sets; the behaviours they make are the specification:

``bridges``     the bridges of our networks. Whatever is forwarded to or from one of them is judged here.
``siblings``    (from, to) pairs whose containers may talk: (b, b) within one bridge, which only matters where
                br_netfilter sends bridged frames through here; (a, b) between two.
``outward``     bridges whose containers may reach what lies beyond the host; an internal network's is left out.
``masquerade4`` bridges whose containers take the host's address on their way out; ``masquerade6`` for IPv6.

What is judged good is marked as well as accepted. An accept ends only this table's chain, and a drop anywhere is
final, so beside a FORWARD policy DROP (Docker's, where it switched forwarding on) the mark is what another table can
go by: one constant rule in DOCKER-USER does (``docker_user``). A container cannot forge it: the kernel clears the mark
of a packet that changes its network namespace (skb_scrub_packet).

``foreign`` holds what has nothing to do with us, and lets it pass: the host's own business. With *guard*
(``--manage-forwarding``) it is ours, because then it was we who switched forwarding on: a host that forwards only
because of us must not become a router between its links for anybody who sends packets to it. Replies pass,
and what a DNAT rule of this host invited (Docker's published ports), and whatever comes from a bridge of any kind, so
that Docker's own networks, and virtual machines, keep their way out. The rest is dropped and counted.

Needs Linux 5.7: ``iifname`` in a postrouting chain ("netfilter: Support iif matches in POSTROUTING").
"""

import hashlib
from collections.abc import Iterable

from attrs import evolve

from linkwright.kernel.nftables.statements import (
    AnyOf,
    Counter,
    Equals,
    InSet,
    Masquerade,
    Rule,
    SetMarkBit,
    Verdict,
    rule_text,
)
from linkwright.kernel.nftables.table import Chain, Hook, Set, Table, element_text
from linkwright.plan.resources import Element

Ruleset = Table

#: The mark bit for "our forward chain accepted this", free in what usually shares a host with Docker: kube-proxy and
#: flannel 0x4000 and 0x8000, CNI portmap and netavark 0x2000, Cilium 0x0f00, AWS' CNI 0x80, Calico 0xffff0000,
#: kube-router 0x30000, Tailscale 0xff0000, Docker's encrypted overlays 0xd0c4e3, wg-quick 0xca6c, Istio 0x539.
MARK_BIT = 0x1000

_FIRST = -10  # before the chains at priority "filter", iptables' among them: the mark must be there when they look
_SOURCE_NAT = 100  # NF_IP_PRI_NAT_SRC

_SETS = (
    Set("bridges", ("ifname",)),
    Set("siblings", ("ifname", "ifname")),
    Set("outward", ("ifname",)),
    Set("masquerade4", ("ifname",)),
    Set("masquerade6", ("ifname",)),
)

_REPLIES = AnyOf("ct state", ("established", "related"))
_FROM_ELSEWHERE = InSet(("iifname",), "bridges", inverted=True)
_TO_ELSEWHERE = InSet(("oifname",), "bridges", inverted=True)

_FORWARD: tuple[Rule, ...] = (
    (_FROM_ELSEWHERE, _TO_ELSEWHERE, Verdict("goto", "foreign")),
    (_REPLIES, Verdict("goto", "permit")),
    (InSet(("iifname", "oifname"), "siblings"), Verdict("goto", "permit")),
    (InSet(("iifname",), "outward"), _TO_ELSEWHERE, Verdict("goto", "permit")),
    (Counter(), Verdict("drop")),
)

_GUARD: tuple[Rule, ...] = (
    (_REPLIES, Verdict("accept")),
    (AnyOf("ct status", ("dnat",)), Verdict("accept")),
    (Equals("meta iifkind", "bridge"), Verdict("accept")),
    (Counter(), Verdict("drop")),
)

_POSTROUTING: tuple[Rule, ...] = tuple(
    (Equals("meta nfproto", protocol), InSet(("iifname",), name), _TO_ELSEWHERE, Masquerade())
    for protocol, name in (("ipv4", "masquerade4"), ("ipv6", "masquerade6"))
)


def table_name(instance: str) -> str:
    """The name of an instance's table: instances of one network namespace keep theirs apart."""
    return "linkwright" if instance == "default" else f"linkwright_{instance.replace('-', '_')}"


def ruleset(instance: str = "default", mark_bit: int = MARK_BIT, *, guard: bool = False) -> Ruleset:
    """The table of *instance*, marking with *mark_bit*; with *guard* it also drops what is not ours.

    ValueError if *mark_bit* is not one bit of 32. The comment holds a hash of all the rest, so that a table made by
    another version, or with other settings, is known as such.
    """
    if not 0 < mark_bit < 1 << 32 or mark_bit & (mark_bit - 1):
        raise ValueError(f"the mark bit must be one bit of 32, like {MARK_BIT:#x}, not {mark_bit:#x}")
    chains = (
        Chain("forward", _FORWARD, Hook("filter", "forward", _FIRST)),
        Chain("permit", ((SetMarkBit(mark_bit), Verdict("accept")),)),
        Chain("foreign", _GUARD if guard else ()),
        Chain("postrouting", _POSTROUTING, Hook("nat", "postrouting", _SOURCE_NAT)),
    )
    table = Table(table_name(instance), _SETS, chains)
    return evolve(table, comment=f"linkwright:{instance} rules {_digest(table)}")


def render(table: Ruleset, elements: Iterable[Element] = ()) -> str:
    """Write *table* exactly as ``nft list table`` prints it when no packet has come by yet.

    Only the order of *elements* within a set is ours, by text: nft(8) has one of its own that changed over time.
    """
    held: dict[str, list[Element]] = {}
    for element in elements:
        held.setdefault(element.set, []).append(element)
    blocks = [_set_text(one, held.get(one.name, [])) for one in table.sets]
    blocks += [_chain_text(chain) for chain in table.chains]
    comment = f'\tcomment "{table.comment}"\n' if table.comment else ""
    return f"table {table.label} {{\n{comment}" + "\n".join(blocks) + "}\n"


def _set_text(one: Set, elements: list[Element]) -> str:
    lines = [f"\t{'map' if one.data else 'set'} {one.name} {{", f"\t\ttype {one.type_text}"]
    if one.intervals:
        lines.append("\t\tflags interval")
    if elements:
        table = Table("", (one,))
        texts = (element_text(table, element) for element in sorted(elements, key=lambda element: element.parts))
        lines.append("\t\telements = { " + ",\n\t\t\t     ".join(texts) + " }")
    return "\n".join([*lines, "\t}", ""])


def _chain_text(chain: Chain) -> str:
    lines = [f"\tchain {chain.name} {{"]
    if chain.hook is not None:
        hook = chain.hook
        place = f"type {hook.type} hook {hook.point} priority {hook.priority_text}"
        lines.append(f"\t\t{place}; policy {hook.policy};")
    lines += [f"\t\t{rule_text(rule)}" for rule in chain.rules]
    return "\n".join([*lines, "\t}", ""])


def _digest(table: Table) -> str:
    return hashlib.sha256(render(table).encode()).hexdigest()[:16]
