"""What the kernel's tests share: network namespaces of their own."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from core.tests.kernel.laboratory import ELEMENTS, Laboratory, built, creates

from linkwright.kernel.nftables.firewall import Firewall
from linkwright.kernel.ruleset import ruleset
from linkwright.testkit import namespaces
from linkwright.testkit.namespaces import Namespace


@pytest.fixture
def new_namespace() -> Iterator[Callable[[], Namespace]]:
    """Make namespaces, as many as the test asks for; removed afterwards, whatever happened."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(namespaces.made())


@pytest.fixture
def namespace(new_namespace: Callable[[], Namespace]) -> Namespace:
    """One namespace."""
    return new_namespace()


@pytest.fixture(scope="module")
def built_laboratory() -> Iterator[Laboratory]:
    """A host with bridges and machines on its links, for all tests of a module."""
    with built() as made:
        yield made


@pytest.fixture
def laboratory(built_laboratory: Laboratory) -> Laboratory:
    """The same as it was built: no connection tracked, no rule of anybody's, br_netfilter on."""
    built_laboratory.host.run("nft", "flush", "ruleset")
    built_laboratory.host.run("conntrack", "-F")
    built_laboratory.set_calls(True)
    return built_laboratory


@pytest.fixture
async def firewall(laboratory: Laboratory) -> AsyncIterator[Firewall]:
    """The laboratory's firewall as core and drivers would have it: the tables, and the elements of three networks."""
    async with Firewall(ruleset(), netns=laboratory.host.path) as opened:
        await opened.prepare()
        await opened.apply(creates(*ELEMENTS))
        yield opened
