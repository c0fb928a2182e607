"""Which interfaces go into firewalld's zone and which out of it: every case of the table in ``membership``."""

import pytest

from linkwright.daemon.firewalld.membership import ZONE, Changes, changes, is_ours
from linkwright.sdk.names import link_name

ONE, TWO = link_name("b", "1" * 64), link_name("b", "2" * 64)


@pytest.mark.parametrize(
    ("bridges", "zones", "kept", "there", "wanted"),
    [
        ([], {}, [], [], Changes()),
        ([TWO, ONE], {}, [], [], Changes(add=(ONE, TWO))),
        ([ONE], {"public": ["eth0"]}, [], [ONE], Changes(add=(ONE,))),
        ([ONE], {ZONE: [ONE]}, [], [ONE], Changes()),
        ([ONE], {ZONE: [ONE]}, [ONE], [ONE], Changes()),
        ([ONE], {}, [ONE], [ONE], Changes(add=(ONE,))),
        ([ONE], {"dmz": [ONE]}, [], [ONE], Changes(chosen={ONE: "dmz"})),
        ([ONE], {"dmz": ["lwb+"]}, [], [ONE], Changes(chosen={ONE: "dmz"})),
        ([ONE], {ZONE: ["lw+"]}, [], [ONE], Changes()),
        (["br0"], {"docker": ["br+", "docker0"]}, [], ["br0"], Changes(chosen={"br0": "docker"})),
        (["br0"], {"dmz": ["br1", "br00"]}, [], ["br0"], Changes(add=("br0",))),
        ([], {ZONE: [ONE]}, [ONE], [ONE], Changes(remove=(ONE,))),
        ([], {ZONE: ["br0"]}, ["br0"], ["br0"], Changes(remove=("br0",))),
        ([], {ZONE: [ONE]}, [], [], Changes(remove=(ONE,))),
        ([], {ZONE: [ONE]}, [], [ONE], Changes()),
        ([], {ZONE: ["br0", "lwan", "eth0", "lwb+"]}, [], [], Changes()),
        ([], {"dmz": [ONE]}, [ONE], [], Changes()),
        ([TWO], {ZONE: [ONE]}, [ONE], [TWO], Changes(add=(TWO,), remove=(ONE,))),
    ],
    ids=[
        "nothing",
        "new networks",
        "zones of others",
        "found as it should be",
        "kept",
        "lost by a reload",
        "somebody chose another zone",
        "somebody chose one for all that are called so",
        "somebody trusts all that are called so",
        "an adopted bridge that a pattern has",
        "names that only begin alike",
        "its network has gone",
        "its network has gone, the adopted bridge has not",
        "left by a crash",
        "another instance's",
        "names that others might give",
        "in another zone it is not ours to take out",
        "one comes, one goes",
    ],
)
def test_what_is_to_be_changed(
    bridges: list[str], zones: dict[str, list[str]], kept: list[str], there: list[str], wanted: Changes
) -> None:
    """Bridges of ours in no zone go in; only what we put there, or what only we could have, comes out."""
    assert changes(bridges, zones, kept=kept, exists=there.__contains__) == wanted


@pytest.mark.parametrize(
    "name", ["lwb", "lwan0", "lwb0123456789a", "lwb0123456789abc", "Lwb0123456789ab", "lwbghijklmnopqr"]
)
def test_a_name_that_anybody_could_give_is_not_ours(name: str) -> None:
    """Two letters are no proof."""
    assert is_ours(ONE)
    assert not is_ours(name)
