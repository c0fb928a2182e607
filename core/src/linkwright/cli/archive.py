"""``linkwright export`` and ``linkwright import``: the whole state as text, for backups and for moving.

Exporting asks the daemon, or reads the directory of a stopped one. Importing needs it stopped: what a running engine
has in its hands cannot be exchanged, and the store's lock sees to that.
"""

import sys
from functools import partial
from pathlib import Path
from typing import Any

import click
import trio

from linkwright import __version__
from linkwright.cli.blocks import Lines
from linkwright.cli.reaching import Daemon, at_daemon
from linkwright.cli.showing import as_json, show
from linkwright.errors import NotFound, Refused, Unavailable


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path), default="-")
@click.option(
    "--state-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIRECTORY",
    help="Read this state directory of a stopped daemon instead of asking the running one.",
)
@click.option(
    "--instance",
    envvar="LINKWRIGHT_INSTANCE",
    default="default",
    metavar="NAME",
    help="With --state-dir: the instance to write into the first line.  [env: LINKWRIGHT_INSTANCE; default: default]",
)
@at_daemon
@as_json
def export(daemon: Daemon, *, file: Path, state_dir: Path | None, instance: str, as_json: bool) -> None:
    """Write the whole state as text, one JSON object a line: equal states give equal bytes.

    FILE is made for its owner alone, since options of containers may be in it; without one, or as -, the text goes to
    stdout.
    """
    text = daemon.get_text("export") if state_dir is None else trio.run(partial(_read, state_dir, instance=instance))
    if file == Path("-"):
        sys.stdout.write(text)
        return
    _write(file, text)
    records = text.count("\n") - 1
    show({"file": str(file), "records": records}, lambda: [Lines([f"{records} records in {file}"])], as_json=as_json)


@click.command("import")
@click.argument("file", type=click.Path(dir_okay=False, exists=True, allow_dash=True, path_type=Path))
@click.option(
    "--state-dir",
    envvar="LINKWRIGHT_STATE_DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("/var/lib/linkwright"),
    metavar="DIRECTORY",
    help="Where the stopped daemon keeps its state.  [env: LINKWRIGHT_STATE_DIR; default: /var/lib/linkwright]",
)
@click.option("--replace", is_flag=True, help="Import although there is a state, which is then gone.")
@as_json
def import_(*, file: Path, state_dir: Path, replace: bool, as_json: bool) -> None:
    """Take an exported state into the directory of a stopped daemon, all of it or none.

    FILE is what `linkwright export` wrote; - is stdin. The daemon takes the state up at its next start: it heals the
    networks, and collects what no longer lives.
    """
    document = trio.run(partial(_import, _text_of(file), state_dir, replace=replace))
    page = [
        f"{document['records']} records of instance {document['instance']!r} are in {state_dir}",
        "start linkwright now: it makes the host as the state says",
    ]
    show(document, lambda: [Lines(page)], as_json=as_json)


async def _read(state_dir: Path, *, instance: str) -> str:
    """The state in a directory that must be there: opening one that is not would make it."""
    from linkwright.store import Archive, SqliteStore, export_text  # noqa: PLC0415 - the live way needs no store

    if not (state_dir / "linkwright.db").exists():
        raise NotFound(f"there is no state of a linkwright in {state_dir}; name another directory with --state-dir")
    opened = await SqliteStore.open(state_dir)
    async with opened.store:
        if opened.recovered is not None:
            click.echo(f"Warning: {opened.recovered}", err=True)
        return export_text(Archive(opened.contents, instance=instance, build=__version__))


async def _import(text: str, state_dir: Path, *, replace: bool) -> dict[str, Any]:
    from linkwright.store import SqliteStore, import_text, restore  # noqa: PLC0415

    archive = import_text(text)  # all of it, before anything is touched
    opened = await SqliteStore.open(state_dir)
    async with opened.store:
        await restore(opened.store, archive.contents, replace=replace)
    return {
        "state_dir": str(state_dir),
        "records": len(archive.contents),
        "instance": archive.instance,
        "build": archive.build,
    }


def _text_of(file: Path) -> str:
    try:
        return sys.stdin.read() if file == Path("-") else file.read_text(encoding="utf-8")
    except OSError as error:
        raise Unavailable(f"{file} cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise Refused(f"{file} is no linkwright export: it is not text ({error})") from error


def _write(file: Path, text: str) -> None:
    from linkwright.store.files import told, whole  # noqa: PLC0415

    with whole(file) as part, told(f"{file} cannot be written"):
        part.write_text(text, encoding="ascii")
