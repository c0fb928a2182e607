"""Of which VLANs the ports of bridges are members, as netlink messages, to and fro (bridge(8)). Pure: no socket.

They are written as settings of the port, the one way there is, and read from the bridge's own table (RTM_GETVLAN, since
Linux 5.6), which can be asked for one port and tells of changes one by one. The kernel does not say who made a change.
"""

from collections.abc import Iterator

from linkwright.kernel import encode_link
from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.decode import Found, Names
from linkwright.kernel.encode_link import Indexes
from linkwright.kernel.netlink import Message, Request, attribute, attributes, nested, number, repeated, u16
from linkwright.plan.resources import BridgeVlan


def join(vlan: BridgeVlan, indexes: Indexes, _: int = 0) -> list[Request]:
    """Return what makes its link a member; of one that is a member already, with these flags."""
    return [_message(rt.RTM_SETLINK, vlan, indexes)]


def leave(vlan: BridgeVlan, indexes: Indexes, _: int = 0) -> list[Request]:
    """Return what makes its link no member."""
    return [_message(rt.RTM_DELLINK, vlan, indexes)]


def _message(kind: int, vlan: BridgeVlan, indexes: Indexes) -> Request:
    flags = rt.BRIDGE_VLAN_INFO_PVID if vlan.pvid else 0
    flags |= rt.BRIDGE_VLAN_INFO_UNTAGGED if vlan.untagged else 0
    entries = [
        attribute(rt.IFLA_BRIDGE_VLAN_INFO, rt.BRIDGE_VLAN_INFO.pack(flags, one.vid))
        for one in vlan.each()  # usually one
    ]
    itself = [u16(rt.IFLA_BRIDGE_FLAGS, rt.BRIDGE_FLAGS_SELF)] if vlan.on_bridge else []
    settings = nested(rt.IFLA_AF_SPEC, *itself, *entries)
    return encode_link.message(kind, 0, indexes.of(vlan.link), settings, family=rt.AF_BRIDGE)


def members_of(index: int) -> bytes:
    """Return the body of a question for the VLANs of the link with *index*; 0 for those of all links."""
    return rt.BR_VLAN_MSG.pack(rt.AF_BRIDGE, index)


def memberships(message: Message, names: Names) -> Iterator[Found]:
    """Read RTM_NEWVLAN or RTM_DELVLAN, which may tell of several VLANs, and of ranges of them."""
    _, index = rt.BR_VLAN_MSG.unpack_from(message.data, message.start)
    name = names(index)
    if name is None:
        return
    for kind, entry in repeated(message.data, message.start + rt.BR_VLAN_MSG.size, message.end):
        found = attributes(entry, 0, len(entry)) if kind == rt.BRIDGE_VLANDB_ENTRY else {}
        if rt.BRIDGE_VLANDB_ENTRY_INFO not in found:
            continue  # settings of a VLAN on the whole bridge, which are nobody's wish
        flags, first = rt.BRIDGE_VLAN_INFO.unpack_from(found[rt.BRIDGE_VLANDB_ENTRY_INFO])
        pvid, untagged = bool(flags & rt.BRIDGE_VLAN_INFO_PVID), bool(flags & rt.BRIDGE_VLAN_INFO_UNTAGGED)
        last = number(found.get(rt.BRIDGE_VLANDB_ENTRY_RANGE, b"")) or first
        for vid in range(first, last + 1):
            yield Found(BridgeVlan(name, vid, pvid, untagged))
