"""A driver's README against its code: which options it tells of, and the table that tells of them."""

import inspect
import re
from enum import Enum
from pathlib import Path
from typing import Any

import importlib_metadata

from linkwright import sdk
from linkwright.daemon.discovery import GROUP

_HEADING = re.compile(r"^## ", re.MULTILINE)
_FIRST_CELL = re.compile(r"^\|([^|]*)\|", re.MULTILINE)


def beside(tests: type) -> Path | None:
    """Return the README of the package that the test class *tests* belongs to; None if there is none above it."""
    for folder in Path(inspect.getfile(tests)).resolve().parents:
        if (folder / "pyproject.toml").exists():
            path = folder / "README.md"
            return path if path.exists() else None
    return None


def sections(path: Path) -> tuple[str, dict[str, str]]:
    """Return the title of the README at *path* and its sections by heading, in order."""
    head, *parts = _HEADING.split(path.read_text())
    cut = (part.partition("\n") for part in parts)
    return head.strip().removeprefix("# "), {name.strip(): text for name, _, text in cut}


def options_told(path: Path) -> set[str]:
    """Return the keys in the first column of the tables in its section Options."""
    told = sections(path)[1].get("Options", "")
    return {key for cell in _FIRST_CELL.findall(told) for key in re.findall(r"`([^`]+)`", cell)}


def options_table(options: type) -> str:
    """Return the options of a class as a Markdown table."""
    rows = [
        f"| {', '.join(f'`{key}`' for key in spec.keys)} | {_default(getattr(options(), name))} | {spec.help} |"
        for name, spec in sdk.specs(options).items()
    ]
    return "\n".join(["| option | default | meaning |", "| --- | --- | --- |", *rows])


def neighbours(driver: type[sdk.Driver[Any]]) -> list[type[sdk.Driver[Any]]]:
    """Return the drivers that the distribution of *driver* offers beside it: they share its README."""
    entries = [(entry, entry.dist.name) for entry in importlib_metadata.entry_points(group=GROUP) if entry.dist]
    homes = {home for entry, home in entries if entry.name == driver.name}
    found = (entry.load() for entry, home in entries if home in homes)
    return [
        other for other in found if other is not driver and inspect.isclass(other) and issubclass(other, sdk.Driver)
    ]


def _default(value: object) -> str:
    """Return a default as it would be typed after ``-o key=``; nothing where it stands for "none"."""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    plain = value.value if isinstance(value, Enum) else value
    return f"`{plain}`" if plain not in (None, "", ()) else ""
