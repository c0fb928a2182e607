"""``linkwright network ls`` and ``linkwright network show``."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from linkwright.cli.blocks import Block, Facts, Lines, Table, Title
from linkwright.cli.endpoint import table_of_endpoints
from linkwright.cli.reaching import Daemon, at_daemon
from linkwright.cli.showing import as_json, short, show


@click.group()
def network() -> None:
    """List and show networks."""


@network.command("ls")
@at_daemon
@as_json
def ls(daemon: Daemon, *, as_json: bool) -> None:
    """List all networks, the oldest first."""
    document = daemon.get("networks")
    show(document, lambda: [_table(document)], as_json=as_json)


@network.command("show")
@click.argument("network")
@at_daemon
@as_json
def show_(daemon: Daemon, *, network: str, as_json: bool) -> None:
    """Show one network: options, subnets, what was known of the host, endpoints, and what it wishes for.

    NETWORK is the beginning of its id, as `docker network ls` shows it.
    """
    document = daemon.get("networks", network)
    show(document, lambda: list(_page(document)), as_json=as_json)


def _table(document: list[Mapping[str, Any]]) -> Table:
    return Table(
        ("network", "driver", "subnets", "endpoints", "created", "state"),
        [
            (short(one["id"]), one["driver"], one["subnets"], one["endpoints"], one["created"], _state(one))
            for one in document
        ],
        nothing="no networks; make one with `docker network create -d lw-bridge --ipam-driver lw-ipam NAME`",
    )


def _state(one: Mapping[str, Any]) -> str:
    if one["frozen"]:
        return "frozen"
    return "unconfirmed" if one["unconfirmed"] else "ok"


def _page(document: Mapping[str, Any]) -> Iterator[Block]:
    uplink = document["host"]["uplink"]
    yield Facts(
        [
            ("network", document["id"]),
            ("driver", document["driver"]),
            ("state", _state(document)),
            *((name, document[name]) for name in ("frozen", "unconfirmed") if document[name]),
            ("internal", document["internal"]),
            ("created", document["created"]),
            ("options", document["options"]),
            ("claims", document["claims"]),
            ("uplink when made", f"{uplink['name']}, MTU {uplink['mtu']}" if uplink else None),
        ]
    )
    yield Title("Subnets")
    yield Table(
        ("subnet", "gateway", "auxiliary", "space"),
        [(one["pool"], one["gateway"], one["auxiliary"], one["space"]) for one in document["subnets"]],
    )
    yield Title("Endpoints")
    yield table_of_endpoints(document["endpoints"])
    yield Title("What it wishes for")
    yield Lines(document["wishes"] or ["nothing"])
