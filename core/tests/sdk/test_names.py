"""Names of links: ours by the look of them, short enough, and the same every time."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from linkwright import sdk

docker_ids = st.text("0123456789abcdef", min_size=64, max_size=64)
roles = st.sampled_from(string.ascii_lowercase.replace("x", ""))


@given(docker_ids | st.text(), roles)
def test_a_name_fits_and_is_seen_to_be_ours(id: str, role: str) -> None:  # noqa: A002 - the domain's word
    """The kernel takes 15 bytes; every name begins with lw, and then with what it is."""
    name = sdk.link_name(role, id)
    assert len(name.encode()) == 15
    assert name.startswith(f"lw{role}")
    assert sdk.Link(name).name == sdk.interface_name(name) == name


def test_a_name_shows_the_digits_that_docker_shows() -> None:
    """``docker network ls`` and ``ip link`` can be read side by side."""
    assert sdk.link_name("b", "0123456789abcdef" * 4) == "lwb0123456789ab"


@given(docker_ids, roles, roles)
def test_names_of_one_thing_differ_by_their_role(id: str, one: str, other: str) -> None:  # noqa: A002 - as above
    """Both ends of a pair are made from one id."""
    assert (one == other) == (sdk.link_name(one, id) == sdk.link_name(other, id))


def test_ids_that_are_not_dockers_are_told_apart_by_all_of_their_text() -> None:
    """A controller of another kind may number its networks; cutting would make them one."""
    names = {sdk.link_name("b", id) for id in ("1", "10", "a" * 63, "a" * 65, "A" * 64, "")}  # noqa: A001 - as above
    assert len(names) == 6


@pytest.mark.parametrize("role", ["", "ab", "1", "-", "B", "ß", "x"])
def test_a_role_is_one_letter(role: str) -> None:
    """Two would not fit; "x" is kept for links that are being removed."""
    with pytest.raises(ValueError, match="a role is one letter"):
        sdk.link_name(role, "x")


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a:b", "a b", "eth%d", "x" * 16, "é" * 8, "à", "a\u2003b", "\ud800", "a\x00b"]
)
def test_p_23_a_users_name_for_an_interface_is_one_that_the_kernel_takes(name: str) -> None:
    """Refused before anything is made, with what would do."""
    with pytest.raises(sdk.Refused, match="is no interface name: 1 to 15 bytes"):
        sdk.interface_name(name)
