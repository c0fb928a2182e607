"""A segment that spans hosts: a bridge with a vxlan link on each, a veth pair for each endpoint.

What may live here: from a network or an endpoint to the wishes that make it, and nothing else.
"""

from linkwright_vxlan.driver import Vxlan
from linkwright_vxlan.options import Options

__all__ = ["Options", "Vxlan"]
