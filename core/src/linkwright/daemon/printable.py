"""Text that came from outside, made fit for a line of a log or a label. Pure, and the one place that does it."""

from typing import Final

#: Characters shown of one value. Ids have 64, container names rarely as many.
LONGEST: Final = 256


def printable(text: str, *, longest: int = LONGEST) -> str:
    r"""Return *text* with what a terminal would act on or hide escaped as Python does: ``\n``, ``\x1b``, ``\u202e``.

    What is left is on one line, and not longer than *longest* characters, an ellipsis at its end if some are missing.
    """
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    if cut.isprintable() and "\\" not in cut:
        return cut
    return "".join(c if c.isprintable() and c != "\\" else c.encode("unicode_escape").decode() for c in cut)
