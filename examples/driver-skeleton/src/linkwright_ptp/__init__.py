"""A routed network: each container at the end of a wire of its own, and the host between them.

What may live here: from a network or an endpoint to the wishes that make it, and nothing else.
"""

from linkwright_ptp.driver import PointToPoint
from linkwright_ptp.options import Options

__all__ = ["Options", "PointToPoint"]
