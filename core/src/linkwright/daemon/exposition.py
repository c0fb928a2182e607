"""What is answered on the metrics port: ``/metrics``, ``/healthz``, ``/readyz`` and a page that leads to them.

Rule: GET only, and nothing that changes anything: the port has no password. Nothing here waits for disk, kernel or a
call of Docker, so that what is wrong can be seen while it is.
"""

import html
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

from linkwright import __version__
from linkwright.daemon.health import Health
from linkwright.daemon.http import HttpRequest, HttpResponse
from linkwright.daemon.metrics import CONTENT_TYPE, Metrics, Sources

_TEXT: Final = "text/plain; charset=utf-8"
_HTML: Final = "text/html; charset=utf-8"

_PAGES: Final[Mapping[str, str]] = {
    "/metrics": "metrics, for Prometheus",
    "/healthz": "whether the daemon is alive",
    "/readyz": "whether it can do its work, and why not",
}


class Exposition:
    """The answers of one daemon. ``answer`` is a ``daemon.http.Handler``, ``refusal`` goes with it."""

    def __init__(self, metrics: Metrics, sources: Sources, health: Health) -> None:
        """Show *metrics*, with what *sources* say at the moment, and *health*."""
        self._metrics = metrics
        self._sources = sources
        self._health = health
        self._answers: Mapping[str, Callable[[], Awaitable[HttpResponse]]] = {
            "/": self._landing,
            "/metrics": self._scrape,
            "/healthz": self._alive,
            "/readyz": self._ready,
        }

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer one request. Queries are ignored, as Prometheus may be configured to send some."""
        answer = self._answers.get(urlsplit(request.target).path)
        if answer is None:
            return refusal(404, f"there is nothing at this path; there are {', '.join(self._answers)}")
        if request.method != "GET":
            return refusal(405, "this port is for reading: GET only")
        return await answer()

    async def _scrape(self) -> HttpResponse:
        return HttpResponse(200, await self._metrics.scrape(self._sources), CONTENT_TYPE)

    async def _alive(self) -> HttpResponse:
        return _json(200, {"status": "alive", "version": __version__})

    async def _ready(self) -> HttpResponse:
        reasons = self._health.reasons()
        ready = not any(reasons.values())
        checks = {name: {"ok": not reason, "reason": reason} for name, reason in reasons.items()}
        return _json(200 if ready else 503, {"status": "ready" if ready else "not ready", "checks": checks})

    async def _landing(self) -> HttpResponse:
        items = "".join(f'<li><a href="{path}">{path}</a>: {html.escape(what)}</li>' for path, what in _PAGES.items())
        page = (
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>linkwright</title></head>'
            f"<body><h1>linkwright {html.escape(__version__)}</h1><ul>{items}</ul></body></html>\n"
        )
        return HttpResponse(200, page.encode(), _HTML)


def refusal(status: int, text: str) -> HttpResponse:
    """Return *text* with *status*."""
    return HttpResponse(status, f"{text}\n".encode(), _TEXT)


def _json(status: int, value: object) -> HttpResponse:
    return HttpResponse(status, json.dumps(value, indent=2).encode() + b"\n")
