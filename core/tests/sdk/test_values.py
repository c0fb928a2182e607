"""How the text of a value is read: somebody else's syntax where users know it."""

import enum
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkwright import sdk
from linkwright.testkit import namespaces


class Colour(enum.Enum):
    """What may be chosen."""

    RED = "red"
    GREEN = "green"
    BLUE = "blue"


def test_a_choice_is_one_of_the_words() -> None:
    """As written, and no other."""
    assert sdk.choice(Colour)("green") is Colour.GREEN
    for text in ("Green", "", "GREEN", "yellow"):
        with pytest.raises(ValueError, match=r"^write red, green or blue$"):
            sdk.choice(Colour)(text)


RATES = [
    ("10mbit", 10_000_000),
    ("1gbit", 1_000_000_000),
    ("512kbit", 512_000),
    ("1.5Mbit", 1_500_000),
    ("1tbit", 10**12),
    ("1mibit", 1 << 20),
    ("1mbps", 8_000_000),
    ("1kibps", 8_192),
    ("8000", 8_000),
    ("8000bit", 8_000),
    ("0", 0),
    ("0mbit", 0),
]


@pytest.mark.parametrize(("text", "bits"), RATES)
def test_a_rate_is_bits_per_second_as_tc_writes_it(text: str, bits: int) -> None:
    """And "bps" is bytes per second, which surprises everybody once."""
    assert sdk.rate(text) == bits


@pytest.mark.netns
def test_tc_reads_rates_alike() -> None:
    """tc(8) is what the words are taken from: it says what it made of them."""
    with namespaces.made() as host:
        for text, bits in RATES:
            if bits:
                host.run(
                    "tc", "qdisc", "replace", "dev", "lo", "root", "tbf", "rate", text, "burst", "1mb", "limit", "2mb"
                )
                found = host.run("tc", "-j", "qdisc", "show", "dev", "lo")
                assert f'"rate":{bits // 8},' in found.replace(" ", ""), text


@pytest.mark.parametrize(
    "text",
    ["", "fast", "mbit", "-1mbit", "10 mbit", "1e6", "10mb", "7999", "2tbit", "1,5mbit", "\u0661mbit", "9" * 5000],
)
def test_what_is_no_rate_is_refused(text: str) -> None:
    """With how to write one; so is what is too slow or too fast for the kernel to keep to."""
    with pytest.raises(ValueError, match=r"^write a rate like 512kbit, 10mbit or 1gbit, from 8kbit to 1tbit, or 0 for"):
        sdk.rate(text)


@pytest.mark.parametrize(
    ("text", "octets"),
    [("16000", 16_000), ("64kb", 65_536), ("64k", 65_536), ("1mb", 1 << 20), ("1.5MB", 3 << 19), ("3gb", 3 << 30)],
)
def test_a_size_is_bytes_as_tc_writes_it(text: str, octets: int) -> None:
    """Its k is 1024."""
    assert sdk.size(text) == octets


@pytest.mark.parametrize("text", ["", "0", "big", "4gb", "-1", "64kbit", "0.4", " 64kb"])
def test_what_is_no_size_is_refused(text: str) -> None:
    """With how to write one."""
    with pytest.raises(ValueError, match=r"^write a size like 16000, 64kb or 1mb, less than 4gb$"):
        sdk.size(text)


@given(st.text(), st.sampled_from([sdk.rate, sdk.size, sdk.boolean, sdk.mtu, sdk.choice(Colour)]))
def test_whatever_is_typed_is_a_value_or_words(text: str, read: Callable[[str], object]) -> None:
    """Nothing else is raised by what comes from a command line."""
    with suppress(ValueError):
        read(text)
