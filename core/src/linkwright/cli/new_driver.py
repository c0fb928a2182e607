"""``linkwright new-driver``: a package for a driver of one's own, with its tests, made from the files of ``template``.

What it writes passes its tests as it is, and is held to that by ours. ``.in`` keeps tools off the templates.
"""

from importlib.resources import files
from pathlib import Path
from typing import Final

import click

from linkwright import __version__
from linkwright.daemon.discovery import installed
from linkwright.engine.registry import RESERVED, is_name
from linkwright.errors import Refused

#: Template → where it goes, below the package's folder.
_FILES: Final = {
    "pyproject.toml.in": "pyproject.toml",
    "README.md.in": "README.md",
    "__init__.py.in": "src/@module@/__init__.py",
    "driver.py.in": "src/@module@/driver.py",
    "test_conformance.py.in": "tests/test_conformance.py",
}

_TYPED: Final = "src/@module@/py.typed"

#: What the driver's class cannot be called: Python's own words, and what the templates import or make.
_TAKEN: Final = frozenset({"None", "True", "False", "Options", "ClassVar", "Example", "DriverConformance"})


@click.command(name="new-driver")
@click.argument("name")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Where the package's folder is made.  [default: here]",
)
def new_driver(name: str, directory: Path) -> None:
    """Write a package for a network driver called NAME, which works and whose tests pass; then make it yours.

    Docker will call it lw-NAME. Nothing that is there is overwritten.
    """
    _check(name)
    folder = directory / f"linkwright-{name}"
    if folder.exists():
        raise Refused(f"{folder} is there already; remove it, or choose another --directory")
    words = _words(name)
    for template, place in _FILES.items():
        text = (files("linkwright.cli") / "template" / template).read_text(encoding="utf-8")
        _write(folder / _filled(place, words), _filled(text, words))
    _write(folder / _filled(_TYPED, words), "")
    click.echo(f"{folder} is a driver called {name}. Next:\n\n  cd {folder}\n  pip install -e '.[tests]'\n  pytest\n")


def _check(name: str) -> None:
    if not is_name(name) or name == RESERVED or not name[0].isalpha() or not name[-1].isalnum():
        raise Refused(
            f"{name!r} cannot be a driver's name: it has 1 to 32 of a-z, 0-9, '-' and '_', begins with a letter, ends "
            f"with a letter or a digit, and {RESERVED} is taken"
        )
    if name in installed():
        raise Refused(f"{name} is a driver that is installed; take another name: of two with one name none is loaded")


def _words(name: str) -> dict[str, str]:
    """What stands in the templates between at signs → what it means."""
    major, minor = __version__.split(".")[:2]
    cls = "".join(part.capitalize() for part in name.replace("-", "_").split("_"))
    return {
        "name": name,
        "module": f"linkwright_{name.replace('-', '_')}",
        "class": f"{cls}Driver" if cls in _TAKEN else cls,
        "version": f"{major}.{minor}",
        "next": f"{major}.{int(minor) + 1}",
    }


def _filled(text: str, words: dict[str, str]) -> str:
    for word, meaning in words.items():
        text = text.replace(f"@{word}@", meaning)
    return text


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refused(f"cannot write {path}: {error.strerror or error}") from error
