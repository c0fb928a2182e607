"""``linkwright demo``: the main job on a machine of its own, in ten seconds. The command; the acts are in their modules.

``stage`` makes the namespaces, ``host`` what is in them, ``played`` plays Docker (``engine`` runs a real one), ``served``
is the daemon as a process, and ``opening``, ``trials`` and ``ending`` are the acts.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Final

import click

from linkwright.cli.demo.stage import perform
from linkwright.errors import LinkwrightError


@click.command()
@click.option("--docker", "real", is_flag=True, help="With the real Docker engine that is installed, as root.")
def demo(*, real: bool) -> None:
    """See the main job done: networks, a crash, a repair, numbers. Neither Docker nor root is needed.

    Everything happens in namespaces that go with it; nothing of this machine is touched, and nothing is left.
    """
    try:
        ended = perform(partial(_inside, real=real))
    except KeyboardInterrupt:
        sys.exit(130)
    if ended.left:
        click.echo(f"  NOT gone: processes {', '.join(map(str, ended.left))}", err=True)
        sys.exit(1)
    if ended.status == 0:
        click.echo("  ok  the namespaces are gone, and with them all processes, links and files of this demo")
    sys.exit(ended.status)


def _inside(folder: Path, *, real: bool) -> int:
    """Play it in the namespaces, with all files below *folder*; the exit status."""
    from linkwright.cli.demo import ending, host, opening, trials  # noqa: PLC0415 - `demo --help` needs none of it
    from linkwright.cli.demo.play import Play  # noqa: PLC0415
    from linkwright.cli.demo.served import Served  # noqa: PLC0415
    from linkwright.cli.demo.telling import Telling  # noqa: PLC0415

    tell, served = Telling(sys.stdout), Served(folder)
    try:
        opening.introduce(tell, folder)
        host.furnish(folder / "router")
        play = Play(tell, served, opening.docker(tell, served, folder, real=real))
        for act in (opening.start, opening.networks, trials.crash, trials.drift, ending.numbers, ending.clean_up):
            act(play)
    except LinkwrightError as error:
        tell.trouble(str(error))
    if tell.broken:
        tell.chapter("The end of the daemon's log")
        tell.output(served.tail(20))
    return 1 if tell.broken else 0
