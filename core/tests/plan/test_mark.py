"""The ownership mark: what is written can be read, and whatever is read, nothing breaks."""

from ipaddress import IPv4Interface, IPv6Interface, ip_interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkwright.model import Mac
from linkwright.plan import Mark, valid_instance

#: What the kernel keeps of an alias (IFALIASZ less the NUL, linux/if.h).
ALIAS_LENGTH = 255

ids = st.text("0123456789abcdef", min_size=1, max_size=64)
instances = st.from_regex(r"[a-z0-9][a-z0-9-]{0,15}", fullmatch=True)
interfaces = st.tuples(st.ip_addresses(), st.integers(0, 32)).map(lambda pair: ip_interface(f"{pair[0]}/{pair[1]}"))
macs = st.none() | st.builds(Mac, st.binary(min_size=6, max_size=6))
network_marks = st.builds(Mark, instances, ids)
endpoint_marks = st.builds(Mark, instances, ids, ids, macs, st.lists(interfaces, max_size=2).map(tuple))


@given(network_marks | endpoint_marks)
def test_what_is_written_can_be_read(mark: Mark) -> None:
    """The store can be rebuilt from the aliases alone."""
    assert mark == Mark.parse(str(mark))


@given(network_marks | endpoint_marks)
def test_a_mark_fits_into_an_alias(mark: Mark) -> None:
    """The kernel would refuse a longer one, and the link would be nobody's."""
    assert len(str(mark).encode()) <= ALIAS_LENGTH


def test_the_longest_mark_fits() -> None:
    """Sixteen characters of instance, two full ids, a hardware address, two addresses of the greatest length."""
    four, six = IPv4Interface("255.255.255.255/32"), IPv6Interface("ffff:" * 7 + "ffff/128")
    longest = Mark("i" * 16, "n" * 64, "e" * 64, Mac(b"\xff" * 6), (four, six))
    assert len(str(longest)) <= ALIAS_LENGTH


@pytest.mark.parametrize(
    ("mark", "text"),
    [
        (Mark("default", "n1"), "linkwright:default:n1"),
        (Mark("default", "n1", "e1"), "linkwright:default:n1/e1"),
        (
            Mark(
                "b",
                "n1",
                "e1",
                Mac.parse("02:00:00:00:00:01"),
                (ip_interface("10.0.0.2/24"), ip_interface("fd00::2/64")),
            ),
            "linkwright:b:n1/e1 02:00:00:00:00:01 10.0.0.2/24 fd00::2/64",
        ),
    ],
)
def test_golden(mark: Mark, text: str) -> None:
    """This form is on the hosts of other versions: it can be added to, not changed."""
    assert text == str(mark)


@pytest.mark.parametrize(
    "alias",
    [
        None,
        "",
        "uplink to rack 7",
        "linkwright",
        "linkwright:",
        "linkwright::n",
        "linkwright:default:",
        "linkwright:default:n/",
        "linkwright:default:n extra",
        "linkwright:default:n/e 02:00:00:00:00",
        "linkwright:default:n/e 10.0.0.2/99",
        "linkwright:default:n/e  10.0.0.2/24",
        "linkwright:default:n/e 10.0.0.2/24 ",
        "linkwright:default:n/e\n",
        " linkwright:default:n",
    ],
)
def test_what_is_no_mark_of_ours_is_nobodys(alias: str | None) -> None:
    """An administrator's own alias, or one that somebody edited, marks nothing as ours."""
    assert Mark.parse(alias) is None


@given(st.text() | st.text("linkwrght:/ 0.12af\n").map(lambda tail: f"linkwright:{tail}"))
def test_whatever_an_alias_holds_reading_it_raises_nothing(alias: str) -> None:
    """A container may edit the alias of its end of a veth; the daemon reads all aliases of the host."""
    mark = Mark.parse(alias)
    assert mark is None or mark == Mark.parse(str(mark))


def test_the_same_owner_may_have_other_facts() -> None:
    """An endpoint's addresses may change; whose it is does not."""
    mine = Mark("default", "n", "e", Mac.derive("a"))
    assert mine.same_owner(Mark("default", "n", "e"))
    for other in (Mark("default", "n"), Mark("default", "m", "e"), Mark("b", "n", "e"), None):
        assert not mine.same_owner(other)


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("default", True),
        ("a-1", True),
        ("x" * 16, True),
        ("x" * 17, False),
        ("", False),
        ("-a", False),
        ("A", False),
        ("a:b", False),
        ("a b", False),
    ],
)
def test_an_instances_name_fits_into_marks_and_tables(name: str, *, valid: bool) -> None:
    """It is part of aliases and of nftables' table names."""
    assert valid is valid_instance(name)
