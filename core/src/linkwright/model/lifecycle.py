"""The life of an endpoint as a table. Rule 1: everything that says which call may follow which is here.

Rule 2: this file knows no kernel and no store; it maps (state, call) to a state.

``CREATING`` lasts until a later call names the endpoint: if the answer to CreateEndpoint was lost, Docker may never
mention the id again, and an endpoint that nobody has named for a while is removed.
"""

import enum


class EndpointState(enum.Enum):
    """Where an endpoint stands."""

    CREATING = "creating"
    JOINED = "joined"
    LEFT = "left"
    DELETING = "deleting"


class Call(enum.Enum):
    """What can happen to an endpoint."""

    JOIN = "join"
    LEAVE = "leave"
    DELETE = "delete"


_S, _C = EndpointState, Call

#: (state, call) → state. A pair that is missing is refused; a pair that maps to itself is a repeat and changes nothing.
TRANSITIONS: dict[tuple[EndpointState, Call], EndpointState] = {
    (_S.CREATING, _C.JOIN): _S.JOINED,
    (_S.JOINED, _C.JOIN): _S.JOINED,
    (_S.LEFT, _C.JOIN): _S.JOINED,
    (_S.CREATING, _C.LEAVE): _S.LEFT,  # 29 sends Leave after a failed Join
    (_S.JOINED, _C.LEAVE): _S.LEFT,
    (_S.LEFT, _C.LEAVE): _S.LEFT,
    (_S.CREATING, _C.DELETE): _S.DELETING,
    (_S.JOINED, _C.DELETE): _S.DELETING,  # a missing Leave is Docker's habit after a crash
    (_S.LEFT, _C.DELETE): _S.DELETING,
    (_S.DELETING, _C.DELETE): _S.DELETING,
}


def after(state: EndpointState, call: Call) -> EndpointState | None:
    """The state that follows, or None where *call* makes no sense in *state*."""
    return TRANSITIONS.get((state, call))
