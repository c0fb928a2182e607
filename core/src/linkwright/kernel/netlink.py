"""The frame of a netlink message (RFC 3549; Documentation/userspace-api/netlink/intro.rst): bytes in, bytes out.

Rule 1: nothing here knows what a link or a route is; that is ``rtnetlink``, ``encode`` and ``decode``.
Rule 2: no socket. All integers are in the host's byte order, as everywhere in netlink, unless said otherwise.
"""

import sys
from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

#: struct nlmsghdr: length, type, flags, sequence number, port id.
HEADER = Struct("=IHHII")
#: struct nlattr: length with this header, type.
ATTRIBUTE = Struct("=HH")

_U8, _U16, _U32, _S32 = Struct("=B"), Struct("=H"), Struct("=I"), Struct("=i")

# linux/netlink.h
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_ACK, NLM_F_ECHO = 0x1, 0x4, 0x8
NLM_F_DUMP_INTR = 0x10
NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x100, 0x200  # in an answer
NLM_F_DUMP = 0x300  # in a get
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE, NLM_F_APPEND = 0x100, 0x200, 0x400, 0x800  # in a new
NLA_F_NESTED = 0x8000
NLA_TYPE_MASK = 0x3FFF
NLMSGERR_ATTR_MSG, NLMSGERR_ATTR_OFFS, NLMSGERR_ATTR_MISS_TYPE = 1, 2, 5

_PADDING = (b"", b"\0\0\0", b"\0\0", b"\0")


class Request(NamedTuple):
    """A message without the parts that its sending adds (length, sequence number): what to do, and to what."""

    type: int
    flags: int
    body: bytes


class Message(NamedTuple):
    """A message received: its body is ``data[start:end]``. No copy is made: dumps are read by the megabyte."""

    type: int
    flags: int
    sequence: int
    port: int
    data: bytes
    start: int
    end: int


class Failure(NamedTuple):
    """What the kernel answered instead of doing it: an errno, and the extended ack's words if it gave any."""

    code: int
    text: str = ""


# --- writing -------------------------------------------------------------------------------------------------


def attribute(kind: int, payload: bytes) -> bytes:
    """Return one attribute with its header and padding."""
    length = 4 + len(payload)
    return ATTRIBUTE.pack(length, kind) + payload + _PADDING[length & 3]


def nested(kind: int, *attributes: bytes) -> bytes:
    """Return an attribute that holds *attributes*, marked as such."""
    return attribute(kind | NLA_F_NESTED, b"".join(attributes))


def u8(kind: int, value: int) -> bytes:
    """Return an attribute of one octet."""
    return attribute(kind, _U8.pack(value))


def u16(kind: int, value: int) -> bytes:
    """Return an attribute of two octets."""
    return attribute(kind, _U16.pack(value))


def u32(kind: int, value: int) -> bytes:
    """Return an attribute of four octets."""
    return attribute(kind, _U32.pack(value))


def text(kind: int, value: str) -> bytes:
    """Return a NUL-terminated string attribute."""
    return attribute(kind, value.encode() + b"\0")


def frame(request: Request, sequence: int, extra_flags: int = 0) -> bytes:
    """Return *request* as it goes over the socket; the port id stays 0, which lets the kernel fill it in."""
    kind, flags, body = request
    return HEADER.pack(16 + len(body), kind, flags | extra_flags | NLM_F_REQUEST, sequence, 0) + body


# --- reading -------------------------------------------------------------------------------------------------


def messages(data: bytes) -> Iterator[Message]:
    """Yield the messages that one ``recv`` returned. A length that cannot be ends the walk."""
    offset, size = 0, len(data)
    unpack = HEADER.unpack_from
    while offset + 16 <= size:
        length, kind, flags, sequence, port = unpack(data, offset)
        if length < 16 or offset + length > size:  # noqa: PLR2004 - a header
            return
        yield Message(kind, flags, sequence, port, data, offset + 16, offset + length)
        offset += length + 3 & ~3


def attributes(data: bytes, start: int, end: int) -> dict[int, bytes]:
    """Return the attributes between *start* and *end* by type; of a repeated one the last."""
    found: dict[int, bytes] = {}
    unpack = ATTRIBUTE.unpack_from
    while start + 4 <= end:
        length, kind = unpack(data, start)
        if length < 4 or start + length > end:  # noqa: PLR2004 - a header
            break
        found[kind & NLA_TYPE_MASK] = data[start + 4 : start + length]
        start += length + 3 & ~3
    return found


def repeated(data: bytes, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield the attributes between *start* and *end*, type and payload: some repeat one."""
    while start + 4 <= end:
        length, kind = ATTRIBUTE.unpack_from(data, start)
        if length < 4 or start + length > end:  # noqa: PLR2004 - a header
            return
        yield kind & NLA_TYPE_MASK, data[start + 4 : start + length]
        start += length + 3 & ~3


def number(payload: bytes) -> int:
    """Read an unsigned integer attribute of whatever width."""
    return int.from_bytes(payload, sys.byteorder)


def string(payload: bytes) -> str:
    """Read a string attribute. What is not UTF-8 (a link's name may be any bytes) is shown with question marks."""
    raw = payload.rstrip(b"\0")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("ascii", "replace").replace("\ufffd", "?")


def failure(message: Message) -> Failure | None:
    """Read an NLMSG_ERROR: None for a plain acknowledgement.

    Layout: struct nlmsgerr is the negative errno and the request's header; the request's body follows unless it was
    capped; the extended ack's attributes follow that if NLM_F_ACK_TLVS says so.
    """
    data, start, end = message.data, message.start, message.end
    (code,) = _S32.unpack_from(data, start)
    if code == 0:
        return None
    words = ""
    if message.flags & NLM_F_ACK_TLVS:
        at = start + 4 + 16
        if not message.flags & NLM_F_CAPPED:
            (length, *_) = HEADER.unpack_from(data, start + 4)
            at = start + 4 + (length + 3 & ~3)
        said = attributes(data, at, end)
        words = _said(said)
    return Failure(-code, words)


def _said(said: dict[int, bytes]) -> str:
    words = []
    if NLMSGERR_ATTR_MSG in said:
        words.append(string(said[NLMSGERR_ATTR_MSG]))
    if NLMSGERR_ATTR_MISS_TYPE in said:
        words.append(f"attribute {number(said[NLMSGERR_ATTR_MISS_TYPE])} is missing")
    if not words and NLMSGERR_ATTR_OFFS in said:
        words.append(f"the attribute at byte {number(said[NLMSGERR_ATTR_OFFS])} of the message")
    return "; ".join(words)
