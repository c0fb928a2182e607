"""Types are a promise to authors: what is right passes strictly, and a wrong name, shape or value is seen."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DRIVER = Path(__file__).with_name("driver.py")

Complaints = set[tuple[str, int]]


def by_mypy(*files: Path) -> Complaints:
    """What mypy complains of in *files*, with the repository's own strictness: the file's name and the line."""
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=180)
    assert done.stderr == ""
    complaints = [line.split(":") for line in done.stdout.splitlines() if ": error: " in line]
    return {(Path(parts[0]).name, int(parts[1])) for parts in complaints}


def by_pyright(*files: Path) -> Complaints:
    """The same of pyright, as it is in basedpyright, whose node comes as a Python package and not from the net."""
    project = files[-1].with_name("pyrightconfig.json")
    paths = [str(ROOT / "core/src"), *(path for path in sys.path if path.endswith("site-packages"))]
    settings = {"typeCheckingMode": "strict", "include": [str(file) for file in files], "extraPaths": paths}
    project.write_text(json.dumps(settings))
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--project", str(project)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=180)
    found = json.loads(done.stdout)["generalDiagnostics"]
    errors = [one for one in found if one["severity"] == "error"]
    return {(Path(one["file"]).name, one["range"]["start"]["line"] + 1) for one in errors}


CHECKERS: Mapping[str, Callable[..., Complaints]] = {"mypy": by_mypy, "pyright": by_pyright}


@pytest.mark.parametrize("checker", CHECKERS)
def test_an_authors_driver_passes_and_each_mistake_does_not(checker: str, tmp_path: Path) -> None:
    """Two checkers, at their strictest, see the same driver and the same mistakes."""
    text = DRIVER.read_text()
    wrong = {number for number, line in enumerate(text.splitlines(), 1) if "# WRONG: " in line}
    mistaken = tmp_path / "mistaken_driver.py"
    mistaken.write_text(text.replace("# WRONG: ", ""))
    complaints = CHECKERS[checker](DRIVER, mistaken)
    assert {line for name, line in complaints if name == DRIVER.name} == set()
    assert {line for name, line in complaints if name == mistaken.name} == wrong
