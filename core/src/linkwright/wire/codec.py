"""Bytes in, requests out; replies in, bytes out. No sockets and no HTTP: ``daemon.http`` has those.

Whatever is sent, ``decode`` either returns a request that is valid in every field or raises Undecodable.
"""

import json
from typing import Final, NoReturn

from linkwright.wire.fields import THE_BODY, Fields, Undecodable
from linkwright.wire.kinds import json_object
from linkwright.wire.replies import Reply
from linkwright.wire.requests import Request
from linkwright.wire.routes import find
from linkwright.wire.writers import WRITERS

#: Of every answer. Engines do not look at it; 1.2 is what they say they accept.
CONTENT_TYPE: Final = "application/vnd.docker.plugins.v1.2+json"

_NO_BODY: Final = (
    "the request has no body, but this call has arguments, so nothing was done; "
    "Docker sends no body when it repeats a request whose answer it did not get: run the command again"
)
_NO_REASON: Final = "the call failed and gave no reason; linkwright's log may have one"


def decode(path: str, body: bytes) -> Request:
    """Return the request that a POST of *body* to *path* is.

    Raises Undecodable with status 404 for an unknown path and 400 for a body that is not what the call takes. An
    engine shows the text and does not repeat the call (it repeats only those that got no answer).
    """
    route = find(path)
    if not body.strip():
        if route.takes_arguments:
            raise Undecodable(400, _NO_BODY)
        return route.read(Fields({}))
    return route.read(json_object(_parse(body), THE_BODY))


def encode(reply: Reply) -> bytes:
    """Return *reply* as one JSON object, for an answer with status 200."""
    return _dump(WRITERS[type(reply)](reply))


def encode_failure(text: str) -> bytes:
    """Return *text* as a failure that both interfaces understand: NetworkDriver reads ``Err``, IpamDriver ``Error``.

    With the wrong key alone, or an empty text, a failure would be a success with empty values.
    """
    said = text.strip() or _NO_REASON
    return _dump({"Err": said, "Error": said})


def _parse(body: bytes) -> object:
    try:
        # Bytes would be guessed to be UTF-16 or UTF-32 as well.
        return _DECODER.decode(body.decode())
    except UnicodeDecodeError as error:
        raise _unreadable(f"it is not UTF-8 from byte {error.start} on") from error
    except json.JSONDecodeError as error:
        raise _unreadable(f"it is not JSON from character {error.pos} on") from error
    except ValueError as error:  # a constant, or an integer that is longer than Python cares to read
        raise _unreadable("it holds a number that JSON does not have, or one of thousands of digits") from error
    except RecursionError as error:
        raise _unreadable("it is nested too deeply") from error


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"JSON has no {name}")


def _unreadable(reason: str) -> Undecodable:
    return Undecodable(400, f"cannot decode the request: {reason}; it must be one JSON object in UTF-8")


def _dump(document: object) -> bytes:
    # ASCII only, so that any text can be said, whatever surrogates a message from elsewhere holds.
    return _ENCODER.encode(document).encode()


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse_constant)
_ENCODER: Final = json.JSONEncoder(separators=(",", ":"))
