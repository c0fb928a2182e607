"""The host's nameservers, as what automatic pools keep clear of: a pool around one would cut the host off from it.

Docker's own IPAM does the same (moby daemon/libnetwork/netutils, InferReservedNetworks).
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final

import trio

from linkwright.model import Prefix

#: resolv.conf(5), and where systemd-resolved keeps the real ones when the first names only its stub on 127.0.0.53.
FILES: Final = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))

#: Reads the nameservers as prefixes of one address each.
Nameservers = Callable[[], Awaitable[tuple[Prefix, ...]]]


async def nameservers(files: Sequence[Path] = FILES) -> tuple[Prefix, ...]:
    """Read those of the first of *files* that names any beyond this host; none where no file does."""
    for file in files:
        try:
            text = await trio.Path(file).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if found := tuple(parsed(text)):
            return found
    return ()


def parsed(text: str) -> Iterator[Prefix]:
    """Yield the nameservers of a resolv.conf, but for those on this host itself."""
    for line in text.splitlines():
        keyword, *values = line.split() or [""]
        if keyword != "nameserver" or not values:
            continue
        try:
            address = ip_address(values[0].partition("%")[0])  # fe80::1%eth0: the link is no part of the address
        except ValueError:
            continue
        if not address.is_loopback and not address.is_unspecified:
            yield ip_network(address)
