"""What the ledger counts for the metrics: things that are right, and that an operator wants to know of. A table."""

import enum


class Happening(enum.Enum):
    """A kind of event; its value labels the counter."""

    CONFIRMED = "confirmed"  # Docker's replay named a lease that we hold
    REPLAYED = "replayed"  # the same for a pool
    REVIVED = "revived"  # an address was asked for in a pool that only its PoolID told of
    TAKEN_OVER = "taken_over"  # a lease that nobody confirmed went to a new owner who asked for its address
    QUARANTINED = "quarantined"  # a lease that nobody confirmed was missed twice
    RECOVERED = "recovered"  # an address in quarantine was seen in use: it is held again
    FREED = "freed"  # an address had rested in quarantine
    RECLAIMED = "reclaimed"  # a dead endpoint gave its lease back
    FORGOTTEN = "forgotten"  # a remembered address was needed for somebody else
    ABANDONED = "abandoned"  # a pool that Docker did not replay was dropped
    UNDONE = "undone"  # the caller had gone when the result came
