"""``linkwright serve``: its flags are the table of settings, and say what they mean."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pytest
from core.tests.cli.conftest import typed
from core.tests.daemon.test_config import EXAMPLES

from linkwright.cli.serve import configuration, serve
from linkwright.daemon.config import SETTINGS, Config


def flags_of(*words: str) -> Mapping[str, Any]:
    """What click makes of the words, as ``serve`` is given it."""
    return serve.make_context("serve", list(words)).params


def test_without_flags_all_defaults_stand() -> None:
    """No flag has a default of its own that would win over the environment or the file."""
    assert Config() == configuration(flags_of(), {})
    assert {None} == set(flags_of().values())


@pytest.mark.parametrize("field", EXAMPLES)
def test_each_setting_has_its_flag(field: str) -> None:
    """Its value arrives in its field, and nothing else changes."""
    setting = next(one for one in SETTINGS if one.field == field)
    text, _, value = EXAMPLES[field]
    words = [setting.flag] if setting.boolean else [setting.flag, text]

    config = configuration(flags_of(*words), {})

    assert Config(**{field: value}) == config


@pytest.mark.parametrize("field", [setting.field for setting in SETTINGS if setting.boolean])
def test_a_no_wins_over_a_variable_that_says_yes(field: str) -> None:
    """Each flag without a value has its ``--no-``."""
    setting = next(one for one in SETTINGS if one.field == field)

    config = configuration(flags_of(f"--no-{setting.flag[2:]}"), {setting.variable: "true"})

    assert not getattr(config, field)


def test_every_setting_is_a_flag_with_help_and_nothing_else_is() -> None:
    """S-08: what the manual lists and what the command takes are one set."""
    options = [option for option in serve.params if isinstance(option, click.Option)]

    assert [setting.flag for setting in SETTINGS] == [option.opts[0] for option in options]
    assert all(setting.variable in str(option.help) for setting, option in zip(SETTINGS, options, strict=True))


async def test_a_file_is_read(tmp_path: Path) -> None:
    """``--config`` names it."""
    path = tmp_path / "linkwright.toml"
    path.write_text('instance = "blue"\n')

    assert configuration(flags_of("--config", str(path)), {}).instance == "blue"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("--metrics nowhere", "--metrics: 'nowhere' cannot be used: write ADDRESS:PORT"),
        ("--state-dir relative", "--state-dir: 'relative' cannot be used: write an absolute path"),
        ("--config /does/not/exist", "the file of --config, /does/not/exist, cannot be read: No such file"),
        ("--stat-dir /x", "No such option"),
    ],
)
async def test_a_wrong_setting_is_a_wrong_usage(words: str, text: str) -> None:
    """Exit status 2, and the daemon is not started."""
    result = await typed("serve", *words.split())

    assert (result.exit_code, result.stdout) == (2, "")
    assert text in result.stderr


def test_what_keeps_the_daemon_from_starting_is_told_in_one_line(tmp_path: Path) -> None:
    """A driver that is not installed: exit status 1, no traceback."""
    dirs = [f"--{name}-dir={tmp_path / name}" for name in ("plugin", "run", "state")]
    # In a process of its own: the daemon wants the main thread, for its signals.
    import subprocess
    import sys

    words = [sys.executable, "-c", "from linkwright.cli import main; main()", "serve", "--drivers", "token-ring", *dirs]
    done = subprocess.run(
        words, capture_output=True, text=True, check=False, env={**os.environ, "LINKWRIGHT_INSTNCE": "x"}
    )

    assert done.returncode == 1
    assert "Error: no driver token-ring is installed" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Warning: the environment variable LINKWRIGHT_INSTNCE is not read; did you mean LINKWRIGHT_INSTANCE?" in (
        done.stderr
    )
