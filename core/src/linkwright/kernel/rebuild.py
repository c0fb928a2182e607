"""A link made anew in a sandbox whose own was deleted: what libnetwork did once, done again when an operator asks.

Each function acts in the network namespace of the calling thread, the sandbox's, and blocks; ``LinuxKernel`` sees to
the thread. What libnetwork does itself is in ``lending``.
"""

import errno
import socket
from contextlib import suppress
from itertools import count

from linkwright.errors import KernelError
from linkwright.kernel import encode_link, lending
from linkwright.kernel import rtnetlink as rt
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


def dress(handover: Handover) -> str:
    """Dress the link that has just arrived, and return its name. KernelError; then the link is gone."""
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
