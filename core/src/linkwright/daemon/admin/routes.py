"""Every question that the admin socket answers, as a table. To add one, add a row and its handler.

Rule: only what has POST and ``changes`` may change anything, and nothing that Docker asked for is made or deleted here.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from attrs import frozen

from linkwright.daemon.admin import drivers, examination, export, pages, planning, pools, repair, status
from linkwright.daemon.admin.asked import Asked, Handler
from linkwright.daemon.http import HttpRequest


@frozen
class Route:
    """A question. A part of *path* in braces is a name for what stands there; *deadline* is in seconds."""

    method: str
    path: str
    handler: Handler
    deadline: float = 30.0
    changes: bool = False

    def parts(self, segments: list[str]) -> Mapping[str, str] | None:
        """What the named parts of the path are in *segments*; None where they do not fit."""
        mine = self.path[1:].split("/")
        if len(mine) != len(segments):
            return None
        pairs = list(zip(mine, segments, strict=True))
        if any(own != given for own, given in pairs if not own.startswith("{")):
            return None
        return {own.strip("{}"): unquote(given) for own, given in pairs if own.startswith("{")}


ROUTES: Final = (
    Route("GET", "/status", status.status),
    Route("GET", "/drivers", drivers.drivers),
    Route("GET", "/networks", pages.networks),
    Route("GET", "/networks/{id}", pages.network),
    Route("GET", "/endpoints", pages.endpoints),
    Route("GET", "/endpoints/{id}", pages.endpoint),
    Route("GET", "/pools", pools.pools),
    Route("GET", "/pools/{id}", pools.pool),
    Route("GET", "/plan", planning.present),
    Route("POST", "/plan", planning.imagined),
    Route("POST", "/repair", repair.repair, deadline=120.0, changes=True),
    Route("GET", "/doctor", examination.doctor, deadline=120.0),
    Route("GET", "/export", export.export),
)


class NoRoute(Exception):
    """There is no such question; ``status`` is the HTTP status that says so."""

    def __init__(self, status: int, text: str) -> None:
        """Keep both."""
        self.status = status
        super().__init__(text)


def find(request: HttpRequest) -> tuple[Route, Asked]:
    """Return the route of *request* and what it asks; NoRoute."""
    target = urlsplit(request.target)
    segments = target.path[1:].split("/")
    fitting = [(route, parts) for route in ROUTES if (parts := route.parts(segments)) is not None]
    for route, parts in fitting:
        if route.method == request.method:
            return route, Asked(parts, dict(parse_qsl(target.query, keep_blank_values=True)), request.body)
    if fitting:
        raise NoRoute(405, f"{target.path} answers {', '.join(route.method for route, _ in fitting)} only")
    raise NoRoute(404, f"there is nothing at {target.path}; is this the command of another version of linkwright?")
