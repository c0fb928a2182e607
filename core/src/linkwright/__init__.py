"""linkwright: a container network daemon for Docker.

The layers, lowest first, and what may live in each (``tests/test_layers.py`` holds the same as a table):

``model``   what Docker asked for, as frozen values
``plan``    what the host must have, as frozen values; the difference to what it has; undo; text
``sdk``     the one import of a driver author
``wire``    the libnetwork plugin protocol: bytes to typed requests and back
``kernel``  the only place that speaks netlink, nftables and sysctl
``ipam``    pools and leases
``store``   the durable state
``engine``  what to do on each request and each event; no sockets, no SQL, no netlink
``daemon``  where the parts meet: server, configuration, metrics, admin socket
``cli``     the command line; talks to the admin socket
``testkit`` what a driver's tests import
"""

__version__ = "0.1.0"
