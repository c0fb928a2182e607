"""The judge of leaks: everything in a host that linkwright could leave behind, before and after, and the difference.

What is not compared, because it differs by itself and is nobody's leak:

===========  ======================================================================================================
links        state, carrier, counters, ifindex
addresses    the link-local ones (fe80::/10): the kernel makes one whenever a link first comes up, docker0's too
routes       those of protocol "kernel": they follow the addresses, which are compared
neighbours   all that were learnt: only permanent and proxy entries are anybody's doing
fdb          what was learnt, and multicast groups that the kernel joins when a link comes up
nftables     handles, counters, the order of set elements; chains of iptables' tables that hold nothing and drop
             nothing, and such tables: iptables makes them when somebody looks
descriptors  which number and inode; the ends of connections that clients keep open to the daemon's sockets; one more
             of the state file, which SQLite keeps
===========  ======================================================================================================

Connection tracking is not looked at: its entries die by time.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.docker.daemon import Daemon
from tests.docker.until import DEADLINE, until
from tests.engines import Host, Trouble

Snapshot = Mapping[str, Counter[str]]
"""Kind → each thing of that kind, written as one line."""

_IPTABLES = frozenset({"filter", "nat", "mangle", "raw", "security"})
_DATABASE = "/linkwright.db"
_ESTABLISHED = "03"  # state in /proc/net/unix: SS_CONNECTED


def snapshot(host: Host, daemon: Daemon | None = None) -> Snapshot:
    """What is in *host* now, and what *daemon* has open and knows, where it runs."""
    said = host.run(["sh", "-ec", "; echo; echo ---; ".join(command for command, _ in _KERNEL.values())]).stdout
    texts = dict(zip(_KERNEL, said.split("\n---\n"), strict=True))
    seen = {kind: Counter(lines(_decoded(texts[kind]))) for kind, (_, lines) in _KERNEL.items()}
    if daemon is not None and daemon.running():
        seen["descriptor"] = Counter(_descriptors(daemon))
        seen["stored"] = Counter(daemon.export().splitlines())
    return seen


def difference(before: Snapshot, after: Snapshot) -> list[str]:
    """What is there *after* and was not *before* (+), and the other way round (-). Empty: nothing has leaked."""
    return [
        f"{sign} {kind}: {line}"
        for kind in {**before, **after}
        for sign, more, less in (("+", after, before), ("-", before, after))
        if (kind, sign) != ("descriptor", "-")  # closed since: a helper was just running when *before* was taken
        for line in sorted((more.get(kind, Counter()) - _may_be(kind, less.get(kind, Counter()))).elements())
    ]


def _may_be(kind: str, before: Counter[str]) -> Counter[str]:
    """What may be there after what was there *before*.

    SQLite keeps a closed descriptor of a file that it has locked, for its next connection (findReusableFd in
    os_unix.c): after the first copy there is one more, and never two.
    """
    return before + Counter(one for one in before if kind == "descriptor" and one.endswith(_DATABASE))


def nothing_leaked(before: Snapshot, look: Callable[[], Snapshot], *, deadline: float = DEADLINE) -> None:
    """Wait until *look* gives what was there *before*; Trouble lists the rest.

    Deletions are finished in the background, ours and also the engine's and the kernel's.
    """
    latest: list[str] = []

    def clean() -> bool:
        latest[:] = difference(before, look())
        return not latest

    try:
        until(clean, "nothing is left behind", deadline=deadline)
    except Trouble as trouble:
        raise Trouble("left behind:\n" + "\n".join(latest)) from trouble


def _decoded(text: str) -> list[dict[str, Any]]:
    """iproute2 prints a list, or nothing at all for an empty one; nft an object around its list."""
    answer = json.loads(text.strip() or "[]")
    return answer["nftables"] if isinstance(answer, dict) else [one for one in answer if one]


def _line(values: Mapping[str, Any], names: Iterable[str]) -> str:
    return " ".join(f"{name}={values[name]}" for name in names if values.get(name) not in (None, "", []))


def _links(found: list[dict[str, Any]]) -> Iterator[str]:
    for link in found:
        kind = link.get("linkinfo", {}).get("info_kind", "")
        yield f"{kind} {_line(link, ('ifname', 'address', 'mtu', 'master', 'ifalias', 'group'))}".strip()


def _addresses(found: list[dict[str, Any]]) -> Iterator[str]:
    for link in found:
        for address in link.get("addr_info", ()):
            if "local" in address and not address["local"].lower().startswith("fe80:"):
                yield f"{link['ifname']} {address['local']}/{address['prefixlen']} {_line(address, ('protocol',))}"


def _routes(found: list[dict[str, Any]]) -> Iterator[str]:
    for route in found:
        if route.get("protocol") != "kernel":
            yield _line(route, ("type", "dst", "gateway", "dev", "table", "protocol", "metric"))


def _neighbours(found: list[dict[str, Any]]) -> Iterator[str]:
    for neighbour in found:
        yield _line(neighbour, ("dst", "dev", "lladdr", "proxy", "protocol", "state"))


def _forwarding(found: list[dict[str, Any]]) -> Iterator[str]:
    for entry in found:
        is_multicast = int(entry.get("mac", "01")[:2], 16) & 1
        if not is_multicast and (entry.get("state") in {"permanent", "static"} or "extern_learn" in entry["flags"]):
            yield _line(entry, ("mac", "ifname", "dst", "vni", "vlan", "master", "flags", "state"))


def _ruleset(found: list[dict[str, Any]]) -> Iterator[str]:
    used = {(rule["family"], rule["table"], rule["chain"]) for one in found if (rule := one.get("rule"))}
    for thing in found:
        kind, described = next(iter(thing.items()))
        of_iptables = described.get("table" if kind == "chain" else "name") in _IPTABLES
        looked_at = kind == "chain" and described.get("policy") == "accept" and of_iptables
        if looked_at and (described["family"], described["table"], described["name"]) not in used:
            continue
        if kind != "metainfo" and not (kind == "table" and of_iptables):
            yield json.dumps(_lasting(thing), sort_keys=True)


def _lasting(value: Any) -> Any:
    """*value* without what the kernel counts or numbers by itself, and with sets in one order."""
    if isinstance(value, list):
        return [_lasting(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {key: _lasting(one) for key, one in value.items() if key not in {"handle", "packets", "bytes"}}
    if isinstance(kept.get("elem"), list):
        kept["elem"] = sorted(kept["elem"], key=json.dumps)
    return kept


_KERNEL: Mapping[str, tuple[str, Callable[[list[dict[str, Any]]], Iterator[str]]]] = {
    "link": ("ip -j -d link", _links),
    "address": ("ip -j address", _addresses),
    "route": ("ip -j -4 route show table all", _routes),
    "route6": ("ip -j -6 route show table all", _routes),
    "rule": ("ip -j rule", lambda found: (json.dumps(one, sort_keys=True) for one in found)),
    "neighbour": ("ip -j neigh show nud permanent", _neighbours),
    "proxy": ("ip -j neigh show proxy", _neighbours),
    "fdb": ("bridge -j fdb show", _forwarding),
    "nftables": ("nft -j list ruleset", _ruleset),
}


def _descriptors(daemon: Daemon) -> Iterator[str]:
    targets = []
    for descriptor in Path(f"/proc/{daemon.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed while we looked
            targets.append(str(descriptor.readlink()))
    clients = _connections(daemon)  # asked afterwards, so that it has all of them
    return (re.sub(r"\[\d+]", "", target) for target in targets if target not in clients)


def _connections(daemon: Daemon) -> set[str]:
    """The daemon's ends of its clients' connections: connected sockets that have one of its sockets' paths.

    Such a socket is listed in the network namespace of the client that it was made for: dockerd's, or the tests'.
    """
    tables = [Path(f"/proc/{place}/net/unix").read_text().splitlines()[1:] for place in (daemon.pid, "self")]
    rows = [line.split() for table in tables for line in table]
    return {f"socket:[{row[6]}]" for row in rows if row[5] == _ESTABLISHED and len(row) > 7}
