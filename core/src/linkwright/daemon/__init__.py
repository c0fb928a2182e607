"""Where the parts meet: configuration, sockets, the nursery, metrics, the admin socket. I/O is injected from here."""
