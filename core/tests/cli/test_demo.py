"""The parts of ``linkwright demo`` that need no namespaces; the demo itself is played in ``tests/test_demo.py``."""

import errno
import io
from ipaddress import IPv4Address, IPv4Network
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkwright.cli.blocks import Table
from linkwright.cli.demo import engine, ping, served, stage
from linkwright.cli.demo.docker import Wanted
from linkwright.cli.demo.scenes import SCENES, cast
from linkwright.cli.demo.telling import Telling
from linkwright.errors import Refused

EVERYTHING = frozenset({"bridge", "ipvlan", "macvlan", "veth", "vxlan"})


# --- the stage -----------------------------------------------------------------------------------------------


def test_the_private_folder_covers_nothing_that_is_needed(tmp_path: Path) -> None:
    """A place in which a program or a module lies is passed over, also when it is named by a link."""
    run, srv = tmp_path / "run", tmp_path / "srv"
    for folder in (run / "checkout", srv):
        folder.mkdir(parents=True)
    (tmp_path / "link").symlink_to(run / "checkout")
    places = [str(tmp_path / "absent"), str(run), str(srv)]
    assert run == stage.private_place(["", "/usr/bin/python3"], places)
    assert srv == stage.private_place([str(tmp_path / "link")], places)


def test_without_a_private_folder_the_demo_says_so(tmp_path: Path) -> None:
    """It never covers a folder that it runs from."""
    with pytest.raises(Refused, match=f"of {tmp_path}: linkwright lies in"):
        stage.private_place([str(tmp_path / "venv")], [str(tmp_path)])


@pytest.mark.parametrize("code", [errno.EPERM, errno.EACCES, errno.ENOSPC])
def test_who_may_make_no_namespaces_is_told_what_to_do(code: int) -> None:
    """Anybody but root can become root; root cannot, and is told of something else."""
    assert "sudo make demo" in stage.advice(code, root=False)
    assert "sudo" not in stage.advice(code, root=True) != ""


# --- scenes --------------------------------------------------------------------------------------------------


def test_every_driver_of_a_capable_kernel_is_shown() -> None:
    """In the daemon's order; also one that the demo has never heard of, with a plain network."""
    found = cast((*SCENES, "token-ring"), EVERYTHING)
    assert [*SCENES, "token-ring"] == [scene.wanted.driver for scene in found.scenes]
    assert Wanted("token-ring-net", "token-ring", IPv4Network("10.80.128.0/24")) == found.scenes[-1].wanted
    assert found.absent == {}


def test_what_the_kernel_cannot_do_is_left_out_by_name() -> None:
    """The others are shown."""
    found = cast(("bridge", "macvlan", "vxlan"), EVERYTHING - {"vxlan", "macvlan"})
    assert [scene.wanted.driver for scene in found.scenes] == ["bridge"]
    assert found.absent == {"macvlan": "this kernel has no macvlan", "vxlan": "this kernel has no vxlan"}


def test_no_two_networks_of_the_demo_overlap() -> None:
    """Or the IPAM driver would refuse the second."""
    wanted = [scene.wanted for scene in cast((*SCENES, "a", "b"), EVERYTHING).scenes]
    assert [(one.name, other.name) for one, other in combinations(wanted, 2) if one.subnet.overlaps(other.subnet)] == []
    assert len(wanted) == len({one.name for one in wanted})


def test_a_network_is_shown_as_the_command_that_makes_it() -> None:
    """It can be copied, and is what ``--docker`` runs."""
    wanted = Wanted(
        "lan",
        "macvlan",
        IPv4Network("192.0.2.0/24"),
        gateway=IPv4Address("192.0.2.1"),
        auxiliary={"host": IPv4Address("192.0.2.2")},
        options={"parent": "eth 0"},
    )
    assert wanted.command == (
        "docker network create -d lw-macvlan --ipam-driver lw-ipam --subnet=192.0.2.0/24 --gateway=192.0.2.1 "
        "--aux-address=host=192.0.2.2 -o 'parent=eth 0' lan"
    )


# --- pings and numbers ---------------------------------------------------------------------------------------


def test_the_checksum_is_that_of_the_rfc() -> None:
    """The example of RFC 1071, section 3: the sum is ddf2, the checksum its complement."""
    assert ping.checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0x220D


@given(st.binary(max_size=64).filter(lambda octets: len(octets) % 2 == 0))
def test_a_packet_with_its_checksum_sums_to_nothing(octets: bytes) -> None:
    """As a receiver looks at it (RFC 1071, section 1)."""
    assert ping.checksum(octets + ping.checksum(octets).to_bytes(2)) == 0


def test_a_scrape_is_added_up_by_labels() -> None:
    """Series of one name are told apart by what they are labelled with; comments are no series."""
    scraped = served.samples(
        "# HELP a_total What b{c} 1\n"
        'a_total{pool="10.1.0.0/16",state="allocated"} 3.0\n'
        'a_total{pool="10.2.0.0/16",state="allocated"} 4.0\n'
        'a_total{pool="10.2.0.0/16",state="capacity"} 65536.0\n'
        "b 1.5e+09\n"
    )
    assert served.total(scraped, "a_total", state="allocated") == 7
    assert served.total(scraped, "a_total", pool="10.2.0.0/16") == 65540
    assert served.total(scraped, "b") == 1.5e9
    assert served.total(scraped, "c") == 0


def test_the_callers_settings_are_not_the_demos(monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that a user has configured by variables is not the one of the demo."""
    monkeypatch.setenv("LINKWRIGHT_STATE_DIR", "/var/lib/linkwright")
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    monkeypatch.setenv("LANG", "C.UTF-8")
    environment = served.environment()
    assert environment["LANG"] == "C.UTF-8"
    assert not {"LINKWRIGHT_STATE_DIR", "NOTIFY_SOCKET"} & set(environment)


# --- telling -------------------------------------------------------------------------------------------------


def test_a_promise_that_is_not_kept_is_remembered() -> None:
    """It decides the exit status."""
    stream = io.StringIO()
    tell = Telling(stream)
    assert tell.promise(kept=3, text="three of them")
    assert tell.broken == []
    assert not tell.promise(kept=None, text="an answer")
    assert tell.broken == ["an answer"]
    assert stream.getvalue() == "  ok  three of them\n  NOT an answer\n"


def test_into_a_file_it_speaks_plainly() -> None:
    """The same words without colours; whoever reads a file has no use for escapes. Long output of commands is cut."""
    stream = io.StringIO()
    tell = Telling(stream)
    tell.chapter("A crash")
    tell.command("kill -9 7")
    tell.output(["# nothing", "ip link set lwb0 alias " + 200 * "0"])
    tell.table(Table(("link", "kind"), [("lwb0", "bridge")]))
    assert (
        "\nA crash\n  $ kill -9 7\n      # nothing\n"
        f"      ip link set lwb0 alias {88 * '0'}…\n      LINK  KIND\n      lwb0  bridge\n"
    ) == stream.getvalue()


# --- a real Docker -------------------------------------------------------------------------------------------


def test_what_a_real_docker_lacks_is_named() -> None:
    """All of it at once, and nothing where it is complete."""
    assert engine.missing(lambda name: f"/usr/bin/{name}", root=True) == []
    lacks = engine.missing(lambda name: None if name in {"dockerd", "runc"} else name, root=False)
    assert lacks == ["the rights of root", "the program dockerd", "the program runc"]


def test_control_groups_of_ended_demos_are_removed(tmp_path: Path) -> None:
    """In both versions' layout, with all below them; what is busy and what is somebody else's stays."""
    ours = [tmp_path / "linkwright-demo-00" / "container", tmp_path / "cpu" / "linkwright-demo-00"]
    busy, foreign = tmp_path / "cpu" / "linkwright-demo-11", tmp_path / "cpu" / "docker"
    for group in (*ours, busy, foreign):
        group.mkdir(parents=True)
    (busy / "process").touch()  # so that it cannot be removed, as a group with processes cannot
    engine.remove_groups(tmp_path)
    assert {"cpu", "cpu/linkwright-demo-11", "cpu/linkwright-demo-11/process", "cpu/docker"} == {
        str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")
    }
