"""The page of all commands, ``docs/reference/cli.md``, from the commands themselves. Text only.

``python -m linkwright.cli.manual`` prints it; a test holds the page in the repository to it.
"""

import sys
from collections.abc import Iterator

import click

from linkwright.cli import main

_HEAD = """\
# The command line

<!-- Made from the commands themselves; change them, then
     python -m linkwright.cli.manual > docs/reference/cli.md -->

- Every command that shows something has `--json`: stable keys, times in ISO 8601 and UTC, `null` for what is not there.
  New keys may come; none is renamed. On a terminal tables are coloured (`NO_COLOR` is obeyed), in a pipe they are plain
  text.
- Ids may be shortened to any beginning that is only one's. Lists show twelve digits, as Docker does.
- The exit status is 0, or 1 after a failure, or 2 after a wrong usage. What went wrong is on stderr.
- All but `serve`, `demo`, `import`, and `export --state-dir` ask the running daemon at `admin.sock` in its run
  directory, which is for root alone. `drivers` and `doctor` do what they can without one.
"""


def page() -> str:
    """Return the whole page."""
    context = click.Context(main, info_name="linkwright", **main.context_settings)
    return _HEAD + "".join(_section(command, inner) for command, inner in _walk(main, context))


def _walk(command: click.Command, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """Every command that does something, in the order of the lists."""
    if not isinstance(command, click.Group):
        yield command, context
        return
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        if inner is not None:
            yield from _walk(inner, click.Context(inner, info_name=name, parent=context))


def _section(command: click.Command, context: click.Context) -> str:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    text = "\n\n".join(" ".join(paragraph.split()) for paragraph in (command.help or "").split("\n\n"))
    options = [option for option in command.params if isinstance(option, click.Option)]
    rows = [record for option in options if (record := option.get_help_record(context)) is not None]
    return f"\n## `{context.command_path}`\n\n{text}\n\n```\n{usage}\n```\n{_options(rows)}"


def _options(rows: list[tuple[str, str]]) -> str:
    if not rows:
        return ""
    lines = [f"| `{_cell(flags)}` | {_cell(text)} |\n" for flags, text in rows]
    return "\n| Option | Meaning |\n| --- | --- |\n" + "".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
