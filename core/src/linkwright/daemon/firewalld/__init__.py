"""Living beside firewalld: which interfaces belong in its zone (``membership``), how it is told (``bus``), and when.

firewalld refuses what is forwarded from an interface of no zone, so a bridge of ours has to be in one. Docker has the
same need, and a zone of its own (moby, daemon/libnetwork/iptables/firewalld.go).
"""

from linkwright.daemon.firewalld.membership import ZONE, Standing
from linkwright.daemon.firewalld.zones import Zones

__all__ = ["ZONE", "Standing", "Zones"]
