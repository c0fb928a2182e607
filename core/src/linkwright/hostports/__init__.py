"""Ports of the host, held by bound sockets, and what comes to them past the firewall led to its container.

============  ==========================================================================
``hold``      which endpoint holds what: taken together, let go together, restored
``request``   one request: each group at one port, and all of them or none
``table``     all that is held, by whomever: binding, finding who has it, letting it go
``places``    where a socket is bound, as a value; which two clash
``choosing``  which ports a request may have
``binding``   one socket: its options, and what a refusal means
``keeping``   sockets that outlive the process: what is asked of a supervisor
``relay``     connections to a held IPv6 port, to the container; ``datagrams`` the same
``relaying``  what both have in common: tasks that end together, and how many there may be
============  ==========================================================================
"""

from linkwright.hostports.hold import HeldPorts
from linkwright.hostports.keeping import PREFIX, Keeper, Nowhere

__all__ = ["PREFIX", "HeldPorts", "Keeper", "Nowhere"]
