"""What is unpacked for the tests: a table of programs, the Debian packages they come in, and who has those.

Facts only. How they are fetched is ``fetch``'s business, where they lie ``shelf``'s. A new server (another engine, a
key-value store) is a new row here and nothing else.
"""

from attrs import frozen

LIBRARIES_FROM = "bookworm"
"""Where missing shared libraries come from: the oldest release supported, so that they run on every newer one."""

LIBRARIES = {
    "libdevmapper.so.1.02.1": "libdevmapper1.02.1",
    "libpcre2-8.so.0": "libpcre2-8-0",
    "libseccomp.so.2": "libseccomp2",
    "libselinux.so.1": "libselinux1",
    "libsystemd.so.0": "libsystemd0",
    "libudev.so.1": "libudev1",
    "libcap.so.2": "libcap2",
    "libgcrypt.so.20": "libgcrypt20",
    "libgpg-error.so.0": "libgpg-error0",
    "liblzma.so.5": "liblzma5",
    "libzstd.so.1": "libzstd1",
    "liblz4.so.1": "liblz4-1",
    "libapparmor.so.1": "libapparmor1",
    "libaudit.so.1": "libaudit1",
    "libblkid.so.1": "libblkid1",
    "libcap-ng.so.0": "libcap-ng0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libexpat.so.1": "libexpat1",
    "libffi.so.8": "libffi8",
    "libgio-2.0.so.0": "libglib2.0-0",
    "libgirepository-1.0.so.1": "libgirepository-1.0-1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libgmodule-2.0.so.0": "libglib2.0-0",
    "libgmp.so.10": "libgmp10",
    "libgobject-2.0.so.0": "libglib2.0-0",
    "libjansson.so.4": "libjansson4",
    "libmnl.so.0": "libmnl0",
    "libmount.so.1": "libmount1",
    "libnftnl.so.11": "libnftnl11",
    "libxtables.so.12": "libxtables12",
    "libz.so.1": "zlib1g",
}
"""Shared library → the package it is in, for those that a small machine may not have."""


@frozen
class Part:
    """Packages that are taken from one release, the first of *releases* that has them in a *version* so beginning."""

    packages: tuple[str, ...]
    releases: tuple[str, ...]
    version: str = ""


@frozen
class Row:
    """A program for the tests: its *name*, the *parts* it is made of, and how it proves itself.

    *proof* is run with the unpacked programs first in PATH, and its output must contain *says*.
    """

    name: str
    parts: tuple[Part, ...]
    proof: tuple[str, ...]
    says: str


# bookworm's containerd 1.6 and runc 1.1 serve both engines: dockerd speaks to the old one as well, and the newer
# release's are built for a C library that bookworm does not have. tini is what `docker run --init` looks for.
_RUNTIME = Part(("containerd", "runc", "tini"), ("bookworm",))

_FIREWALLD_PROVES = """\
import dbus.mainloop.glib, nftables
from firewall import config
from gi.repository import GLib
nftables.Nftables(), GLib.MainLoop()
print("firewalld", config.VERSION)
"""

ROWS = (
    Row(
        "20.10",
        (Part(("docker.io",), ("bookworm",), "20.10."), _RUNTIME),
        ("dockerd", "--version"),
        "version 20.10.",
    ),
    Row(
        "28.5",
        (Part(("docker.io", "docker-cli"), ("forky", "sid", "trixie"), "28.5."), _RUNTIME),
        ("dockerd", "--version"),
        "version 28.5.",
    ),
    # With a Python of its own: its modules in C are for that release's, and the machine's may be another.
    # libnftables is named because it is loaded by name only. Neither polkit nor NetworkManager: it does without.
    Row(
        "firewalld",
        (
            Part(("firewalld", "python3-firewall"), ("bookworm",), "1.3."),
            Part(("python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib"), ("bookworm",)),
            Part(("python3-dbus", "python3-gi", "gir1.2-glib-2.0", "python3-nftables", "libnftables1"), ("bookworm",)),
            Part(("dbus-daemon",), ("bookworm",)),
        ),
        ("python3.11", "-c", _FIREWALLD_PROVES),
        "firewalld 1.3.",
    ),
    Row("busybox", (Part(("busybox-static",), ("bookworm",)),), ("busybox",), "multi-call binary"),
    Row("prometheus", (Part(("prometheus",), ("bookworm",), "2.42."),), ("prometheus", "--version"), "version 2.42."),
    Row(
        "etcd",
        (Part(("etcd-server", "etcd-client"), ("bookworm",), "3.4."),),
        ("etcd", "--version"),
        "etcd Version: 3.4.",
    ),
    Row("consul", (Part(("consul",), ("bullseye",), "1.8."),), ("consul", "version"), "Consul v1.8."),
)

ENGINES = ("20.10", "28.5")
"""The rows that are Docker engines, oldest first."""


def row(name: str) -> Row:
    """The row called *name*; KeyError, naming those there are, when there is none."""
    for candidate in ROWS:
        if candidate.name == name:
            return candidate
    known = ", ".join(candidate.name for candidate in ROWS)
    raise KeyError(f"no row {name!r} in the catalogue; there are {known}")
