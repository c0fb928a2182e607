"""Export and import: everything a store holds as text that a person can read, compare and keep.

One JSON object a line. The first is the header, then every record, networks first, each kind ordered by key::

    {"build":"0.1.0","format":1,"instance":"main","linkwright":"export","records":2}
    {"network":{…}}
    {"endpoint":{…}}

Equal contents are equal bytes: exporting what was imported gives the file again, and ``diff`` of two exports shows
what happened between. The header counts the records, so that a file that was cut off is noticed. No I/O here but
through the store that is handed in.
"""

from collections.abc import Iterator

from attrs import frozen

from linkwright.errors import Conflict, Refused
from linkwright.model.change import Drop, Put, Record, key_of
from linkwright.store.contents import Contents
from linkwright.store.interface import Store
from linkwright.store.records import KINDS, Document, canonical, encode, kind_of, parse, structure
from linkwright.store.schema import SCHEMA, Schema

#: Fields of the first line, and what they are.
_HEADER = {"build": str, "format": int, "instance": str, "linkwright": str, "records": int}


@frozen
class Archive:
    """Contents, and which daemon they come from: its instance name and its build."""

    contents: Contents
    instance: str = ""
    build: str = ""


def export_text(archive: Archive, *, schema: Schema = SCHEMA) -> str:
    """*archive* as text: ASCII, one line each, the same bytes for the same contents."""
    header = {
        "build": archive.build,
        "format": schema.version,
        "instance": archive.instance,
        "linkwright": "export",
        "records": len(archive.contents),
    }
    lines = [canonical(header), *(f'{{"{kind_of(record)}":{encode(record)}}}' for record in archive.contents)]
    return "".join(f"{line}\n" for line in lines)


def import_text(text: str, *, schema: Schema = SCHEMA) -> Archive:
    """Read what `export_text` wrote, of this format or an older one; Refused with line and field for anything else.

    All of it is checked before anything is returned.
    """
    lines = list(_lines(text))
    _, header = lines[0] if lines else (1, {})
    _check_header(header, schema)
    found: dict[tuple[str, str], Record] = {}
    for number, document in lines[1:]:
        try:
            record = _record(document, schema, header["format"])
        except Refused as error:
            raise Refused(f"line {number} of the export: {error}") from error
        if record is not None:
            name = (kind_of(record), key_of(record))
            if name in found:
                raise Refused(f"line {number} of the export: a second {' '.join(name)}; remove one of the two")
            found[name] = record
    if len(lines) - 1 != header["records"]:
        raise Refused(
            f"the export has {len(lines) - 1} records and its first line says {header['records']}: "
            "it was cut off, or edited; take a whole one, or correct the number if it is meant to be so"
        )
    contents = Contents.of(found.values())
    return Archive(contents, instance=header["instance"], build=header["build"])


async def restore(store: Store, contents: Contents, *, replace: bool = False) -> None:
    """Make *store* hold exactly *contents*, in one transaction.

    Conflict where it holds anything already, unless told to *replace*; then what is not in *contents* is dropped.
    """
    present = await store.load()
    if len(present) and not replace:
        raise Conflict(
            f"the store holds {len(present)} records already; import into an empty one, or ask to replace them "
            "(--replace): those that the export does not have are then dropped"
        )
    wanted = {(kind_of(record), key_of(record)) for record in contents}
    drops = [Drop(record) for record in present if (kind_of(record), key_of(record)) not in wanted]
    await store.commit([*drops, *(Put(record) for record in contents)])


def _lines(text: str) -> Iterator[tuple[int, Document]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, parse(line)
            except Refused as error:
                raise Refused(f"line {number} of the export: {error}") from error


def _check_header(header: Document, schema: Schema) -> None:
    if header.get("linkwright") != "export":
        raise Refused("this is no linkwright export: its first line must be the header that `linkwright export` writes")
    for field, kind in _HEADER.items():
        if type(header.get(field)) is not kind:
            raise Refused(f"line 1 of the export: the header needs the field {field}, of type {kind.__name__}")
    if unknown := sorted(header.keys() - _HEADER.keys()):
        raise Refused(f"line 1 of the export: the header has the unknown field {unknown[0]}")
    if not schema.oldest <= header["format"] <= schema.version:
        raise Refused(
            f"the export is of format {header['format']} (written by linkwright {header['build'] or 'unknown'}), and "
            f"this linkwright reads formats {schema.oldest} to {schema.version}: import it with the one that wrote it"
        )


def _record(line: Document, schema: Schema, version: int) -> Record | None:
    if len(line) != 1:
        raise Refused(f"one of {', '.join(KINDS)} is needed, and nothing beside it")
    [(kind, document)] = line.items()
    if kind not in KINDS or not isinstance(document, dict):
        raise Refused(f"{kind!r} is no kind of record, or what follows is no object; there are {', '.join(KINDS)}")
    current = schema.rewrite(kind, document, version=version)
    return None if current is None else structure(kind, current)
