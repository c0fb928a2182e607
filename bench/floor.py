"""The floor: what the kernel itself takes for one endpoint, sent by the least code that can. Standard library only.

``floor.py ROUNDS ORDER``, in a network namespace of its own. Prints, as JSON, seconds for each round of: making a veth
pair with its host end up on a bridge, and its mark; and ending it, which deletes it.
"""

import json
import socket
import struct
import sys
import time

from orders import ordered

_HEADER, _LINK = struct.Struct("=IHHII"), struct.Struct("=BxHiII")
_NEWLINK, _DELLINK, _SETLINK = 16, 17, 19
_REQUEST, _ACK, _CREATE, _EXCL = 0x1, 0x4, 0x400, 0x200
_NAME, _MTU, _MASTER, _INFO, _ALIAS = 3, 4, 10, 18, 20


def _attribute(kind: int, payload: bytes) -> bytes:
    length = 4 + len(payload)
    return struct.pack("=HH", length, kind) + payload + b"\0" * (-length % 4)


def _info(kind: bytes, data: bytes = b"") -> bytes:
    return _attribute(_INFO, _attribute(1, kind) + (_attribute(2, data) if data else b""))


def _message(kind: int, flags: int, index: int, attributes: bytes, *, up: bool = False) -> bytes:
    body = _LINK.pack(0, 0, index, int(up), int(up)) + attributes
    return _HEADER.pack(16 + len(body), kind, _REQUEST | _ACK | flags, 1, 0) + body


def _send(netlink: socket.socket, *messages: bytes) -> None:
    netlink.send(b"".join(messages))
    for _ in messages:
        answer = netlink.recv(65536)
        (code,) = struct.unpack_from("=i", answer, 16)
        if code:
            raise OSError(-code, "the kernel refused")


def _endpoint(number: int) -> tuple[bytes, bytes, bytes]:
    index = 1000 + 2 * number
    mtu = _attribute(_MTU, struct.pack("=I", 1500))
    peer_name = _attribute(_NAME, b"fc%d\0" % number)
    peer = _attribute(1, _LINK.pack(0, 0, index + 1, 0, 0) + peer_name + mtu)
    own = _attribute(_NAME, b"fh%d\0" % number) + mtu + _attribute(_MASTER, struct.pack("=I", 500))
    make = _message(_NEWLINK, _CREATE | _EXCL, index, own + _info(b"veth", peer), up=True)
    mark = _message(_SETLINK, 0, index, _attribute(_ALIAS, b"linkwright:default:" + b"a" * 150))
    return make, mark, _message(_DELLINK, 0, index, b"")


def main(rounds: int, order: str) -> None:
    """Measure *rounds* endpoints in that *order*."""
    seconds: dict[str, list[float]] = {"make": [], "end": []}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.bind((0, 0))
        _send(netlink, _message(_NEWLINK, _CREATE | _EXCL, 500, _attribute(_NAME, b"fb\0") + _info(b"bridge"), up=True))
        for stage, number in ordered(order, rounds):
            make, mark, delete = _endpoint(number)
            messages = {"make": (make, mark), "end": (delete,)}[stage]
            began = time.perf_counter()
            _send(netlink, *messages)
            seconds[stage].append(time.perf_counter() - began)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
