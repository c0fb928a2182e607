"""Formats of the stored state, and the way from each to the next. The table at the end is the place to add one.

A step is either a function from (kind, document) to the new document, None dropping the record, or a tuple of SQL
statements. Prefer the function: it serves old exports as well. SQL that changes a text sets its checksum too:
``UPDATE record SET text = …, sum = row_sum(kind, key, …)``. There is no way back: going back to an older linkwright is
refused with a text that names the copy kept from before.
"""

from collections.abc import Callable, Mapping
from contextlib import closing

from attrs import field, frozen

from linkwright.errors import LinkwrightError, Refused, Unavailable
from linkwright.store.damage import examine
from linkwright.store.database import Database, speaking
from linkwright.store.files import Files, whole
from linkwright.store.records import Document, canonical, decode_all, parse
from linkwright.store.rows import FACT, ORDERLY, Write

Rewrite = Callable[[str, Document], Document | None]
Step = Rewrite | tuple[str, ...]


@frozen
class Schema:
    """The format this linkwright writes, and ``steps[n]``, which leads from format n to n + 1."""

    version: int
    steps: Mapping[int, Step] = field(factory=dict)

    @property
    def oldest(self) -> int:
        """The oldest format that can still be read."""
        return min(self.steps, default=self.version)

    def check(self, version: int, files: Files) -> None:
        """Refused, saying what to do, where format *version* cannot be brought to ours."""
        if version > self.version:
            kept = [old for old in files.kept_versions() if old <= self.version]
            way = (
                f"or go back to the copy {files.kept(kept[-1])} from before the upgrade and lose what came since: move "
                f"{files.database}, {files.log.name} and {files.good.name} away, and rename the copy to the first"
                if kept
                else "no copy from before the upgrade is there"
            )
            raise Refused(
                f"{files.database} is of format {version}, and this linkwright reads formats up to {self.version}: "
                f"it was written by a newer one. Use that one again, {way}"
            )
        if version < self.oldest:
            raise Refused(
                f"{files.database} is of format {version}, and this linkwright reads formats from {self.oldest} on: "
                "start one in between first, which brings it forward"
            )

    def rewrite(self, kind: str, document: Document, *, version: int) -> Document | None:
        """*document* of format *version* as it is in ours; None where a step dropped it."""
        result: Document | None = document
        for number in range(version, self.version):
            step = self.steps[number]
            if result is not None and callable(step):
                result = step(kind, result)
        return result


def migrate(database: Database, files: Files, schema: Schema) -> None:
    """Bring *database* to our format in one transaction, a copy of it kept before.

    Unavailable where a step fails or leaves a record that cannot be read; the database is then as it was.
    """
    version = database.version
    with speaking(f"keeping a copy of {files.database}"), whole(files.kept(version)) as part:
        database.copy_into(part)
        with closing(Database(part)) as copy:
            copy.write([Write(FACT, ORDERLY, "yes")])  # fit to be put in place by hand: no log belongs to it
    try:
        with speaking("the migration"), database.transaction():
            for number in range(version, schema.version):
                _take(database, schema.steps[number])
            database.set_version(schema.version)
            _prove(database)
    except Exception as error:
        raise Unavailable(
            f"bringing {files.database} from format {version} to {schema.version} failed, and it is as it was: {error}."
            " Start the linkwright before this one, and report this"
        ) from error


def _take(database: Database, step: Step) -> None:
    if callable(step):
        for kind, key, text in database.rows():
            if kind != FACT:
                document = step(kind, parse(text))
                database.write([Write(kind, key, None if document is None else canonical(document))])
        return
    for statement in step:
        database.connection.execute(statement)


def _prove(database: Database) -> None:
    found = examine(database)
    if found:
        raise LinkwrightError(str(found))
    decode_all(database.rows())


#: The format of this linkwright. A new one: raise the version, add the step from the old one, renew the golden text.
SCHEMA = Schema(version=1)
