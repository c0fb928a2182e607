"""Published ports: what Docker asked to be reachable from outside, and where it ended up."""

import enum

from attrs import field, frozen
from attrs.validators import ge, le

from linkwright.model.address import Address


class Protocol(enum.IntEnum):
    """Transport protocols that can be published, by IANA protocol number."""

    TCP = 6
    UDP = 17
    SCTP = 132

    def __str__(self) -> str:
        return self.name.lower()


@frozen
class PortBinding:
    """One ``-p``. ``host_port`` 0 means "choose one"; below ``host_port_end`` it means "choose one in the range".

    ``host_address`` None means every address of the host.
    """

    protocol: Protocol
    port: int = field(validator=[ge(1), le(65535)])
    host_address: Address | None = None
    host_port: int = field(default=0, validator=[ge(0), le(65535)])
    host_port_end: int = field(default=0, validator=[ge(0), le(65535)])

    def __str__(self) -> str:
        host = "" if self.host_address is None else f"{self.host_address}:"
        if self.host_address is not None and self.host_address.version == 6:  # noqa: PLR2004 - as in a URL
            host = f"[{self.host_address}]:"
        chosen = str(self.host_port) if self.host_port else ""
        if self.host_port_end > self.host_port > 0:
            chosen += f"-{self.host_port_end}"
        return f"{host}{chosen}{':' if host or chosen else ''}{self.port}/{self.protocol}"
