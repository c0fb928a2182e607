"""Steps of a plan as changes to our tables: a request each, and how a person would write it. Pure.

Which table an element belongs to, its set says: names of sets are unique over all tables.
"""

from collections.abc import Mapping, Sequence

from attrs import frozen

from linkwright.kernel.nftables import messages
from linkwright.kernel.nftables.nfnetlink import Request
from linkwright.kernel.nftables.table import Table, element_text, home_of, homes_of
from linkwright.plan.resources import Element
from linkwright.plan.steps import Action, Step


@frozen
class Change:
    """One element to "add" to or to "delete" from *table*."""

    table: Table
    verb: str
    element: Element
    request: Request

    @property
    def deletes(self) -> bool:
        """Whether it is a deletion."""
        return self.verb == _DELETE

    @property
    def text(self) -> str:
        """How a person would write it. Made when asked for: it costs what the request does."""
        written = element_text(self.table, self.element)
        return f"{self.verb} element {self.table.label} {self.element.set} {{ {written} }}"


_ADD, _DELETE = "add", "delete"


def changes(tables: Sequence[Table], steps: Sequence[Step]) -> list[Change]:
    """What *steps* are made of. ValueError for one that is none of ours, or whose value no set of ours can hold."""
    homes = homes_of(tables)
    return [change for step in steps for change in _changes(homes, step)]


def _changes(homes: Mapping[str, Table], step: Step) -> list[Change]:
    """What *step* is made of: a change of data is a deletion and an addition, in that order."""
    element, before = step.resource, step.before or step.resource
    if not isinstance(element, Element) or not isinstance(before, Element):
        raise ValueError(f"the firewall does steps on elements, not {step}")  # noqa: TRY004 - the value's kind is wrong
    try:
        adds = [] if step.action is Action.DELETE else [_addition(homes, element)]
        deletes = [] if step.action is Action.CREATE else [_deletion(homes, before)]
    except (LookupError, ValueError) as error:
        raise ValueError(f"cannot {step.action.value} {element}: {error}") from error
    return deletes + adds


def _addition(homes: Mapping[str, Table], element: Element) -> Change:
    table = home_of(homes, element.set)
    return Change(table, _ADD, element, messages.new_element(table, element))


def _deletion(homes: Mapping[str, Table], element: Element) -> Change:
    table = home_of(homes, element.set)
    return Change(table, _DELETE, element, messages.delete_element(table, element))
