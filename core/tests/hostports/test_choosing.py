"""Which ports may be had: what a group asks for, what the kernel gives out, and where two sockets are in one place."""

import socket
from ipaddress import ip_address

import pytest
from core.tests.hostports.conftest import ANY4, ANY6, ONE4, ONE6, bind, both

from linkwright.hostports.binding import place_of, refusal
from linkwright.hostports.choosing import ANY, LocalPorts, asked, ports
from linkwright.hostports.keeping import PREFIX, name_of
from linkwright.hostports.places import Place
from linkwright.model import Address, PortBinding, Protocol

TCP, UDP, SCTP = Protocol.TCP, Protocol.UDP, Protocol.SCTP


def test_a_port_that_is_named_is_the_only_one() -> None:
    """Also as a range of one."""
    assert list(asked(both(80)).candidates) == list(asked(both(80, last=80)).candidates) == [80]
    assert asked(both(80)).is_fixed


def test_b_10_a_range_is_tried_from_its_beginning() -> None:
    """As Docker does, so that two engines choose alike."""
    group = asked(both(8000, last=8002))

    assert list(group.candidates) == [8000, 8001, 8002]
    assert not group.is_fixed
    assert str(group) == "8000-8002"


def test_b_11_an_open_port_is_the_kernels_to_choose_a_number_of_times() -> None:
    """Each time another one: what is free for IPv4 may be taken for IPv6."""
    group = asked(both(0))

    assert set(group.candidates) == {ANY}
    assert group.is_any
    assert not group.is_fixed
    assert len(group.candidates) > 1


def test_a_group_that_asks_for_two_ports_is_a_mistake() -> None:
    """It can have one only, and which would be anybody's guess."""
    with pytest.raises(ValueError, match="different host ports"):
        asked((bind(ANY4, 80), bind(ANY6, 81)))
    with pytest.raises(ValueError, match="names no host address"):
        Place.of(PortBinding(TCP, 80, None, 80))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", []), ("\n", []), ("8080\n", [8080]), ("1-3,8080,9000-9001\n", [1, 2, 3, 8080, 9000, 9001])],
)
def test_a_list_of_ports_is_read_as_the_kernel_writes_it(text: str, expected: list[int]) -> None:
    """proc_do_large_bitmap: ranges and single ones, or an empty line."""
    assert ports(text) == expected


def test_reserved_ports_are_not_chosen() -> None:
    """They are kept for somebody who needs them by number."""
    settings = {"ip_local_port_range": "40000\t40004\n", "ip_local_reserved_ports": "40000-40001\n"}

    local = LocalPorts.read(lambda name: settings[name])

    assert list(local) == [40002, 40003, 40004]


def test_where_the_kernel_does_not_say_it_is_as_it_starts() -> None:
    """A container without /proc/sys."""
    assert LocalPorts.read(lambda _: "").span == range(32768, 61000)


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ((TCP, ANY4, 80), (TCP, ONE4, 80), True),
        ((TCP, ONE4, 80), (TCP, ANY4, 80), True),
        ((TCP, ONE4, 80), (TCP, ONE4, 80), True),
        ((TCP, ONE4, 80), (TCP, ip_address("192.0.2.2"), 80), False),
        ((TCP, ANY4, 80), (TCP, ANY6, 80), False),
        ((TCP, ANY6, 80), (TCP, ONE6, 80), True),
        ((TCP, ANY4, 80), (UDP, ANY4, 80), False),
        ((TCP, ANY4, 80), (TCP, ANY4, 81), False),
    ],
)
def test_what_clashes(one: tuple[Protocol, Address, int], other: tuple[Protocol, Address, int], clash: bool) -> None:
    """One port of one protocol and family, where the addresses are the same or one is all of them."""
    assert Place(*one).clashes(Place(*other)) is clash
    assert Place(*other).clashes(Place(*one)) is clash


def test_only_ipv6_is_relayed_and_no_sctp() -> None:
    """The firewall leads all of IPv4, and nobody relays SCTP."""
    assert [Place(protocol, ANY6, 80).is_relayed for protocol in (TCP, UDP, SCTP)] == [True, True, False]
    assert not Place(TCP, ANY4, 80).is_relayed


def test_the_name_of_a_kept_socket_is_one_that_systemd_takes() -> None:
    """At most 255 printable ASCII characters and no colon (sd_pid_notify_with_fds(3)); no two alike."""
    places = [
        Place(protocol, address, port)
        for protocol in Protocol
        for address in (ANY4, ONE4, ANY6, ONE6, ip_address("fe80::1%" + "e" * 15))
        for port in (1, 65535)
    ]
    names = [name_of(place) for place in places]

    assert len(set(names)) == len(places)
    assert all(name.startswith(PREFIX) and name.isascii() and name.isprintable() for name in names)
    assert all(":" not in name and len(name) <= 255 for name in names)


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (98, "Conflict", "another port"),
        (99, "Refused", "no interface of this host has that address"),
        (97, "Refused", "no IPv6"),
        (24, "Exhausted", "LimitNOFILE"),
        (13, "KernelError", "CAP_NET_BIND_SERVICE"),
        (5, "KernelError", "EIO"),
    ],
)
def test_a_refusal_says_what_was_tried_what_came_back_and_what_to_do(code: int, kind: str, words: str) -> None:
    """And whose move it is, by its class."""
    error = refusal(Place(TCP, ONE6, 80), OSError(code, "the kernel's words"))

    assert type(error).__name__ == kind
    assert "tcp [2001:db8::1]:80" in str(error)
    assert words in str(error)


def test_b_27_a_conflict_names_the_family_and_who_has_it() -> None:
    """0.0.0.0 and [::] fail apart, and the message tells which it was."""
    place, error = Place(TCP, ANY4, 80), OSError(98, "Address already in use")

    assert "(IPv4): Address already in use; a process of the host has it" in str(refusal(place, error))
    assert "the endpoint abc of ours publishes it" in str(refusal(place, error, "abc"))


def test_what_is_no_socket_of_ours_is_known_as_such() -> None:
    """A supervisor may hand over anything."""
    with socket.socket(socket.AF_UNIX) as unix, socket.socket() as unbound, socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        assert [place_of(unix), place_of(unbound), place_of(silent)] == [None, None, None]
        silent.listen()
        assert place_of(silent) == Place(TCP, ip_address("127.0.0.1"), silent.getsockname()[1])
