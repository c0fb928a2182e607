"""Kernel features that a test needs, and which of them this kernel lacks. For names see ``network.host.features``."""

from collections.abc import Iterable
from functools import cache

import pytest

from linkwright.kernel import features
from linkwright.kernel.transport import Rtnetlink


def needs(*names: str) -> pytest.MarkDecorator:
    """Mark a test that needs kernel features: ``@needs("ipvlan")``. It is skipped where one is not there, by name."""
    return pytest.mark.needs(*names)


def skip_without(names: Iterable[str]) -> None:
    """Skip the test that is running if the kernel lacks one of *names*. Needs CAP_NET_ADMIN: who has not, has none."""
    wanted = frozenset(names)
    if lacking := sorted(wanted - _there()) if wanted else []:
        pytest.skip(f"kernel feature: {', '.join(lacking)}")


@cache
def _there() -> frozenset[str]:
    netlink = Rtnetlink()
    try:
        return features.probe(netlink)
    finally:
        netlink.close()
