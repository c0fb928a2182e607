"""Telling Docker's replay from new requests. Rule 1: what decides that is here. Rule 2: nothing here changes a lease.

When dockerd starts it asks again for every pool, gateway, auxiliary and endpoint address it remembers (we answer
RequiresRequestReplay: it is the one time Docker says what it still holds). These requests look exactly like
``--subnet`` and ``--ip``. An **epoch** is the life of one dockerd as one listener sees it; pools and leases carry the
number of the epoch in which they were last asked for, and within one epoch each lease may be confirmed once.

When an epoch begins (:meth:`Epochs.begin`):

=========================  =================  =================================================================
the peer of the socket     the call           a new epoch?
=========================  =================  =================================================================
another than last time     any                yes
the same                   Plugin.Activate    yes: Docker activates a name once in its life
the same                   any other          no: joining a swarm, say, asks for the capabilities again
not known (``""``)         any                yes: a managed plugin is not activated, its capabilities are asked for
=========================  =================  =================================================================

What a request for one explicit address means when there is a lease of it (:func:`judge`). "Replayed" says that the
pool was asked for in this epoch; a replay asks for the pool before its addresses, and never carries a name:

======================================  =========================================  =================================
the lease                               the request                                answer
======================================  =========================================  =================================
remembered                              any                                        given: it is free
quarantined                             any                                        given: nobody was seen to use it
held, of this epoch                     any                                        conflict
held, through another pool              any                                        conflict
gateway, or the host's own              for another purpose                        conflict
held in an earlier epoch, replayed      without a name, or with the same           **confirmed**, name kept
 〃                                      with another name; seen live               conflict
 〃                                      with another name; not seen live           given: the holder is gone
 〃                                      as gateway, for what is none; seen live    conflict, else given
held in an earlier epoch, not replayed  with the same name                         confirmed
 〃                                      else; missed by the last observation       given: the holder is gone
 〃                                      else                                       conflict: nobody has said it is gone
======================================  =========================================  =================================
"""

import enum
from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

from attrs import fields, frozen

from linkwright.model.address import Lease, LeaseKind, LeaseState, Pool
from linkwright.model.change import Record

#: Held for the network or the host and not for a container: no endpoint ever gets such an address.
FIXTURES = frozenset({LeaseKind.GATEWAY, LeaseKind.HOST})


@frozen
class Epoch:
    """One dockerd's life: its number, which only grows, and who the peer is, where that is known."""

    number: int = 0
    engine: str = ""


class Epochs:
    """The present epoch of each listener."""

    def __init__(self) -> None:
        self._present: dict[str, Epoch] = {}

    def of(self, listener: str) -> Epoch:
        """The present epoch of *listener*."""
        return self._present.get(listener, Epoch())

    def begin(self, listener: str, engine: str, *, activation: bool) -> Epoch:
        """Begin an epoch if the table above says so; return the present one."""
        present = self.of(listener)
        if activation or not engine or engine != present.engine:
            present = self._present[listener] = Epoch(present.number + 1, engine)
        return present

    def learn(self, pool: Pool) -> None:
        """Take what a stored pool says of its listener's epoch: our own restart begins none."""
        if pool.seen > self.of(pool.listener).number:
            self._present[pool.listener] = Epoch(pool.seen, pool.engine)


class Sighting(enum.Enum):
    """What the last observation of the kernel said of a lease from an earlier epoch."""

    NONE = "none"
    LIVE = "live"
    MISSED = "missed"


class Verdict(enum.Enum):
    """What to do with a request for an address that has a lease."""

    GIVE = "give"
    CONFIRM = "confirm"
    REFUSE = "refuse"


def judge(lease: Lease, pool: Pool, present: Epoch, *, kind: LeaseKind, owner: str, sighting: Sighting) -> Verdict:
    """Apply the table above to a request through *pool*, of purpose *kind*, by *owner* (``""``: not told)."""
    if lease.state is not LeaseState.HELD:
        return Verdict.GIVE
    if lease.pool != pool.id or lease.epoch == present.number:
        return Verdict.REFUSE
    if lease.kind in FIXTURES:
        return Verdict.CONFIRM if kind is lease.kind else Verdict.REFUSE
    replayed = pool.asked == present.number
    same = owner == lease.owner if owner else replayed
    if same and kind not in FIXTURES:
        return Verdict.CONFIRM
    gone = sighting is not Sighting.LIVE if replayed else sighting is Sighting.MISSED
    return Verdict.GIVE if gone else Verdict.REFUSE


def is_confirmation(before: Record, now: Record) -> bool:
    """Whether *now* says no more than *before*, but that Docker has named it in a later epoch.

    What the host's end may take back: the dockerd whose epoch it is ends with the host, and the next one replays all.
    """
    if isinstance(before, Pool) and isinstance(now, Pool):
        return (now.seen > before.seen or now.asked > before.asked) and _POOL(now) == _POOL(before)
    if isinstance(before, Lease) and isinstance(now, Lease):
        return now.epoch > before.epoch and _LEASE(now) == _LEASE(before)
    return False


def _all_but(cls: type[Pool | Lease], *names: str) -> Callable[[object], Any]:
    return attrgetter(*(field.name for field in fields(cls) if field.name not in names))


_POOL: Final = _all_but(Pool, "references", "asked", "seen", "engine")
_LEASE: Final = _all_but(Lease, "epoch")
