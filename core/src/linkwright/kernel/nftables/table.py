"""A table of nftables as frozen values: its counters, sets and maps, its chains and their rules. No bytes, no netlink.

What these become on the wire is ``messages``, how nft(8) prints them is ``text``.
"""

from collections.abc import Iterable, Mapping

from attrs import field, frozen

from linkwright.kernel.nftables import datatypes
from linkwright.kernel.nftables.numbers import HOOKS, Family
from linkwright.kernel.nftables.statements import Rule
from linkwright.plan.resources import Element

#: The parts of an element without a key, which matches all that no other does: nft(8) writes it so. Others may have
#: added one, which is then read and deleted; we never do, and no name of a link is written like that (``datatypes``).
CATCH_ALL = ("*",)


@frozen
class Set:
    """A set, or with *data* a map. *key* and *data* are names of types, one for each part of a concatenation."""

    name: str
    key: tuple[str, ...] = field()
    data: tuple[str, ...] = ()

    @key.validator
    def _known(self, _: object, value: tuple[str, ...]) -> None:
        unknown = [name for name in (*value, *self.data) if name not in datatypes.TYPES]
        if unknown or not value:
            raise ValueError(f"set {self.name}: unknown types {unknown}; there are {', '.join(datatypes.TYPES)}")

    @property
    def type_text(self) -> str:
        """Its type as nft(8) writes it."""
        return " : ".join(" . ".join(names) for names in (self.key, self.data) if names)


@frozen
class Hook:
    """Where a base chain hangs: the hook's name, and its place among the others there (lower comes first)."""

    type: str
    point: str = field()
    priority: int
    policy: str = "accept"

    @point.validator
    def _known(self, _: object, value: str) -> None:
        if value not in HOOKS or self.policy not in {"accept", "drop"}:
            raise ValueError(f"no such hook or policy: {value} {self.policy}")


@frozen
class Chain:
    """A list of rules; with a hook one that packets come to by themselves."""

    name: str
    rules: tuple[Rule, ...] = ()
    hook: Hook | None = None


@frozen
class Table:
    """A whole table. ``comment`` is shown by nft(8) and kept by the kernel: at most 128 bytes (nft's limit).

    ``needed_for`` makes it one that a kernel may lack the family for: in words, what cannot be had then. It is missed
    only when an element of it is wished.
    """

    name: str
    sets: tuple[Set, ...] = ()
    chains: tuple[Chain, ...] = ()
    comment: str = ""
    family: Family = Family.INET
    counters: tuple[str, ...] = ()
    needed_for: str = ""

    def set(self, name: str) -> Set:
        """The set or map *name*; LookupError, naming those there are, if there is none."""
        for one in self.sets:
            if one.name == name:
                return one
        raise LookupError(f"table {self.label} has no set {name}; there are {', '.join(one.name for one in self.sets)}")

    @property
    def label(self) -> str:
        """Family and name, as commands name it."""
        return f"{self.family.name.lower()} {self.name}"


def homes_of(tables: Iterable[Table]) -> dict[str, Table]:
    """Which of *tables* has which set: names of sets are unique over all of them."""
    return {one.name: table for table in tables for one in table.sets}


def home_of(homes: Mapping[str, Table], name: str) -> Table:
    """The table that has set *name*; LookupError, naming all sets, if none has."""
    if name not in homes:
        raise LookupError(f"there is no set {name} in our tables; there are {', '.join(homes)}")
    return homes[name]


def element_text(table: Table, element: Element) -> str:
    """Write one element as nft(8) does inside the braces."""
    one = table.set(element.set)
    sides = ["*" if element.parts == CATCH_ALL else datatypes.printed(one.key, element.parts)]
    if element.data:
        sides.append(datatypes.printed(one.data, element.data))
    return " : ".join(sides)
