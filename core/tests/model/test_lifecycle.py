"""The life of an endpoint, as the table tells it."""

import pytest

from linkwright.model import Call, EndpointState, after

LIVES = [
    ("the usual one", [Call.JOIN, Call.LEAVE, Call.DELETE], EndpointState.DELETING),
    ("disconnected and connected again", [Call.JOIN, Call.LEAVE, Call.JOIN], EndpointState.JOINED),
    ("dockerd died and says only that it goes", [Call.JOIN, Call.DELETE], EndpointState.DELETING),
    ("the container never started", [Call.DELETE], EndpointState.DELETING),
    ("Join failed, and the engine sends Leave all the same", [Call.LEAVE, Call.DELETE], EndpointState.DELETING),
    ("every call comes twice", [call for call in Call for _ in range(2)], EndpointState.DELETING),
]


@pytest.mark.parametrize(("calls", "end"), [life[1:] for life in LIVES], ids=[life[0] for life in LIVES])
def test_lives(calls: list[Call], end: EndpointState) -> None:
    """Each sequence of calls that engines are known to send is allowed, and ends where it should."""
    state: EndpointState | None = EndpointState.CREATING
    for call in calls:
        assert state is not None
        state = after(state, call)
    assert state is end


@pytest.mark.parametrize("call", [Call.JOIN, Call.LEAVE])
def test_what_is_being_deleted_does_not_come_back(call: Call) -> None:
    """Endpoint ids never return: a call that would revive one makes no sense."""
    assert after(EndpointState.DELETING, call) is None


@pytest.mark.parametrize("state", EndpointState)
@pytest.mark.parametrize("call", Call)
def test_a_call_repeated_changes_nothing(state: EndpointState, call: Call) -> None:
    """Docker repeats what it got no answer to."""
    once = after(state, call)
    assert once is None or after(once, call) is once


@pytest.mark.parametrize("state", EndpointState)
def test_every_state_can_be_deleted(state: EndpointState) -> None:
    """Docker never asks again after a DeleteEndpoint that failed."""
    assert after(state, Call.DELETE) is EndpointState.DELETING
