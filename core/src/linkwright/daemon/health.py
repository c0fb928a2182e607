"""Whether the daemon can do its work: named checks, each with the reason why not. No HTTP; ``exposition`` answers.

Two questions are kept apart. *Alive* is answered by answering at all: a service that crashes ends the process. *Ready*
is: every check is well. A daemon that is not ready goes on with what it can do, and becomes ready by itself.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

#: The checks there can be, and what each waits for at the start. Names are label values: few, and never made up.
CHECKS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "start": "the first look at the kernel, and the repair of what differs, are not finished",
        "store": "the stored state is not loaded yet",
        "kernel": "the kernel has not been asked anything yet",
        "witness": "Docker has not been asked what it knows yet",
        "cluster": "the cluster's store has not been reached yet",
    }
)


class Health:
    """The checks of one daemon. A check is told (``well``, ``ill``) or looks for itself (``watch``)."""

    def __init__(self, *names: str) -> None:
        """Have the checks called *names*, all of ``CHECKS``; each is ill until it is told otherwise."""
        self._reasons = {name: CHECKS[name] for name in names}
        self._looks: dict[str, Callable[[], str]] = {}

    def well(self, name: str) -> None:
        """Say that *name* is as it should be. KeyError for a check that this daemon does not have."""
        self.ill(name, "")

    def ill(self, name: str, reason: str) -> None:
        """Say why *name* is not as it should be."""
        self._known(name)
        self._reasons[name] = reason

    def watch(self, name: str, look: Callable[[], str]) -> None:
        """Ask *look* from now on, whenever anybody asks for the state: it answers the reason, "" where all is well.

        It may neither wait nor raise.
        """
        self._known(name)
        self._looks[name] = look

    def reasons(self) -> dict[str, str]:
        """The checks by name, each with the reason why it is not well, "" where it is."""
        return {name: self._looks[name]() if name in self._looks else told for name, told in self._reasons.items()}

    def checks(self) -> dict[str, bool]:
        """Whether each check is well; a source for the metrics."""
        return {name: not reason for name, reason in self.reasons().items()}

    @property
    def names(self) -> tuple[str, ...]:
        """The checks there are."""
        return tuple(self._reasons)

    def _known(self, name: str) -> None:
        if name not in self._reasons:
            raise KeyError(f"no check {name!r}; this daemon has {', '.join(self._reasons)}")
