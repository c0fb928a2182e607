"""The admin socket below the commands: statuses, errors in JSON, who may connect, and that nothing holds it up."""

import json
import stat
from typing import Any
from urllib.parse import quote

import pytest
import trio
import trio.lowlevel
from attrs import evolve
from core.tests.cli.conftest import NOW, STARTED, WEB, Served, golden, served

from linkwright.daemon import client
from linkwright.daemon.admin import planning, views
from linkwright.daemon.admin.asked import Asked, meant
from linkwright.daemon.admin.routes import ROUTES, NoRoute, Route, find
from linkwright.daemon.admin.views import moment
from linkwright.daemon.client import Answer
from linkwright.daemon.http import HttpRequest
from linkwright.errors import Conflict, DriverFault, Exhausted, KernelError, NotFound, Refused, Stopping, Unavailable
from linkwright.model.change import Put
from linkwright.plan import Action, Element, Plan, Step

__all__ = ["golden", "served"]  # fixtures


async def ask(served: Served, target: str, *, method: str = "GET", body: bytes = b"") -> Answer:
    """One request on the socket."""
    return await client.request(served.run_dir / "admin.sock", target, method=method, body=body)


async def test_s_01_the_socket_is_for_root_alone(served: Served) -> None:
    """From the moment it is there: whoever reaches it commands the host's network."""
    assert stat.S_IMODE((served.run_dir / "admin.sock").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("method", "target", "status", "text"),
    [
        ("GET", "/nothing", 404, "there is nothing at /nothing; is this the command of another version"),
        ("GET", "/", 404, "there is nothing at /;"),
        ("GET", "/networks/a/b", 404, "there is nothing at /networks/a/b;"),
        ("DELETE", "/networks/a", 405, "/networks/a answers GET only"),
        ("GET", "/repair", 405, "/repair answers POST only"),
        ("PUT", "/plan", 405, "/plan answers GET, POST only"),
        ("GET", "/networks/ffff", 404, "no network 'ffff' is known here"),
        ("POST", "/plan", 400, "the body is not JSON"),
    ],
)
async def test_what_cannot_be_answered_says_why(
    served: Served, method: str, target: str, status: int, text: str
) -> None:
    """A status, and ``{"error": text}``."""
    answer = await ask(served, target, method=method)

    assert (status, ["error"]) == (answer.status, list(answer.json()))
    assert answer.json()["error"].startswith(text)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"[]", "the body is to be a JSON object"),
        (b"{", "the body is not JSON"),
        (b'{"driver": 7}', "the field driver is to be of type str, not int"),
        (b'{"driver": "bridge", "options": []}', "the field options is to be of type dict, not list"),
        (b'{"driver": "bridge", "internal": 1}', "the field internal is to be of type bool, not int"),
        (b'{"driver": "bridge", "subnets": ["10.9.0.0/24"]}', "a subnet is written as {"),
        (b'{"driver": "bridge", "subnets": [{"pool": "10.9.0.1/24"}]}', "'10.9.0.1/24' cannot be a subnet"),
        (b'{"driver": "bridge", "subnets": [{}]}', "None cannot be a subnet"),
        (
            b'{"driver": "bridge", "subnets": [{"pool": "10.9.0.0/24", "gateway": "10.8.0.1"}]}',
            "the gateway 10.8.0.1 is not in the subnet 10.9.0.0/24",
        ),
        (b"{}", "no driver '' is installed"),
    ],
)
async def test_a_body_that_says_something_else_is_refused(served: Served, body: bytes, text: str) -> None:
    """With 400 and the field; whoever writes it by hand reads what to write."""
    answer = await ask(served, "/plan", method="POST", body=body)

    assert answer.status == 400
    assert answer.json()["error"].startswith(text), answer.json()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Refused("no"), 400),
        (NotFound("no"), 404),
        (Conflict("no"), 409),
        (Exhausted("no"), 409),
        (Unavailable("no"), 503),
        (Stopping("no"), 503),
        (DriverFault("no"), 500),
        (KernelError(1, step="ip link add a"), 500),
    ],
)
async def test_an_error_says_whose_move_it_is(served: Served, error: Exception, status: int) -> None:
    """4xx the asker's, 5xx ours; its text is the answer."""
    served.look_as(store=Raising(error))

    answer = await ask(served, "/export")

    assert (status, {"error": str(error)}) == (answer.status, answer.json())


class Raising:
    """A store that raises."""

    def __init__(self, error: Exception) -> None:
        """Raise *error*."""
        self._error = error

    async def load(self) -> Any:
        """Raise it."""
        raise self._error


async def test_a_bug_is_an_answer_and_the_next_question_is_answered(served: Served) -> None:
    """Neither the connection nor the daemon ends with it."""
    served.look_as(store=Raising(ZeroDivisionError("division by zero")))

    answer = await ask(served, "/export")

    assert answer.status == 500
    assert answer.json()["error"] == "a bug in linkwright: ZeroDivisionError: division by zero; its log has more"
    assert (await ask(served, "/networks")).status == 200


async def hold(served: Served, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """A call of Docker that never ends holds the network."""
    async with served.engine.networks.lock(WEB):
        task_status.started()
        await trio.sleep_forever()


async def test_what_takes_too_long_is_given_up_and_told(
    served: Served, nursery: trio.Nursery, autojump_clock: trio.testing.MockClock
) -> None:
    """A call of Docker holds the network: the plan waits for it as long as its deadline says, and then says so."""
    await served.network()
    served.kernel.foreign_delete(("link", f"lwb{WEB[:12]}"))
    await nursery.start(hold, served)

    answer = await served.admin.answer(HttpRequest("GET", "/plan"))

    assert answer.status == 504
    assert "GET /plan was not finished within 30 s" in json.loads(answer.body)["error"]


async def test_status_and_lists_wait_for_no_network(served: Served, nursery: trio.Nursery) -> None:
    """With every network held by a call of Docker, what is in memory is answered all the same."""
    await served.busy()
    await nursery.start(hold, served)

    with trio.fail_after(20):
        for target in ("/status", "/networks", f"/networks/{WEB}", "/endpoints", "/pools", "/drivers", "/export"):
            assert (await ask(served, target)).status == 200


async def test_a_kernel_that_does_not_answer_leaves_the_rest_of_the_status(served: Served) -> None:
    """Forwarding is unknown then, and the page is there: it is wanted most when something hangs."""

    async def observe(keys: object) -> Any:
        raise Unavailable("the kernel did not answer in time")

    served.kernel.observe = observe  # type: ignore[method-assign]

    answer = await ask(served, "/status")

    assert answer.json()["forwarding"] == {"ipv4": None, "ipv6": None, "managed": False}


async def test_many_endpoints_are_listed_without_holding_up_the_loop(served: Served) -> None:
    """The document is made in a thread: the list is whole, and the loop took turns meanwhile."""
    await served.busy()
    endpoint = next(iter(served.engine.state.endpoints.values()))
    for number in range(2000):
        served.engine.state._note(Put(evolve(endpoint, id=f"{number:064x}", ipv4=None)))
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async with trio.open_nursery() as nursery:
        nursery.start_soon(count_turns)
        answer = await served.admin.answer(HttpRequest("GET", "/endpoints"))
        nursery.cancel_scope.cancel()

    assert len(json.loads(answer.body)) == 2003
    assert turns > 1


# --- routes and words ----------------------------------------------------------------------------------------


def test_a_part_of_the_path_is_unquoted() -> None:
    """A PoolID has slashes in it, and may have anything."""
    pool = "linkwright-local/10.7.0.0/24"

    route, asked = find(HttpRequest("GET", f"/pools/{quote(pool, safe='')}?a=1&b="))

    assert route.path == "/pools/{id}"
    assert Asked({"id": pool}, {"a": "1", "b": ""}, b"") == asked


def test_only_what_is_marked_so_changes_anything() -> None:
    """And that is one route; planning a network is POST only because it has a body."""
    assert [(route.method, route.path) for route in ROUTES if route.changes] == [("POST", "/repair")]


def test_no_two_routes_fit_one_question() -> None:
    """The order of the table means nothing."""
    assert len(ROUTES) == len({(route.method, route.path) for route in ROUTES})


def test_a_route_without_braces_fits_only_itself() -> None:
    """And no beginning or end of it."""
    route = Route("GET", "/pools", ROUTES[0].handler)

    assert route.parts(["pools"]) == {}
    assert route.parts(["pool"]) is None
    assert route.parts(["pools", ""]) is None
    with pytest.raises(NoRoute, match="there is nothing at /pool;"):
        find(HttpRequest("GET", "/pool"))


def test_an_exact_name_wins_over_a_beginning() -> None:
    """So that whatever a list shows can be typed back."""
    known = {"a": (), "ab": (), "b": ("ab-name", "ab")}

    assert meant("a", known, what="network") == "a"
    assert meant("ab", known, what="network") == "ab"
    assert meant("ab-name", known, what="network") == "b"
    with pytest.raises(NotFound, match="no network '' is known here"):
        meant("", known, what="network")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (STARTED, "2025-06-15T11:54:40Z"),
        (NOW + 0.75, "2025-06-15T15:06:40Z"),
        (0.0, None),
        (None, None),
    ],
)
def test_times_are_iso_8601_in_utc(seconds: float | None, text: str | None) -> None:
    """To the second; nothing stands for "never"."""
    assert text == moment(seconds)


def test_plans_and_wishes_name_the_instances_own_tables() -> None:
    """Another instance than the default one has tables of its own, and what is shown can be typed."""
    element = Element("bridges", ("lwb0",))
    typed = ["nft add element inet linkwright_b bridges { lwb0 }"]
    assert views.wishes([element], "linkwright_b") == typed
    page = planning.plan_page(Plan((Step(Action.CREATE, element),)), "linkwright_b")
    assert page["steps"][0]["commands"] == typed
