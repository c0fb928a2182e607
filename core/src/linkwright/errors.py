"""The error tree, cut by who must act. Nothing else lives here, and nothing here knows HTTP or netlink.

A message says what was tried, on what, what came back, and what to do about it: it is shown to the
person who typed ``docker run``. ``daemon.plugin`` is the one place that turns these into bytes.
"""

import errno as _errno


class LinkwrightError(Exception):
    """Root of all errors that linkwright raises on purpose; ``outcome`` labels them in the metrics."""

    outcome = "error"


class Refused(LinkwrightError):
    """The caller asked for something wrong. Their move: the text goes to the user and is not logged as ours."""

    outcome = "refused"


class NotFound(Refused):
    """The thing named in the request is not known here."""


class Conflict(Refused):
    """Somebody else holds what was asked for; the message names the holder."""


class Exhausted(Refused):
    """A finite thing (addresses, pools, ports) has run out; the message says how large it is and who holds it."""


class KernelError(LinkwrightError):
    """The kernel refused a step. Counted and logged: the host's move, or ours."""

    outcome = "kernel"

    def __init__(self, code: int, *, step: str, extack: str = "") -> None:
        """Keep *code* (an errno), *step* (what was tried, as a person would type it) and the extended ack's text."""
        self.code = code
        self.step = step
        self.extack = extack
        name = _errno.errorcode.get(code, str(code))
        reason = f"{name}: {extack}" if extack else name
        super().__init__(f"the kernel refused `{step}`: {reason}")


class DriverFault(LinkwrightError):
    """A driver broke its contract (raised, overran, returned nonsense). Its author's move."""

    outcome = "driver"


class Unavailable(LinkwrightError):
    """Store, cluster or kernel did not answer in time. Nobody's fault yet: try again."""

    outcome = "unavailable"


class Stopping(LinkwrightError):
    """The daemon is going down and takes no new work; the next process will."""

    outcome = "stopping"
