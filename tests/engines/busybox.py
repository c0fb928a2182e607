"""The unpacked static busybox in two shapes: the image of all containers, and commands for hosts that lack them.

The image is made without a registry, as an archive for ``docker load`` (not ``import``: that cannot say which signal
stops a container), in the format of moby's image specification 1.2. Knows nothing of engines and hosts.
"""

import hashlib
import io
import json
import platform
import subprocess
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path

from tests.engines import shelf

IMAGE = "busybox:lw"
"""What the image is called in every engine of the tests."""

_CONFIGURATION = {
    "Cmd": ["sleep", "1000000"],
    "Env": ["PATH=/bin"],
    "StopSignal": "SIGKILL",  # busybox as process 1 ignores SIGTERM, and Docker would wait 10 s before it kills
}
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
"""The machine's name for its architecture → the image specification's."""

_FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
    "etc/group": "root:x:0:\n",
    "var/www/index.html": "linkwright\n",
}
_FOLDERS = ("bin", "dev", "etc", "proc", "root", "sys", "tmp", "var", "var/www")


def archive() -> Path:
    """The image as an archive in the cache, made at the first call; Trouble when busybox is not unpacked."""
    place = shelf.cache() / "busybox" / "image.tar"
    busybox = shelf.need("busybox").program("busybox")
    if not place.exists():
        with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as made:
            made.write(_image(busybox))
        Path(made.name).replace(place)  # whole or not at all, also when two test runs make it at once
    return place


def commands() -> Path:
    """A folder with a command for each applet, made at the first call; Trouble when busybox is not unpacked."""
    busybox = shelf.need("busybox").program("busybox")
    place = shelf.cache() / "busybox" / "commands"
    if not place.exists():
        with tempfile.TemporaryDirectory(dir=place.parent) as made:
            folder = Path(made) / place.name
            folder.mkdir()
            for name in _applets(busybox):
                (folder / name).symlink_to(busybox)
            with suppress(OSError):  # another test run was first
                folder.rename(place)
    return place


def _applets(busybox: Path) -> list[str]:
    listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout
    return sorted({*listed.split()} - {"busybox"})


def _image(busybox: Path) -> bytes:
    layer = _layer(busybox)
    configuration = {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": _CONFIGURATION,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    encoded = json.dumps(configuration).encode()
    called = f"{hashlib.sha256(encoded).hexdigest()}.json"
    manifest = [{"Config": called, "RepoTags": [IMAGE], "Layers": ["layer.tar"]}]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as whole:
        _add(whole, "layer.tar", layer)
        _add(whole, called, encoded)
        _add(whole, "manifest.json", json.dumps(manifest).encode())
    return out.getvalue()


def _layer(busybox: Path) -> bytes:
    """The root file system: busybox, a link for each of its applets, and the few files they look for."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as layer:
        for folder in _FOLDERS:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            layer.addfile(entry)
        for path, text in _FILES.items():
            _add(layer, path, text.encode())
        _add(layer, "bin/busybox", busybox.read_bytes(), mode=0o755)
        for name in _applets(busybox):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname, link.mode = tarfile.SYMTYPE, "busybox", 0o777
            layer.addfile(link)
    return out.getvalue()


def _add(into: tarfile.TarFile, path: str, content: bytes, *, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode = len(content), mode
    into.addfile(entry, io.BytesIO(content))
