"""What a store has done so far, in numbers, for the metrics. Counting only."""

from attrs import define, evolve, frozen


@frozen
class Statistics:
    """Counts since the store was opened, and how much waits now."""

    commits: int = 0  # calls that were made durable
    transactions: int = 0  # what they took: fewer than commits, because what gathers is committed together
    changes: int = 0  # rows put and dropped by them
    bytes: int = 0  # of text in the rows put
    largest_group: int = 0  # most commits in one transaction
    failures: int = 0  # calls that ended in Unavailable
    withdrawn: int = 0  # calls that were cancelled, or timed out, before they had begun
    queue: int = 0  # calls waiting now
    copies: int = 0  # good copies made
    copy_failures: int = 0
    last_failure: str = ""  # the newest text behind either kind of failure
    failing: str = ""  # why the newest call could not be made durable; empty where it was


@define
class Tally:
    """A `Statistics` that is being counted. Whoever shares one between threads holds a lock of their own."""

    now: Statistics = Statistics()

    def add(self, **more: int) -> None:
        """Add *more* to the counts of those names."""
        self.now = evolve(self.now, **{name: getattr(self.now, name) + count for name, count in more.items()})

    def committed(self, *, group: int, changes: int, size: int) -> None:
        """Count one transaction of *group* commits."""
        self.add(commits=group, transactions=1, changes=changes, bytes=size)
        self.now = evolve(self.now, largest_group=max(group, self.now.largest_group), failing="")

    def failed(self, text: str, **more: int) -> None:
        """Count *more* and keep *text* as the newest failure."""
        self.add(**more)
        self.now = evolve(self.now, last_failure=text, failing=text if "failures" in more else self.now.failing)
