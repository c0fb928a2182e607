"""What a link in a sandbox has of its parent and the kernel does not hand on. In the calling thread's namespace."""

from collections.abc import Collection

from linkwright.kernel import decode, encode_link
from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.netlink import u32
from linkwright.kernel.snapshot import Reader
from linkwright.kernel.transport import Rtnetlink
from linkwright.model import Address, Mac
from linkwright.plan import resources

#: Links that the kernel lowers with their parent and does not raise again (macvlan_device_event, ipvlan_device_event).
_CHILDREN = {"macvlan", "ipvlan"}


def raise_mtu_here(known_by: Collection[Mac | Address], was: int, mtu: int) -> bool:
    """Give the child with one of *known_by* the MTU *mtu* if it has *was*; False if there is none such. OSError."""
    netlink = Rtnetlink()
    try:
        dump = netlink.dump(rt.RTM_GETADDR, rt.IFADDR.pack(rt.AF_UNSPEC, 0, 0, 0, 0))
        rows = Reader(netlink, "").links()
        found = (decode.address(message, lambda index: rows[index].name if index in rows else None) for message in dump)
        values = [one.resource for one in found if one is not None]
        named = {one.link for one in values if isinstance(one, resources.Address) and one.interface.ip in known_by}
        indexes = [
            row.ifindex
            for row in rows.values()
            if row.kind in _CHILDREN and row.mtu == was and (row.mac in known_by or row.name in named)
        ]
        failures = netlink.execute(
            [encode_link.message(rt.RTM_NEWLINK, 0, index, u32(rt.IFLA_MTU, mtu)) for index in indexes]
        )
    finally:
        netlink.close()
    for failure in failures.values():
        raise OSError(failure.code, failure.text)
    return bool(indexes)
