"""The Docker witness against an API on a unix socket: it takes two sightings, and nothing but a clear answer counts."""

import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from core.tests.daemon.desk import (
    ENDPOINT,
    NETWORK,
    OTHER,
    SANDBOX,
    SPACE,
    Desk,
    a_desk,
    endpoint_request,
    network_request,
)

from linkwright.daemon import sockets
from linkwright.daemon.upkeep import upkeep
from linkwright.daemon.witness import DEADLINE, Witness
from linkwright.engine.observation import Collected
from linkwright.errors import KernelError
from linkwright.model import Pool
from linkwright.plan import Bridge, Link
from linkwright.wire.routes import TABLE

POOL = f"{SPACE}/10.1.0.0/24"

#: What the API does with a connection.
Behaviour = Callable[[trio.SocketStream], Awaitable[None]]


class Api:
    """The Docker API, or what is at its path."""

    def __init__(self, path: Path) -> None:
        """Be at *path*, and know no network."""
        self.path = path
        self.asked: list[str] = []
        self.called = trio.Event()
        self.behaviour: Behaviour = self.knows()

    async def serve(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Answer for ever."""
        listening = sockets.listen(self.path)
        task_status.started()
        await trio.serve_listeners(self._one, [trio.SocketListener(listening.socket)])

    async def _one(self, stream: trio.SocketStream) -> None:
        self.asked.append((await stream.receive_some()).decode().partition("\r\n")[0])
        self.called.set()
        await self.behaviour(stream)
        await stream.aclose()

    def knows(self, *networks: str) -> Behaviour:
        """Answer with a list of *networks*."""
        return self.says(json.dumps([{"Id": network, "Name": "n"} for network in networks]))

    def says(self, body: str, status: str = "200 OK") -> Behaviour:
        """Answer with *body*."""
        return self.sends(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

    def sends(self, answer: bytes) -> Behaviour:
        """Answer with bytes."""

        async def behave(stream: trio.SocketStream) -> None:
            await stream.send_all(answer)

        return behave


async def _silent(_: trio.SocketStream) -> None:
    await trio.sleep_forever()


@pytest.fixture
async def api(tmp_path: Path, nursery: trio.Nursery) -> Api:
    """A Docker API that knows nothing."""
    api = Api(tmp_path / "docker.sock")
    await nursery.start(api.serve)
    return api


@pytest.fixture
async def desk(nursery: trio.Nursery) -> Desk:
    """A daemon with two networks of its own pools."""
    desk = a_desk()
    await desk.start()
    await nursery.start(desk.parts.ipam.run)
    await desk.network()
    await desk.network(OTHER, "10.2.0.0/24")
    return desk


def witness_of(desk: Desk, api: Api) -> Witness:
    """The witness of *desk*, who asks *api*."""
    return Witness(api.path, desk.parts.engine, desk.parts.holdings.release)


def pools(desk: Desk) -> list[str]:
    """The pools that are held."""
    return [record.id for record in desk.parts.ipam.records() if isinstance(record, Pool)]


async def test_r_13_a_network_missed_twice_goes_with_its_pool(desk: Desk, api: Api) -> None:
    """Once may be between two calls of Docker's; the others stay, and the API is asked read-only."""
    witness = witness_of(desk, api)
    api.behaviour = api.knows(OTHER, "77" * 32)

    await witness.look()
    assert (set(desk.networks), set(witness.unconfirmed)) == ({NETWORK, OTHER}, {NETWORK})
    await witness.look()

    assert (set(desk.networks), witness.unconfirmed) == ({OTHER}, frozenset())
    assert pools(desk) == [f"{SPACE}/10.2.0.0/24"]
    assert [told.id for told in desk.told if isinstance(told, Collected)] == [NETWORK]
    assert api.asked == ["GET /networks HTTP/1.1"] * 2
    assert witness.error == ""


async def test_a_network_that_docker_knows_again_has_been_missed_no_more(desk: Desk, api: Api) -> None:
    """Two sightings in a row are needed."""
    witness = witness_of(desk, api)

    for known in ([OTHER], [OTHER, NETWORK], [OTHER], [OTHER, NETWORK]):
        api.behaviour = api.knows(*known)
        await witness.look()

    assert set(desk.networks) == {NETWORK, OTHER}


async def test_a_network_made_while_docker_answers_is_not_missed(desk: Desk, api: Api) -> None:
    """Docker shows a network only after its driver has made it: what is younger than the question does not count."""
    witness, third = witness_of(desk, api), "33" * 32
    api.behaviour = api.knows(NETWORK, OTHER)

    async def meanwhile(stream: trio.SocketStream) -> None:
        await desk.network(third, "10.3.0.0/24")
        await api.knows(NETWORK, OTHER)(stream)

    api.behaviour = meanwhile
    await witness.look()

    assert witness.unconfirmed == frozenset()


async def test_a_network_whose_container_lives_stays_whatever_docker_says(desk: Desk, api: Api) -> None:
    """The wrong API, or one whose list is not whole: a container is never cut off for that."""
    await desk.call("NetworkDriver.CreateEndpoint", endpoint_request())
    await desk.join()
    desk.kernel.lend("lwccdcdcdcdcdcd", SANDBOX)
    witness = witness_of(desk, api)

    for _ in range(4):
        await witness.look()
    assert (set(desk.networks), pools(desk)) == ({NETWORK}, [POOL])
    assert witness.unconfirmed == {NETWORK}

    desk.kernel.destroy_sandbox(SANDBOX)
    await witness.look()
    assert not desk.networks


NONSENSE: dict[str, bytes] = {
    "nothing": b"",
    "an empty body": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "no HTTP": b"SSH-2.0-OpenSSH\r\n",
    "half an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[",
    "an error": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\n[]",
    "a page": b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
    "an object": b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"message":1}',
    "null": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull",
    "numbers": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n[1,2]",
    "networks without ids": b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n[{"Name":"a"}]',
    "an id that is none": b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n[{"Id":null}]',
    "no UTF-8": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\xff\xfe[",
    "a deep nest": b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"[" * 200_000,
}


@pytest.mark.parametrize("nonsense", NONSENSE)
async def test_an_answer_that_is_none_is_no_evidence(desk: Desk, api: Api, nonsense: str) -> None:
    """Whatever it is, as often as it comes: it is the check's reason, nothing is collected, and the service goes on."""
    witness = witness_of(desk, api)
    api.behaviour = api.sends(NONSENSE[nonsense])

    for _ in range(3):
        await witness.look()

    assert set(desk.networks) == {NETWORK, OTHER}
    assert witness.unconfirmed == frozenset()
    assert len(witness.error) > 10
    api.behaviour = api.knows(NETWORK, OTHER)
    await witness.look()
    assert witness.error == ""


async def test_an_api_that_hangs_up_without_reading_is_no_evidence(desk: Desk, api: Api, tmp_path: Path) -> None:
    """The kernel resets the connection while we still write or read."""
    listening = sockets.listen(tmp_path / "rude.sock")
    witness = Witness(tmp_path / "rude.sock", desk.parts.engine, desk.parts.holdings.release)

    async def hang_up() -> None:
        while True:
            stream, _ = await listening.socket.accept()
            stream.close()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hang_up)
        for _ in range(20):
            await witness.look()
            assert "rude.sock" in witness.error
        nursery.cancel_scope.cancel()
    listening.close()


async def test_an_api_that_is_not_there_is_no_evidence(desk: Desk, tmp_path: Path) -> None:
    """Docker is down, or its socket elsewhere."""
    witness = Witness(tmp_path / "nothing.sock", desk.parts.engine, desk.parts.holdings.release)

    for _ in range(3):
        await witness.look()

    assert "nothing.sock" in witness.error
    assert set(desk.networks) == {NETWORK, OTHER}


async def test_an_api_that_never_answers_is_waited_for_a_little(
    desk: Desk, api: Api, autojump_clock: trio.testing.MockClock
) -> None:
    """Docker accepts and is busy with its own start, which may be waiting for us."""
    witness = witness_of(desk, api)
    api.behaviour = _silent
    began = trio.current_time()

    for _ in range(3):
        await witness.look()

    assert trio.current_time() - began == pytest.approx(3 * DEADLINE)
    assert "no answer" in witness.error
    assert set(desk.networks) == {NETWORK, OTHER}


def _live() -> Any:
    async def live() -> frozenset[Any]:
        await trio.lowlevel.checkpoint()
        return frozenset()

    return live


async def test_r_07_no_call_of_docker_waits_for_the_docker_api(desk: Desk, api: Api, nursery: trio.Nursery) -> None:
    """Docker accepts, never answers, and waits for us: every call is answered meanwhile, and none asks it."""
    api.behaviour = _silent
    witness = witness_of(desk, api)
    nursery.start_soon(upkeep_of(desk, witness, period=0.01))
    await api.called.wait()
    asked = len(api.asked)
    began = time.monotonic()

    await desk.call("NetworkDriver.CreateEndpoint", endpoint_request())
    await desk.join()
    for route in TABLE:
        document = {"NetworkID": NETWORK, "EndpointID": ENDPOINT, "SandboxKey": SANDBOX, "Options": {}}
        document |= {"PoolID": POOL, "Address": "", "AddressSpace": SPACE, "Pool": "10.8.0.0/24"}
        document |= {"DiscoveryType": 9} | (network_request() if "CreateNetwork" in route.path else {})
        said = await desk.call(route.path[1:], document if route.takes_arguments else None)
        assert said.document is not None

    assert time.monotonic() - began < 1
    assert len(api.asked) == asked


def upkeep_of(desk: Desk, witness: Witness, *, period: float) -> Callable[[], Awaitable[None]]:
    """The loop that asks the witness, ready to be started."""

    async def run() -> None:
        await upkeep(engine=desk.parts.engine, ipam=desk.parts.ipam, live=_live(), witness=witness, period=period)

    return run


async def test_what_fails_in_upkeep_keeps_nothing_else(
    desk: Desk, api: Api, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """Addresses cannot be observed, since the kernel does not say which live: the witness is asked all the same."""

    async def live() -> frozenset[Any]:
        raise KernelError(5, step="read addresses and neighbours")

    async def run() -> None:
        ipam, engine = desk.parts.ipam, desk.parts.engine
        await upkeep(engine=engine, ipam=ipam, live=live, witness=witness_of(desk, api), period=30)

    api.behaviour = api.knows(OTHER)
    nursery.start_soon(run)
    await trio.sleep(100)

    assert set(desk.networks) == {OTHER}


def own(name: str = "", driver: str = "bridge") -> dict[str, object]:
    """A network of one of Docker's own drivers, with the option that names its bridge."""
    options = {"com.docker.network.bridge.name": name} if name else {}
    return {"Id": f"{name}of{driver}", "Name": "n", "Driver": driver, "Options": options}


#: Networks that Docker lists, and the bridges that are kept apart from ours for it.
LISTED: list[tuple[list[dict[str, object]], set[str]]] = [
    ([own("dmz"), own(), own("gone")], {"dmz"}),
    ([own("dmz", driver="lw-bridge")], set()),
    ([own("dmz") | {"Options": None}], set()),
    ([own("dmz") | {"Options": {"com.docker.network.bridge.name": 7}}], set()),
]


@pytest.mark.parametrize(("listed", "expected"), LISTED)
async def test_a_bridge_of_dockers_own_is_known_by_any_name(
    desk: Desk, api: Api, listed: list[dict[str, object]], expected: set[str]
) -> None:
    """Docker says what the bridge of a network of its own is called, where somebody chose that."""
    desk.kernel.foreign_create(Link("dmz", Bridge()))
    api.behaviour = api.says(json.dumps([{"Id": network} for network in (NETWORK, OTHER)] + listed))

    await witness_of(desk, api).look()

    assert {key[2] for key in desk.kernel.resources() if key[:2] == ("element", "others")} == expected


async def test_a_lost_network_that_docker_does_not_know_is_lost_no_more(desk: Desk, api: Api) -> None:
    """Marks tell of it, and Docker was asked twice: then it is swept as nobody's. One that Docker knows stays."""
    witness, known, unknown = witness_of(desk, api), "33" * 32, "44" * 32
    desk.parts.engine.state.lost = {known, unknown}
    api.behaviour = api.knows(NETWORK, OTHER, known)

    await witness.look()
    assert desk.parts.engine.state.lost == {known, unknown}
    await witness.look()

    assert desk.parts.engine.state.lost == {known}
    assert set(desk.networks) == {NETWORK, OTHER}
