"""Looking at the host for what would go wrong: small named checks. They look and advise, and never change anything.

A check is a plain function from ``Surroundings`` to a ``Finding``; it runs in a thread with a deadline, in the daemon
or, where none answers, in the command itself. To add one, write it and give it a row in ``checks``.
"""

from linkwright.daemon.admin.doctor.checks import CHECKS, Check, examine
from linkwright.daemon.admin.doctor.surroundings import Done, Finding, Live, Status, Surroundings, Tool, run_tool

__all__ = ["CHECKS", "Check", "Done", "Finding", "Live", "Status", "Surroundings", "Tool", "examine", "run_tool"]
