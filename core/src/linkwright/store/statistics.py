"""What a store has done so far, in numbers, for the metrics. Counting only."""

from collections import defaultdict

from attrs import frozen


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


class Tally:
    """A `Statistics` that is being counted. Whoever shares one between threads holds a lock of their own."""

    def __init__(self) -> None:
        """Nothing counted yet."""
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._last_failure = self._failing = ""

    @property
    def now(self) -> Statistics:
        """What has been counted so far."""
        return Statistics(**self._counts, last_failure=self._last_failure, failing=self._failing)

    def add(self, **more: int) -> None:
        """Add *more* to the counts of those names."""
        for name, count in more.items():
            self._counts[name] += count

    def committed(self, *, group: int, changes: int, size: int) -> None:
        """Count one transaction of *group* commits."""
        self.add(commits=group, transactions=1, changes=changes, bytes=size)
        self._counts["largest_group"] = max(group, self._counts["largest_group"])
        self._failing = ""

    def failed(self, text: str, **more: int) -> None:
        """Count *more* and keep *text* as the newest failure."""
        self.add(**more)
        self._last_failure = text
        if "failures" in more:
            self._failing = text
