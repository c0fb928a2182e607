"""A link made anew in a sandbox whose own was deleted: what libnetwork did once, done again when an operator asks.

Each function acts in the network namespace of the calling thread, and blocks; ``LinuxKernel`` sees to the thread. That
of ``hand_over`` and ``take_away`` is the host's, that of the others the sandbox's. What libnetwork does itself is in
``lending``.

Rule: moving a link and dressing it are one job. A macvlan that was moved and no more is known in its sandbox by its
hardware address, so that nobody would miss it; and by its name on the host nobody finds it.
"""

import errno
import socket
from contextlib import suppress
from functools import partial
from itertools import count

from linkwright.errors import KernelError
from linkwright.kernel import encode_link, lending
from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.netns import inside
from linkwright.kernel.snapshot import Reader
from linkwright.kernel.sysctls import Sysctls
from linkwright.kernel.transport import Rtnetlink
from linkwright.model import Address, Handover, Mac
from linkwright.plan.resources import Route, Sysctl
from linkwright.plan.steps import Action, Step


def addresses_here() -> frozenset[Mac | Address]:
    """Return the hardware addresses of all links, and the addresses on them. OSError if they cannot be read."""
    netlink = Rtnetlink()
    try:
        reader = Reader(netlink, "")
        macs = {row.mac for row in reader.links().values() if row.mac is not None}
        return frozenset({*macs, *(one.interface.ip for one in reader.addresses(str))})
    finally:
        netlink.close()


def hand_over(handover: Handover) -> str:
    """Move the link into the sandbox and dress it there; return its name. KernelError; then it is in no sandbox.

    OSError if the sandbox cannot be entered: it has gone since the move, and the link with it.
    """
    lending.move(handover.link, handover.sandbox)
    return inside(handover.sandbox, partial(_dress, handover))


def take_away(handover: Handover, name: str) -> None:
    """Remove the link that was handed over, and is called *name* in the sandbox; fine if either has gone."""
    with suppress(OSError):
        inside(handover.sandbox, lambda: _remove(socket.if_nametoindex(name)))


def _dress(handover: Handover) -> str:
    try:
        index = socket.if_nametoindex(handover.link)
    except OSError as error:
        raise KernelError(error.errno or errno.EIO, step=f"find link {handover.link} in the sandbox") from error
    try:
        return _dressed(handover)
    except BaseException:
        _remove(index)
        raise


def _dressed(handover: Handover) -> str:
    name = handover.name or _free_name(handover.prefix)
    if any(interface.version == 6 for interface in handover.addresses):  # noqa: PLR2004
        # An engine switches IPv6 off in a sandbox, and on again for each link that has an address of it (moby, osl).
        setting = Sysctl(f"net/ipv6/conf/{handover.link}/disable_ipv6", "0")
        Sysctls().do(Step(Action.CHANGE, setting))
    lending.dress(handover.link, lending.Dress(name, handover.mac, handover.addresses))
    for destination, via in handover.routes:
        _route(Route(destination, name, via=via))
    for gateway in handover.gateways:
        _route(lending.default_route(name, gateway))
    return name


def _free_name(prefix: str) -> str:
    taken = {name for _, name in socket.if_nameindex()}
    return next(name for number in count() if (name := f"{prefix}{number}") not in taken)


def _route(route: Route) -> None:
    """Add *route*; another link's that leads there already stays."""
    try:
        lending.do(Step(Action.CREATE, route))
    except KernelError as error:
        if error.code != errno.EEXIST:
            raise


def _remove(index: int) -> None:
    with suppress(OSError):
        netlink = Rtnetlink()
        try:
            netlink.execute([encode_link.message(rt.RTM_DELLINK, 0, index)])
        finally:
            netlink.close()
