"""Where unpacked programs lie, and what it takes to run them. Reads the cache folder; ``fetch`` alone writes it."""

import json
import os
import platform
from pathlib import Path

from attrs import asdict, frozen

from tests.engines.catalogue import Row, row
from tests.engines.trouble import Trouble

STAMP = "stamp.json"
"""The file that is written last into an unpacked row: what it was made from, and the versions it holds."""

_PROGRAMS = ("usr/sbin", "usr/bin", "sbin", "bin")
_TRIPLET = f"{platform.machine()}-linux-gnu"
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def cache() -> Path:
    """The folder that holds what was unpacked: ``$LINKWRIGHT_CACHE``, else one below the user's cache."""
    named = os.environ.get("LINKWRIGHT_CACHE")
    return Path(named).absolute() if named else Path.home() / ".cache" / "linkwright" / "engines"


def fingerprint(wanted: Row) -> object:
    """What a row is made from, as JSON gives it back: a stamp that differs belongs to an older catalogue."""
    return json.loads(json.dumps(asdict(wanted)))


@frozen
class Unpacked:
    """One row of the catalogue, unpacked below *root*, with the package *versions* that were found."""

    root: Path
    versions: dict[str, str]

    def program(self, name: str) -> Path:
        """The program *name* among the unpacked ones; Trouble when it is not there."""
        for folder in _PROGRAMS:
            path = self.root / folder / name
            if path.exists():
                return path
        raise Trouble(f"looked for the program {name} below {self.root}: it is in none of {', '.join(_PROGRAMS)}")

    def environment(self) -> dict[str, str]:
        """The variables to run its programs with: they come first in PATH, then the system's own."""
        own = ":".join(str(self.root / folder) for folder in _PROGRAMS)
        variables = {"PATH": f"{own}:{_SYSTEM_PATH}", "LANG": "C.UTF-8"}
        libraries = self.libraries()
        return variables | self._python() | ({"LD_LIBRARY_PATH": libraries} if libraries else {})

    def _python(self) -> dict[str, str]:
        """Where an unpacked Python finds itself and Debian's modules; nothing where there is none."""
        if not (self.root / "usr/lib/python3/dist-packages").is_dir():
            return {}
        return {
            "PYTHONHOME": str(self.root / "usr"),
            "PYTHONPATH": str(self.root / "usr/lib/python3/dist-packages"),
            "GI_TYPELIB_PATH": str(self.root / f"usr/lib/{_TRIPLET}/girepository-1.0"),
        }

    def libraries(self) -> str:
        """The folders of unpacked shared libraries as a search path; empty when the system had them all."""
        folders = [self.root / top / _TRIPLET for top in ("usr/lib", "lib")]
        return ":".join(str(folder) for folder in folders if folder.is_dir())


def unpacked(name: str) -> Unpacked | None:
    """The row *name* as it lies in the cache, or None when it is not there or was made from another catalogue."""
    root = cache() / name
    try:
        stamp = json.loads((root / STAMP).read_text())
    except FileNotFoundError:
        return None
    if stamp["row"] != fingerprint(row(name)):
        return None
    return Unpacked(root, stamp["versions"])


def need(name: str) -> Unpacked:
    """The row *name* from the cache; Trouble that says how to get it when it is not there."""
    found = unpacked(name)
    if found is None:
        raise Trouble(f"{name} is not unpacked in {cache()}: run `python -m tests.engines.fetch {name}` first")
    return found
