"""``linkwright pool ls`` and ``linkwright pool show``."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from linkwright.cli.blocks import Block, Facts, Table, Title
from linkwright.cli.reaching import Daemon, at_daemon
from linkwright.cli.showing import as_json, short, show


@click.group()
def pool() -> None:
    """List and show address pools and the leases in them."""


@pool.command("ls")
@at_daemon
@as_json
def ls(daemon: Daemon, *, as_json: bool) -> None:
    """List all pools and how full they are."""
    document = daemon.get("pools")
    show(document, lambda: [_table(document)], as_json=as_json)


@pool.command("show")
@click.argument("pool")
@at_daemon
@as_json
def show_(daemon: Daemon, *, pool: str, as_json: bool) -> None:
    """Show one pool: how full it is, and who holds which address since when.

    POOL is its PoolID, the beginning of it, or its subnet.
    """
    document = daemon.get("pools", pool)
    show(document, lambda: list(_page(document)), as_json=as_json)


def _table(document: list[Mapping[str, Any]]) -> Table:
    return Table(
        ("pool", "capacity", "allocated", "reserved", "quarantined", "free", "confirmed"),
        [
            (
                one["id"],
                one["capacity"],
                one["allocated"],
                one["reserved"],
                one["quarantined"],
                one["free"],
                _confirmed(one),
            )
            for one in document
        ],
        nothing="no pools",
    )


def _confirmed(one: Mapping[str, Any]) -> str:
    """Whether Docker has named the pool, and all that is held in it, since it started."""
    if not one["confirmed"]:
        return "no"
    return f"but {one['unconfirmed_leases']} leases" if one["unconfirmed_leases"] else "yes"


def _page(document: Mapping[str, Any]) -> Iterator[Block]:
    yield Facts(
        [
            ("pool", document["id"]),
            ("subnet", document["subnet"]),
            ("range", document["range"]),
            ("capacity", document["capacity"]),
            ("allocated", document["allocated"]),
            ("reserved", document["reserved"]),
            ("quarantined", document["quarantined"]),
            ("free", document["free"]),
            ("chosen by", "linkwright" if document["automatic"] else "--subnet"),
            ("asked for through", document["listener"]),
            ("references", document["references"]),
            ("confirmed", _confirmed(document)),
            ("options", document["options"]),
            ("created", document["created"]),
        ]
    )
    yield Title("Leases")
    yield Table(
        ("address", "kind", "state", "owner", "endpoint", "mac", "since", "confirmed"),
        [
            (
                one["address"],
                one["kind"],
                one["state"],
                one["owner"],
                short(one["endpoint"] or ""),
                one["mac"],
                one["since"],
                one["confirmed"],
            )
            for one in document["leases"]
        ],
        nothing="no leases",
    )
