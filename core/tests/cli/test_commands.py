"""The command as a whole: help without imports, the manual made from it, and the promises every verb keeps."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from core.tests.cli.conftest import typed

from linkwright import __version__
from linkwright.cli import COMMANDS, main
from linkwright.cli.manual import page

MANUAL = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"

#: Verbs that have nothing to show as JSON: the daemon logs, the demo is to be looked at.
WITHOUT_JSON = {"serve", "demo", "new-driver"}


def verbs(group: click.Group, *before: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something."""
    context = click.Context(group, **main.context_settings)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from verbs(command, *before, name)
        else:
            yield " ".join((*before, name)), command


def test_the_manual_is_made_from_the_commands() -> None:
    """After a change: ``python -m linkwright.cli.manual > docs/reference/cli.md``."""
    assert page() == MANUAL.read_text(encoding="utf-8")


def test_every_verb_says_what_it_does_and_what_its_options_are_for() -> None:
    """No help is missing."""
    silent = [name for name, command in verbs(main) if not command.help]
    silent += [
        f"{name} {option.opts[0]}"
        for name, command in verbs(main)
        for option in command.params
        if isinstance(option, click.Option) and not option.help
    ]

    assert silent == []


def test_every_verb_that_shows_something_has_json() -> None:
    """``--json`` wherever there is output."""
    without = {
        name for name, command in verbs(main) if "--json" not in [flag for one in command.params for flag in one.opts]
    }

    assert without == WITHOUT_JSON


async def test_the_list_of_commands_is_the_table() -> None:
    """In the table's order, each with what the table says of it."""
    result = await typed("--help")

    assert result.exit_code == 0
    lines = result.stdout.partition("Commands:\n")[2].splitlines()
    assert [(name, text) for name, (_, text) in COMMANDS.items()] == [
        (line.split()[0], " ".join(line.split()[1:])) for line in lines
    ]


def test_help_is_quick_because_it_imports_no_daemon() -> None:
    """Only what parses the command line: neither trio nor a driver nor rich."""
    script = (
        "import sys\nfrom linkwright.cli import main\n"
        "try:\n    main(['--help'])\nfinally:\n"
        "    heavy = {'trio', 'rich', 'pyroute2', 'cattrs', 'linkwright.daemon'}\n"
        "    print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stderr == "[]\n"


@pytest.mark.parametrize("words", ["-h", "network -h", "pool show -h"])
async def test_h_is_help(words: str) -> None:
    """Everywhere."""
    result = await typed(*words.split())

    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: linkwright")


async def test_version() -> None:
    """Of the package."""
    assert f"linkwright, version {__version__}\n" == (await typed("--version")).stdout
