"""Rule expressions on the wire: one table says what attributes each has. What they mean together is ``statements``.

A rule is a list of expressions that load registers, compare them and decide. The same table packs and reads, so what
the kernel reports of a rule can be compared with what was sent.
Source: linux/netfilter/nf_tables.h (NFTA_META_*, NFTA_CMP_*, …).
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from attrs import field, frozen

from linkwright.kernel.netlink import attribute, nested, string, text
from linkwright.kernel.nftables import nfnetlink as nf
from linkwright.kernel.nftables.numbers import (
    DATA_VALUE,
    DATA_VERDICT,
    EXPRESSION_DATA,
    EXPRESSION_NAME,
    LIST_ELEMENT,
    VERDICT_CHAIN,
    VERDICT_CODE,
)


@frozen
class VerdictData:
    """What an immediate expression decides: a code of ``numbers.VERDICTS``, and the chain of a jump or goto."""

    code: int
    chain: str = ""


Value = int | str | bytes | VerdictData

#: Expression name → field → attribute number and type of the value.
EXPRESSIONS: Mapping[str, Mapping[str, tuple[int, type]]] = MappingProxyType(
    {
        "meta": {"dreg": (1, int), "key": (2, int), "sreg": (3, int)},
        "ct": {"dreg": (1, int), "key": (2, int), "direction": (3, int), "sreg": (4, int)},
        "payload": {"dreg": (1, int), "base": (2, int), "offset": (3, int), "len": (4, int)},
        "fib": {"dreg": (1, int), "result": (2, int), "flags": (3, int)},
        "cmp": {"sreg": (1, int), "op": (2, int), "data": (3, bytes)},
        "bitwise": {"sreg": (1, int), "dreg": (2, int), "len": (3, int), "mask": (4, bytes), "xor": (5, bytes)},
        "lookup": {"set": (1, str), "sreg": (2, int), "dreg": (3, int), "flags": (5, int)},
        "immediate": {"dreg": (1, int), "data": (2, bytes)},
        "objref": {"type": (1, int), "name": (2, str)},
        "masq": {"flags": (1, int), "proto_min": (2, int), "proto_max": (3, int)},
        "nat": {
            "type": (1, int),
            "family": (2, int),
            "addr_min": (3, int),
            "addr_max": (4, int),
            "proto_min": (5, int),
            "proto_max": (6, int),
            "flags": (7, int),
        },
    }
)


@frozen
class Expression:
    """One expression: its name and its fields by the names in ``EXPRESSIONS``.

    The fields are all that the kernel reports, what it would take by default among them: so a rule is right if it is
    equal, and one that somebody gave an option more is not.
    """

    name: str
    fields: Mapping[str, Value] = field(factory=dict)


def register(word: int) -> int:
    """The number of the register that begins at four-byte word *word* (NFT_REG_1 … 4, else NFT_REG32_00 …).

    The kernel reports the register of 16 bytes wherever one begins there (nft_dump_register), so it is sent like that.
    """
    return 8 + word if word % 4 else 1 + word // 4


def pack(expressions: Iterable[Expression], number: int) -> bytes:
    """Pack a rule's expressions as the nested list *number*."""
    return nested(number, *(_packed(expression) for expression in expressions))


def read(payload: bytes) -> tuple[Expression, ...]:
    """Read a rule's expressions; of one that is not in the table only the name."""
    found = []
    for item in nf.read_list(payload):
        parts = nf.read_nested(item)
        name = string(parts[EXPRESSION_NAME])
        sent = nf.read_nested(parts.get(EXPRESSION_DATA, b""))
        known = EXPRESSIONS.get(name, {})
        fields = {key: _read_value(kind, sent[number]) for key, (number, kind) in known.items() if number in sent}
        found.append(Expression(name, fields))
    return tuple(found)


def pack_data(number: int, value: bytes | VerdictData) -> bytes:
    """Pack a value, or a verdict, as ``nft_data``."""
    if isinstance(value, bytes):
        return nested(number, attribute(DATA_VALUE, value))
    chain = (text(VERDICT_CHAIN, value.chain),) if value.chain else ()
    return nested(number, nested(DATA_VERDICT, nf.integer(VERDICT_CODE, value.code), *chain))


def read_data(payload: bytes) -> bytes | VerdictData:
    """Read ``nft_data``."""
    parts = nf.read_nested(payload)
    if DATA_VALUE in parts:
        return parts[DATA_VALUE]
    verdict = nf.read_nested(parts[DATA_VERDICT])
    return VerdictData(nf.to_signed(verdict[VERDICT_CODE]), string(verdict.get(VERDICT_CHAIN, b"")))


def _packed(expression: Expression) -> bytes:
    known = EXPRESSIONS[expression.name]
    fields = (_pack_value(known[key][0], value) for key, value in expression.fields.items())
    return nested(
        LIST_ELEMENT,
        text(EXPRESSION_NAME, expression.name),
        nested(EXPRESSION_DATA, *fields),
    )


def _pack_value(number: int, value: Value) -> bytes:
    match value:
        case int():
            return nf.integer(number, value)
        case str():
            return text(number, value)
        case _:
            return pack_data(number, value)


def _read_value(kind: type, payload: bytes) -> Value:
    if kind is int:
        return nf.to_integer(payload)
    if kind is str:
        return string(payload)
    return read_data(payload)
