"""The ownership mark: the alias (IFLA_IFALIAS) that every link of ours carries. Text form only.

``linkwright:<instance>:<network>[/<endpoint>[ <mac> <address>…]]``

With it leftovers are found without the store, and the store can be rebuilt from what is left. The kernel keeps up to
255 bytes (IFALIASZ less the NUL, linux/if.h): two 64-digit ids, a hardware address and two addresses fit.
A container may edit the mark on its own end of a veth: believe only the host's end.
"""

import re
from ipaddress import ip_interface
from typing import Self

from attrs import field, frozen

from linkwright.model.address import Interface
from linkwright.model.mac import Mac

#: Stands for the network in the mark of a link that several networks or endpoints wish for alike. No id is like it.
SHARED = "*"

_FORM = re.compile(r"linkwright:(?P<instance>[^:\s]+):(?P<network>[^/\s]+)(/(?P<endpoint>\S+)(?P<facts>( \S+)*))?")
_INSTANCE = re.compile(r"[a-z0-9][a-z0-9-]{0,15}")


def valid_instance(name: str) -> bool:
    """Whether *name* may be an instance's: 1 to 16 of a-z, 0-9, '-'; it is part of marks and table names."""
    return _INSTANCE.fullmatch(name) is not None


@frozen
class Mark:
    """Whose a link is."""

    instance: str
    network: str
    endpoint: str = ""
    mac: Mac | None = None
    addresses: tuple[Interface, ...] = field(default=())

    @classmethod
    def parse(cls, alias: str | None) -> Self | None:
        """Read an alias; None if it is not a mark of any instance of ours."""
        found = _FORM.fullmatch(alias or "")
        if found is None:
            return None
        mac: Mac | None = None
        addresses: list[Interface] = []
        try:
            for fact in (found["facts"] or "").split():
                if "/" in fact:
                    addresses.append(ip_interface(fact))
                else:
                    mac = Mac.parse(fact)
        except Exception:  # noqa: BLE001 - whatever an edited alias raises, it is not a mark
            return None
        return cls(found["instance"], found["network"], found["endpoint"] or "", mac, tuple(addresses))

    def __str__(self) -> str:
        text = f"linkwright:{self.instance}:{self.network}"
        if self.endpoint:
            facts = [str(fact) for fact in (self.mac, *self.addresses) if fact is not None]
            text += " ".join([f"/{self.endpoint}", *facts])
        return text

    def same_owner(self, other: Self | None) -> bool:
        """Whether *other* marks a thing of the same instance, network and endpoint."""
        mine = (self.instance, self.network, self.endpoint)
        return other is not None and (other.instance, other.network, other.endpoint) == mine
