"""Making the host forget what it has learnt of a neighbour, so that it asks anew. Runs in the request thread."""

import errno
import socket

from linkwright.errors import KernelError
from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.netlink import Request, attribute, attributes
from linkwright.kernel.transport import Rtnetlink
from linkwright.model import Address, Announcement, Mac

#: Entered by somebody, not learnt: permanent or without resolution by state, a control plane's by flag
#: (NTF_EXT_LEARNED, linux/neighbour.h).
_STATES, _FLAGS = rt.NUD_PERMANENT | rt.NUD_NOARP, 0x10


def forget_holders(netlink: Rtnetlink, announcement: Announcement) -> int:
    """Forget who else had the addresses on the host's own link to them; how many that were.

    What somebody entered stays, and so does what is right, or is being asked just now. That there is no such link is
    fine. KernelError if the kernel refuses, OSError if it does not answer.
    """
    try:
        index = 0 if announcement.link is None else socket.if_nametoindex(announcement.link)
    except OSError:
        index = 0
    forgotten = 0
    for interface in announcement.addresses if index else ():
        named = _named(index, interface.ip)
        if not _is_of_another(netlink, named, announcement.mac):
            continue
        failure = netlink.execute([Request(rt.RTM_DELNEIGH, 0, named)]).get(0)
        if failure is not None and failure.code != errno.ENOENT:
            said = f"ip neigh del {interface.ip} dev {announcement.link}"
            raise KernelError(failure.code, step=said, extack=failure.text)
        forgotten += failure is None
    return forgotten


def _named(index: int, address: Address) -> bytes:
    return rt.NDMSG.pack(rt.FAMILY[address.version], index, 0, 0, 0) + attribute(rt.NDA_DST, address.packed)


def _is_of_another(netlink: Rtnetlink, named: bytes, mac: Mac) -> bool:
    """Whether an entry was learnt that leads to another than *mac*."""
    message = netlink.get(rt.RTM_GETNEIGH, named)
    if message is None:
        return False
    _, _, state, flags, _ = rt.NDMSG.unpack_from(message.data, message.start)
    holder = attributes(message.data, message.start + rt.NDMSG.size, message.end).get(rt.NDA_LLADDR)
    return not (state & _STATES or flags & _FLAGS) and holder not in {None, mac.octets}
