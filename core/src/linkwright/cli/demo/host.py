"""The pretend host: an uplink with a router behind it, and sandboxes as Docker makes them. All inside our namespaces.

::

    192.0.2.1 lan0 [router] ══ uplink0 192.0.2.2 [host]      TEST-NET-1 (RFC 5737): nobody's addresses

A sandbox is a network namespace bound to a file, so that it stays without a process.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path
from typing import Final

from attrs import frozen

from linkwright.cli.demo import syscalls
from linkwright.kernel import host, lending
from linkwright.kernel.decode import LinkRow
from linkwright.kernel.features import probe
from linkwright.kernel.netns import inside
from linkwright.kernel.snapshot import Reader
from linkwright.kernel.transport import Rtnetlink
from linkwright.model import Mac, Prefix
from linkwright.plan.resources import Address, Link, Route, Veth
from linkwright.plan.steps import Action, Step

UPLINK: Final = "uplink0"
HOST: Final = IPv4Interface("192.0.2.2/24")
ROUTER: Final = IPv4Interface("192.0.2.1/24")

#: Of a host that does not forward: whether a new namespace begins so depends on what the machine does.
_FORWARDING: Final = Path("/proc/sys/net/ipv4/ip_forward")

#: The namespace of the process itself, from whatever thread: not ``thread-self``.
HERE: Final = "/proc/self/ns/net"


def make_sandbox(path: Path) -> None:
    """Make a network namespace and bind it to *path*, its loopback up. OSError if we may not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()

    def born() -> None:
        syscalls.unshare(syscalls.NEW_NETWORK)
        syscalls.mount("/proc/thread-self/ns/net", path, flags=syscalls.BIND)
        lending.put_up("lo")

    with ThreadPoolExecutor(1) as pool:
        pool.submit(born).result()


def remove_sandbox(path: Path) -> None:
    """Let the sandbox at *path* go; whatever is still in it goes too."""
    syscalls.unmount(path)
    path.unlink()


def furnish(router: Path) -> None:
    """Make the host's uplink, and the router as a sandbox at *router*."""
    _FORWARDING.write_text("0")
    lending.put_up("lo")
    make_sandbox(router)
    pair = Link(UPLINK, Veth("lan0", peer_mac=Mac.derive("demo", "router")), mac=Mac.derive("demo", "host"))
    lending.do(Step(Action.CREATE, pair))
    lending.move("lan0", str(router))
    inside(str(router), lambda: lending.dress("lan0", lending.Dress("lan0", None, (ROUTER,))))
    default = Route(IPv4Network("0.0.0.0/0"), UPLINK, via=ROUTER.ip)
    lending.do(Step(Action.CREATE, Address(UPLINK, HOST)), Step(Action.CREATE, default))


def features() -> frozenset[str]:
    """What this kernel can do, by the names of ``kernel.features``."""
    with _netlink() as netlink:
        return probe(netlink)


def links() -> dict[str, LinkRow]:
    """All links of the calling thread's namespace, by name."""
    with _netlink() as netlink:
        return {row.name: row for row in Reader(netlink, "default").links().values()}


def identities() -> frozenset[tuple[object, ...]]:
    """What makes each link the one it is, and how it is set up: equal as long as nobody has touched any."""
    return frozenset(
        (row.ifindex, row.name, row.kind, row.mtu, row.mac, row.master, row.up) for row in links().values()
    )


def delete_link(name: str) -> None:
    """Delete a link by hand, as somebody who does not know whose it is."""
    lending.do(Step(Action.DELETE, Link(name)))


@frozen
class Look:
    """All there is on the host that a daemon could leave behind, apart from its firewall table."""

    links: frozenset[str]
    routes: frozenset[Prefix]


def look() -> Look:
    """Look at the host."""
    with _netlink() as netlink:
        rows = Reader(netlink, "default").links().values()
        # The kernel makes the uplink's link-local route by itself, a little after the uplink is up.
        routes = (route for route in host.routes(netlink) if not route.is_link_local)
        return Look(frozenset(row.name for row in rows), frozenset(routes))


@contextmanager
def _netlink() -> Iterator[Rtnetlink]:
    with closing(Rtnetlink()) as netlink:
        yield netlink
