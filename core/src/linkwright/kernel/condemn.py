"""Putting a link out of everybody's way at once, to be deleted a little later (``doom``); and taking that back.

Deleting a link takes 15 ms of waiting for RCU, a hundred at once 46 ms (measured). A condemned link is down, without
master, and renamed to a random ``lwx…``: its name is free for the next, and nothing is in the tables of the host.
"""

import errno
import re
import secrets
from collections.abc import Sequence

from attrs import frozen

from linkwright.errors import KernelError
from linkwright.kernel import encode_link
from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.decode import LinkRow
from linkwright.kernel.encode import encode
from linkwright.kernel.encode_link import Indexes
from linkwright.kernel.netlink import Request, text, u32
from linkwright.kernel.transport import Rtnetlink
from linkwright.plan.resources import Key, Link, Resource
from linkwright.plan.steps import Action, Step

#: 48 random bits: nobody else's name, and not guessed either.
_DOOMED = re.compile(r"lwx[0-9a-f]{12}")


def is_doomed(name: str) -> bool:
    """Whether *name* is a condemned link's."""
    return _DOOMED.fullmatch(name) is not None


def doomed_name() -> str:
    """Return a name for a link to be condemned."""
    return f"lwx{secrets.token_hex(6)}"


@frozen
class Condemned:
    """A link on its way out, and all that it takes to have it back."""

    name: str  # its name now
    row: LinkRow  # as it was
    link: Link  # the same, as a value
    peer: LinkRow | None = None  # a veth's other end, if it is in this namespace

    @property
    def exclusive(self) -> Key | None:
        """What it still holds until it is really gone."""
        return self.link.exclusive


def condemn(netlink: Rtnetlink, row: LinkRow, link: Link, peer: LinkRow | None) -> Condemned | None:
    """Condemn the link that *row* shows; None if it has gone meanwhile. OSError if the kernel will not."""
    condemned = Condemned(doomed_name(), row, link, peer)
    requests = _put_away(row, condemned.name)
    if peer is not None:  # its name is wanted again as soon as the pair is
        requests += _put_away(peer, doomed_name())
    failures = netlink.execute(requests)
    failed = failures.get(0) or failures.get(1)  # of the peer it does not matter: it may be on its way to a sandbox
    if failed is None:
        return condemned
    if failed.code == errno.ENODEV:
        return None
    netlink.execute(_back(condemned))
    raise OSError(failed.code, failed.text)


def _put_away(row: LinkRow, name: str) -> list[Request]:
    master = [u32(rt.IFLA_MASTER, 0)] if row.master else []
    return [
        # First down: before Linux 6.2 an interface that is up could not be renamed.
        encode_link.message(rt.RTM_SETLINK, 0, row.ifindex, *master, up=False),
        encode_link.message(rt.RTM_SETLINK, 0, row.ifindex, text(rt.IFLA_IFNAME, name)),
    ]


def _bring_back(row: LinkRow) -> list[Request]:
    master = [u32(rt.IFLA_MASTER, row.master)] if row.master else []
    return [
        encode_link.message(rt.RTM_SETLINK, 0, row.ifindex, text(rt.IFLA_IFNAME, row.name)),
        encode_link.message(rt.RTM_SETLINK, 0, row.ifindex, *master, up=row.up),
        *encode_link.port(row.port, None, row.ifindex),
    ]


def _back(condemned: Condemned) -> list[Request]:
    ends = [condemned.row] if condemned.peer is None else [condemned.row, condemned.peer]
    return [request for end in ends for request in _bring_back(end)]


def rescue(netlink: Rtnetlink, condemned: Condemned) -> None:
    """Make a condemned link as it was; what lay on it is for ``put_back``. KernelError if it cannot be."""
    failures = netlink.execute(_back(condemned))
    if failures:
        first = failures[min(failures)]
        raise KernelError(first.code, step=f"ip link set {condemned.name} name {condemned.row.name}", extack=first.text)


def put_back(netlink: Rtnetlink, lying: Sequence[tuple[Resource, int]], indexes: Indexes) -> None:
    """Make again what lay on links that were down, or gone, each by its protocol; what has stayed is fine.

    To be done when all links are as they were: a port that comes to a bridge may change the bridge's hardware address,
    and with that the kernel forgets even its permanent neighbours (neigh_changeaddr).
    """
    requests: list[Request] = []
    for resource, protocol in lying:
        requests += encode(Step(Action.CREATE, resource), indexes, protocol)  # one message each
    failures = {at: failed for at, failed in netlink.execute(requests).items() if failed.code != errno.EEXIST}
    if failures:
        at = min(failures)
        raise KernelError(failures[at].code, step=f"put back {lying[at][0]}", extack=failures[at].text)
