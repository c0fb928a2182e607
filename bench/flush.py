"""How fast a rule set comes back. Standard library only.

``flush.py back PID ROUNDS ADDRESS PORT``, run outside, deletes the rules of the host whose process PID is, and tells
how long after that PORT answered, and how long after that the rules were as before. ``flush.py load ROUNDS``, run in a
host of its own, reads a rule set and tells how long nft took to load it. Both print seconds as JSON.
"""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable

FLUSH = ("nft", "flush", "ruleset")
TRY = 0.05
"""Seconds for an answer, which takes less than one thousandth of that; what was dropped is sent anew."""


def answers(address: str, port: int) -> bool:
    """Whether somebody takes the connection."""
    try:
        with socket.create_connection((address, port), timeout=TRY) as connection:
            return connection.recv(1) == b""
    except OSError:
        return False


def until(look: Callable[[], bool]) -> float:
    """When *look* first said yes."""
    while not look():
        time.sleep(0.001)
    return time.perf_counter()


def back(pid: str, rounds: int, address: str, port: int) -> dict[str, list[float]]:
    """Measure what somebody else puts back."""
    enter = ("nsenter", f"--net=/proc/{pid}/ns/net")

    def rules() -> list[str]:
        listed = subprocess.run([*enter, "nft", "-s", "list", "ruleset"], check=True, capture_output=True, text=True)
        return sorted(listed.stdout.replace(",", " ").split())  # elements come in any order

    seconds: dict[str, list[float]] = {"answering": [], "whole": []}
    until(lambda: answers(address, port))
    before = rules()
    for _ in range(rounds):
        subprocess.run([*enter, *FLUSH], check=True)
        began = time.perf_counter()
        seconds["answering"].append(until(lambda: answers(address, port)) - began)
        seconds["whole"].append(until(lambda: rules() == before) - began)
    return seconds


def load(rounds: int, text: str) -> dict[str, list[float]]:
    """Measure the floor."""
    seconds = []
    for _ in range(rounds):
        subprocess.run(FLUSH, check=True)
        began = time.perf_counter()
        subprocess.run(["nft", "-f", "-"], check=True, input=text, text=True)
        seconds.append(time.perf_counter() - began)
    return {"load": seconds}


if __name__ == "__main__":
    if sys.argv[1] == "back":
        found = back(sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
    else:
        found = load(int(sys.argv[2]), sys.stdin.read())
    print(json.dumps(found))
