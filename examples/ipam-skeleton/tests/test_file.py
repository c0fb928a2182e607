"""What the battery cannot know: other hosts and people write to the file too."""

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from linkwright_ipam_file import FileBackend

from linkwright.ipam.backend import AddressAsked, Conflict, Exhausted, Held, PoolAsked, Refused

POOL = ip_network("10.1.0.0/29")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a remark, a line of a person and one of another host."""
    path = tmp_path / "addresses"
    path.write_text("# our lab\n10.1.0.1 the router\n10.1.0.2 there:web\n")
    monkeypatch.setenv("IPAM_FILE", str(path))
    monkeypatch.setenv("IPAM_HOST", "here")
    return path


def test_others_keep_what_is_theirs(path: Path) -> None:
    """Nobody is given it, and settling does not strike it out."""
    backend = FileBackend()
    assert [backend.address(AddressAsked(POOL)) for _ in range(4)] == [ip_address(f"10.1.0.{n}") for n in (3, 4, 5, 6)]
    with pytest.raises(Conflict, match=r"10\.1\.0\.2 is there:web's"):
        backend.address(AddressAsked(POOL, ip_address("10.1.0.2")))
    with pytest.raises(Exhausted, match=r"no address of 10\.1\.0\.0/29 is free"):
        backend.address(AddressAsked(POOL))
    backend.settle((Held(POOL, frozenset({ip_address("10.1.0.4")})),))
    assert path.read_text() == "# our lab\n10.1.0.1 the router\n10.1.0.2 there:web\n10.1.0.4 here:endpoint\n"


def test_lines_of_others_stay_to_the_letter(path: Path) -> None:
    """Where they stand, and as they were written."""
    text = "10.1.0.6   printer\n# below: spare\n10.1.0.2 there:web\n\n10.1.0.2 twice\n"
    path.write_text(text + "10.1.0.5 here:endpoint")
    FileBackend().settle((Held(POOL, frozenset({ip_address("10.1.0.3")})),))
    assert path.read_text() == text + "10.1.0.3 here:held\n"


def test_what_is_held_and_not_in_the_file_is_entered(path: Path) -> None:
    """Somebody deleted the line of a container that runs."""
    FileBackend().settle((Held(POOL, frozenset({ip_address("10.1.0.5")})),))
    assert "10.1.0.5 here:held\n" in path.read_text()


def test_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """When the daemon starts, and when a network names no subnet."""
    with pytest.raises(Refused, match="add --subnet"):
        FileBackend().pool(PoolAsked(4))
    monkeypatch.setenv("IPAM_FILE", "/nowhere/addresses")
    with pytest.raises(Refused, match="cannot use /nowhere/addresses: No such file"):
        FileBackend()
    monkeypatch.delenv("IPAM_FILE")
    with pytest.raises(Refused, match="set IPAM_FILE"):
        FileBackend()
