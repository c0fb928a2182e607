"""The manual of both drivers says what the code does; the message of a failure is the text that belongs there."""

import re
import shlex
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from plugins.conftest import SECTIONS
from plugins.macvlan.tests.asked import ENDPOINT, FOUR, HOST, IPVLAN, MACVLAN, SIX, host_in, ipvlan, macvlan

from linkwright import sdk
from linkwright.testkit import readme
from linkwright_macvlan import IpvlanOptions, Options

TITLE, PARTS = readme.sections(Path(__file__).parents[1] / "README.md")
DRIVERS: dict[str, Any] = {"lw-macvlan": MACVLAN, "lw-ipvlan": IPVLAN}
REACHED = macvlan(host_in(FOUR, "192.0.2.2"), host_in(SIX, "2001:db8::2", "host6"), host_access="true")


def test_it_has_the_form_of_all_manuals() -> None:
    """Name, Description, Options, What it does to the host, Limits, Metrics, Examples."""
    assert (TITLE, tuple(PARTS)) == ("linkwright-macvlan", SECTIONS)


@pytest.mark.parametrize("options", [Options, IpvlanOptions])
def test_its_tables_are_the_options_that_there_are(options: type) -> None:
    """By the names that Docker's own drivers have, with defaults and what they mean."""
    assert f"\n\n{readme.options_table(options)}\n\n" in PARTS["Options"]


def test_it_shows_the_steps_that_are_taken(ask: Callable[..., Any]) -> None:
    """As a person would type them, in the order of the text."""
    with_features = evolve(HOST, features=frozenset({"ipv6", "ipvlan", "macvlan", "veth", "vlan"}))
    absent = evolve(with_features, links=tuple(one for one in HOST.links if one.name != "eth0.50"))
    shared = evolve(ENDPOINT, mac=None)
    steps = [
        ask(MACVLAN, evolve(macvlan(parent="eth0.50"), host=absent)).network_text,
        ask(MACVLAN, evolve(macvlan(parent=""), host=with_features)).network_text,
        ask(MACVLAN, macvlan(FOUR, SIX), ENDPOINT).endpoint_text,
        ask(IPVLAN, ipvlan(FOUR, SIX, ipvlan_mode="l3"), shared).endpoint_text,
        ask(MACVLAN, evolve(REACHED, host=with_features), ENDPOINT).endpoint_text,
    ]
    blocks = re.findall(r"^```sh\n(.*?)^```$", PARTS["What it does to the host"], flags=re.DOTALL | re.MULTILINE)
    assert blocks == steps


def test_its_examples_are_networks_that_can_be_made(ask: Callable[..., Any]) -> None:
    """Options are read, and the driver has an answer, on a host that has eth0 and every kind of link."""
    commands = PARTS["Examples"].replace("\\\n", " ").splitlines()
    examples = [shlex.split(line) for line in commands if line.startswith("docker network create")]
    assert {dict(pairwise(words))["-d"] for words in examples} == set(DRIVERS)
    for words in examples:
        driver = DRIVERS[dict(pairwise(words))["-d"]]
        pairs = dict(value.split("=", 1) for flag, value in pairwise(words) if flag == "-o")
        network = macvlan(host_in(FOUR, "192.0.2.2"))
        options = sdk.read(driver.options, pairs, driver=driver.name)
        ask(driver, evolve(network, driver=driver.name, options=options), evolve(ENDPOINT, ipv6=None))
