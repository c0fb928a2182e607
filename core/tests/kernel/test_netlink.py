"""The frame of a netlink message: what is written is read again, and nothing that arrives can break the reading."""

import errno
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as some

from linkwright.kernel.netlink import (
    HEADER,
    NLM_F_ACK,
    NLM_F_ACK_TLVS,
    NLM_F_CAPPED,
    NLM_F_REQUEST,
    NLMSG_ERROR,
    Failure,
    Message,
    Request,
    attribute,
    attributes,
    failure,
    frame,
    messages,
    nested,
    number,
    string,
    text,
    u8,
    u32,
)

KINDS = some.integers(1, 0x3FFF)
PAYLOADS = some.binary(max_size=40)


@given(some.dictionaries(KINDS, PAYLOADS, max_size=6))
def test_attributes_are_read_as_written(values: dict[int, bytes]) -> None:
    """Whatever the lengths, padding neither shifts nor lengthens a value."""
    packed = b"".join(attribute(kind, payload) for kind, payload in values.items())
    assert len(packed) % 4 == 0
    assert values == attributes(packed, 0, len(packed))


@given(some.lists(some.builds(Request, some.integers(16, 100), some.integers(0, 0xFFFF), PAYLOADS), max_size=5))
def test_messages_are_read_as_framed(requests: list[Request]) -> None:
    """Several messages in one datagram come out as they went in, with flags and sequence numbers."""
    padded = [Request(kind, flags, body + bytes(-len(body) % 4)) for kind, flags, body in requests]
    data = b"".join(frame(request, sequence, NLM_F_ACK) for sequence, request in enumerate(padded, 7))
    read = [(m.type, m.flags, m.sequence, m.port, m.data[m.start : m.end]) for m in messages(data)]
    extra = NLM_F_ACK | NLM_F_REQUEST
    assert [(r.type, r.flags | extra, at, 0, r.body) for at, r in enumerate(padded, 7)] == read


@given(some.binary(max_size=200))
def test_no_bytes_break_the_reading(data: bytes) -> None:
    """Garbage, and messages cut anywhere, are read as far as they make sense, and no further."""
    for message in messages(data):
        assert 16 <= message.start <= message.end <= len(data)
        found = attributes(data, message.start, message.end)
        assert sum(4 + len(payload) for payload in found.values()) <= message.end - message.start + 3


def test_a_nested_attribute_holds_others_and_says_so() -> None:
    """NLA_F_NESTED is set when written and taken off when read."""
    packed = nested(18, text(1, "veth"), u8(2, 7), u32(3, 1 << 31))
    assert packed[3] & 0x80
    inner = attributes(packed, 0, len(packed))[18]
    found = attributes(inner, 0, len(inner))
    assert (string(found[1]), number(found[2]), number(found[3])) == ("veth", 7, 1 << 31)


@pytest.mark.parametrize(
    ("raw", "shown"), [(b"eth0\0", "eth0"), (b"eth0", "eth0"), (b"\xfflink\0", "?link"), (b"", "")]
)
def test_a_name_is_text_whatever_its_bytes(raw: bytes, shown: str) -> None:
    """A link's name may be any bytes; what is not UTF-8 is shown with question marks, not refused."""
    assert shown == string(raw)


def _error(code: int, flags: int, *tail: bytes, original: bytes = b"") -> Message:
    request = HEADER.pack(16 + len(original), 16, 5, 9, 0)
    data = HEADER.pack(0, NLMSG_ERROR, flags, 9, 77) + pack("=i", code) + request + original + b"".join(tail)
    return Message(NLMSG_ERROR, flags, 9, 77, data, 16, len(data))


def test_an_acknowledgement_is_no_failure() -> None:
    """An NLMSG_ERROR with code 0 says that it was done, with or without a warning attached."""
    assert failure(_error(0, NLM_F_CAPPED)) is None
    assert failure(_error(0, NLM_F_CAPPED | NLM_F_ACK_TLVS, text(1, "deprecated"))) is None


def test_the_extended_ack_is_found_behind_a_capped_request_and_behind_a_whole_one() -> None:
    """The kernel's own words are in the failure, wherever the request's copy ends."""
    expected = Failure(errno.EINVAL, "Unknown device type")
    words = text(1, "Unknown device type")
    assert expected == failure(_error(-errno.EINVAL, NLM_F_CAPPED | NLM_F_ACK_TLVS, words))
    whole = _error(-errno.EINVAL, NLM_F_ACK_TLVS, words, original=b"request body, 24 bytes..")
    assert expected == failure(whole)


def test_without_words_the_offset_and_a_missing_attribute_are_told() -> None:
    """Where the kernel points instead of speaking, that is said."""
    flags = NLM_F_CAPPED | NLM_F_ACK_TLVS
    assert Failure(errno.ERANGE, "the attribute at byte 52 of the message") == failure(
        _error(-errno.ERANGE, flags, u32(2, 52))
    )
    assert Failure(errno.EINVAL, "attribute 3 is missing") == failure(_error(-errno.EINVAL, flags, u32(5, 3)))
    assert Failure(errno.EPERM) == failure(_error(-errno.EPERM, NLM_F_CAPPED))
