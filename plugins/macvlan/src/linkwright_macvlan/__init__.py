"""Links on a link of the host for each endpoint: containers stand on the LAN, as macvlan or as ipvlan.

What may live here: from a network or an endpoint to the wishes that make it, and nothing else. What networks stand on
is ``parent``, which of them exclude each other ``beside``, how the host reaches its own containers ``host_access``.
"""

from linkwright_macvlan.driver import Macvlan
from linkwright_macvlan.ipvlan import Ipvlan
from linkwright_macvlan.options import IpvlanOptions, Options

__all__ = ["Ipvlan", "IpvlanOptions", "Macvlan", "Options"]
