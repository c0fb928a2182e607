"""From a request on the admin socket to its answer: the one place where errors become HTTP statuses here.

An error is ``{"error": text}``. A handler looks at live things on the loop; the document is made and written in a
thread, so that ten thousand endpoints in a list do not hold up Docker.
"""

import json
from functools import partial
from typing import Final

import structlog
import trio

from linkwright.daemon.admin.asked import Work
from linkwright.daemon.admin.insides import Insides
from linkwright.daemon.admin.routes import NoRoute, Route, find
from linkwright.daemon.http import HttpRequest, HttpResponse
from linkwright.daemon.peer import Peer
from linkwright.errors import Conflict, Exhausted, LinkwrightError, NotFound, Refused, Stopping, Unavailable

_log = structlog.get_logger(__name__)

_NOBODY: Final = Peer()

#: The first that fits says whose move it is: 4xx the asker's, 5xx ours.
_STATUS: Final[tuple[tuple[type[LinkwrightError], int], ...]] = (
    (NotFound, 404),
    (Conflict, 409),
    (Exhausted, 409),
    (Refused, 400),
    (Unavailable, 503),
    (Stopping, 503),
    (LinkwrightError, 500),
)


class Admin:
    """Answers for one daemon. ``answer`` is a ``daemon.http.Handler`` and fits a ``daemon.doors.Door``."""

    def __init__(self, insides: Insides) -> None:
        """Answer from *insides*."""
        self._insides = insides

    async def answer(self, request: HttpRequest, peer: Peer = _NOBODY) -> HttpResponse:
        """Answer one request of *peer*. Never raises but Cancelled."""
        try:
            route, asked = find(request)
        except NoRoute as error:
            return refusal(error.status, str(error))
        if route.changes:
            _log.info("an operator asks", target=request.target, peer=str(peer))
        try:
            with trio.fail_after(route.deadline):
                work = await route.handler(self._insides, asked)
                return await trio.to_thread.run_sync(partial(_made, work), abandon_on_cancel=True)
        except trio.TooSlowError:
            return refusal(504, _too_slow(route))
        except LinkwrightError as error:
            return refusal(next(status for kind, status in _STATUS if isinstance(error, kind)), str(error))
        except Exception as error:  # noqa: BLE001 - a bug: the asker gets an answer, the log the traceback
            _log.exception("a bug in linkwright", target=request.target)
            return refusal(500, f"a bug in linkwright: {type(error).__name__}: {error}; its log has more")


def refusal(status: int, text: str) -> HttpResponse:
    """Return *text* as the command line reads it; a ``daemon.http.Refusal``."""
    return HttpResponse(status, _written({"error": text}))


def _too_slow(route: Route) -> str:
    return (
        f"{route.method} {route.path} was not finished within {route.deadline:g} s: the kernel, the disk or a driver "
        "is slow, or a call of Docker holds a network for long; try again, and see `linkwright status` and the log"
    )


def _made(work: Work) -> HttpResponse:
    made = work()
    if isinstance(made, str):
        return HttpResponse(200, made.encode(), "text/plain; charset=utf-8")
    return HttpResponse(200, _written(made))


def _written(document: object) -> bytes:
    return json.dumps(document, indent=2).encode() + b"\n"
