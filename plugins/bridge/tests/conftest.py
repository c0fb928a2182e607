"""What the tests of the bridge driver on a real host share."""

from collections.abc import AsyncIterator, Callable

import pytest
from plugins.bridge.tests.hosted import Docker, on_a_host

from linkwright.testkit.place import Place


@pytest.fixture
async def docker(place: Callable[[], Place]) -> AsyncIterator[Docker]:
    """A host with an uplink, and Docker's part on it."""
    async with on_a_host(place) as found:
        yield found
