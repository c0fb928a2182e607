"""What a refusal by the kernel means, in words for the person who has to act. Texts by table, plus who is in the way.

The kernel's own extended ack comes first where there is one; it often names the attribute, seldom the remedy.
"""

import errno
from collections.abc import Mapping

from linkwright.kernel.decode import LinkRow
from linkwright.kernel.netlink import Failure
from linkwright.kernel.snapshot import Reader
from linkwright.plan.render import render
from linkwright.plan.resources import Address, FdbEntry, Link, Neighbour, Route, Vxlan
from linkwright.plan.steps import Action, Step

_HINTS: Mapping[tuple[type, int], str] = {
    (Link, errno.EOPNOTSUPP): "this kernel has no links of that kind, or not that setting: {kind}",
    (Link, errno.EBUSY): "the link below is in use in a way that excludes this",
    (Link, errno.EXFULL): "a bridge has 1023 ports at most, and {master} has them all",
    (Link, errno.ENODEV): "a link that this one needs is not there",
    (Route, errno.EEXIST): "there is another route to that destination with the same metric",
    (Route, errno.ENETUNREACH): "no address of this host lies in the gateway's subnet",
    (Route, errno.EHOSTUNREACH): "no address of this host lies in the gateway's subnet",
    (Route, errno.ENETDOWN): "the link is down",
    (Address, errno.EEXIST): "the address is there already",
    (Address, errno.EACCES): "IPv6 is switched off on that link (disable_ipv6)",
    (Neighbour, errno.EINVAL): "a neighbour needs a hardware address",
    (FdbEntry, errno.EAFNOSUPPORT): "the remote is of another family than the link's own address",
    (FdbEntry, errno.EINVAL): "the link is neither a vxlan link nor a port of a bridge",
}
_ANYWHERE: Mapping[int, str] = {
    errno.EPERM: "linkwright lacks CAP_NET_ADMIN in this network namespace",
    errno.ENOBUFS: "the kernel's answers did not fit the socket's buffer; net.core.rmem_max limits it",
}


def words(step: Step) -> str:
    """Return *step* as a person would type it, on one line."""
    return "; ".join(render(step).splitlines()) or f"{step.action.value} {' '.join(step.resource.key)}"


def explain(step: Step, failure: Failure, reader: Reader) -> str:
    """Return the kernel's words on why *step* failed, and ours."""
    ours = _holder(step, failure, reader) or _hint(step, failure)
    return "; ".join(said for said in (failure.text, ours) if said)


def _hint(step: Step, failure: Failure) -> str:
    resource = step.resource
    hint = _HINTS.get((type(resource), failure.code)) or _ANYWHERE.get(failure.code, "")
    if isinstance(resource, Link):
        return hint.format(kind=resource.kind.kind or "?", master=resource.master or "it")
    return hint


def _holder(step: Step, failure: Failure, reader: Reader) -> str:
    """Name the link that has what was asked for."""
    wish = step.resource
    if failure.code != errno.EEXIST or step.action is not Action.CREATE or not isinstance(wish, Link):
        return ""
    rows = reader.links()
    names = {index: row.name for index, row in rows.items()}
    taken = {wish.name, getattr(wish.kind, "peer", None)}
    for row in rows.values():
        if row.name in taken:
            return f"the name {row.name!r} is taken by {_whose(row)}"
    for row in rows.values():
        if isinstance(wish.kind, Vxlan) and row.link(names.get).exclusive == wish.exclusive:
            return f"VNI {wish.kind.vni} on port {wish.kind.port} is held by {row.name!r}, {_whose(row)}"
    return ""


def _whose(row: LinkRow) -> str:
    kind = row.kind or "hardware"
    return f"a {kind} link" + (f" marked {str(row.mark)!r}" if row.mark else " that is not ours")
