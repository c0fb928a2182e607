"""Hardware addresses: read, derived, printed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkwright.errors import Refused
from linkwright.model import Mac

OCTETS = st.binary(min_size=6, max_size=6)


@given(OCTETS)
def test_what_is_printed_can_be_read(octets: bytes) -> None:
    """The text form loses nothing, whichever case and separator it comes in."""
    mac = Mac(octets)
    assert mac == Mac.parse(str(mac)) == Mac.parse(str(mac).upper().replace(":", "-"))


@pytest.mark.parametrize(
    "text", ["", "zz", "02:42:0a:00:00", "02:42:0a:00:00:02:03", "0242.0a00.0002", "02:42:0a:0:0:2"]
)
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    """The caller wrote it, so the caller is told how it is written."""
    with pytest.raises(Refused, match=r"six hexadecimal octets like 02:42:0a:00:00:02"):
        Mac.parse(text)


@given(st.binary().filter(lambda octets: len(octets) != 6))
def test_an_address_of_another_length_cannot_be_made(octets: bytes) -> None:
    """Valid from birth: nothing inside has to ask again."""
    with pytest.raises(ValueError, match="6 octets"):
        Mac(octets)


@given(st.lists(st.text(), min_size=1))
def test_a_derived_address_is_unicast_and_locally_administered(seed: list[str]) -> None:
    """Whatever the seed: an interface may own it, and no maker of hardware does (IEEE 802)."""
    mac = Mac.derive(*seed)
    assert mac.is_unicast
    assert mac.octets[0] & 0x03 == 0x02


def test_the_seed_alone_decides_a_derived_address() -> None:
    """The same in every process and every version: a neighbour's ARP cache may hold it."""
    assert str(Mac.derive("network", "web")) == "1a:e7:2a:fb:9d:8e"
    assert Mac.derive("ab", "c") != Mac.derive("a", "bc")


@pytest.mark.parametrize(
    ("text", "unicast"),
    [
        ("02:42:0a:00:00:02", True),
        ("00:00:00:00:00:00", False),
        ("ff:ff:ff:ff:ff:ff", False),
        ("01:00:5e:00:00:01", False),
    ],
)
def test_group_and_zero_addresses_belong_to_no_interface(text: str, *, unicast: bool) -> None:
    """Broadcast, multicast and the all-zero address are no interface's own."""
    assert unicast == Mac.parse(text).is_unicast
