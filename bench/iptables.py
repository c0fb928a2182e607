"""Runs inside the host: appends what one published port needs and takes it away again, ``iptables.py ROUNDS`` times."""

import json
import subprocess
import sys
import time

RULES = (
    ("nat", "PREROUTING", "-p", "tcp", "--dport", "19999", "-j", "DNAT", "--to-destination", "10.99.0.3:80"),
    ("filter", "FORWARD", "-d", "10.99.0.3", "-p", "tcp", "--dport", "80", "-j", "ACCEPT"),
)


def main(rounds: int) -> None:
    """Measure."""
    seconds: dict[str, list[float]] = {"add": [], "delete": []}
    for _ in range(rounds):
        for verb, flag in (("add", "-A"), ("delete", "-D")):
            began = time.perf_counter()
            for table, chain, *rule in RULES:
                subprocess.run(["iptables", "-t", table, flag, chain, *rule], check=True)
            seconds[verb].append(time.perf_counter() - began)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(int(sys.argv[1]))
