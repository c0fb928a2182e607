"""``linkwright demo``: the main job on a machine of its own, in a few seconds. Here is the command, and no act.

``stage`` makes the namespaces, ``host`` what is in them, ``played`` plays Docker (``engine`` runs a real one),
``served`` is the daemon as a process, and ``opening``, ``trials`` and ``ending`` are the acts, which share a ``play``.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Final

import click

from linkwright.cli.demo.stage import perform
from linkwright.errors import LinkwrightError, Refused

#: Lines of each log that are shown when something is not as promised.
_TAIL: Final = 20


@click.command()
@click.option("--docker", "real", is_flag=True, help="With the real Docker engine that is installed, as root.")
def demo(*, real: bool) -> None:
    """See the main job done: networks, a crash, a repair, numbers. Neither Docker nor root is needed.

    Everything happens in namespaces that go with it; nothing of this machine is touched, and nothing is left.
    """
    with _control_groups_removed() if real else nullcontext():
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


@contextmanager
def _control_groups_removed() -> Iterator[None]:
    """See that a real Docker can be had, and take away what it leaves outside the namespaces, also of killed demos."""
    from linkwright.cli.demo import engine  # noqa: PLC0415 - only --docker needs it

    if lacks := engine.missing():
        raise Refused(
            f"demo --docker needs {', '.join(lacks)}; `linkwright demo` without --docker plays Docker's part itself"
        )
    engine.remove_groups()
    try:
        yield
    finally:
        engine.remove_groups()


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
    except (LinkwrightError, OSError) as error:
        tell.promise(kept=False, text=str(error))
    if tell.broken:
        for log in sorted(folder.glob("*.log")):
            tell.chapter(f"The end of {log.name}")
            tell.output(log.read_text(errors="replace").splitlines()[-_TAIL:])
    return 1 if tell.broken else 0
