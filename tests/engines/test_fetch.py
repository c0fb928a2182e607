"""How engines are found: the machine's own Debian sources, asked for another release. No network, no root."""

import json
from pathlib import Path

import pytest

from tests.engines import Trouble, catalogue, shelf, sources

_DEB822 = """\
Types: deb
# a comment between fields
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Types: deb-src
URIs: http://mirror.example/only-sources
Suites: bookworm
Components: main

Enabled: no
Types: deb
URIs: http://mirror.example/disabled
Suites: bookworm
Components: main
"""

_OTHERS = """\
Types: deb
URIs: https://node.example/node_20.x
Suites: nodistro
Components: main
Signed-By: /usr/share/keyrings/node.gpg

Types: deb
URIs: https://vendor.example/debian
Suites: bookworm
Components: main
Signed-By: /usr/share/keyrings/vendor.gpg

Types: deb
URIs: https://engine.example/linux/debian
Suites: bookworm
Components: stable
"""

_ONE_LINE = """\
# deb http://mirror.example/commented bookworm main
deb http://mirror.example/debian bookworm main non-free # the main one
deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://other.example/debian trixie main
deb-src http://mirror.example/debian bookworm main
deb http://mirror.example/debian bookworm-backports main
deb https://cloud.example/apt cloud-sdk-bookworm main
"""

_KEYRING = ("Signed-By", "/usr/share/keyrings/debian-archive-keyring.gpg")


def test_debians_own_archive_is_found_in_a_sources_file() -> None:
    """Of a .sources file the main archive is taken: no update pocket, no source packages, nothing disabled."""
    assert list(sources.from_deb822(_DEB822)) == [sources.Source("http://mirror.example/debian", (_KEYRING,))]


def test_other_peoples_archives_are_left_alone() -> None:
    """What has another suite, another component or another's key is not Debian's, even below a path called debian."""
    assert list(sources.from_deb822(_OTHERS)) == []


def test_debians_own_archive_is_found_in_a_list_file() -> None:
    """Of a .list file the same is taken, with the key it names, and comments are none of it."""
    assert list(sources.from_one_line(_ONE_LINE)) == [
        sources.Source("http://mirror.example/debian"),
        sources.Source("http://other.example/debian", (_KEYRING,)),
    ]


def test_an_inline_key_is_kept_whole() -> None:
    """A key written into the file, over several lines, comes out as it went in."""
    key = "\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBF\n -----END PGP PUBLIC KEY BLOCK-----"
    text = f"Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie\nComponents: main\nSigned-By:{key}\n"
    (source,) = sources.from_deb822(text)
    assert source.paragraph("forky") == text.replace("trixie", "forky").replace("Signed-By:", "Signed-By: ")


def test_an_archive_is_asked_for_another_release() -> None:
    """Only the release changes: the mirror and the key are the machine's."""
    expected = "Types: deb\nURIs: http://mirror.example/debian\nSuites: forky\nComponents: main\n"
    assert sources.Source("http://mirror.example/debian").paragraph("forky") == expected


def test_the_same_archive_named_twice_is_asked_once(tmp_path: Path) -> None:
    """A machine in the middle of changing formats has its archive in both, and it counts once."""
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("deb http://mirror.example/debian bookworm main\n")
    (tmp_path / "sources.list.d" / "a.list").write_text("deb http://mirror.example/debian trixie main\n")
    assert sources.machine(tmp_path) == (sources.Source("http://mirror.example/debian"),)


def test_a_machine_without_debian_says_where_it_looked(tmp_path: Path) -> None:
    """Where no source is Debian's the error names the folder."""
    with pytest.raises(Trouble, match=f"looked in {tmp_path}/sources.list"):
        sources.machine(tmp_path)


def test_versions_are_read_from_what_apt_says() -> None:
    """A package that a release does not have is left out, whether apt knows its name or not."""
    policy = """\
docker.io:
  Installed: (none)
  Candidate: 28.5.2+dfsg4-5
  Version table:
     28.5.2+dfsg4-5 500
consul:
  Installed: (none)
  Candidate: (none)
  Version table:
"""
    assert sources.versions(policy) == {"docker.io": "28.5.2+dfsg4-5"}


def test_a_row_of_an_older_catalogue_is_not_taken_for_todays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was unpacked from a row that has changed since is fetched anew; what was not unpacked says how to get it."""
    monkeypatch.setenv("LINKWRIGHT_CACHE", str(tmp_path))
    with pytest.raises(Trouble, match=r"busybox is not unpacked in .*: run `python -m tests.engines.fetch busybox`"):
        shelf.need("busybox")
    (tmp_path / "busybox").mkdir()
    stamp = tmp_path / "busybox" / shelf.STAMP
    fingerprint = shelf.fingerprint(catalogue.row("busybox"))
    stamp.write_text(json.dumps({"row": fingerprint, "versions": {"busybox-static": "1"}}))
    assert shelf.need("busybox").versions == {"busybox-static": "1"}
    stamp.write_text(json.dumps({"row": "older", "versions": {}}))
    assert shelf.unpacked("busybox") is None


def test_a_row_that_is_not_there_names_those_that_are() -> None:
    """The error for an unknown name lists the catalogue."""
    with pytest.raises(KeyError, match=r"no row 'docker' in the catalogue; there are 20\.10, 28\.5, "):
        catalogue.row("docker")
