"""What a link in a sandbox has of its parent and the kernel does not hand on. In the calling thread's namespace."""

from collections.abc import Collection

from linkwright.kernel import encode_link
from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.netlink import u32
from linkwright.kernel.snapshot import Reader
from linkwright.kernel.transport import Rtnetlink
from linkwright.model import Address, Mac

#: Links that the kernel lowers with their parent and does not raise again (macvlan_device_event, ipvlan_device_event).
_CHILDREN = {"macvlan", "ipvlan"}


def raise_mtu_here(known_by: Collection[Mac | Address], was: int, mtu: int) -> bool:
    """Give the child with one of *known_by* the MTU *mtu* if it has *was*; False if there is none such. OSError."""
    netlink = Rtnetlink()
    try:
        reader = Reader(netlink, "")
        rows = reader.links()
        names = {index: row.name for index, row in rows.items()}
        named = {one.link for one in reader.addresses(names.get) if one.interface.ip in known_by}
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
