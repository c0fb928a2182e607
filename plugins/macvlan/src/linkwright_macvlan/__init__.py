"""A link with a hardware address of its own on a link of the host for each endpoint: containers stand on the LAN.

What may live here: from a network or an endpoint to the wishes that make it, and nothing else.
"""

from linkwright_macvlan.driver import Macvlan
from linkwright_macvlan.options import Options

__all__ = ["Macvlan", "Options"]
