"""How the value of a setting is written: as text (flag, environment variable), and in TOML. Reading and showing only.

Rule: whatever ``show`` returns, ``read`` reads back. A ValueError says what to write instead, and not where it was
wrong: that is ``loading``'s part.
"""

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path
from typing import Any, Generic, TypeVar

from attrs import frozen

from linkwright.ipam.automatic import DefaultPool
from linkwright.plan import Link, valid_instance
from linkwright.sdk.values import boolean, number

T = TypeVar("T")

#: What switches an optional part off, on a command line and in a file alike.
OFF = frozenset({"", "off"})

#: Docker looks a plugin up by its socket's file name (moby pkg/plugins/discovery_unix.go): no slash, nothing odd.
_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_DRIVER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_MARK = re.compile(r"0[xX][0-9a-fA-F]+|[1-9][0-9]*")


@frozen
class Form(Generic[T]):
    """A kind of value: what the manual calls it, how text and a TOML value are read, and how it is shown."""

    metavar: str
    read: Callable[[str], T]
    take: Callable[[Any], T]
    show: Callable[[T], str] = str


@frozen
class Listen:
    """Where to listen by TCP. Port 0 leaves the choice to the kernel."""

    address: IPv4Address | IPv6Address
    port: int

    def __str__(self) -> str:
        host = f"[{self.address}]" if isinstance(self.address, IPv6Address) else str(self.address)
        return f"{host}:{self.port}"


def _quoted(read: Callable[[str], T]) -> Callable[[Any], T]:
    """In TOML a string, which is read as on the command line."""

    def take(value: object) -> T:
        if not isinstance(value, str):
            raise ValueError("write it as a string, in quotes")  # noqa: TRY004 - one kind of error for what was written
        return read(value)

    return take


def text_form(metavar: str, read: Callable[[str], T], show: Callable[[T], str] = str) -> Form[T]:
    """Return the form of a value that is a string in TOML too."""
    return Form(metavar, read, _quoted(read), show)


def one_of(metavar: str, *names: str) -> Form[str]:
    """Return the form of a word out of *names*."""

    def read(text: str) -> str:
        if text not in names:
            raise ValueError(f"write one of {', '.join(names)}")
        return text

    return text_form(metavar, read)


# --- readers -------------------------------------------------------------------------------------------------


def _unquoted_boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("write true or false, without quotes")  # noqa: TRY004
    return value


def _folder(text: str) -> Path:
    path = Path(text)
    if not path.is_absolute():
        raise ValueError("write an absolute path: the daemon's working directory is nobody's business")
    return path


def _file(text: str) -> Path:
    if not text:
        raise ValueError("write the path of a file")
    return Path(text)


def _prefix(text: str) -> str:
    if not _PREFIX.fullmatch(text):
        raise ValueError(
            "write letters, digits, '_', '.' and '-', at most 32; it cannot be empty, since Docker has drivers of its "
            "own called bridge and macvlan"
        )
    return text


def _names(text: str) -> tuple[str, ...]:
    return _driver_names([name.strip() for name in text.split(",")])


def _list_of_names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError('write a list of names, like ["bridge", "macvlan"]')
    return _driver_names(value)


def _driver_names(names: list[str]) -> tuple[str, ...]:
    if not names or not all(_DRIVER.fullmatch(name) for name in names):
        raise ValueError("write the names of drivers, as `linkwright drivers` lists them; leave it out to have all")
    return tuple(dict.fromkeys(names))


def _links(text: str) -> tuple[str, ...]:
    return _link_names([name.strip() for name in text.split(",")] if text else [])


def _list_of_links(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise ValueError('write a list of names, like ["docker1"]')
    return _link_names(value)


def _link_names(names: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(Link(name).name for name in names))


def _listen(text: str) -> Listen | None:
    if text in OFF:
        return None
    host, _, port = text.rpartition(":")
    try:
        if host.startswith("[") and host.endswith("]"):
            return Listen(IPv6Address(host[1:-1]), number(0, 65535)(port))
        return Listen(IPv4Address(host), number(0, 65535)(port))
    except ValueError:
        raise ValueError(
            "write ADDRESS:PORT, like 127.0.0.1:9477 or [::1]:9477 (all addresses: 0.0.0.0 or [::]), or off"
        ) from None


def _unix_socket(text: str) -> Path | None:
    if text in OFF:
        return None
    scheme, _, path = text.partition("://")
    if scheme != "unix" or not path.startswith("/"):
        raise ValueError("write unix:// and an absolute path, like unix:///run/docker.sock, or off")
    return Path(path)


def _instance(text: str) -> str:
    if not valid_instance(text):
        raise ValueError("write 1 to 16 of a-z, 0-9 and '-': it becomes part of firewall table names and marks")
    return text


def _backend(text: str) -> str:
    if not _DRIVER.fullmatch(text):
        raise ValueError("write the name of an IPAM back-end, like builtin")
    return text


def _pools(text: str) -> tuple[DefaultPool, ...]:
    pairs = [one.strip().rpartition(":") for one in text.split(",")]
    return _without_overlaps([_pool(base, size) for base, _, size in pairs])


def _tables_of_pools(value: object) -> tuple[DefaultPool, ...]:
    if not isinstance(value, list) or not all(isinstance(one, dict) and {*one} == {"base", "size"} for one in value):
        raise ValueError('write a list of tables, like [{ base = "10.200.0.0/16", size = 24 }]')
    return _without_overlaps([_pool(str(one["base"]), str(one["size"])) for one in value])


def _pool(base: str, size: str) -> DefaultPool:
    if "/" not in base:
        raise ValueError("write BASE/LENGTH:SIZE, like 10.200.0.0/16:24 for 256 pools of /24")
    prefix = ip_network(base)
    return DefaultPool(prefix, number(0, prefix.max_prefixlen)(size))


def _without_overlaps(pools: list[DefaultPool]) -> tuple[DefaultPool, ...]:
    for index, pool in enumerate(pools):
        for other in pools[:index]:
            if pool.base.overlaps(other.base):
                raise ValueError(f"{other.base} and {pool.base} overlap; write each address once")
    if not pools:
        raise ValueError("write at least one pool; leave it out to have Docker's own")
    return tuple(pools)


def _mark(text: str) -> int:
    value = int(text, 0) if _MARK.fullmatch(text) else 0
    if not 0 < value < 1 << 32 or value & (value - 1):
        raise ValueError("write one bit of 32, like 0x1000")
    return value


def _seconds(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("write a whole number of seconds")  # noqa: TRY004
    return number(1, 3600)(str(value))


def _number_or_text(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError("write one bit of 32, like 0x1000")  # noqa: TRY004
    return _mark(str(value))


# --- forms ---------------------------------------------------------------------------------------------------


def _shown_pools(pools: tuple[DefaultPool, ...]) -> str:
    return ",".join(f"{pool.base}:{pool.size}" for pool in pools)


FLAG: Form[bool] = Form("", boolean, _unquoted_boolean, lambda value: "true" if value else "false")
FOLDER = text_form("DIRECTORY", _folder)
FILE = text_form("FILE", _file)
PREFIX = text_form("TEXT", _prefix)
NAMES: Form[tuple[str, ...]] = Form("NAME,…", _names, _list_of_names, ",".join)
LINKS: Form[tuple[str, ...]] = Form("NAME,…", _links, _list_of_links, ",".join)
LISTEN = text_form("ADDRESS:PORT", _listen, lambda value: str(value) if value else "off")
UNIX_SOCKET = text_form("unix://PATH", _unix_socket, lambda value: f"unix://{value}" if value else "off")
INSTANCE = text_form("NAME", _instance)
BACKEND = text_form("NAME", _backend)
POOLS: Form[tuple[DefaultPool, ...]] = Form("BASE:SIZE,…", _pools, _tables_of_pools, _shown_pools)
SECONDS: Form[int] = Form("SECONDS", _seconds, _seconds)
MARK: Form[int] = Form("BIT", _mark, _number_or_text, hex)
