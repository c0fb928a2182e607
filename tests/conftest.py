"""Fixtures of tests across packages: our packages as wheels, and clean environments to install them in."""

from pathlib import Path

import pytest

from tests.cleanroom import CleanRoom, Wheels


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Wheels:
    """Wheels of our packages, built once for each run."""
    return Wheels(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="module")
def cleanroom(tmp_path_factory: pytest.TempPathFactory, wheels: Wheels) -> CleanRoom:
    """An environment with the core and the bridge driver, from wheels, for a module of tests."""
    folder: Path = tmp_path_factory.mktemp("cleanroom")
    room = CleanRoom(folder / "venv")
    room.install(wheels.of("core"), wheels.of("plugins/bridge"))
    return room
