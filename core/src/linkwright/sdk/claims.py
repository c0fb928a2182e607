"""Claims: what is chosen rather than described. A driver asks for it as data, and is handed it back. Values only.

The core chooses, stores and holds what is claimed before it asks the driver for wishes, and gives it back when the
network goes; a restart hands back the same. So drivers stay pure and choose nothing twice.
"""

from attrs import frozen

from linkwright.model import Address, Subnet


@frozen
class AddressClaim:
    """An address of *subnet* for the host's own use, under ``network.claims[name]`` as text.

    With *address* exactly that one. The subnet's IPAM has to be linkwright's, no other lets a network driver ask; where
    it is not, the refusal goes on with "or" and *otherwise*: what the user can do instead.
    """

    name: str
    subnet: Subnet
    address: Address | None = None
    otherwise: str = ""


Claim = AddressClaim
