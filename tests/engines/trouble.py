"""The one error of the test harness. Nothing else lives here, so that every module beside it can raise it."""


class Trouble(Exception):
    """Engines or pretend hosts could not be had: says what was tried, on what, what came back, and what to do."""
