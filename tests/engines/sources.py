"""The machine's own package sources, asked for another release of Debian through a private apt.

Reads ``/etc/apt`` and writes only below the folder it is given. Names no host: which mirror serves a package is the
machine's knowledge. Formats: sources.list(5), deb822(5).
"""

import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from attrs import field, frozen, mutable

from tests.engines.trouble import Trouble

APT = Path("/etc/apt")

_RELEASES = frozenset(
    {"stable", "oldstable", "oldoldstable", "testing", "unstable", "sid"} | {"bookworm", "trixie", "forky", "duke"},
)
"""Names by which a source can be told to be Debian's own: others call theirs nodistro, bookworm-pgdg and the like."""

_LONGEST = 600.0
"""Seconds that one apt call may take: a slow mirror sends the 60 MB of an engine within that."""


@frozen
class Source:
    """A Debian archive as one of the machine's source files names it; *options* are deb822 fields to be kept."""

    uris: str
    options: tuple[tuple[str, str], ...] = ()

    def paragraph(self, release: str) -> str:
        """This archive as a deb822 paragraph, asked for *release*."""
        fields = (("Types", "deb"), ("URIs", self.uris), ("Suites", release), ("Components", "main"), *self.options)
        return "".join(f"{key}: {value}\n" for key, value in fields)


def from_deb822(text: str) -> Iterator[Source]:
    """The Debian archives that a ``.sources`` file names."""
    for block in re.split(r"\n[ \t]*\n", text):
        lines = [line for line in block.splitlines() if not line.startswith("#")]
        fields: dict[str, str] = {}
        key = ""
        for line in lines:
            if line[:1].isspace():  # a continuation, as in an inline key
                fields[key] = f"{fields[key]}\n{line}"
            elif ":" in line:
                name, _, value = line.partition(":")
                key = name.strip().lower()
                fields[key] = value.strip()
        if fields.get("enabled", "yes").lower() in {"no", "false"} or "deb" not in fields.get("types", "").split():
            continue
        kept = (("Signed-By", "signed-by"), ("Trusted", "trusted"))
        options = tuple((shown, fields[key]) for shown, key in kept if key in fields)
        yield from _debian(fields.get("uris", ""), fields.get("suites", ""), fields.get("components", ""), options)


_ONE_LINE = re.compile(r"^deb\s+(?:\[(?P<options>[^]]*)]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>[^#]+)")


def from_one_line(text: str) -> Iterator[Source]:
    """The Debian archives that a ``.list`` file names."""
    kept = {"signed-by": "Signed-By", "trusted": "Trusted"}
    for line in text.splitlines():
        if match := _ONE_LINE.match(line.strip()):
            pairs = (option.partition("=") for option in (match["options"] or "").split())
            options = tuple((kept[key.lower()], value) for key, _, value in pairs if key.lower() in kept)
            yield from _debian(match["uri"], match["suite"], match["components"], options)


def _debian(uris: str, suites: str, components: str, options: tuple[tuple[str, str], ...]) -> Iterator[Source]:
    """The source, if it is one of Debian's main archives: not an update pocket, and not signed by anybody else."""
    signed_by = dict(options).get("Signed-By", "debian-archive")
    others_key = signed_by.startswith("/") and "debian-archive" not in signed_by
    if _RELEASES.intersection(suites.split()) and "main" in components.split() and not others_key:
        yield Source(uris, options)


def machine(folder: Path = APT) -> tuple[Source, ...]:
    """The Debian archives of the machine whose apt is configured in *folder*; Trouble when it names none."""
    found: dict[Source, None] = {}
    read = (("sources.list", from_one_line), ("sources.list.d/*.list", from_one_line))
    for pattern, parse in (*read, ("sources.list.d/*.sources", from_deb822)):
        for path in sorted(folder.glob(pattern)):
            found.update(dict.fromkeys(parse(path.read_text())))
    if not found:
        wanted = "component main, a release of Debian's, signed by Debian's archive key"
        raise Trouble(
            f"looked in {folder}/sources.list and sources.list.d for a Debian source ({wanted}): there is none"
        )
    return tuple(found)


def versions(policy: str) -> dict[str, str]:
    """Package → candidate version, from what ``apt-cache policy`` prints; a package without a candidate is left out."""
    found = re.findall(r"^(\S+):\n  Installed: .*\n  Candidate: (\S+)", policy, re.MULTILINE)
    return {package: version for package, version in found if version != "(none)"}


@mutable
class Archive:
    """A private apt for *release*, below *folder*: its own sources, lists, cache and no installed packages."""

    release: str
    folder: Path
    sources: Sequence[Source]
    _updated: bool = field(default=False, init=False)

    def candidates(self, packages: Iterable[str]) -> dict[str, str]:
        """Package → version this release has; a package it has not is left out. Reads the lists at the first call."""
        if not self._updated:
            self._prepare()
            self._apt("apt-get", "-q", "update")
            self._updated = True
        return versions(self._apt("apt-cache", "policy", *packages))

    def download(self, packages: dict[str, str], into: Path) -> list[Path]:
        """Fetch the .deb files of *packages* (name → exact version) into the folder *into* and return their paths."""
        into.mkdir(parents=True, exist_ok=True)
        self._apt("apt-get", "-q", "download", *(f"{name}={version}" for name, version in packages.items()), cwd=into)
        return sorted(into.glob("*.deb"))

    def _prepare(self) -> None:
        for name in ("sources", "preferences", "lists/partial", "cache/archives/partial"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "status").touch()
        text = "\n".join(source.paragraph(self.release) for source in self.sources)
        (self.folder / "sources" / "debian.sources").write_text(text)

    def _apt(self, *argv: str, cwd: Path | None = None) -> str:
        settings = {
            "Dir::Etc::sourcelist": "/dev/null",
            "Dir::Etc::sourceparts": self.folder / "sources",
            "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": self.folder / "preferences",
            "Dir::State::lists": self.folder / "lists",
            "Dir::State::status": self.folder / "status",
            "Dir::Cache": self.folder / "cache",
            "APT::Sandbox::User": "root",  # the user _apt cannot read below a home folder
            "APT::Default-Release": "",  # the machine's would not be among these sources
            "APT::Update::Error-Mode": "any",  # else a mirror that cannot be reached is a warning
            "Acquire::Languages": "none",
            "Acquire::Retries": "2",
            "Acquire::http::Timeout": "30",
        }
        command = [argv[0], *(f"-o{key}={value}" for key, value in settings.items()), *argv[1:]]
        try:
            done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=_LONGEST, check=False)
        except (OSError, subprocess.TimeoutExpired) as cause:
            raise Trouble(f"tried `{' '.join(argv)}` for Debian {self.release}: {cause}") from cause
        if done.returncode:
            asked = ", ".join(source.uris for source in self.sources)
            tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-12:])
            tried = f"tried `{' '.join(argv)}` for Debian {self.release} from {asked}"
            raise Trouble(f"{tried}: exit status {done.returncode}\n{tail}")
        return done.stdout
