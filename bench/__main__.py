"""Run the measurements and print the ratios: ``python -m bench [endpoints] [ports] [recovery]``, or all of them.

Needs root and a quiet machine. All figures of a table are of one run, in namespaces of our own.
"""

import sys

from bench import endpoints, ports, recovery

TABLES = {"endpoints": endpoints.measure, "ports": ports.measure, "recovery": recovery.measure}


def main(names: list[str]) -> None:
    """Measure those named, or everything."""
    for name in names or TABLES:
        TABLES[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
