"""What a refusal by the kernel means, in words for the person who has to act. Texts by table, plus who is in the way.

The kernel's own extended ack comes first where there is one; it often names the attribute, seldom the remedy.
"""

import errno
from collections.abc import Mapping

from linkwright.kernel.decode import LinkRow
from linkwright.kernel.netlink import Failure
from linkwright.kernel.snapshot import Reader
from linkwright.plan.render import TABLE, render
from linkwright.plan.resources import (
    Address,
    Bridge,
    BridgeVlan,
    FdbEntry,
    Hairpin,
    Ipvlan,
    Link,
    Macvlan,
    Neighbour,
    Redirect,
    Route,
    Shaper,
    Vlan,
    Vxlan,
)
from linkwright.plan.steps import Action, Step

_HINTS: Mapping[tuple[type, int], str] = {
    (Link, errno.EOPNOTSUPP): "the kernel has no links of that kind, or not that setting: {kind}",
    (Link, errno.ENETDOWN): "the link below is down",
    (Link, errno.ERANGE): "the MTU is more than the link below allows",
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
    (BridgeVlan, errno.EOPNOTSUPP): "the link is no port of a bridge, or the kernel has no bridge VLAN filtering: "
    "CONFIG_BRIDGE_VLAN_FILTERING",
    (BridgeVlan, errno.EINVAL): "the link is no port of a bridge",
    (Hairpin, errno.EOPNOTSUPP): "the link is no port of a bridge",
    (Shaper, errno.ENOENT): "the kernel has no token bucket filter: modprobe sch_tbf, or CONFIG_NET_SCH_TBF",
    (Redirect, errno.ENOENT): "the kernel lacks one of: modprobe sch_ingress, cls_u32, act_mirred, or "
    "CONFIG_NET_SCH_INGRESS, CONFIG_NET_CLS_U32, CONFIG_NET_CLS_ACT, CONFIG_NET_ACT_MIRRED",
    (Redirect, errno.EINVAL): "there is another qdisc for what comes in by that link: see `tc qdisc show`",
}
#: The same by kind of link, where that tells more.
_HINTS_OF_KIND: Mapping[tuple[type, int], str] = {
    (Macvlan, errno.EINVAL): "the MTU is more than the parent's, or one of several would have it alone (passthru)",
    (Macvlan, errno.EBUSY): "the parent is a port of a bridge or a bond, or carries ipvlan links",
    (Ipvlan, errno.EBUSY): "the parent is a port of a bridge or a bond, or carries macvlan links",
}
#: What a kind of link is compiled by, and its module where that is called otherwise.
_CONFIG: Mapping[str, tuple[str, str]] = {
    "bridge": ("CONFIG_BRIDGE", "bridge"),
    "veth": ("CONFIG_VETH", "veth"),
    "macvlan": ("CONFIG_MACVLAN", "macvlan"),
    "ipvlan": ("CONFIG_IPVLAN", "ipvlan"),
    "vlan": ("CONFIG_VLAN_8021Q", "8021q"),
    "vxlan": ("CONFIG_VXLAN", "vxlan"),
    "ifb": ("CONFIG_IFB", "ifb"),
}
#: How the kernel says that it has no such kind (rtnl_newlink); before Linux 5.8 it said nothing.
_UNKNOWN_KIND = "Unknown device type"
_ANYWHERE: Mapping[int, str] = {
    errno.EPERM: "linkwright lacks CAP_NET_ADMIN in this network namespace",
    errno.ENOBUFS: "the kernel's answers did not fit the socket's buffer; net.core.rmem_max limits it",
}


def words(step: Step, table: str = TABLE) -> str:
    """Return *step* as a person would type it, on one line; *table* names the firewall's, for steps on its elements."""
    return "; ".join(render(step, table).splitlines()) or f"{step.action.value} {' '.join(step.resource.key)}"


def explain(step: Step, failure: Failure, reader: Reader) -> str:
    """Return the kernel's words on why *step* failed, and ours."""
    ours = _holder(step, failure, reader) or _hint(step, failure)
    return "; ".join(said for said in (failure.text, ours) if said)


def _hint(step: Step, failure: Failure) -> str:
    resource = step.resource
    if isinstance(resource, Link) and failure.code == errno.EOPNOTSUPP:
        missing = _missing(resource, failure)
        if missing:
            return missing
    of_kind = _HINTS_OF_KIND.get((type(getattr(resource, "kind", None)), failure.code))
    hint = of_kind or _HINTS.get((type(resource), failure.code)) or _ANYWHERE.get(failure.code, "")
    if isinstance(resource, Link):
        return hint.format(kind=resource.kind.kind or "?", master=resource.master or "it")
    return hint


def _missing(link: Link, failure: Failure) -> str:
    """Name what the kernel lacks; "" if it is not clear."""
    kind = link.kind
    if failure.text == _UNKNOWN_KIND and kind.kind in _CONFIG:
        config, module = _CONFIG[kind.kind]
        return f"the kernel has no {kind.kind}: modprobe {module}, or {config}"
    if isinstance(kind, Bridge) and kind.vlan_filtering is not None:
        return "the kernel has no bridge VLAN filtering: CONFIG_BRIDGE_VLAN_FILTERING"
    return ""


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
        if isinstance(wish.kind, Vlan) and row.link(names.get).exclusive == wish.exclusive:
            return f"VLAN {wish.kind.vid} of {wish.kind.parent} is {row.name!r}, {_whose(row)}"
    return ""


def _whose(row: LinkRow) -> str:
    kind = row.kind or "hardware"
    return f"a {kind} link" + (f" marked {str(row.mark)!r}" if row.mark else " that is not ours")
