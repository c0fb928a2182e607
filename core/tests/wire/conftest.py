"""The recorded requests, as the fixture ``recording``: tests that take it run once for each."""

import json
from pathlib import Path

import pytest
from attrs import frozen


@frozen
class Recording:
    """One request as a real engine sent it; ``document`` is None where there was no body."""

    engine: str
    path: str
    document: dict[str, object] | None

    @property
    def body(self) -> bytes:
        """The bytes that Go's encoder makes of it: they end with a newline."""
        return b"" if self.document is None else json.dumps(self.document).encode() + b"\n"


def recorded() -> list[Recording]:
    """All recordings, in the order of the files."""
    return [
        Recording(source.stem, line["path"], line["request"])
        for source in sorted((Path(__file__).parent / "transcripts").glob("*.jsonl"))
        for line in map(json.loads, source.read_text().splitlines())
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test that asks for a ``recording`` all of them, one by one."""
    if "recording" in metafunc.fixturenames:
        recordings = recorded()
        names = [f"{one.engine}-{one.path[1:]}-{number}" for number, one in enumerate(recordings)]
        metafunc.parametrize("recording", recordings, ids=names)


@pytest.fixture(scope="session")
def recordings() -> list[Recording]:
    """All recordings at once."""
    return recorded()
