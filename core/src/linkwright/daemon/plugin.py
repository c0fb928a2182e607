"""One plugin socket: bytes from Docker in, bytes for Docker out. The one place where errors become bytes.

What each call means is ``calls``. HTTP 200 with the text in ``Err`` and ``Error`` is for a call that was understood and
failed, 4xx for one that could not be decoded (docs/remote.md of libnetwork).
"""

import itertools
import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import structlog
import trio
from attrs import field, frozen

from linkwright import wire
from linkwright.daemon.calls import CALLS, Listener
from linkwright.daemon.http import HttpRequest, HttpResponse
from linkwright.daemon.logs import identity
from linkwright.daemon.peer import Peer
from linkwright.errors import LinkwrightError, Refused, Stopping, Unavailable
from linkwright.wire import requests
from linkwright.wire.replies import Api

_serial = itertools.count(1)


class Timed(Protocol):
    """What the metrics give for one call: a place to put its outcome."""

    outcome: str


@frozen
class Plugin:
    """What answers at one socket."""

    listener: Listener
    closing: Callable[[], bool]
    timing: Callable[[str, str], AbstractContextManager[Timed]]
    _seen: dict[str, str] = field(factory=dict)
    _log: Any = field(factory=lambda: structlog.get_logger(__name__).bind())  # once, and not for every call

    @property
    def name(self) -> str:
        """The socket's name, which is the plugin's for Docker."""
        return self.listener.name

    async def answer(self, request: HttpRequest, peer: Peer) -> HttpResponse:
        """Answer one request of *peer*. Never raises but Cancelled."""
        try:
            route = self._route(request)
        except wire.Undecodable as error:
            self._log.info("not a call", socket=self.name, target=request.target[:200], status=error.status)
            return refusal(error.status, str(error))
        about = {"request": next(_serial), "plugin": self.name, "call": route.path[1:]}
        with self.timing(self.name, route.path[1:]) as timed:
            try:
                call = wire.decode(route.path, request.body)
            except wire.Undecodable as error:
                timed.outcome = "undecodable"
                self._log.warning("cannot be decoded", **about, error=str(error))
                return refusal(error.status, str(error))
            with structlog.contextvars.bound_contextvars(**about, **identity(call)):  # the next request is another's
                return await self._answer(route, call, peer, timed)

    def _route(self, request: HttpRequest) -> wire.Route:
        route = wire.find(request.target, method=request.method)
        if route.api is not Api.PLUGIN and route.api not in self.listener.implements:
            raise wire.Undecodable(404, f"this socket serves {self.listener.implements[0].value} only")
        return route

    async def _answer(self, route: wire.Route, call: wire.Request, peer: Peer, timed: Timed) -> HttpResponse:
        began = time.perf_counter()
        try:
            self._admit(route)
            with trio.fail_after(route.effort.deadline):
                if route.api is Api.IPAM_DRIVER:
                    self._hear(call, peer)
                reply = await CALLS[type(call)](self.listener, call)
            body = wire.encode(reply)
            if route.api is Api.PLUGIN:
                self._hear(call, peer)
        except trio.TooSlowError:
            timed.outcome = Unavailable.outcome
            self._log.error("too slow", deadline=route.effort.deadline)
            return _failure(
                f"linkwright could not do this within {route.effort.deadline:g} s and gave up; nothing is left half "
                "done; its log and `linkwright status` say what was slow"
            )
        except LinkwrightError as error:
            timed.outcome = error.outcome
            expected = isinstance(error, Refused | Stopping)
            self._log.log(logging.INFO if expected else logging.ERROR, "failed", error=str(error))
            # An activation that failed may be tried again only if it failed as HTTP: else Docker takes it for done.
            return _failure(str(error)) if route.api is not Api.PLUGIN else refusal(500, str(error))
        except Exception as error:  # noqa: BLE001 - a bug: Docker gets an answer, the log the traceback, and the others go on
            timed.outcome = LinkwrightError.outcome
            self._log.exception("a bug in linkwright")
            return _failure(f"a bug in linkwright: {type(error).__name__}: {error}; its log has more")
        timed.outcome = "ok"
        self._log.debug("done", seconds=round(time.perf_counter() - began, 6))
        return HttpResponse(200, body, wire.CONTENT_TYPE)

    def _admit(self, route: wire.Route) -> None:
        if self.closing() and route.effort.touches is not wire.Touches.NOTHING:
            raise Stopping("linkwright is going down; try again when it is back")

    def _hear(self, call: wire.Request, peer: Peer) -> None:
        """Tell IPAM who asks: replay is told from new requests by the life of the dockerd that sends them.

        Only what a dockerd says to an IPAM driver, or when it activates one, tells of its life: an operator who looks
        at a network driver with curl is no new dockerd. Of a peer that is not known (a managed plugin's), only the
        question for capabilities does: those are asked for once.
        """
        activation = isinstance(call, requests.Activate)
        another = bool(peer.pid) and self._seen.get("engine") != str(peer)
        anonymous = not peer.pid and isinstance(call, requests.IpamCapabilities)
        if activation or another or anonymous:
            self._seen["engine"] = str(peer)
            self.listener.ipam.begin_epoch(self.name, str(peer), activation=activation)


def refusal(status: int, text: str) -> HttpResponse:
    """Return *text* as Docker reads it, with *status*."""
    return HttpResponse(status, wire.encode_failure(text), wire.CONTENT_TYPE)


def _failure(text: str) -> HttpResponse:
    return refusal(200, text)
