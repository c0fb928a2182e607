"""What a rule may say: each statement knows how nft(8) writes it and which expressions it is made of. Pure.

A new selector is a row of ``SELECTORS``; a new statement a class with ``text`` and ``expressions``.
Source of the numbers: linux/netfilter/nf_tables.h; of the texts: nft(8).
"""

import sys
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Protocol

from attrs import field, frozen

from linkwright.kernel.nftables.datatypes import TYPES, encode, printed
from linkwright.kernel.nftables.expressions import Expression, Value, VerdictData, register
from linkwright.kernel.nftables.numbers import VERDICTS

_CMP_EQ, _CMP_NEQ = 0, 1  # NFT_CMP_*
_LOOKUP_INVERT = 1  # NFT_LOOKUP_F_INV
_MARK = 3  # NFT_META_MARK


class Statement(Protocol):
    """A part of a rule."""

    @property
    def text(self) -> str:
        """How nft(8) writes it."""

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """What the kernel is given."""


@frozen
class Selector:
    """What of a packet is looked at: a data type, and the expression that loads it into a register."""

    type: str
    load: str
    fields: Mapping[str, Value]

    def into(self, word: int) -> Expression:
        """The expression that loads it, to word *word* of the registers."""
        return Expression(self.load, {**self.fields, "dreg": register(word)})


#: Text of a selector → how it is loaded.
SELECTORS: Mapping[str, Selector] = MappingProxyType(
    {
        "iifname": Selector("ifname", "meta", {"key": 6}),
        "oifname": Selector("ifname", "meta", {"key": 7}),
        "meta nfproto": Selector("nf_proto", "meta", {"key": 15}),
        "meta l4proto": Selector("inet_proto", "meta", {"key": 16}),
        "meta iifkind": Selector("ifname", "meta", {"key": 26}),  # nftables' meta.c gives it that type too
        "ct state": Selector("", "ct", {"key": 0}),
        "ct status": Selector("", "ct", {"key": 2}),
    }
)

#: Names of bits, in the host's order of bytes (NF_CT_STATE_BIT of linux/netfilter/nf_conntrack_common.h; IPS_*).
BITS: Mapping[str, Mapping[str, int]] = MappingProxyType(
    {
        "ct state": {"invalid": 1, "established": 2, "related": 4, "new": 8, "untracked": 64},
        "ct status": {"expected": 1, "seen-reply": 2, "assured": 4, "confirmed": 8, "snat": 16, "dnat": 32},
    }
)


def _host(number: int) -> bytes:
    return number.to_bytes(4, sys.byteorder)


@frozen
class InSet:
    """The packet's *selectors*, together, are in set *name*; or, inverted, are not."""

    selectors: tuple[str, ...]
    name: str
    inverted: bool = False

    @property
    def text(self) -> str:
        """As nft(8) writes it."""
        return f"{' . '.join(self.selectors)} {'!= ' if self.inverted else ''}@{self.name}"

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Load each part behind the other, then look the whole up."""
        loads, word = [], 0
        for selector in (SELECTORS[text] for text in self.selectors):
            loads.append(selector.into(word))
            word += -(-TYPES[selector.type].length // 4)
        flags = _LOOKUP_INVERT if self.inverted else 0
        return (*loads, Expression("lookup", {"set": self.name, "sreg": register(0), "flags": flags}))


@frozen
class Equals:
    """The packet's *selector* is *value*."""

    selector: str
    value: str

    @property
    def text(self) -> str:
        """As nft(8) writes it."""
        return f"{self.selector} {printed((SELECTORS[self.selector].type,), (self.value,))}"

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Load and compare."""
        selector = SELECTORS[self.selector]
        data = encode((selector.type,), (self.value,))
        return (selector.into(0), Expression("cmp", {"sreg": register(0), "op": _CMP_EQ, "data": data}))


@frozen
class AnyOf:
    """One of the bits *names* is set in *selector*."""

    selector: str
    names: tuple[str, ...]

    @property
    def text(self) -> str:
        """As nft(8) writes it."""
        return f"{self.selector} {','.join(self.names)}"

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Load, mask, and see that something is left."""
        mask = _host(sum(BITS[self.selector][name] for name in self.names))
        return (
            SELECTORS[self.selector].into(0),
            _bitwise(mask, _host(0)),
            Expression("cmp", {"sreg": register(0), "op": _CMP_NEQ, "data": _host(0)}),
        )


@frozen
class SetMarkBit:
    """Set bit *bit* of the packet's mark and leave the others."""

    bit: int

    @property
    def text(self) -> str:
        """As nft(8) writes it."""
        return f"meta mark set meta mark | 0x{self.bit:08x}"

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Mark = (mark & ~bit) ^ bit, which is how nft(8) says "or" too."""
        return (
            Expression("meta", {"key": _MARK, "dreg": register(0)}),
            _bitwise(_host(~self.bit & 0xFFFFFFFF), _host(self.bit)),
            Expression("meta", {"key": _MARK, "sreg": register(0)}),
        )


@frozen
class Verdict:
    """What becomes of the packet: a name of ``numbers.VERDICTS``, with the *chain* of a jump or goto."""

    name: str = field()
    chain: str = ""

    @name.validator
    def _known(self, _: object, value: str) -> None:
        if value not in VERDICTS:
            raise ValueError(f"{value!r} is no verdict; there are {', '.join(VERDICTS)}")

    @property
    def text(self) -> str:
        """As nft(8) writes it."""
        return f"{self.name} {self.chain}".rstrip()

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """An immediate value for the verdict register, which is number 0."""
        return (Expression("immediate", {"dreg": 0, "data": VerdictData(VERDICTS[self.name], self.chain)}),)


@frozen
class Counter:
    """Count packets and bytes that come by here."""

    @property
    def text(self) -> str:
        """As nft(8) writes it when nothing has come by yet."""
        return "counter packets 0 bytes 0"

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """One that starts at zero."""
        return (Expression("counter"),)


@frozen
class Masquerade:
    """Give the connection the address of the link it leaves by."""

    @property
    def text(self) -> str:
        """As nft(8) writes it."""
        return "masquerade"

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """No flags, no ports."""
        return (Expression("masq"),)


Rule = tuple[Statement, ...]


def rule_text(rule: Iterable[Statement]) -> str:
    """Write *rule* as nft(8) does."""
    return " ".join(statement.text for statement in rule)


def rule_expressions(rule: Iterable[Statement]) -> tuple[Expression, ...]:
    """All expressions of *rule*, in order."""
    return tuple(expression for statement in rule for expression in statement.expressions)


def _bitwise(mask: bytes, xor: bytes) -> Expression:
    fields: dict[str, Value] = {"sreg": register(0), "dreg": register(0), "len": 4, "mask": mask, "xor": xor}
    return Expression("bitwise", fields)
