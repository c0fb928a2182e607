"""Facts about the host that decide something lasting: uplink, named links, routes, boot. Reads only.

Runs in the request thread, except ``boot_id``, which is one small file.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from linkwright.kernel import decode
from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.decode import LinkRow, RouteRow
from linkwright.kernel.snapshot import Reader
from linkwright.kernel.transport import Rtnetlink
from linkwright.model import HostFacts, Interface, LinkFact, Prefix

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Return the kernel's boot id (Documentation/admin-guide/sysctl/kernel.rst, random/boot_id)."""
    return _BOOT_ID.read_text().strip()


def routes(netlink: Rtnetlink) -> tuple[Prefix, ...]:
    """Return the destinations of all unicast routes, of every table but the local one; default routes too."""
    return tuple(dict.fromkeys(row.destination for row in _routes(netlink)))


def facts(netlink: Rtnetlink, reader: Reader, names: Iterable[str], features: frozenset[str]) -> HostFacts:
    """Return the uplink with its addresses, the links of *names* that are there, and *features*.

    Links are asked for one by one: a host has as many as it has networks and containers, and each network asks.
    """
    uplink = _uplink(netlink, reader)
    found = (reader.link(name) for name in dict.fromkeys(names))
    return HostFacts(
        uplink=None if uplink is None else _fact(uplink, reader),
        addresses=() if uplink is None else _addresses(reader, uplink),
        links=tuple(_fact(row, reader) for row in found if row is not None),
        features=features,
    )


def _routes(netlink: Rtnetlink, *, longest: int = 128) -> Iterator[RouteRow]:
    """Yield the unicast routes whose prefix is no longer than *longest*; the others cost next to nothing."""
    for family in (rt.AF_INET, rt.AF_INET6):
        # The kernel leaves out local and broadcast routes (ip_valid_fib_dump_req): three of four beside many bridges.
        for message in netlink.dump(rt.RTM_GETROUTE, rt.RTMSG.pack(family, 0, 0, 0, 0, 0, 0, rt.RTN_UNICAST, 0)):
            if rt.RTMSG.unpack_from(message.data, message.start)[1] <= longest:
                row = decode.route(message)
                if row is not None:
                    yield row


def _uplink(netlink: Rtnetlink, reader: Reader) -> LinkRow | None:
    """The link of the default route: IPv4 before IPv6, the main table before others, then the lowest metric."""
    defaults = sorted(
        _routes(netlink, longest=0),
        key=lambda row: (row.destination.version, row.table != rt.RT_TABLE_MAIN, row.metric),
    )
    links = (reader.link_at(row.output) for row in defaults if row.output)
    return next((link for link in links if link is not None), None)


def _addresses(reader: Reader, link: LinkRow) -> tuple[Interface, ...]:
    """Its addresses that reach further than the link, IPv4 first."""
    values = [one.interface for one in reader.addresses(lambda _: link.name, link.ifindex)]
    return tuple(sorted((value for value in values if not value.ip.is_link_local), key=lambda value: value.version))


def _fact(row: LinkRow, reader: Reader) -> LinkFact:
    master = reader.link_at(row.master) if row.master else None
    return LinkFact(
        row.name,
        kind=row.kind,
        mtu=row.mtu,
        mac=str(row.mac or ""),
        up=row.up,
        ours=reader.is_marked(row.mark),
        master=master.name if master is not None and master.kind != "vrf" else "",  # a VRF only routes
    )
