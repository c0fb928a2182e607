"""systemd's part of the file descriptor store, played over a real datagram socket (sd_pid_notify_with_fds(3))."""

import array
import contextlib
import os
import socket
from pathlib import Path

import trio
from attrs import define, field


@define
class Supervisor:
    """Who is told, and what it keeps. It does what it is told when ``follow`` or ``take`` says so."""

    folder: Path
    kept: dict[str, list[socket.socket]] = field(factory=dict)
    said: list[str] = field(factory=list)
    _datagrams: socket.socket = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Listen."""
        self._datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._datagrams.bind(str(self.folder / "notify"))

    @property
    def environ(self) -> dict[str, str]:
        """What its service finds in its environment."""
        return {"NOTIFY_SOCKET": str(self.folder / "notify")}

    async def follow(self) -> None:
        """Do what it is told, for ever."""
        while True:
            await trio.lowlevel.wait_readable(self._datagrams)
            self.take()

    def take(self) -> str:
        """Do what it is told next."""
        data, ancillary, _, _ = self._datagrams.recvmsg(4096, socket.CMSG_SPACE(253 * array.array("i").itemsize))
        descriptors = array.array("i")
        for level, kind, along in ancillary:
            assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
            descriptors.frombytes(along)
        text = data.decode("ascii")
        self.said.append(text)
        words = dict(line.split("=", 1) for line in text.splitlines())
        if words.get("FDSTORE") == "1":
            kept = self.kept.setdefault(words["FDNAME"], [])
            kept += (socket.socket(fileno=each) for each in descriptors)
        elif words.get("FDSTOREREMOVE") == "1":
            self._close(words["FDNAME"])
        elif words.get("BARRIER") == "1":
            for each in descriptors:
                os.close(each)
        return text

    def take_all(self) -> list[str]:
        """Do all that it has been told by now."""
        before = len(self.said)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.take()
        return self.said[before:]

    def hand_over(self) -> tuple[tuple[str, socket.socket], ...]:
        """What the next process gets: descriptors of its own of all that is kept, which stays in the store."""
        return tuple((name, one.dup()) for name, kept in self.kept.items() for one in kept)

    def end(self) -> None:
        """Close all."""
        for name in list(self.kept):
            self._close(name)
        self._datagrams.close()

    def _close(self, name: str) -> None:
        for one in self.kept.pop(name, []):
            one.close()
