"""What a rule may say: each statement knows how nft(8) writes it and which expressions it is made of. Pure.

A new statement is a class with ``text`` and ``expressions``; what it may look at is a row of ``selectors.SELECTORS``.
Source of the numbers: linux/netfilter/nf_tables.h; of the texts: nft(8).
"""

from collections.abc import Iterable
from ipaddress import ip_network
from typing import Protocol

from attrs import field, frozen

from linkwright.kernel.nftables.datatypes import encode, printed
from linkwright.kernel.nftables.expressions import Expression, Value, VerdictData, register
from linkwright.kernel.nftables.numbers import OBJECT_COUNTER, VERDICTS, Family
from linkwright.kernel.nftables.selectors import SELECTORS, host_order, loads, mask_of

_EQUAL, _UNEQUAL, _AT_MOST, _AT_LEAST = 0, 1, 3, 5  # NFT_CMP_EQ, …_NEQ, …_LTE, …_GTE
_LOOKUP_INVERT = 1  # NFT_LOOKUP_F_INV
_MARK = 3  # NFT_META_MARK
_SOURCE, _DESTINATION = 0, 1  # NFT_NAT_SNAT, NFT_NAT_DNAT
_MAP_ADDRESS, _MAP_PORT = 1, 2  # NF_NAT_RANGE_MAP_IPS, …_PROTO_SPECIFIED (linux/netfilter/nf_nat.h)


class Statement(Protocol):
    """A part of a rule."""

    @property
    def text(self) -> str:
        """How nft(8) writes it."""

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """What the kernel is given."""


# --- what a packet must be like ------------------------------------------------------------------------------


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
        flags = _LOOKUP_INVERT if self.inverted else 0
        lookup = Expression("lookup", {"set": self.name, "sreg": register(0), "flags": flags})
        return (*loads(self.selectors), lookup)


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
        return (selector.into(0), _compare(_EQUAL, encode((selector.type,), (self.value,))))


@frozen
class Implied(Equals):
    """The same where nft(8) does not write it: it follows from a header that the rule looks at, and is checked first.

    nft(8) adds these by itself, so a rule must have those that it would add, at the place where it would.
    """

    @property
    def text(self) -> str:
        """Nothing."""
        return ""


@frozen
class Between:
    """The packet's *selector* is *low*, *high* or what lies between; both are written as numbers."""

    selector: str
    low: str
    high: str

    @property
    def text(self) -> str:
        """As nft(8) writes it."""
        return f"{self.selector} {self.low}-{self.high}"

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Load, and compare twice."""
        selector = SELECTORS[self.selector]
        low, high = (encode((selector.type,), (end,)) for end in (self.low, self.high))
        return (selector.into(0), _compare(_AT_LEAST, low), _compare(_AT_MOST, high))


@frozen
class Within:
    """The address that the packet's *selector* is lies in *prefix*."""

    selector: str
    prefix: str

    @property
    def text(self) -> str:
        """As nft(8) writes it."""
        return f"{self.selector} {self.prefix}"

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Whole octets are loaded and compared as they are; other lengths are masked first, as nft(8) does it too."""
        network, selector = ip_network(self.prefix), SELECTORS[self.selector]
        octets, bits = divmod(network.prefixlen, 8)
        address = network.network_address.packed
        if not bits:
            return (selector.first(octets), _compare(_EQUAL, address[:octets]))
        return (
            selector.into(0),
            _bitwise(network.netmask.packed, bytes(len(address))),
            _compare(_EQUAL, address),
        )


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
        mask = mask_of(self.selector, self.names)
        return (SELECTORS[self.selector].into(0), _bitwise(mask, host_order(0)), _compare(_UNEQUAL, host_order(0)))


# --- what is done with it ------------------------------------------------------------------------------------


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
            _bitwise(host_order(~self.bit & 0xFFFFFFFF), host_order(self.bit)),
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
class Count:
    """Count packets and bytes that come by here, in the table's counter *name*."""

    name: str

    @property
    def text(self) -> str:
        """As nft(8) writes it."""
        return f'counter name "{self.name}"'

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """A reference to the counter."""
        return (Expression("objref", {"type": OBJECT_COUNTER, "name": self.name}),)


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


@frozen
class Translate:
    """Give the connection what map *name* holds under the packet's *selectors*; without an entry, nothing.

    "dnat" gives another destination, which is an address and a port; "snat" another source, an address. In a table of
    family inet this is done to packets of *family* only (nft_nat_inet_eval).
    """

    verb: str = field()
    family: Family
    selectors: tuple[str, ...]
    name: str

    @verb.validator
    def _known(self, _: object, value: str) -> None:
        if value not in {"dnat", "snat"}:
            raise ValueError(f"a translation is dnat or snat, not {value!r}")

    @property
    def text(self) -> str:
        """As nft(8) writes it."""
        return f"{self.verb} {self.family.name.lower()} to {' . '.join(self.selectors)} map @{self.name}"

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """Load the key, look it up, and translate to what then lies in the registers: the address, behind it a port."""
        found = Expression("lookup", {"set": self.name, "sreg": register(0), "dreg": register(0), "flags": 0})
        verb = _DESTINATION if self.verb == "dnat" else _SOURCE
        fields: dict[str, Value] = {"type": verb, "family": int(self.family), "flags": _MAP_ADDRESS}
        fields |= {"addr_min": register(0), "addr_max": register(0)}
        if verb == _DESTINATION:
            port = register(1 if self.family is Family.IP else 4)
            fields |= {"proto_min": port, "proto_max": port, "flags": _MAP_ADDRESS | _MAP_PORT}
        return (*loads(self.selectors), found, Expression("nat", fields))


Rule = tuple[Statement, ...]


def rule_text(rule: Iterable[Statement]) -> str:
    """Write *rule* as nft(8) does."""
    return " ".join(statement.text for statement in rule if statement.text)


def rule_expressions(rule: Iterable[Statement]) -> tuple[Expression, ...]:
    """All expressions of *rule*, in order."""
    return tuple(expression for statement in rule for expression in statement.expressions)


def _compare(operation: int, data: bytes) -> Expression:
    return Expression("cmp", {"sreg": register(0), "op": operation, "data": data})


def _bitwise(mask: bytes, xor: bytes) -> Expression:
    fields: dict[str, Value] = {"sreg": register(0), "dreg": register(0), "len": len(mask), "mask": mask, "xor": xor}
    return Expression("bitwise", fields)
