"""A driver that is wrong, at Docker's socket: its call fails and names its package, and the next driver is served."""

from typing import Any

import pytest
import trio
from core.tests.daemon.desk import Desk, a_desk, captured, network_request
from core.tests.engine.paper import Paper

from linkwright.engine.registry import Origin, Registered, register
from linkwright_bridge import Bridge

ORIGIN = Origin("linkwright-paper", "1.2")
OTHER = "77" * 32


def _raise(error: BaseException) -> Any:
    raise error


WRONG: dict[str, tuple[Any, str]] = {
    "raises": (lambda _: _raise(KeyError("mtu")), "it raised KeyError: 'mtu'"),
    "quits": (lambda _: _raise(SystemExit(3)), "it raised SystemExit: 3"),
    "answers nothing": (lambda _: None, "it answered NoneType instead of Wishes"),
    "answers something else": (lambda _: [1, 2], "it answered list instead of Wishes"),
}


async def failures(desk: Desk) -> dict[tuple[str, str], float]:
    """Failed calls by plugin and outcome, as counted."""
    counted = desk.metrics._recorded["linkwright_rpc_failures_total"].collect()
    samples = [one for family in counted for one in family.samples if one.name.endswith("_total") and one.value]
    return {(one.labels["plugin"], one.labels["outcome"]): one.value for one in samples}


@pytest.mark.parametrize("what", WRONG)
async def test_what_a_driver_does_wrong_is_its_own_calls(what: str, nursery: trio.Nursery) -> None:
    """Docker reads which package of which version broke the contract, log and counter tell it, and nothing is made."""
    answer, text = WRONG[what]
    bridge = register("bridge", Bridge, Origin("linkwright-bridge", "1"))
    desk = a_desk(drivers=(bridge, Registered(Paper(network=answer), ORIGIN)))
    await desk.start()
    await nursery.start(desk.parts.ipam.run)
    await desk.parts.engine.reconcile.start()
    before = desk.kernel.resources()

    held = await desk.pool()
    gateway = await desk.address(held, gateway=True)
    with captured() as lines:
        said = await desk.call("NetworkDriver.CreateNetwork", network_request(gateway=gateway), plugin="lw-paper")

    assert said.error == f"driver paper of linkwright-paper 1.2 broke its contract: {text}"
    assert [line["log_level"] for line in lines if line.get("error") == said.error] == ["error"]
    assert await failures(desk) == {("lw-paper", "driver"): 1}
    assert (desk.kernel.resources(), desk.networks) == (before, {})
    assert (await desk.network(OTHER, "10.7.0.0/24")).ok
    assert await failures(desk) == {("lw-paper", "driver"): 1}
