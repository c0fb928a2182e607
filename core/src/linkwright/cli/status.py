"""``linkwright status``: how the daemon stands, on one page."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import click

from linkwright.cli.blocks import Block, Facts, Lines, Table, Title
from linkwright.cli.reaching import Daemon, at_daemon
from linkwright.cli.showing import as_json, one_line, short, show


@click.command()
@at_daemon
@as_json
def status(daemon: Daemon, *, as_json: bool) -> None:
    """Show how the daemon stands: checks, counts, what is frozen or unconfirmed, what was repaired lately."""
    document = daemon.get("status")
    show(document, lambda: list(_page(document)), as_json=as_json)


def _page(document: Mapping[str, Any]) -> Iterator[Block]:
    yield _summary(document)
    for title, table in (
        ("Not well", _ill(document)),
        ("Drivers that were left out", _left_out(document)),
        ("Networks left as they are, since what they need is not known", _frozen(document)),
        ("Networks that Docker may have forgotten", _unconfirmed(document)),
        ("Lately", _recent(document)),
    ):
        if table.rows:
            yield Title(title)
            yield table
    if document["store"]["recovery"]:
        yield Title("The state was damaged and has been rebuilt at this start")
        yield Lines([document["store"]["recovery"]["text"]])


def _summary(document: Mapping[str, Any]) -> Facts:
    networks, endpoints, pools = document["networks"], document["endpoints"], document["pools"]
    drivers, witness, ports = document["drivers"], document["witness"], document["ports"]
    return Facts(
        [
            ("version", document["version"]),
            ("instance", document["instance"]),
            ("state", "ready" if document["ready"] else "not ready"),
            ("started", f"{document['started']}, {_duration(document['uptime_seconds'])} ago"),
            ("networks", _counted(networks["total"], networks["by_driver"])),
            ("endpoints", _counted(endpoints["total"], endpoints["by_state"])),
            ("ports", f"{ports['published']} published" + (f", {ports['lost']} lost" if ports["lost"] else "")),
            ("pools", f"{pools['total']}, {pools['allocated']} addresses held, {pools['quarantined']} in quarantine"),
            ("drivers", [f"{one} (suspended)" if one in drivers["suspended"] else one for one in drivers["loaded"]]),
            ("forwarding", _forwarding(document["forwarding"])),
            ("docker witness", (witness["error"] or "asked") if witness["asked"] else "off"),
            ("last look", document["reconcile"]["last_look"]),
        ]
    )


def _counted(total: int, parts: Mapping[str, int]) -> str:
    named = ", ".join(f"{count} {name}" for name, count in parts.items() if count)
    return f"{total} ({named})" if named else str(total)


_SWITCH: Final = {True: "on", False: "off", None: "unknown"}


def _forwarding(forwarding: Mapping[str, Any]) -> str:
    managed = ", managed" if forwarding["managed"] else ""
    return f"IPv4 {_SWITCH[forwarding['ipv4']]}, IPv6 {_SWITCH[forwarding['ipv6']]}{managed}"


def _duration(seconds: int) -> str:
    """As the two largest units that it has."""
    parts = []
    for name, size in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"


def _ill(document: Mapping[str, Any]) -> Table:
    rows = [(name, check["reason"]) for name, check in document["checks"].items() if not check["ok"]]
    if document["firewall"]["rule_error"]:
        rows.append(("docker-user", document["firewall"]["rule_error"]))
    if document["firewall"]["zone_error"]:
        rows.append(("firewalld", document["firewall"]["zone_error"]))
    if document["store"]["last_failure"]:
        rows.append(("last write", document["store"]["last_failure"]))
    return Table(("check", "why"), rows)


def _left_out(document: Mapping[str, Any]) -> Table:
    return Table(("why",), [(text,) for text in document["drivers"]["left_out"]])


def _frozen(document: Mapping[str, Any]) -> Table:
    rows = [(short(one["network"]), one["driver"], one["reason"]) for one in document["frozen"]]
    return Table(("network", "driver", "why"), rows)


def _unconfirmed(document: Mapping[str, Any]) -> Table:
    rows = [(short(one["network"]), one["reason"]) for one in document["unconfirmed"]]
    return Table(("network", "why"), rows)


def _recent(document: Mapping[str, Any]) -> Table:
    rows = [(one["last"], one["times"], _what(one), _text(one["details"])) for one in document["recent"]]
    return Table(("last", "times", "what", "details"), rows)


def _what(memory: Mapping[str, Any]) -> str:
    if memory["what"] != "drift":
        return {"collected": "collected", "driveroverrun": "driver too slow"}[memory["what"]]
    return "repaired" if memory["details"]["repaired"] else "not repaired"


def _text(details: Mapping[str, Any]) -> str:
    if "text" in details:
        return f"{details['kind']}: {one_line(details['text'])}"
    return f"{details['what']} {short(details['id'])}: {details['reason']}" if "what" in details else details["driver"]
