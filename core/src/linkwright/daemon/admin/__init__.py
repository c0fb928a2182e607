"""The admin socket: what an operator asks the running daemon, as JSON over HTTP. The command line is its client.

``routes`` is the table of all there is to ask; ``insides`` is what the answers are made from; ``views`` gives each
value its form in JSON. Nothing here is asked by Docker, and nothing waits for it.
"""

from linkwright.daemon.admin.answering import Admin, refusal
from linkwright.daemon.admin.insides import Insides
from linkwright.daemon.admin.recent import Recent

__all__ = ["Admin", "Insides", "Recent", "refusal"]
