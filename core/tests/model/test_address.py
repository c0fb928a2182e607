"""Subnets that lie in each other's way."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkwright.model import Prefix, overlap

#: Close together, so that some of any two overlap.
near = st.builds(
    lambda version, host, length: (
        ip_network((host, length), strict=False) if version == 4 else ip_network((host << 96, length), strict=False)
    ),
    st.sampled_from([4, 6]),
    st.integers(0x0A000000, 0x0A0000FF),
    st.integers(20, 32),
)


@given(near, near)
def test_it_says_what_the_standard_library_says(one: Prefix, other: Prefix) -> None:
    """Either way round, and for two families."""
    assert overlap(one, other) == overlap(other, one) == one.overlaps(other)


@pytest.mark.parametrize("every", ["0.0.0.0/0", "::/0"])
def test_everything_overlaps_all_of_its_family(every: str) -> None:
    """A prefix of no length has every address."""
    assert [overlap(ip_network(every), ip_network(other)) for other in ("10.0.0.0/32", "fd00::/128", every)] == [
        ":" not in every,
        ":" in every,
        True,
    ]
