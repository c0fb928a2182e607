"""Listening sockets on an untidy host: full backlogs, symlinks, strange descriptors, files that were replaced."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from linkwright.daemon import sockets
from linkwright.errors import Conflict, Refused


def test_somebody_who_listens_and_does_not_accept_does_not_hold_up_our_start(tmp_path: Path) -> None:
    """Its backlog is full, and connect(2) would wait for ever: it is alive, and that is all we want to know."""
    path = tmp_path / "lw-bridge.sock"
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(str(path))
        theirs.listen(0)
        waiting = []
        for _ in range(8):
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            waiting.append(client)
            if client.connect_ex(str(path)):
                break
        else:
            raise AssertionError("the backlog is never full")

        with pytest.raises(Conflict, match="another process listens"):
            sockets.listen(path)

        for client in waiting:
            client.close()
        assert path.exists()


async def test_a_handed_socket_is_known_by_whatever_way_leads_to_it(tmp_path: Path) -> None:
    """/var/run is /run: the unit file says the one, the settings the other."""
    (tmp_path / "run").mkdir()
    (tmp_path / "var").symlink_to(tmp_path / "run")
    given = socket.socket(socket.AF_UNIX)
    given.bind(str(tmp_path / "run" / "lw-bridge.sock"))
    given.listen()

    listening = sockets.listen(tmp_path / "var" / "lw-bridge.sock", handed=sockets.by_path([given]))

    assert listening.inherited
    listening.close()


async def test_a_file_that_has_taken_our_sockets_place_is_not_ours_to_remove(tmp_path: Path) -> None:
    """Somebody cleaned up, and the next daemon listens there already."""
    path = tmp_path / "lw-bridge.sock"
    listening = sockets.listen(path)
    path.unlink()
    with socket.socket(socket.AF_UNIX) as theirs:
        theirs.bind(str(path))
        theirs.listen()

        listening.close()

        assert path.exists()


async def test_a_file_that_is_no_socket_is_left_and_named(tmp_path: Path) -> None:
    """It may be anything; whoever put it there knows what for."""
    path = tmp_path / "lw-bridge.sock"
    path.write_text("important")

    with pytest.raises(Refused, match=r"cannot listen on .*lw-bridge\.sock"):
        sockets.listen(path)

    assert path.read_text() == "important"


def test_a_path_too_long_for_a_socket_is_refused_in_words(tmp_path: Path) -> None:
    """sun_path has 108 bytes (unix(7))."""
    with pytest.raises(Refused, match="cannot listen on"):
        sockets.listen(tmp_path / ("x" * 120))


#: What a process finds that is started as systemd starts one: the descriptors named are moved to 3, 4, …
INHERIT = """
import os, sys
given = [int(each) for each in sys.argv[1:]]
for number, descriptor in enumerate(given):
    os.dup2(descriptor, 200 + number)
for number in range(len(given)):
    os.dup2(200 + number, 3 + number)
from linkwright.daemon import sockets
names = os.environ.get("NAMES", ":".join(["unknown"] * len(given)))
environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(given)), "LISTEN_FDNAMES": names}
found = sockets.inherited(environ, os.getpid(), kept="hostport-")
print([str(path) for path in found.listening])
print([os.get_inheritable(one.fileno()) for one in [*found.listening.values(), *(one for _, one in found.kept)]])
print([(name, one.getsockname()[1]) for name, one in found.kept])
print([bool(os.fstat(3 + number)) for number in range(len(given))])
"""


def inherit(*given: int, names: str | None = None) -> list[str]:
    """What it prints."""
    command = [sys.executable, "-W", "error", "-c", INHERIT, *map(str, given)]
    environ = {**os.environ, **({"NAMES": names} if names is not None else {})}
    done = subprocess.run(command, check=True, capture_output=True, text=True, pass_fds=given, env=environ)
    return done.stdout.splitlines()


def test_what_systemd_hands_over_is_found_among_other_things(tmp_path: Path) -> None:
    """A listening unix socket by its path; an abstract one, a TCP one, a file and a connected pair are passed over."""
    named, abstract, tcp = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX), socket.socket()
    one, other = socket.socketpair()
    with named, abstract, tcp, one, other, (tmp_path / "file").open("w") as file:
        named.bind(str(tmp_path / "a.sock"))
        named.listen()
        abstract.bind(f"\0{tmp_path}")
        abstract.listen()
        tcp.bind(("127.0.0.1", 0))
        tcp.listen()
        given = (named, abstract, tcp, file, one)

        found = inherit(*(each.fileno() for each in given))

    assert found == [str([str(tmp_path / "a.sock")]), "[False]", "[]", "[True, True, True, True, True]"]


def test_what_was_kept_for_us_is_told_from_what_is_listened_on(tmp_path: Path) -> None:
    """By its name (LISTEN_FDNAMES): a published port, beside the plugin's socket and one that is somebody else's."""
    named, kept, tcp = socket.socket(socket.AF_UNIX), socket.socket(), socket.socket()
    with named, kept, tcp:
        named.bind(str(tmp_path / "a.sock"))
        named.listen()
        for one in (kept, tcp):
            one.bind(("127.0.0.1", 0))
            one.listen()
        port = kept.getsockname()[1]
        given = [one.fileno() for one in (named, kept, tcp)]

        found = inherit(*given, names="linkwright.socket:hostport-tcp:web.socket")
        without = inherit(*given, names="")

    assert found == [str([str(tmp_path / "a.sock")]), "[False, False]", f"[('hostport-tcp', {port})]", str([True] * 3)]
    assert without == [str([str(tmp_path / "a.sock")]), "[False]", "[]", str([True] * 3)]


@pytest.mark.parametrize("count", ["many", "-1", "1.5", ""])
def test_a_number_of_descriptors_that_is_none_is_refused_in_words(count: str) -> None:
    """LISTEN_FDS is not what sd_listen_fds(3) says: whoever set it is told."""
    assert sockets.inherited({"LISTEN_PID": "7", "LISTEN_FDS": "0"}, 7) == sockets.Inherited()
    with pytest.raises(Refused, match="LISTEN_FDS"):
        sockets.inherited({"LISTEN_PID": "7", "LISTEN_FDS": count}, 7)
