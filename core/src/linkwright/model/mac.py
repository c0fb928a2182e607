"""Hardware addresses as values. Parsing, deriving and printing only."""

import hashlib
import re
from typing import Self

from attrs import field, frozen

from linkwright.errors import Refused

_TEXT = re.compile(r"[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5}")


def _six_octets(_: object, __: object, value: bytes) -> None:
    if len(value) != 6:  # noqa: PLR2004 - EUI-48
        raise ValueError(f"a hardware address has 6 octets, not {len(value)}")


@frozen(order=True)
class Mac:
    """An EUI-48 hardware address."""

    octets: bytes = field(validator=_six_octets)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``02:42:0a:00:00:02`` (or with dashes); Refused for anything else."""
        if not _TEXT.fullmatch(text):
            raise Refused(f"{text!r} is not a hardware address; write six hexadecimal octets like 02:42:0a:00:00:02")
        return cls(bytes.fromhex(text.replace(":", "").replace("-", "")))

    @classmethod
    def derive(cls, *seed: str) -> Self:
        """Make a unicast, locally administered address (IEEE 802: bits 0x01 clear, 0x02 set) that *seed* decides."""
        digest = hashlib.sha256("\0".join(seed).encode()).digest()
        return cls(bytes([digest[0] & 0xFC | 0x02]) + digest[1:6])

    @property
    def is_unicast(self) -> bool:
        """Whether one interface may own this address."""
        return not self.octets[0] & 0x01 and any(self.octets)

    def __str__(self) -> str:
        return self.octets.hex(":")
