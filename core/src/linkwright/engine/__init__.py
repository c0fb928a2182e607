"""What to do on each request and each event. No sockets, no SQL, no netlink: those are handed in (``ports``)."""
