"""``linkwright doctor``: asks the daemon to look at the host, or looks itself where no daemon answers."""

import os
import time
from typing import Any

import click
import trio

from linkwright.cli.blocks import Table
from linkwright.cli.reaching import Daemon, NoDaemon, at_daemon
from linkwright.cli.showing import as_json, show


@click.command()
@at_daemon
@as_json
@click.pass_context
def doctor(context: click.Context, daemon: Daemon, *, as_json: bool) -> None:
    """Look at the host for what would go wrong, and say what to do about it. Nothing is changed.

    Where no daemon answers, what can be seen without one is looked at. The exit status is 1 if a check fails.
    """
    try:
        document = daemon.get("doctor")
    except NoDaemon:
        document = _without(daemon)
    show(document, lambda: [_table(document)], as_json=as_json)
    if not document["ok"]:
        context.exit(1)


def _without(daemon: Daemon) -> Any:
    """Look from here: by the settings that a daemon would have from this environment."""
    from linkwright.cli.serve import configuration  # noqa: PLC0415 - with a daemon none of it is needed
    from linkwright.daemon.admin.doctor import Surroundings, examine  # noqa: PLC0415

    config = configuration({"run_dir": str(daemon.run_dir.absolute())}, os.environ)
    surroundings = Surroundings(config=config, now=time.time(), features=_features())
    return trio.run(examine, surroundings)()


def _features() -> frozenset[str] | None:
    from linkwright.kernel.features import probe  # noqa: PLC0415
    from linkwright.kernel.transport import Rtnetlink  # noqa: PLC0415

    try:
        netlink = Rtnetlink()
    except OSError:
        return None
    try:
        # Without CAP_NET_ADMIN the kernel tells of no kind of link, and that is not the same as having none.
        found = probe(netlink)
        return found if "veth" in found or os.geteuid() == 0 else None
    except OSError:
        return None
    finally:
        netlink.close()


def _table(document: Any) -> Table:
    return Table(
        ("check", "state", "found", "what to do"),
        [(one["check"], one["status"], one["text"], one["advice"]) for one in document["checks"]],
    )
