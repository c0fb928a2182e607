"""The command ``linkwright``: one module for each verb, found by the table below and imported when it is used.

Rule 1: a command asks the running daemon at its admin socket, or works on the state directory of a stopped one; what
is true and what is done is decided there. Rule 2: errors go to stderr; exit status 1 is a failure, 2 a wrong usage.
"""

from importlib import import_module
from typing import Any, Final

import click

from linkwright import __version__
from linkwright.errors import LinkwrightError

#: Command → where it is, and what it says of itself in the list: importing all of them would take longer than most do.
COMMANDS: Final = {
    "serve": ("linkwright.cli.serve:serve", "Run the daemon."),
    "demo": ("linkwright.cli.demo:demo", "See the main job done, without Docker and without root."),
    "status": ("linkwright.cli.status:status", "Show how the daemon stands."),
    "drivers": ("linkwright.cli.drivers:drivers", "List the drivers, their powers and options."),
    "network": ("linkwright.cli.network:network", "List and show networks."),
    "endpoint": ("linkwright.cli.endpoint:endpoint", "List and show endpoints."),
    "pool": ("linkwright.cli.pool:pool", "List and show address pools and their leases."),
    "plan": ("linkwright.cli.plan:plan", "Show what would be done to the host, and do nothing."),
    "repair": ("linkwright.cli.repair:repair", "Put right now what differs, and collect what is dead."),
    "doctor": ("linkwright.cli.doctor:doctor", "Look at the host for what would go wrong."),
    "export": ("linkwright.cli.archive:export", "Write the whole state as text."),
    "new-driver": ("linkwright.cli.new_driver:new_driver", "Write a package for a driver of your own."),
    "import": ("linkwright.cli.archive:import_", "Take an exported state into a stopped daemon's directory."),
}


class Commands(click.Group):
    """The group of the table: lists without importing, and turns our errors into exit status 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature, as below
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command called *cmd_name*."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list from the table."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what it refuses is told in one line and without a traceback."""
        try:
            return super().invoke(ctx)
        except LinkwrightError as error:
            raise click.ClickException(str(error)) from error


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="linkwright")
def main() -> None:
    """Container networks for Docker that survive restarts, can be seen into, and can be extended.

    Most commands ask the running daemon; `linkwright serve` is the daemon.
    """
