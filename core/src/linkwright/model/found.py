"""What a borrowed thing of the host was before we changed it: kept durably, and put back when nobody borrows it."""

from collections.abc import Mapping

from attrs import field, frozen


@frozen
class FoundBefore:
    """Those attributes of one thing that we may change, as they were found; one record for the whole host.

    ``key`` is the thing's as text ("link br0"). It holds for one ``boot``: another boot makes the host anew.
    """

    key: str
    boot: str
    attributes: Mapping[str, str] = field(factory=dict)
