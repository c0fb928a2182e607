"""``linkwright repair``: what the daemon does by its timer, now, and a report of it."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from linkwright.cli.blocks import Block, Lines, Table, Title
from linkwright.cli.reaching import Daemon, at_daemon
from linkwright.cli.showing import as_json, one_line, short, show


@click.command()
@at_daemon
@as_json
@click.pass_context
def repair(context: click.Context, daemon: Daemon, *, as_json: bool) -> None:
    """Put right now what differs, and collect what is dead; `linkwright plan` shows it beforehand.

    A running container that has lost its link is given a new one, which the daemon never does unasked.

    The exit status is 1 where something could not be repaired.
    """
    document = daemon.post("repair")
    show(document, lambda: list(_page(document)), as_json=as_json)
    if document["failed"] or document["reported"]:
        context.exit(1)


def _page(document: Mapping[str, Any]) -> Iterator[Block]:
    if not any(document.values()):
        yield Lines(["nothing to do: the host is as it should be"])
        return
    for title, table in (
        ("Repaired", _drifts(document["repaired"])),
        ("Collected", _collected(document)),
        ("Could not be repaired", _drifts(document["failed"])),
        ("Not repaired by itself", Table(("what",), [(text,) for text in document["reported"]])),
        ("Left as it is, since what it needs is not known", _frozen(document)),
    ):
        if table.rows:
            yield Title(title)
            yield table


def _drifts(drifts: list[Mapping[str, Any]]) -> Table:
    return Table(
        ("network", "kind", "what"), [(short(one["network"]), one["kind"], one_line(one["text"])) for one in drifts]
    )


def _collected(document: Mapping[str, Any]) -> Table:
    rows = [(one["what"], short(one["id"]), one["reason"]) for one in document["collected"]]
    return Table(("what", "id", "why"), rows)


def _frozen(document: Mapping[str, Any]) -> Table:
    rows = [(short(one["network"]), one["driver"], one["reason"]) for one in document["frozen"]]
    return Table(("network", "driver", "why"), rows)
