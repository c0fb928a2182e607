"""Tables, sets, chains, rules and elements as netlink requests, and read back from replies. Pure: no socket.

Source: linux/netfilter/nf_tables.h. What libnftables keeps in user data (comments, byte order) is written in its own
type-length-value form (libnftnl, include/libnftnl/udata.h), so that ``nft list`` shows our objects right.
"""

import struct
from collections.abc import Iterator

from linkwright.kernel.netlink import NLM_F_APPEND, NLM_F_CREATE, Message, attribute, nested, string, text
from linkwright.kernel.nftables import datatypes, expressions
from linkwright.kernel.nftables import nfnetlink as nf
from linkwright.kernel.nftables.datatypes import TYPES
from linkwright.kernel.nftables.nfnetlink import Request
from linkwright.kernel.nftables.numbers import (
    COUNTER_PACKETS,
    ELEMENT_CATCH_ALL,
    HOOKS,
    LIST_ELEMENT,
    OBJECT_COUNTER,
    SET_MAP,
    VERDICTS,
    ChainAttribute,
    ElementAttribute,
    ElementListAttribute,
    HookAttribute,
    Kind,
    ObjectAttribute,
    RuleAttribute,
    SetAttribute,
    TableAttribute,
)
from linkwright.kernel.nftables.statements import rule_expressions
from linkwright.kernel.nftables.table import CATCH_ALL, Chain, Hook, Set, Table
from linkwright.plan.resources import Element

_TABLE_COMMENT = 0  # NFTNL_UDATA_TABLE_COMMENT
_KEY_BYTEORDER, _DATA_BYTEORDER = 0, 1  # NFTNL_UDATA_SET_KEYBYTEORDER, …_DATABYTEORDER


# --- to the kernel -------------------------------------------------------------------------------------------


def install(table: Table) -> Iterator[Request]:
    """Make the whole table, in the place of one of that name: of a transaction that is all or nothing."""
    # Adding first makes the deletion succeed whether or not there was one (nft(8), "destroy" before Linux 6.3).
    yield new_table(table)
    yield delete_table(table)
    yield new_table(table)
    for name in table.counters:
        yield new_counter(table, name)
    for number, one in enumerate(table.sets, 1):
        yield new_set(table, one, number)
    for chain in table.chains:
        yield new_chain(table, chain)
    for chain in table.chains:
        for rule in chain.rules:
            yield Request(
                Kind.NEWRULE,
                table.family,
                text(RuleAttribute.TABLE, table.name)
                + text(RuleAttribute.CHAIN, chain.name)
                + expressions.pack(rule_expressions(rule), RuleAttribute.EXPRESSIONS),
                NLM_F_CREATE | NLM_F_APPEND,
            )


def new_table(table: Table) -> Request:
    """Make the table itself."""
    body = text(TableAttribute.NAME, table.name) + nf.integer(TableAttribute.FLAGS, 0)
    if table.comment:
        body += attribute(TableAttribute.USERDATA, _user_text(_TABLE_COMMENT, table.comment))
    return Request(Kind.NEWTABLE, table.family, body, NLM_F_CREATE)


def delete_table(table: Table) -> Request:
    """Delete the table with all in it."""
    return Request(Kind.DELTABLE, table.family, text(TableAttribute.NAME, table.name))


def new_counter(table: Table, name: str) -> Request:
    """Make a counter that rules refer to by name; it begins at zero."""
    body = (
        text(ObjectAttribute.TABLE, table.name)
        + text(ObjectAttribute.NAME, name)
        + nf.integer(ObjectAttribute.TYPE, OBJECT_COUNTER)
        + nested(ObjectAttribute.DATA)
    )
    return Request(Kind.NEWOBJ, table.family, body, NLM_F_CREATE)


def new_set(table: Table, one: Set, number: int) -> Request:
    """Make a set or map; *number* tells it apart from others made in the same transaction."""
    body = [
        text(SetAttribute.TABLE, table.name),
        text(SetAttribute.NAME, one.name),
        *(nf.integer(number, value) for number, value in set_facts(one).items()),
        nf.integer(SetAttribute.ID, number),
    ]
    orders = [(_KEY_BYTEORDER, one.key), (_DATA_BYTEORDER, one.data)]
    user = b"".join(_user_number(kind, _byteorder(names)) for kind, names in orders if names)
    body.append(attribute(SetAttribute.USERDATA, user))
    return Request(Kind.NEWSET, table.family, b"".join(body), NLM_F_CREATE)


def set_facts(one: Set) -> dict[int, int]:
    """What the kernel is told of a set in numbers, and tells again: attribute → value."""
    facts = {
        SetAttribute.FLAGS: SET_MAP if one.data else 0,
        SetAttribute.KEY_TYPE: datatypes.number_of(one.key),
        SetAttribute.KEY_LEN: datatypes.length_of(one.key),
    }
    if one.data:
        facts[SetAttribute.DATA_TYPE] = datatypes.number_of(one.data)
        facts[SetAttribute.DATA_LEN] = datatypes.length_of(one.data)
    return {int(number): value for number, value in facts.items()}


def new_chain(table: Table, chain: Chain) -> Request:
    """Make a chain, without its rules."""
    body = text(ChainAttribute.TABLE, table.name) + text(ChainAttribute.NAME, chain.name)
    if chain.hook is not None:
        number, priority, kind, policy = hook_facts(chain.hook)
        place = nf.integer(HookAttribute.NUMBER, number) + nf.integer(HookAttribute.PRIORITY, priority)
        body += nested(ChainAttribute.HOOK, place)
        body += nf.integer(ChainAttribute.POLICY, policy) + text(ChainAttribute.TYPE, kind)
    return Request(Kind.NEWCHAIN, table.family, body, NLM_F_CREATE)


def hook_facts(hook: Hook) -> tuple[int, int, str, int]:
    """What the kernel is told of a base chain, and tells again: hook, priority, type, policy."""
    return HOOKS[hook.point], hook.priority, hook.type, VERDICTS[hook.policy]


def new_element(table: Table, element: Element) -> Request:
    """Add *element*. The kernel is content with an equal one that is there, and says EEXIST to other data."""
    return _element(Kind.NEWSETELEM, table, element, NLM_F_CREATE)


def delete_element(table: Table, element: Element) -> Request:
    """Delete the element of that key. ENOENT if there is none: the whole transaction then fails."""
    return _element(Kind.DELSETELEM, table, Element(element.set, element.parts), 0)


def get_element(table: Table, element: Element) -> Request:
    """Ask for the element of that key."""
    return _element(Kind.GETSETELEM, table, Element(element.set, element.parts), 0)


def elements_of(table: Table, one: Set) -> Request:
    """Ask for all elements of a set."""
    names = text(ElementListAttribute.TABLE, table.name) + text(ElementListAttribute.SET, one.name)
    return Request(Kind.GETSETELEM, table.family, names)


def of_table(kind: Kind, table: Table) -> Request:
    """Ask for the table, its chains, rules, sets or objects: in all of them the table's name is the first attribute."""
    return Request(kind, table.family, text(TableAttribute.NAME, table.name))


# --- from the kernel -----------------------------------------------------------------------------------------


def read_table(message: Message) -> tuple[str, int]:
    """The comment of a table ("" if it has none), and its flags: a dormant one has some, and does nothing."""
    found = nf.read(message)
    flags = nf.to_integer(found.get(TableAttribute.FLAGS, b""))
    data = found.get(TableAttribute.USERDATA, b"")
    while len(data) > 2:  # noqa: PLR2004 - type and length
        kind, length = data[0], data[1]
        if kind == _TABLE_COMMENT:
            return string(data[2 : 2 + length]), flags
        data = data[2 + length :]
    return "", flags


def read_counter(message: Message) -> tuple[str, int | None]:
    """The name of an object and, if it is a counter, how many packets it has counted."""
    found = nf.read(message)
    if nf.to_integer(found[ObjectAttribute.TYPE]) != OBJECT_COUNTER:
        return string(found[ObjectAttribute.NAME]), None
    counted = nf.read_nested(found[ObjectAttribute.DATA])
    return string(found[ObjectAttribute.NAME]), nf.to_integer(counted[COUNTER_PACKETS])


def read_set_facts(message: Message) -> tuple[str, dict[int, int]]:
    """The name of a set, and its facts as ``set_facts`` gives them."""
    found = nf.read(message)
    known = (SetAttribute.KEY_TYPE, SetAttribute.KEY_LEN, SetAttribute.DATA_TYPE, SetAttribute.DATA_LEN)
    facts = {int(number): nf.to_integer(found[number]) for number in known if number in found}
    # The kernel leaves the flags out when there are none.
    facts[int(SetAttribute.FLAGS)] = nf.to_integer(found.get(SetAttribute.FLAGS, b""))
    return string(found[SetAttribute.NAME]), facts


def read_chain(message: Message) -> tuple[str, str, tuple[int, int, str, int] | None]:
    """Table and name of a chain, and its hook as ``hook_facts`` gives it."""
    found = nf.read(message)
    names = string(found[ChainAttribute.TABLE]), string(found[ChainAttribute.NAME])
    if ChainAttribute.HOOK not in found:
        return *names, None
    place = nf.read_nested(found[ChainAttribute.HOOK])
    number, priority = nf.to_integer(place[HookAttribute.NUMBER]), nf.to_signed(place[HookAttribute.PRIORITY])
    policy = nf.to_integer(found[ChainAttribute.POLICY])
    return *names, (number, priority, string(found[ChainAttribute.TYPE]), policy)


def read_rule(message: Message) -> tuple[str, tuple[expressions.Expression, ...]]:
    """The chain of a rule, and what it says."""
    found = nf.read(message)
    said = expressions.read(found.get(RuleAttribute.EXPRESSIONS, b""))
    return string(found[RuleAttribute.CHAIN]), said


def read_elements(message: Message, one: Set) -> Iterator[Element]:
    """The elements in a reply about set *one*."""
    for item in nf.read_list(nf.read(message).get(ElementListAttribute.ELEMENTS, b"")):
        found = nf.read_nested(item)
        key = found.get(ElementAttribute.KEY)
        parts = datatypes.decode(one.key, _value(key)) if key else CATCH_ALL
        data = datatypes.decode(one.data, _value(found[ElementAttribute.DATA])) if one.data else ()
        yield Element(one.name, parts, data)


# --- pieces --------------------------------------------------------------------------------------------------


def _element(kind: Kind, table: Table, element: Element, flags: int) -> Request:
    one = table.set(element.set)
    if element.parts == CATCH_ALL and kind != Kind.NEWSETELEM:
        item = nf.integer(ElementAttribute.FLAGS, ELEMENT_CATCH_ALL)
    else:
        item = expressions.pack_data(ElementAttribute.KEY, datatypes.encode(one.key, element.parts))
    if element.data or (one.data and kind == Kind.NEWSETELEM):
        item += expressions.pack_data(ElementAttribute.DATA, datatypes.encode(one.data, element.data))
    body = (
        text(ElementListAttribute.TABLE, table.name)
        + text(ElementListAttribute.SET, one.name)
        + nested(ElementListAttribute.ELEMENTS, nested(LIST_ELEMENT, item))
    )
    return Request(kind, table.family, body, flags)


def _value(payload: bytes) -> bytes:
    value = expressions.read_data(payload)
    return value if isinstance(value, bytes) else b""


def _byteorder(names: tuple[str, ...]) -> int:
    return TYPES[names[0]].byteorder if len(names) == 1 else 0  # a concatenation has none of its own


def _user_text(kind: int, value: str) -> bytes:
    data = value.encode() + b"\0"
    return bytes([kind, len(data)]) + data


def _user_number(kind: int, value: int) -> bytes:
    return bytes([kind, 4]) + struct.pack("=I", value)
