"""libnetwork's remote driver protocol without a socket: bytes → request, reply → bytes, and a table of all calls.

Start with ``routes``. Docker's JSON names are known in this package and nowhere else; ``requests`` and ``replies``
carry the values of ``linkwright.model``.
"""

from linkwright.wire.codec import CONTENT_TYPE, decode, encode, encode_failure
from linkwright.wire.fields import Undecodable
from linkwright.wire.replies import Api, Reply
from linkwright.wire.requests import Request
from linkwright.wire.routes import ROUTES, Effort, Route, Touches, find

__all__ = [
    "CONTENT_TYPE",
    "ROUTES",
    "Api",
    "Effort",
    "Reply",
    "Request",
    "Route",
    "Touches",
    "Undecodable",
    "decode",
    "encode",
    "encode_failure",
    "find",
]
