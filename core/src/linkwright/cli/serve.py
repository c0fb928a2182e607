"""``linkwright serve``: the daemon. Its options are the table of settings, and nothing is decided here."""

import os
from collections.abc import Mapping
from pathlib import Path

import click

from linkwright.daemon.config import SETTINGS, Config, Setting, load, unread
from linkwright.errors import Refused


def _option(setting: Setting) -> click.Option:
    """A flag of the table. It has no default here: what is not given is looked for elsewhere (``config.load``)."""
    text = f"{setting.help[0].upper()}{setting.help[1:]}.  [env: {setting.variable}; default: {setting.otherwise}]"
    if setting.boolean:
        return click.Option([f"{setting.flag}/--no-{setting.flag[2:]}", setting.field], default=None, help=text)
    return click.Option([setting.flag, setting.field], metavar=setting.form.metavar, help=text)


def configuration(flags: Mapping[str, object], environ: Mapping[str, str]) -> Config:
    """Return the settings that *flags* (by field), *environ* and the file give; a wrong one is a wrong usage."""
    try:
        return load(flags, environ, read_file=Path.read_text)
    except Refused as error:
        raise click.UsageError(str(error)) from error


@click.command(params=[_option(setting) for setting in SETTINGS])
def serve(**flags: object) -> None:
    """Run the daemon until SIGTERM or SIGINT.

    Each setting comes from its flag, or else from the environment, the file of --config, or its default.
    """
    config = configuration(flags, os.environ)
    for warning in unread(os.environ):
        click.echo(f"Warning: {warning}", err=True)
    from linkwright.daemon import app  # noqa: PLC0415 - `serve --help` needs none of it

    app.main(config)
