"""The book of ports: what clashes, who has it, and which port a container gets again."""

from ipaddress import ip_address

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as some

from linkwright.engine.portbook import Group, PortBook, clashes_within, is_fixed, overlap
from linkwright.model import PortBinding, Protocol

TCP, UDP = Protocol.TCP, Protocol.UDP
ADDRESSES = [ip_address(text) for text in ("0.0.0.0", "127.0.0.1", "192.0.2.1", "::", "::1", "2001:db8::1")]

bindings = some.builds(
    PortBinding,
    protocol=some.sampled_from([TCP, UDP]),
    port=some.sampled_from([80, 443]),
    host_address=some.sampled_from(ADDRESSES),
    host_port=some.sampled_from([8080, 8081]),
)


def held(inside: int, outside: int, on: str = "0.0.0.0", protocol: Protocol = TCP) -> PortBinding:
    """A binding as it was made."""
    return PortBinding(protocol, inside, ip_address(on), outside, outside)


def asked(inside: int, first: int = 0, last: int = 0) -> Group:
    """What is to be bound for one ``-p``."""
    return tuple(PortBinding(TCP, inside, ip_address(on), first, last or first) for on in ("0.0.0.0", "::"))


@given(bindings, bindings)
def test_a_clash_is_mutual_and_within_one_family_protocol_and_port(one: PortBinding, other: PortBinding) -> None:
    """And what is equal clashes with itself, whatever it leads to."""
    assert overlap(one, other) is overlap(other, one)
    assert overlap(one, evolve(one, port=other.port))
    if overlap(one, other):
        assert (one.protocol, one.host_port) == (other.protocol, other.host_port)
        assert one.host_address is not None
        assert other.host_address is not None
        assert one.host_address.version == other.host_address.version


@given(some.dictionaries(some.sampled_from("abcd"), some.lists(bindings, max_size=4)), bindings)
def test_the_book_finds_whoever_a_look_at_everybody_would(
    noted: dict[str, list[PortBinding]], new: PortBinding
) -> None:
    """However often they were noted before, and never the one who asks."""
    book = PortBook()
    for owner in noted:
        book.note(owner, [new])
    for owner, mine in noted.items():
        book.note(owner, mine)

    expected = {owner for owner, mine in noted.items() if owner != "a" and any(overlap(new, one) for one in mine)}
    found = book.holder(new, beside="a")
    assert (found is None) == (not expected)
    if found is not None:
        assert found[0] in expected
        assert overlap(found[1], new)
    assert {owner: book.of(owner) for owner in noted} == {owner: tuple(mine) for owner, mine in noted.items()}


def test_nobody_is_left_in_the_book_by_letting_go() -> None:
    """Else ids of containers would fill memory."""
    book = PortBook()
    book.note("a", [held(80, 8080), held(80, 8080, "::")])
    book.note("a", ())

    assert (book._bindings, book._owners) == ({}, {})


def test_which_bindings_name_their_port() -> None:
    """A range of one is a name, as Docker writes it; a range and nothing are not."""
    assert is_fixed(PortBinding(TCP, 80, None, 8080, 8080))
    assert is_fixed(PortBinding(TCP, 80, None, 8080))
    assert not is_fixed(PortBinding(TCP, 80, None, 8080, 8081))
    assert not is_fixed(PortBinding(TCP, 80))


def test_clashes_within_one_request_are_told_apart_from_ports_left_open() -> None:
    """What is left open clashes with nothing: another will be chosen."""
    assert list(clashes_within([asked(80), asked(80), asked(81, 8080), asked(82, 8080, 8090)])) == []
    twice = list(clashes_within([asked(80, 8080), asked(81, 8080)]))
    assert [(str(one), str(other)) for one, other in twice] == [
        ("0.0.0.0:8080:80/tcp", "0.0.0.0:8080:81/tcp"),
        ("[::]:8080:80/tcp", "[::]:8080:81/tcp"),
    ]


@pytest.mark.parametrize(
    ("had", "groups", "expected"),
    [
        ([held(80, 40000)], [asked(80)], [40000]),
        ([held(80, 40000), held(80, 40000, "::")], [asked(80), asked(80)], [40000, 0]),
        ([held(80, 40000), held(80, 40001)], [asked(80), asked(80)], [40000, 40001]),
        ([held(80, 40000)], [asked(81)], [0]),
        ([held(80, 40000, protocol=UDP)], [asked(80)], [0]),
        ([held(80, 8005)], [asked(80, 8000, 8010)], [8005]),
        ([held(80, 9000)], [asked(80, 8000, 8010)], [8000]),
        ([held(80, 40000)], [asked(80, 40000), asked(80)], [40000, 0]),
        ([held(80, 40000)], [asked(80, 8080)], [8080]),
        ([], [asked(80)], [0]),
    ],
)
def test_a_container_gets_the_ports_that_it_had(
    had: list[PortBinding], groups: list[Group], expected: list[int]
) -> None:
    """Where they are left open, or lie in the range that is asked for; each once, and none that is named now."""
    book = PortBook()
    book.remember("/run/docker/netns/0", tuple(had))

    found = book.as_before("/run/docker/netns/0", groups)

    assert [[binding.host_port for binding in group] for group in found] == [[port, port] for port in expected]
    assert book.as_before("/run/docker/netns/1", groups) == tuple(groups)


def test_the_oldest_containers_are_forgotten() -> None:
    """Keys of sandboxes never return, so memory has an end."""
    book = PortBook()
    for number in range(5000):
        book.remember(str(number), (held(80, 40000),))
        book.remember("0", (held(80, 40001),))

    assert book.as_before("0", [asked(80)])[0][0].host_port == 40001
    assert book.as_before("1", [asked(80)])[0][0].host_port == 0
    assert len(book._had) == 4096
