"""The durable state: what Docker asked for, and the addresses given out. Docker does not say it twice.

Records are the model's frozen values. Nothing is decided here: what is stored, and when, is the business of
``engine`` and ``ipam``, which are handed a `Store`.
"""

from linkwright.store.archive import Archive, export_text, import_text, restore
from linkwright.store.contents import Contents
from linkwright.store.interface import PATIENCE, Store
from linkwright.store.memory import MemoryStore
from linkwright.store.recovery import RecoveryReport
from linkwright.store.schema import SCHEMA, Schema
from linkwright.store.sqlite import Opened, SqliteStore
from linkwright.store.statistics import Statistics

__all__ = [
    "PATIENCE",
    "SCHEMA",
    "Archive",
    "Contents",
    "MemoryStore",
    "Opened",
    "RecoveryReport",
    "Schema",
    "SqliteStore",
    "Statistics",
    "Store",
    "export_text",
    "import_text",
    "restore",
]
