"""``linkwright endpoint ls`` and ``linkwright endpoint show``."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from linkwright.cli.blocks import Block, Facts, Lines, Table, Title
from linkwright.cli.reaching import Daemon, at_daemon
from linkwright.cli.showing import as_json, short, show


@click.group()
def endpoint() -> None:
    """List and show endpoints: containers' attachments to networks."""


@endpoint.command("ls")
@click.option("--network", metavar="NETWORK", help="Only those of one network, named by the beginning of its id.")
@click.option("--dead", is_flag=True, help="Only those whose sandbox is gone; `linkwright repair` collects them.")
@at_daemon
@as_json
def ls(daemon: Daemon, *, network: str | None, dead: bool, as_json: bool) -> None:
    """List endpoints, the oldest first."""
    query = {**({"network": network} if network is not None else {}), **({"dead": "1"} if dead else {})}
    document = daemon.get("endpoints", query=query)
    show(document, lambda: [table_of_endpoints(document)], as_json=as_json)


@endpoint.command("show")
@click.argument("endpoint")
@at_daemon
@as_json
def show_(daemon: Daemon, *, endpoint: str, as_json: bool) -> None:
    """Show one endpoint: addresses, sandbox, ports as asked for and as made, and what it wishes for.

    ENDPOINT is the beginning of its id, or the container's name where the engine tells it.
    """
    document = daemon.get("endpoints", endpoint)
    show(document, lambda: list(_page(document)), as_json=as_json)


def table_of_endpoints(document: Sequence[Mapping[str, Any]]) -> Table:
    """Return the list of endpoints, which pages of networks have too."""
    return Table(
        ("endpoint", "network", "name", "state", "addresses", "mac", "ports"),
        [
            (
                short(one["id"]),
                short(one["network"]),
                one["name"],
                one["state"],
                one["addresses"],
                one["mac"],
                [f"{port} (lost)" if port in one["lost"] else port for port in one["published"]] or one["ports"],
            )
            for one in document
        ],
        nothing="no endpoints",
    )


def _page(document: Mapping[str, Any]) -> Iterator[Block]:
    yield Facts(
        [
            ("endpoint", document["id"]),
            ("network", document["network"]),
            ("name", document["name"]),
            ("state", document["state"]),
            ("dead", document["dead"]),
            ("addresses", document["addresses"]),
            ("mac", document["mac"]),
            ("sandbox", document["sandbox"]),
            ("gateway of its container", document["external"]),
            ("ports asked for", document["ports"]),
            ("options", document["options"]),
            ("claims", document["claims"]),
            ("created", document["created"]),
            ("boot", document["boot"]),
        ]
    )
    if document["bindings"]:
        yield Title("Published ports")
        yield Table(
            ("port", "protocol", "host address", "host port", "socket"),
            [
                (one["port"], one["protocol"], one["host_address"], one["host_port"], one["lost"] or "held")
                for one in document["bindings"]
            ],
        )
    yield Title("What it wishes for")
    yield Lines(document["wishes"] or ["nothing"])
