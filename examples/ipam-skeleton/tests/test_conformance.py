"""The battery that every IPAM back-end passes."""

from pathlib import Path

import pytest
from linkwright_ipam_file import FileBackend

from linkwright.testkit import BackendConformance

pytest_plugins = ["linkwright.testkit"]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file for each test, and a name for this host."""
    path = tmp_path / "addresses"
    monkeypatch.setenv("IPAM_FILE", str(path))
    monkeypatch.setenv("IPAM_HOST", "here")
    return path


class TestFileBackend(BackendConformance):
    """Over a file."""

    backend = FileBackend
