"""What a rule may look at of a packet, as a table: nft(8)'s word for it, its data type, how it is loaded. Pure.

A selector of a header says nothing of whether the packet has that header: see ``statements.Implied``.
Source of the numbers: linux/netfilter/nf_tables.h, and the headers' own (linux/ip.h, linux/ipv6.h, linux/if_arp.h …).
"""

import sys
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from attrs import frozen

from linkwright.kernel.nftables.datatypes import TYPES
from linkwright.kernel.nftables.expressions import Expression, Value, register

_LINK, _NETWORK, _TRANSPORT = 0, 1, 2  # NFT_PAYLOAD_*_HEADER


@frozen
class Selector:
    """A data type, and the expression that loads what is of it into a register."""

    type: str
    load: str
    fields: Mapping[str, Value]

    def into(self, word: int) -> Expression:
        """The expression that loads it, to word *word* of the registers."""
        return Expression(self.load, {**self.fields, "dreg": register(word)})

    def first(self, length: int) -> Expression:
        """The expression that loads its first *length* bytes."""
        return Expression(self.load, {**self.fields, "len": length, "dreg": register(0)})


def _meta(kind: str, key: int) -> Selector:
    return Selector(kind, "meta", {"key": key})


def _header(kind: str, base: int, offset: int) -> Selector:
    return Selector(kind, "payload", {"base": base, "offset": offset, "len": TYPES[kind].length})


#: Text of a selector → how it is loaded.
SELECTORS: Mapping[str, Selector] = MappingProxyType(
    {
        "meta protocol": _meta("ether_type", 1),
        "iif": _meta("iface_index", 4),
        "iifname": _meta("ifname", 6),
        "oifname": _meta("ifname", 7),
        "meta nfproto": _meta("nf_proto", 15),
        "meta l4proto": _meta("inet_proto", 16),
        "meta iifkind": _meta("ifname", 26),  # nftables' meta.c gives it that type too
        "ct state": Selector("", "ct", {"key": 0}),
        "ct status": Selector("", "ct", {"key": 2}),
        "fib daddr type": Selector("fib_addrtype", "fib", {"result": 3, "flags": 2}),  # …_ADDRTYPE, …_F_DADDR
        "ether saddr": _header("ether_addr", _LINK, 6),
        "ether type": _header("ether_type", _LINK, 12),
        "arp saddr ether": _header("ether_addr", _NETWORK, 8),
        "arp saddr ip": _header("ipv4_addr", _NETWORK, 14),
        "ip saddr": _header("ipv4_addr", _NETWORK, 12),
        "ip daddr": _header("ipv4_addr", _NETWORK, 16),
        "ip6 hoplimit": _header("integer", _NETWORK, 7),
        "ip6 saddr": _header("ipv6_addr", _NETWORK, 8),
        "ip6 daddr": _header("ipv6_addr", _NETWORK, 24),
        "icmp type": _header("icmp_type", _TRANSPORT, 0),
        "icmpv6 type": _header("icmpv6_type", _TRANSPORT, 0),
        "th dport": _header("inet_service", _TRANSPORT, 2),
        "udp dport": _header("inet_service", _TRANSPORT, 2),
    }
)

#: Names of bits, in the host's order of bytes (NF_CT_STATE_BIT of linux/netfilter/nf_conntrack_common.h; IPS_*).
_BITS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "ct state": {"invalid": 1, "established": 2, "related": 4, "new": 8, "untracked": 64},
        "ct status": {"expected": 1, "seen-reply": 2, "assured": 4, "confirmed": 8, "snat": 16, "dnat": 32},
    }
)


def host_order(number: int) -> bytes:
    """A number of 32 bits as the kernel keeps it in a register."""
    return number.to_bytes(4, sys.byteorder)


def mask_of(selector: str, names: Iterable[str]) -> bytes:
    """The bits *names* of *selector*."""
    return host_order(sum(_BITS[selector][name] for name in names))


def loads(selectors: Iterable[str]) -> tuple[Expression, ...]:
    """Load *selectors* each behind the other, as the parts of a concatenation lie."""
    found, word = [], 0
    for selector in (SELECTORS[text] for text in selectors):
        found.append(selector.into(word))
        word += -(-TYPES[selector.type].length // 4)
    return tuple(found)
