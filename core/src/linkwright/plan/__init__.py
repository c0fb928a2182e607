"""What the host must have, the difference to what it has, and how to say it. No I/O, no clock."""

from linkwright.plan.check import Note, check
from linkwright.plan.diff import Plan, Problem, diff
from linkwright.plan.mark import Mark, valid_instance
from linkwright.plan.render import render, render_all
from linkwright.plan.resources import (
    NAME_LENGTH,
    Address,
    Bridge,
    BridgePort,
    Element,
    Existing,
    FdbEntry,
    Hold,
    Key,
    Link,
    LinkKind,
    Macvlan,
    MacvlanMode,
    Neighbour,
    Resource,
    Route,
    Sysctl,
    Veth,
    Vxlan,
)
from linkwright.plan.steps import Action, Snapshot, Step, undo
from linkwright.plan.wishes import Wishes

__all__ = [
    "NAME_LENGTH",
    "Action",
    "Address",
    "Bridge",
    "BridgePort",
    "Element",
    "Existing",
    "FdbEntry",
    "Hold",
    "Key",
    "Link",
    "LinkKind",
    "Macvlan",
    "MacvlanMode",
    "Mark",
    "Neighbour",
    "Note",
    "Plan",
    "Problem",
    "Resource",
    "Route",
    "Snapshot",
    "Step",
    "Sysctl",
    "Veth",
    "Vxlan",
    "Wishes",
    "check",
    "diff",
    "render",
    "render_all",
    "undo",
    "valid_instance",
]
