"""What the daemon can be told, and by whom: flag, environment variable or file. No setting is known anywhere else.

``settings`` is the table, ``forms`` says how values are written, ``loading`` reads them, ``manual`` prints the page.
"""

from linkwright.daemon.config.forms import Form, Listen
from linkwright.daemon.config.loading import load, unread
from linkwright.daemon.config.settings import SETTINGS, Config, Setting

__all__ = ["SETTINGS", "Config", "Form", "Listen", "Setting", "load", "unread"]
