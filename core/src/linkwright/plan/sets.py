"""What a plan has to know of the firewall's sets, by name. The sets and their meaning are ``kernel.ruleset``'s."""

#: Sets that lead new connections into containers: made when all else stands, and unmade before anything else goes.
DESTINATIONS = frozenset({"wildcard4", "wildcard6", "published4", "published6"})

#: Sets of the table of family ``bridge``; all others are in the one of family ``inet``.
OF_BRIDGE_TABLE = frozenset({"checked", "macs", "senders4", "senders6"})
