"""What libnetwork does with a link that Join lends it: into the sandbox, dressed, and back. For whoever plays its part.

Each function acts in the network namespace of the calling thread, on links of anybody: no mark is looked at. Blocking;
KernelError says what the kernel refused. The order is the one of libnetwork's ``osl/interface_linux.go``.
"""

import errno
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_network

from attrs import frozen

from linkwright.errors import KernelError
from linkwright.kernel import encode_link
from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.batch import HostIndexes
from linkwright.kernel.encode import encode
from linkwright.kernel.netlink import Request, attribute, text, u32
from linkwright.kernel.netns import opened
from linkwright.kernel.transport import Rtnetlink
from linkwright.model import Interface, Mac
from linkwright.plan.render import render
from linkwright.plan.resources import Address, Route
from linkwright.plan.steps import Action, Step

#: RTPROT_STATIC (linux/rtnetlink.h): an administrator made it, which is what we are to the kernel here.
_STATIC = 4

_IFLA_NET_NS_FD = 28  # linux/if_link.h


@frozen
class Dress:
    """How the link is to look in the sandbox. ``gateways`` are those of the default routes, by family."""

    name: str
    mac: Mac | None
    addresses: tuple[Interface, ...]
    gateways: tuple[IPv4Address | IPv6Address, ...] = ()


def do(*steps: Step) -> None:
    """Do *steps* as a stranger would: nothing is marked, nothing is undone. KernelError of the first that fails."""
    indexes = HostIndexes()
    for step in steps:
        _execute(encode(step, indexes, _STATIC), render(step))


def move(link: str, namespace: str) -> None:
    """Move *link* into the network namespace at path *namespace*: it arrives down and without addresses."""
    said = f"ip link set {link} netns {namespace}"
    try:
        with opened(namespace) as descriptor:
            _set(link, u32(_IFLA_NET_NS_FD, descriptor), said=said)
    except OSError as error:
        raise KernelError(error.errno or errno.EIO, step=said, extack=error.strerror or "") from error


def put_up(link: str) -> None:
    """Set *link* up."""
    _set(link, up=True, said=f"ip link set {link} up")


def dress(link: str, as_: Dress) -> None:
    """Rename *link*, which has just arrived, and give it all that *as_* says; then it is up and routed."""
    _set(link, text(rt.IFLA_IFNAME, as_.name), said=f"ip link set {link} name {as_.name}", up=False)
    if as_.mac is not None:
        _set(as_.name, attribute(rt.IFLA_ADDRESS, as_.mac.octets), said=f"ip link set {as_.name} address {as_.mac}")
    do(*(Step(Action.CREATE, Address(as_.name, interface)) for interface in as_.addresses))
    put_up(as_.name)
    do(*(Step(Action.CREATE, default_route(as_.name, gateway)) for gateway in as_.gateways))


def undress(link: str, name: str) -> None:
    """Set *link* down, as before it is given back, and call it *name* again."""
    _set(link, text(rt.IFLA_IFNAME, name), said=f"ip link set {link} name {name}", up=False)


def default_route(link: str, gateway: IPv4Address | IPv6Address) -> Route:
    """Return the route over *link* to everything of *gateway*'s family."""
    everything = ip_network("0.0.0.0/0" if gateway.version == 4 else "::/0")  # noqa: PLR2004
    return Route(everything, link, via=gateway)


def _set(link: str, *parts: bytes, said: str, up: bool | None = None) -> None:
    """Change a link; a name can only be changed while it is down, so down is a message of its own."""
    try:
        index = HostIndexes().of(link)
    except LookupError as error:
        raise KernelError(errno.ENODEV, step=said, extack=str(error)) from error
    requests = [encode_link.message(rt.RTM_SETLINK, 0, index, up=up)] if up is not None else []
    requests += [encode_link.message(rt.RTM_SETLINK, 0, index, *parts)] if parts else []
    _execute(requests, said)


def _execute(requests: Sequence[Request], said: str) -> None:
    netlink = Rtnetlink()
    try:
        for failure in netlink.execute(requests).values():
            raise KernelError(failure.code, step=said, extack=failure.text)
    finally:
        netlink.close()
