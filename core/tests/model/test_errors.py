"""The error tree: whose move it is, and what a kernel's refusal reads like."""

import errno

import pytest

from linkwright.errors import (
    Conflict,
    DriverFault,
    Exhausted,
    KernelError,
    LinkwrightError,
    NotFound,
    Refused,
    Stopping,
    Unavailable,
)


@pytest.mark.parametrize("error", [NotFound, Conflict, Exhausted])
def test_what_the_caller_has_to_change_is_refused(error: type[LinkwrightError]) -> None:
    """All of them go to the user and are not logged as ours."""
    assert issubclass(error, Refused)
    assert error.outcome == "refused"


def test_every_other_kind_has_an_outcome_of_its_own() -> None:
    """The metric tells the host's trouble from a driver's, the store's and a restart's."""
    kinds: list[type[LinkwrightError]] = [Refused, KernelError, DriverFault, Unavailable, Stopping]
    assert len({kind.outcome for kind in kinds}) == len(kinds)
    assert all(issubclass(kind, LinkwrightError) for kind in kinds)


@pytest.mark.parametrize(
    ("code", "extack", "text"),
    [
        (errno.EEXIST, "", "the kernel refused `ip link add lwb1 type bridge`: EEXIST"),
        (
            errno.EINVAL,
            "Invalid prefsrc address",
            "the kernel refused `ip link add lwb1 type bridge`: EINVAL: Invalid prefsrc address",
        ),
        (4711, "", "the kernel refused `ip link add lwb1 type bridge`: 4711"),
    ],
)
def test_a_kernel_error_says_what_was_tried_and_what_came_back(code: int, extack: str, text: str) -> None:
    """The step as a person would type it, the errno by name, and the kernel's own words where it has some."""
    error = KernelError(code, step="ip link add lwb1 type bridge", extack=extack)
    assert text == str(error)
    assert (code, extack) == (error.code, error.extack)
