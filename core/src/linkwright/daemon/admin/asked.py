"""One question to the admin socket, taken apart, and the shape of whoever answers it. No answers here."""

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from attrs import field, frozen

from linkwright.daemon.admin.insides import Insides
from linkwright.errors import Conflict, NotFound, Refused


@frozen
class Asked:
    """What was asked: the named parts of the path, the query, the body as it came."""

    parts: Mapping[str, str] = field(factory=dict)
    query: Mapping[str, str] = field(factory=dict)
    body: bytes = b""

    def document(self) -> dict[str, Any]:
        """The body as a JSON object; Refused for anything else."""
        try:
            document = json.loads(self.body)
        except ValueError as error:
            raise Refused(f"the body is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise Refused("the body is to be a JSON object")
        return document


#: Makes the answer (anything JSON knows, or plain text) from frozen values. It runs in a thread, off the loop.
Work = Callable[[], object]

#: Looks at what must be looked at on the loop, waits where it must, and returns the work that is left.
Handler = Callable[[Insides, Asked], Awaitable[Work]]


def meant(name: str, known: Mapping[str, Iterable[str]], *, what: str) -> str:
    """Return the one key of *known* that *name* is, is a beginning of, or that has it among its other names.

    NotFound where there is none, Conflict naming them where there are several.
    """
    if name in known:
        return name
    also = sorted(key for key, others in known.items() if name in others)
    found = also or sorted(key for key in known if name and key.startswith(name))
    if not found:
        raise NotFound(f"no {what} {name!r} is known here; `linkwright {what} ls` shows those that are")
    if len(found) > 1:
        raise Conflict(f"{name!r} stands for {len(found)} {what}s: {', '.join(found)}; write more of the one you mean")
    return found[0]
