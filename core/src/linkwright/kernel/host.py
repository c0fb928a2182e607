"""Facts about the host that decide something lasting: uplink, named links, routes, boot. Reads only.

Runs in the request thread, except ``boot_id``, which is one small file.
"""

from collections.abc import Iterable, Mapping
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
    """Return the uplink with its addresses, the links of *names* that are there, and *features*."""
    links = reader.links()
    by_name = {row.name: row for row in links.values()}
    uplink = _uplink(netlink, links)
    return HostFacts(
        uplink=None if uplink is None else _fact(uplink, reader, links),
        addresses=() if uplink is None else _addresses(reader, uplink),
        links=tuple(_fact(by_name[name], reader, links) for name in dict.fromkeys(names) if name in by_name),
        features=features,
    )


def _routes(netlink: Rtnetlink) -> list[RouteRow]:
    found = []
    for family in (rt.AF_INET, rt.AF_INET6):
        for message in netlink.dump(rt.RTM_GETROUTE, rt.RTMSG.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)):
            row = decode.route(message)
            if row is not None:
                found.append(row)
    return found


def _uplink(netlink: Rtnetlink, links: Mapping[int, LinkRow]) -> LinkRow | None:
    """The link of the default route: IPv4 before IPv6, the main table before others, then the lowest metric."""
    defaults = [row for row in _routes(netlink) if row.destination.prefixlen == 0 and row.output in links]
    best = min(
        defaults,
        key=lambda row: (row.destination.version, row.table != rt.RT_TABLE_MAIN, row.metric),
        default=None,
    )
    return None if best is None else links[best.output]


def _addresses(reader: Reader, link: LinkRow) -> tuple[Interface, ...]:
    """Its addresses that reach further than the link, IPv4 first."""
    values = [one.interface for one in reader.addresses(lambda _: link.name, link.ifindex)]
    return tuple(sorted((value for value in values if not value.ip.is_link_local), key=lambda value: value.version))


def _fact(row: LinkRow, reader: Reader, links: Mapping[int, LinkRow]) -> LinkFact:
    master = links.get(row.master)
    return LinkFact(
        row.name,
        kind=row.kind,
        mtu=row.mtu,
        mac=str(row.mac or ""),
        up=row.up,
        ours=reader.is_marked(row.mark),
        master=master.name if master is not None and master.kind != "vrf" else "",  # a VRF only routes
    )
