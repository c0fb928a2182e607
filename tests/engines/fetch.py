"""Unpacks the engines and servers of the catalogue into the cache folder; never installs, never starts anything.

Run from the repository's root: ``python -m tests.engines.fetch [NAME…]`` (no name: all). Safe to call twice and at
once: one lock over the cache, each row renamed into place when it has proved itself.
"""

import fcntl
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from attrs import Factory, field, mutable

from tests.engines import shelf, sources
from tests.engines.catalogue import LIBRARIES, LIBRARIES_FROM, ROWS, Part, Row, row
from tests.engines.trouble import Trouble

_ROUNDS = 5
"""How often to look again for missing libraries: one brings the next, and none of ours is deeper than three."""


@mutable
class Fetcher:
    """Fills *rows* of the catalogue; *folder* holds its private apts and goes away with it. *tell* gets a line each."""

    folder: Path
    tell: Callable[[str], None]
    _sources: Sequence[sources.Source] = Factory(sources.machine)
    _archives: dict[str, sources.Archive] = field(factory=dict, init=False)

    def fill(self, wanted: Row) -> None:
        """Unpack *wanted* into the cache and stamp it, whatever was there before."""
        root = self.folder / "unpacked" / wanted.name
        root.mkdir(parents=True)
        versions: dict[str, str] = {}
        for part in wanted.parts:
            release, found = self._choose(wanted, part)
            versions |= self._unpack(release, found, root)
        versions |= self._libraries(root)
        answer = _prove(wanted, shelf.Unpacked(root, versions))
        stamp = {"row": shelf.fingerprint(wanted), "versions": versions}
        (root / shelf.STAMP).write_text(json.dumps(stamp, indent=1))
        place = shelf.cache() / wanted.name
        if place.exists():
            shutil.rmtree(place)
        root.rename(place)
        self.tell(f"{wanted.name}: ready in {place} ({answer})")

    def _choose(self, wanted: Row, part: Part) -> tuple[str, dict[str, str]]:
        """The first release that has all packages of *part* in the right version, and those versions."""
        seen: list[str] = []
        for release in part.releases:
            self.tell(f"{wanted.name}: asking Debian {release} for {', '.join(part.packages)}")
            try:
                found = self._archive(release).candidates(part.packages)
            except Trouble as trouble:
                seen.append(f"{release}: {trouble}")
                continue
            if set(found) == set(part.packages) and all(_upstream(v).startswith(part.version) for v in found.values()):
                return release, found
            seen.append(f"{release} has {', '.join(f'{n} {v}' for n, v in found.items()) or 'none of them'}")
        version = f" in version {part.version}*" if part.version else ""
        what = f"{wanted.name}: looked for {', '.join(part.packages)}{version}"
        advice = "If it has moved to another release, correct the row in tests/engines/catalogue.py"
        raise Trouble("\n".join((f"{what}:", *(f"- {line}" for line in seen), advice)))

    def _archive(self, release: str) -> sources.Archive:
        if release not in self._archives:
            self._archives[release] = sources.Archive(release, self.folder / "apt" / release, self._sources)
        return self._archives[release]

    def _unpack(self, release: str, packages: dict[str, str], root: Path) -> dict[str, str]:
        self.tell(f"{root.name}: downloading {', '.join(f'{n} {v}' for n, v in packages.items())} of {release}")
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        for package in self._archive(release).download(packages, folder):
            subprocess.run(["dpkg", "-x", package, root], check=True)
        shutil.rmtree(folder)
        return packages

    def _libraries(self, root: Path) -> dict[str, str]:
        """Unpack the shared libraries that the programs below *root* miss on this machine; package → version."""
        got: dict[str, str] = {}
        for _ in range(_ROUNDS):
            missing = _missing_libraries(shelf.Unpacked(root, {}))
            if not missing:
                return got
            unknown = sorted(missing - set(LIBRARIES))
            if unknown:
                raise Trouble(
                    f"{root.name}: this machine lacks {', '.join(unknown)}: add them to LIBRARIES in catalogue.py"
                )
            packages = self._archive(LIBRARIES_FROM).candidates(LIBRARIES[name] for name in sorted(missing))
            got |= self._unpack(LIBRARIES_FROM, packages, root)
        raise Trouble(f"{root.name}: after {_ROUNDS} rounds still without {', '.join(sorted(missing))}; got {got}")


def _upstream(version: str) -> str:
    """A Debian version without its epoch."""
    return version.partition(":")[2] or version


def _missing_libraries(there: shelf.Unpacked) -> set[str]:
    """The shared libraries that ldd does not find for the programs of *there*, each by its soname.

    Libraries and Debian's Python modules count as programs: some are loaded by name. Of Python's own modules
    (lib-dynload) those with a library of their own are no loss where it is missing.
    """
    patterns = ("**/*bin/*", "**/lib/*-linux-gnu/*.so*", "**/dist-packages/**/*.so")
    found = {path for pattern in patterns for path in there.root.glob(pattern)}
    files = sorted(path for path in found if path.is_file() and not path.is_symlink())
    done = subprocess.run(["ldd", *files], env=there.environment(), capture_output=True, text=True, check=False)
    return set(re.findall(r"^\s*(\S+) => not found", done.stdout, re.MULTILINE))


def _prove(wanted: Row, there: shelf.Unpacked) -> str:
    """Run the proof of *wanted* and return the line it gave; Trouble when it does not say what it should."""
    argv = [str(there.program(wanted.proof[0])), *wanted.proof[1:]]
    done = subprocess.run(argv, env=there.environment(), capture_output=True, text=True, timeout=30, check=False)
    output = done.stdout + done.stderr
    for line in output.splitlines():
        if wanted.says in line:
            return line
    raise Trouble(f"{wanted.name}: `{' '.join(wanted.proof)}` should say {wanted.says!r} and said: {output[-500:]}")


@contextmanager
def _locked(folder: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Hold the cache's lock: two test runs on one machine fetch once."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell(f"waiting for another fetch into {folder}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fetch(names: Sequence[str] = (), *, tell: Callable[[str], None] = print) -> None:
    """Have the rows *names* (none: all) unpacked in the cache; Trouble when one cannot be had. May take minutes."""
    wanted = [row(name) for name in names] or list(ROWS)
    with _locked(shelf.cache(), tell):
        for present in (one for one in wanted if shelf.unpacked(one.name)):
            tell(f"{present.name}: already in {shelf.cache() / present.name}")
        absent = [one for one in wanted if not shelf.unpacked(one.name)]
        if absent:
            for program in ("apt-get", "dpkg", "ldd"):
                if shutil.which(program) is None:
                    raise Trouble(
                        f"{program} is not here: engines are unpacked from Debian packages, on Debian 12 or later"
                    )
            with tempfile.TemporaryDirectory(prefix=".fetch-", dir=shelf.cache()) as folder:
                fetcher = Fetcher(Path(folder), tell)
                for one in absent:
                    fetcher.fill(one)


if __name__ == "__main__":
    try:
        fetch(sys.argv[1:])
    except (Trouble, KeyError) as trouble:
        sys.exit(f"fetch: {trouble.args[0]}")
