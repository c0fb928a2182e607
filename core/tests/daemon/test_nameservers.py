"""The host's nameservers are read as resolv.conf(5) has them, and nothing in that file can do harm."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from linkwright.daemon.nameservers import nameservers, parsed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nameserver 192.0.2.53\n", ["192.0.2.53/32"]),
        ("nameserver\t192.0.2.53   # ours\nnameserver 2001:db8::53\n", ["192.0.2.53/32", "2001:db8::53/128"]),
        ("nameserver fe80::1%eth0\n", ["fe80::1/128"]),
        ("# nameserver 192.0.2.1\n; nameserver 192.0.2.2\nsearch nameserver 192.0.2.3\n", []),
        ("nameserver\nnameserver ten\nnameserver 999.1.1.1\nNAMESERVER 192.0.2.1\n", []),
        ("nameserver 127.0.0.53\nnameserver ::1\nnameserver 0.0.0.0\n", []),
        ("", []),
    ],
)
def test_nameservers_are_read_as_resolv_conf_has_them(text: str, expected: list[str]) -> None:
    """One address each; comments, other words and what is no address are passed over; this host is in nobody's way."""
    assert list(parsed(text)) == [ip_network(one) for one in expected]


async def test_the_real_ones_are_found_behind_a_stub(tmp_path: Path) -> None:
    """systemd-resolved names itself in the one file and the real ones in the other; the first that knows any counts."""
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("nameserver 127.0.0.53\n")
    real.write_text("nameserver 192.0.2.53\n")

    assert await nameservers((stub, real)) == (ip_network("192.0.2.53/32"),)
    stub.write_text("nameserver 192.0.2.1\n")
    assert await nameservers((stub, real)) == (ip_network("192.0.2.1/32"),)


async def test_a_file_that_cannot_be_read_names_nobody(tmp_path: Path) -> None:
    """Missing, a directory, or not even text: a pool is chosen all the same."""
    noise = tmp_path / "noise"
    noise.write_bytes(b"\xff\xfe\x00nameserver \xff\n")

    assert await nameservers((tmp_path / "missing", tmp_path, noise)) == ()
