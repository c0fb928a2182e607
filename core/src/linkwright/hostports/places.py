"""Where a socket of ours is bound: protocol, address and port, as a value. Nothing is opened here."""

from attrs import frozen

from linkwright.model import Address, PortBinding, Protocol


@frozen
class Place:
    """One port of one address, or of all addresses of its family (0.0.0.0, ::)."""

    protocol: Protocol
    address: Address
    port: int

    @classmethod
    def of(cls, binding: PortBinding) -> "Place":
        """Where *binding*, which names its host address, is bound. ValueError if it names none."""
        if binding.host_address is None:
            raise ValueError(f"the binding {binding} names no host address: there is nothing to bind for it")
        return cls(binding.protocol, binding.host_address, binding.host_port)

    @property
    def family(self) -> str:
        """The address family as people call it."""
        return f"IPv{self.address.version}"

    @property
    def is_relayed(self) -> bool:
        """Whether what reaches it is relayed. Of IPv4 nothing is: the firewall leads all of it, 127.0.0.0/8 too."""
        return self.address.version == 6 and self.protocol in {Protocol.TCP, Protocol.UDP}  # noqa: PLR2004 - IPv6

    def clashes(self, other: "Place") -> bool:
        """Whether not both can be bound: the same port of one address, or of all of them and any one."""
        return (
            (self.protocol, self.port, self.address.version) == (other.protocol, other.port, other.address.version)
        ) and (self.address == other.address or self.address.is_unspecified or other.address.is_unspecified)

    def __str__(self) -> str:
        host = f"[{self.address}]" if self.address.version == 6 else self.address  # noqa: PLR2004 - IPv6
        return f"{self.protocol} {host}:{self.port}"
