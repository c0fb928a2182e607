"""The battery of cases that every driver has to pass: ``class TestMine(DriverConformance)`` runs it.

A level is a module: ``load``, ``wishes``, ``talk``, ``kernel``, ``docker``. What they have in common is ``level``.
Cases are methods, so that a report names what is wrong; each says what it proves. How one opts out of a case is
``opting_out``; ``backend`` is the battery of IPAM back-ends.
"""

from linkwright.testkit.battery.docker import DockerLevel
from linkwright.testkit.battery.kernel import KernelLevel
from linkwright.testkit.battery.load import LoadLevel
from linkwright.testkit.battery.talk import TalkLevel
from linkwright.testkit.battery.wishes import WishesLevel


class DriverConformance(LoadLevel, WishesLevel, TalkLevel, KernelLevel, DockerLevel):
    """All levels. Subclass it in a test module as ``Test…`` and say ``driver`` and ``examples``; see ``Level``."""


__all__ = ["DriverConformance"]
