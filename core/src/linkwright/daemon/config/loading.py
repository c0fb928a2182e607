"""Reading the settings: a flag wins over the environment, that over the file, that over the default.

Whatever is wrong is Refused with the place where it stands. No I/O: the file is read by what the caller hands in.
"""

import difflib
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from linkwright.daemon.config.settings import SETTINGS, Config, Setting
from linkwright.errors import Refused

_KEYS: Final = {setting.key: setting for setting in SETTINGS if setting.key}
_VARIABLES: Final = {setting.variable: setting for setting in SETTINGS}
_OURS = "LINKWRIGHT_"


@frozen
class _Given:
    """A value as it was written, where, and what reads it."""

    where: str
    value: Any
    read: Callable[[Any], Any]

    def parsed(self) -> Any:
        try:
            return self.read(self.value)
        except ValueError as error:
            raise Refused(f"{self.where}: {self.value!r} cannot be used: {error}") from error


def load(flags: Mapping[str, object], environ: Mapping[str, str], *, read_file: Callable[[Path], str]) -> Config:
    """Return the configuration; Refused says what is wrong, and in which of the sources.

    *flags* are those of the command line by field name: text, or a bool where ``Setting.boolean``; None is not given.
    *read_file* returns the text of the file that ``--config`` names (OSError, UnicodeDecodeError: Refused).
    """
    if strangers := sorted({*flags} - {setting.field for setting in SETTINGS}):
        raise TypeError(f"no settings: {', '.join(strangers)}")
    path = _chosen(_source("config"), flags, environ, {}, None)
    document = _document(path, read_file) if path is not None else {}
    values = {setting.field: _chosen(setting, flags, environ, document, path) for setting in SETTINGS}
    return Config(**values)


def unread(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Say which variables look like ours and are not: a typing error there would otherwise be silent."""
    return tuple(
        f"the environment variable {name} is not read{_nearest(name, _VARIABLES)}"
        for name in sorted(environ)
        if name.startswith(_OURS) and name not in _VARIABLES
    )


def _source(field: str) -> Setting:
    return next(setting for setting in SETTINGS if setting.field == field)


def _chosen(
    setting: Setting,
    flags: Mapping[str, object],
    environ: Mapping[str, str],
    document: Mapping[str, object],
    path: Path | None,
) -> Any:
    """The value of *setting* from the first source that has it."""
    flag = flags.get(setting.field)
    if isinstance(flag, bool) and setting.boolean:
        return flag
    if flag is not None:
        return _Given(setting.flag, flag, setting.form.read).parsed()
    if setting.variable in environ:
        return _Given(f"environment variable {setting.variable}", environ[setting.variable], setting.form.read).parsed()
    if setting.key in document:
        return _Given(f"{setting.key} in {path}", document[setting.key], setting.form.take).parsed()
    return setting.default


def _document(path: Path, read_file: Callable[[Path], str]) -> dict[str, object]:
    try:
        document = tomllib.loads(read_file(path))
    except OSError as error:
        raise Refused(f"the file of --config, {path}, cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # UnicodeDecodeError and TOMLDecodeError are such
        raise Refused(f"the file of --config, {path}, is not TOML: {error}") from error
    for key in document:
        if key not in _KEYS:
            raise Refused(f"{path} has a setting {key!r} that there is not{_nearest(key, _KEYS)}")
    return document


def _nearest(name: str, known: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(sorted(known))}"
