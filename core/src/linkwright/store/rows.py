"""What the tables hold: rows of kind, key and text, their checksum, and how a late transaction is taken back.

Pure. No record is read or written as JSON here (that is ``records``), and no SQL is spoken (``database``).
"""

import zlib
from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from linkwright.errors import Refused

Name = tuple[str, str]  # kind and key: what names a row

#: The kind of what is no record (instance, boot id, …): facts lie beside the records in the same table.
FACT = "fact"

# Facts of the store's own.
REVISION = "revision"  # goes up by one with each transaction that is flushed
ORDERLY = "orderly"  # "yes" between an orderly end and the next start
RECOVERY = "recovery"  # a recovery that nobody has acted upon yet
OWN_FACTS = frozenset({REVISION, ORDERLY, RECOVERY})


@frozen
class Write:
    """One row to store, or to drop where ``text`` is None. For *flushed* see ``model.change.Put``."""

    kind: str
    key: str
    text: str | None
    flushed: bool = True

    @property
    def name(self) -> Name:
        """What names the row; a later write of the same name replaces it."""
        return self.kind, self.key


def remembering(facts: Mapping[str, str]) -> list[Write]:
    """*facts* as writes; Refused for the names that the store uses itself."""
    if taken := OWN_FACTS & facts.keys():
        raise Refused(f"the store keeps {', '.join(sorted(taken))} itself; remember it under another name")
    return [Write(FACT, name, text) for name, text in facts.items()]


def sum_of(kind: bytes, key: bytes, text: bytes) -> int:
    """The checksum kept with each row.

    SQLite finds pages that do not fit together, and not a flipped bit inside a text. CRC-32 finds every single
    damaged byte; it is no defence against people, who can write the file as well as we can.
    """
    return zlib.crc32(b"\0".join((kind, key, text)))


def undo(before: Mapping[Name, str | None], group: Sequence[tuple[Sequence[Write], bool]]) -> tuple[Write, ...]:
    """What to write so that the late members of *group* never happened, the others staying as they are.

    *before* are the texts from before the group, for every row it touched; *group* are its members in order, each
    with whether it is late (its caller was already told that nothing was written).
    """
    touched = {write.name for writes, late in group if late for write in writes}
    right = {name: before[name] for name in touched}
    for writes, late in group:
        if not late:
            right.update({write.name: write.text for write in writes if write.name in touched})
    return tuple(Write(kind, key, text) for (kind, key), text in sorted(right.items()))


def after(rows: Mapping[Name, str], writes: Iterable[Write]) -> dict[Name, str]:
    """*rows* with *writes* done to them."""
    result = dict(rows)
    for write in writes:
        if write.text is None:
            result.pop(write.name, None)
        else:
            result[write.name] = write.text
    return result
