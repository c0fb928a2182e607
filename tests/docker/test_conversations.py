"""Conversations of real engines, said again in order: linkwright answers as the recorder did, or differs for a reason.

No engine runs here: the tests play dockerd, as two of them spoke, on the plugin sockets of one daemon.
"""

from collections.abc import Mapping

import pytest

from tests.docker.conversation import Conversation, Event, read, scenarios
from tests.docker.daemon import Daemon

pytestmark = pytest.mark.netns

_ON_PURPOSE = "the recorder failed here on purpose, to see what Docker does"

_ONE_SUBNET = "two bridges of one host cannot have one subnet, which the recorder did not look at"

DIFFERENCES: Mapping[str, Mapping[int, str]] = {
    "20.10.24/12-errors": dict.fromkeys(
        (6, 11, 16, 21, 26, 31, 36, 39, 40, 41, 42, 44, 52, 64, 110, 152, 159, 170, 179), _ON_PURPOSE
    ),
    "20.10.24/21-connection-dropped-midrequest": {3: "the recorder read the request and dropped the connection"},
    "20.10.24/23-config-only-and-null-ipam": {
        7: "a bridge network needs addresses, and the null IPAM gives none",
        8: "its network was refused",
        9: "its network was refused",
    },
    "20.10.24/25-http-api-shapes": {10: "the recorder did not mask the host bits of 10.93.0.5/24 and found no room"},
    "20.10.24/26-user-errors-before-plugin": {10: _ONE_SUBNET},
    "20.10.24/29-pool-data-gateway": {5: _ONE_SUBNET},
    "29/12-errors": dict.fromkeys((7, 19, 40, 49, 56, 60, 68, 78, 82), _ON_PURPOSE),
}
"""Scenario → number of the call → why success and failure are the other way round than in the recording."""


@pytest.mark.parametrize("scenario", scenarios())
def test_a_recorded_conversation_goes_as_it_went(alone: Daemon, scenario: str) -> None:
    """Each call succeeds or fails as in the recording, save for the differences above, and nothing is left behind."""
    conversation = Conversation(alone)
    differing: dict[int, str] = {}
    try:
        for line in read(scenario):
            if isinstance(line, Event):
                conversation.happens(line)
                continue
            answered = conversation.say(line)
            if bool(answered.reason) != line.failed:
                differing[line.number] = f"{line}: {answered.reason or 'succeeded'}"
    finally:
        conversation.close()
    assert sorted(DIFFERENCES.get(scenario, {})) == sorted(differing), "\n".join(differing.values())
