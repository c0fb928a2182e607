"""The back-end: reads the file, takes or gives up lines, and writes it anew, with the file locked meanwhile.

A line is an address and an owner: ``10.1.0.9 host:web-1``. What begins with this host's name and a colon is ours; all
other lines are somebody else's and are never changed, also those that a person has written.
"""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from itertools import islice
from pathlib import Path
from typing import ClassVar

from linkwright.ipam.backend import AddressAsked, Backend, Conflict, Exhausted, Held, PoolAsked, Refused
from linkwright.model.address import Address, Prefix

#: Of a pool that is larger nobody looks at all addresses.
_MOST = 65536

Lines = dict[Address, str]


class FileBackend(Backend):
    """Gives out what the file ``IPAM_FILE`` does not have, to the host called ``IPAM_HOST``, or by its own name."""

    name: ClassVar[str] = "file"

    def __init__(self) -> None:
        """Find the file; Refused if none is named, or it cannot be written."""
        named = os.environ.get("IPAM_FILE", "")
        if not named:
            raise Refused("the IPAM back-end file needs to know which one; set IPAM_FILE to its path")
        self._path = Path(named)
        self._host = os.environ.get("IPAM_HOST") or socket.gethostname()
        with self._open():
            pass

    def pool(self, asked: PoolAsked) -> Prefix | None:
        """Any that is named; the file knows of addresses only."""
        if asked.subnet is None:
            raise Refused("with addresses from a file a network has to name its subnet; add --subnet")
        return asked.subnet

    def address(self, asked: AddressAsked) -> Address | None:
        """The first that is free, or the one that is named."""
        with self._open() as lines:
            if asked.address is not None and asked.address in lines:
                raise Conflict(f"{asked.address} is {lines[asked.address]}'s in {self._path}; choose another")
            found = asked.address or next((one for one in _usable(asked) if one not in lines), None)
            if found is None:
                raise Exhausted(f"no address of {asked.range or asked.pool} is free in {self._path}")
            lines[found] = f"{self._host}:{asked.owner or asked.kind.value}"
            return found

    def settle(self, held: tuple[Held, ...]) -> None:
        """Strike out what is ours in the file and not held any more; enter what is held and not in the file."""
        every = {address for one in held for address in one.addresses}
        with self._open() as lines:
            for address in [one for one, owner in lines.items() if self._is_ours(owner) and one not in every]:
                del lines[address]
            for address in every - lines.keys():
                lines[address] = f"{self._host}:held"

    def _is_ours(self, owner: str) -> bool:
        return owner.partition(":")[0] == self._host

    @contextmanager
    def _open(self) -> Iterator[Lines]:
        """Give the lines to be changed, and write them back if nothing was raised; the file is locked meanwhile."""
        try:
            with self._path.open("a+", encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.seek(0)
                written = [(line, _parsed(line)) for line in file.read().splitlines()]
                before = dict(pair for _, pair in written if pair is not None)
                lines = dict(before)
                yield lines
                if lines != before:
                    file.seek(0)
                    file.truncate()
                    file.writelines(f"{line}\n" for line, pair in written if pair is None or pair[0] in lines)
                    file.writelines(f"{one} {lines[one]}\n" for one in sorted(lines.keys() - before.keys(), key=_order))
        except OSError as error:
            raise Refused(f"the IPAM back-end file cannot use {self._path}: {error.strerror or error}") from error


def _usable(asked: AddressAsked) -> Iterator[Address]:
    inside = asked.range or asked.pool
    return islice((one for one in inside if one not in _ends(asked.pool)), _MOST)


def _ends(pool: Prefix) -> set[Address]:
    """Network and broadcast address; of a pair of addresses both are usable (RFC 3021, RFC 6164)."""
    if pool.num_addresses <= 2:  # noqa: PLR2004
        return set()
    return {pool.network_address} | ({pool.broadcast_address} if pool.version == 4 else set())  # noqa: PLR2004


def _parsed(line: str) -> tuple[Address, str] | None:
    """Return the address at the beginning of *line* and its owner; None if it begins with no address."""
    address, _, owner = line.partition(" ")
    try:
        return ip_address(address), owner.strip()
    except ValueError:
        return None


def _order(address: Address) -> tuple[int, int]:
    return address.version, int(address)
