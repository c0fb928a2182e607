"""Addresses as Docker asks for them, of the whole program on its real sockets: what the catalogue says of ``ipam``.

One daemon serves the module, with a plan of four pools. What is refused here leaves it answering, and without a
traceback.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import trio
from attrs import frozen
from core.tests.daemon.desk import SPACE
from core.tests.daemon.running import Site

from linkwright.daemon import client
from linkwright.testkit.namespaces import made

pytestmark = pytest.mark.netns

PLAN = 4
"""Pools that networks without a subnet are given: 10.200.0.0/24 and those that follow."""


@frozen
class Desk:
    """The socket of addresses of a daemon that runs."""

    site: Site

    async def ask(self, method: str, **asked: Any) -> tuple[int, dict[str, Any]]:
        """Make a call on a connection of its own: the status, and the answer decoded."""
        path, body = self.site.folder / "plugins/lw-ipam.sock", json.dumps(asked).encode()
        answer = await client.request(path, f"/IpamDriver.{method}", method="POST", body=body)
        return answer.status, answer.json()

    def say(self, method: str, **asked: Any) -> dict[str, Any]:
        """Make a call that succeeds."""
        status, answer = trio.run(lambda: self.ask(method, **asked))
        assert status == 200
        assert "Err" not in answer, answer
        return answer

    def refused(self, method: str, **asked: Any) -> str:
        """Make a call that is refused, in the same words under either key: the reason."""
        _, answer = trio.run(lambda: self.ask(method, **asked))
        assert answer["Err"] == answer["Error"] != ""
        return str(answer["Err"])

    def held(self) -> set[str]:
        """The addresses that it says it holds."""
        answer = trio.run(lambda: client.request(self.site.folder / "run/admin.sock", "/export"))
        leases = (json.loads(line).get("lease") for line in answer.body.splitlines())
        return {lease["address"] for lease in leases if lease and lease["state"] == "held"}


def pool(subnet: str = "", subrange: str = "", *, ipv6: bool = False) -> dict[str, Any]:
    """What ``RequestPool`` is asked with."""
    return {"AddressSpace": SPACE, "Pool": subnet, "SubPool": subrange, "Options": {}, "V6": ipv6}


@pytest.fixture(scope="module")
def module_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A daemon in a namespace of its own."""
    with made() as namespace:
        site = Site(namespace, tmp_path_factory.mktemp("site"))
        try:
            site.ready("--drivers=bridge", "--default-pools=10.200.0.0/22:24")
            yield Desk(site)
        finally:
            site.end()


@pytest.fixture
def desk(module_desk: Desk) -> Iterator[Desk]:
    """The same, which afterwards answers, holds nothing, and has not had a traceback."""
    yield module_desk
    assert module_desk.held() == set()
    assert "Traceback" not in module_desk.site.programs[0].said


def test_i_01_a_pool_asked_for_twice_is_one_and_goes_with_the_second_release(desk: Desk) -> None:
    """Both answers have one PoolID; what overlaps is refused until it was released as often as it was asked for."""
    first, second = (desk.say("RequestPool", **pool("10.1.0.0/16"))["PoolID"] for _ in range(2))
    assert first == second
    inside = pool("10.1.2.0/24")
    assert "overlaps 10.1.0.0/16" in desk.refused("RequestPool", **inside)
    desk.say("ReleasePool", PoolID=first)
    assert "overlaps 10.1.0.0/16" in desk.refused("RequestPool", **inside)
    desk.say("ReleasePool", PoolID=first)
    desk.say("ReleasePool", PoolID=desk.say("RequestPool", **inside)["PoolID"])


def test_i_06_when_the_plan_is_used_up_the_answer_says_by_what(desk: Desk) -> None:
    """The size of the plan, and who has it. One that comes back unused is not offered at once, but had by its name."""
    made = [desk.say("RequestPool", **pool())["PoolID"] for _ in range(PLAN)]
    assert len(set(made)) == PLAN
    said = desk.refused("RequestPool", **pool())
    assert "the plan holds 4 (4 of /24 in 10.200.0.0/22)" in said
    assert "4 pools in use (10.200.0.0/24, 10.200.1.0/24, 10.200.2.0/24, 10.200.3.0/24)" in said
    desk.say("ReleasePool", PoolID=made[2])
    said = desk.refused("RequestPool", **pool())
    assert "3 pools in use (10.200.0.0/24, 10.200.1.0/24, 10.200.3.0/24)" in said
    assert "1 pools just given back unused (10.200.2.0/24)" in said
    assert desk.say("RequestPool", **pool("10.200.2.0/24"))["PoolID"] == made[2]
    for one in made:
        desk.say("ReleasePool", PoolID=one)


def test_i_07_a_range_without_a_subnet_is_refused(desk: Desk) -> None:
    """There is nothing yet that it could lie in."""
    assert "without a subnet" in desk.refused("RequestPool", **pool("", "10.1.2.0/24"))


def test_i_17_no_address_is_given_twice_to_two_hundred_at_once(desk: Desk) -> None:
    """Two hundred ask at the same moment, each on a connection of its own; every other one gives back and asks again.

    What they have in the end is what the daemon says it holds.
    """
    identity = desk.say("RequestPool", **pool("10.1.0.0/24"))["PoolID"]
    held: set[str] = set()

    async def take() -> str:
        status, answer = await desk.ask("RequestAddress", PoolID=identity, Address="", Options=None)
        assert status == 200, answer
        address = str(answer["Address"]).partition("/")[0]
        assert address not in held
        held.add(address)
        return address

    async def give(address: str) -> None:
        held.discard(address)
        assert await desk.ask("ReleaseAddress", PoolID=identity, Address=address) == (200, {})

    async def container(number: int) -> None:
        address = await take()
        for _ in range(number % 2 * 2):
            await give(address)
            address = await take()

    async def everybody(number: int) -> None:
        async with trio.open_nursery() as nursery:
            for one in range(number):
                nursery.start_soon(container, one)

    trio.run(everybody, 200)
    assert len(held) == 200
    assert desk.held() == held
    for address in list(held):
        desk.say("ReleaseAddress", PoolID=identity, Address=address)
    desk.say("ReleasePool", PoolID=identity)


MASKED = {("10.1.2.3/24", False): "10.1.2.0/24", ("fd00::1:2/64", True): "fd00::/64"}
"""What is understood, though it is odd: the subnet and whether IPv6 is asked for → the pool that is given."""

ODD = {
    ("0.0.0.0/0", False): "leave --subnet out",
    ("::/0", True): "leave --subnet out",
    ("10.0.0.0/33", False): "10.0.0.0/33",
    ("fd00::/129", True): "fd00::/129",
    ("10.1.0.0/16", True): "IPv6",
    ("fd00::/64", False): "IPv4",
    ("224.1.0.0/16", False): "multicast",
    ("127.0.0.0/8", False): "loopback",
    ("not a subnet", False): "not a subnet",
}
"""What is not, and what its user is told."""


@pytest.mark.parametrize("asked", MASKED)
def test_i_23_host_bits_of_a_pool_are_masked(desk: Desk, asked: tuple[str, bool]) -> None:
    """As everywhere else where Docker takes subnets."""
    given = desk.say("RequestPool", **pool(asked[0], ipv6=asked[1]))
    assert given["Pool"] == MASKED[asked]
    desk.say("ReleasePool", PoolID=given["PoolID"])


@pytest.mark.parametrize("asked", ODD)
def test_i_23_a_pool_that_is_none_is_refused_with_its_reason(desk: Desk, asked: tuple[str, bool]) -> None:
    """In words that name it, by a daemon that goes on."""
    assert ODD[asked] in desk.refused("RequestPool", **pool(asked[0], ipv6=asked[1]))
