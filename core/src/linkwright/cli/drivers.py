"""``linkwright drivers``: what the daemon has loaded, or without a daemon what is installed."""

from collections.abc import Iterator, Mapping
from typing import Any

import click

from linkwright.cli.blocks import Block, Table, Title
from linkwright.cli.reaching import Daemon, NoDaemon, at_daemon
from linkwright.cli.showing import as_json, show


@click.command()
@at_daemon
@as_json
@click.option("--options", is_flag=True, help="List each driver's options as well.")
def drivers(daemon: Daemon, *, as_json: bool, options: bool) -> None:
    """List the drivers: those that the daemon has loaded, or where none answers, those that are installed."""
    try:
        document = daemon.get("drivers")
    except NoDaemon:
        document = _installed()
    show(document, lambda: list(_page(document, options=options)), as_json=as_json)


def _installed() -> Any:
    from linkwright.daemon import discovery  # noqa: PLC0415 - imports every driver
    from linkwright.daemon.admin.drivers import document  # noqa: PLC0415

    found = discovery.find()
    return document("installed", found.drivers, found.faults)


def _page(document: Mapping[str, Any], *, options: bool) -> Iterator[Block]:
    if document["source"] == "installed":
        yield Title("Installed; no daemon answers")
    yield Table(
        ("driver", "package", "version", "state", "connectivity", "powers"),
        [_row(driver) for driver in document["drivers"]],
        nothing="no driver is installed; pip install linkwright-bridge",
    )
    if document["left_out"]:
        yield Title("Left out")
        yield Table(("why",), [(text,) for text in document["left_out"]])
    for driver in document["drivers"] if options else ():
        yield Title(f"Options of {driver['name']}")
        yield Table(
            ("option", "default", "meaning"),
            [(" or ".join(option["keys"]), option["default"], option["help"]) for option in driver["options"]],
        )


def _row(driver: Mapping[str, Any]) -> tuple[object, ...]:
    return (
        driver["name"],
        driver["distribution"],
        driver["version"],
        "suspended" if driver["suspended"] else "ok",
        driver["capabilities"]["connectivity"],
        driver["powers"],
    )
