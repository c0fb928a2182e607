"""A clean environment with some of our packages and no others, as a user has it who installs wheels with pip.

Wheels are built from copies of the sources, without an index and without a network: with the build tools of the
environment that the tests run in. Its other packages, the dependencies that ``constraints.txt`` pins, are links.
"""

import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

import importlib_metadata

ROOT = Path(__file__).parents[1]

#: What pip is told so that it needs nothing that is not here.
OFFLINE = ("--no-index", "--no-deps", "--disable-pip-version-check", "--quiet")


class Wheels:
    """Wheels of packages of the repository, built into *shelf* when they are first asked for."""

    def __init__(self, shelf: Path) -> None:
        self._shelf = shelf
        self._built: dict[str, Path] = {}

    def of(self, source: str) -> Path:
        """The wheel of the package in folder *source* of the repository."""
        if source not in self._built:
            self._built[source] = build(ROOT / source, self._shelf / source.replace("/", "-"))
        return self._built[source]


def build(source: Path, shelf: Path) -> Path:
    """Build the wheel of the package in *source* into *shelf*, from a copy: setuptools leaves things where it works."""
    copy = shelf / "source"
    shutil.copytree(source, copy, ignore=shutil.ignore_patterns("*.egg-info", "build", "__pycache__", "tests"))
    arguments = ("wheel", *OFFLINE, "--no-build-isolation", f"--wheel-dir={shelf}", str(copy))
    _ran([sys.executable, "-m", "pip", *arguments])
    (found,) = shelf.glob("*.whl")
    return found


class CleanRoom:
    """A virtual environment in *folder* that has the dependencies, pip and pytest, and nothing of ours."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "bin"
        self.python = self.programs / "python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        for path in _dependencies():
            (self._packages / path.name).symlink_to(path)
        for name in ("pip", "pytest"):
            script = self.programs / name
            script.write_text(f"#!{self.python}\nimport runpy\nrunpy.run_module({name!r}, run_name='__main__')\n")
            script.chmod(0o755)

    @property
    def _packages(self) -> Path:
        return Path(sysconfig.get_path("purelib", vars={"base": str(self.folder)}))

    def install(self, *wheels: Path) -> None:
        """``pip install`` them, the same version again too."""
        self.run("pip", "install", *OFFLINE, "--force-reinstall", *map(str, wheels))

    def uninstall(self, name: str) -> None:
        """``pip uninstall``."""
        self.run("pip", "uninstall", "--quiet", "--yes", name)

    @staticmethod
    def offline() -> dict[str, str]:
        """What pip reads from the environment instead of ``OFFLINE``, for commands that others write."""
        return {
            "PIP_NO_INDEX": "1",
            "PIP_NO_DEPS": "1",
            "PIP_NO_BUILD_ISOLATION": "0",
            "PIP_ROOT_USER_ACTION": "ignore",
        }

    def says(self, code: str) -> str:
        """Run Python *code* in it, and return what it prints."""
        return _ran([str(self.python), "-c", code])

    def run(self, module: str, *arguments: str, cwd: Path | None = None) -> str:
        """Run ``python -m module`` in it, and return what it prints; AssertionError with all of that if it fails."""
        return _ran([str(self.python), "-m", module, *arguments], cwd=cwd)


def _dependencies() -> Iterable[Path]:
    """What is in the tests' own environment, but for packages of this repository."""
    here = Path(sysconfig.get_path("purelib"))
    ours = [one for one in importlib_metadata.distributions() if one.name.startswith("linkwright")]
    editable = {name for one in ours for name in _owned(one)}
    return [path for path in here.iterdir() if path.name not in editable and not path.name.startswith("__editable__")]


def _owned(distribution: importlib_metadata.Distribution) -> set[str]:
    return {Path(str(file)).parts[0] for file in distribution.files or ()}


def _ran(command: list[str], *, cwd: Path | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
