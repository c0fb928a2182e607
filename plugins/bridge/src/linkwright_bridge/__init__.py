"""A bridge for each network, a veth pair for each endpoint, the host as gateway, masquerade to the outside.

What may live here: from a network or an endpoint to the wishes that make it, and nothing else.
"""

from linkwright_bridge.driver import Bridge
from linkwright_bridge.options import Options

__all__ = ["Bridge", "Options"]
