"""What the kernel's tests share: network namespaces of their own."""

import contextlib
from collections.abc import Callable, Iterator

import pytest

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
