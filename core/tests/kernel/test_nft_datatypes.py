"""Element text to bytes and back: every value has one spelling, and nothing else is taken."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkwright.kernel.nftables import datatypes
from linkwright.kernel.nftables.datatypes import TYPES, decode, encode

NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789.-@_", min_size=1, max_size=15)
TEXTS = {
    "nf_proto": st.sampled_from(["ipv4", "ipv6"]),
    "ipv4_addr": st.integers(0, 2**32 - 1).map(lambda number: str(IPv4Address(number))),
    "ipv6_addr": st.integers(0, 2**128 - 1).map(lambda number: str(IPv6Address(number))),
    "ether_addr": st.binary(min_size=6, max_size=6).map(lambda octets: octets.hex(":")),
    "inet_proto": st.integers(0, 255).map(lambda number: TYPES["inet_proto"].decode(bytes([number]))),
    "inet_service": st.integers(0, 65535).map(str),
    "ifname": NAMES,
    "integer": st.integers(0, 255).map(str),
    "ether_type": st.integers(0, 65535).map(lambda number: TYPES["ether_type"].decode(number.to_bytes(2, "big"))),
    "icmp_type": st.integers(0, 255).map(lambda number: TYPES["icmp_type"].decode(bytes([number]))),
    "icmpv6_type": st.integers(0, 255).map(lambda number: TYPES["icmpv6_type"].decode(bytes([number]))),
    "iface_index": st.integers(0, 2**32 - 1).map(str),
    "fib_addrtype": st.sampled_from(["local", "1"]),
}


@st.composite
def values(draw: st.DrawFn) -> tuple[list[str], tuple[str, ...]]:
    """Some types, and a text for each."""
    names = draw(st.lists(st.sampled_from(sorted(TYPES)), min_size=1, max_size=4))
    return names, tuple(draw(TEXTS[name]) for name in names)


def test_every_type_is_tried_here() -> None:
    """A new row of the table of types gets its row here."""
    assert set(TYPES) == set(TEXTS)


@given(values())
def test_what_is_encoded_decodes_to_the_same(value: tuple[list[str], tuple[str, ...]]) -> None:
    """Any concatenation survives the way to bytes and back, and is as long as the kernel is told."""
    names, parts = value
    data = encode(names, parts)
    assert len(data) == datatypes.length_of(names)
    assert decode(names, data) == parts


@pytest.mark.parametrize(
    ("names", "parts", "data"),
    [
        (("inet_service",), ("80",), "0050"),
        (("ipv4_addr", "inet_service"), ("10.0.0.2", "80"), "0a000002 00500000"),
        (("ipv4_addr", "inet_proto", "inet_service"), ("1.2.3.4", "tcp", "80"), "01020304 06000000 00500000"),
        (("ifname",), ("lw0",), "6c773000 00000000 00000000 00000000"),
        (("ether_addr", "inet_proto"), ("02:42:0a:00:00:02", "sctp"), "02420a00 00020000 84000000"),
    ],
)
def test_parts_lie_in_registers_of_four_bytes(names: tuple[str, ...], parts: tuple[str, ...], data: str) -> None:
    """Seen in ``nft --debug=netlink``: each part of a concatenation is padded, a single one is not."""
    assert encode(names, parts) == bytes.fromhex(data)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ipv4_addr", "10.0.0"),
        ("ipv4_addr", "fd00::1"),
        ("ipv6_addr", "FD00::1"),
        ("ipv6_addr", "fd00:0::1"),
        ("ether_addr", "02:42:0A:00:00:02"),
        ("ether_addr", "02:42"),
        ("inet_proto", "6"),
        ("inet_proto", "256"),
        ("inet_proto", "TCP"),
        ("inet_service", "65536"),
        ("inet_service", "-1"),
        ("inet_service", "080"),
        ("inet_service", "http"),
        ("inet_service", "80-90"),
        ("ipv4_addr", "10.0.0.0/8"),
        ("ifname", ""),
        ("ifname", "*"),
        ("ifname", "a-name-of-sixteen"),
        ("ifname", "nul\0inside"),
    ],
)
def test_a_second_spelling_is_refused(name: str, text: str) -> None:
    """What would read back as another text is not taken: the wish would look like drift for ever."""
    with pytest.raises(ValueError, match=r"is no|is written"):
        encode((name,), (text,))


def test_the_number_of_parts_must_be_that_of_the_type() -> None:
    """One part too few or too many is refused, not padded or dropped."""
    for parts in ((), ("10.0.0.1",), ("10.0.0.1", "80", "81")):
        with pytest.raises(ValueError, match="parts"):
            encode(("ipv4_addr", "inet_service"), parts)
