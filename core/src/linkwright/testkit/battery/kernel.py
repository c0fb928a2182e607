"""Level kernel: the same conversation on the real kernel, in namespaces. Needs Linux, and root or user namespaces.

What happened is found out once for each example (``evidence``); the cases judge it.
"""

from typing import ClassVar

import pytest

from linkwright.testkit import inside
from linkwright.testkit.battery.level import Level
from linkwright.testkit.evidence import Evidence, evidence
from linkwright.testkit.example import Example


class KernelLevel(Level):
    """The real kernel."""

    _found: ClassVar[dict[tuple[type, str], Evidence]] = {}

    def test_kernel_life(self, example: Example) -> None:
        """The kernel makes what is wished for and reads it back so; afterwards the namespace is as it was."""
        found = self._evidence(example)
        assert not found.error, found.error
        assert not found.repaired, "looking again finds something to do, for ever:\n" + "\n".join(found.repaired)
        assert not found.left, "something is left or lost:\n" + "\n".join(found.left)

    def test_kernel_as_imagined(self, example: Example) -> None:
        """The imaginary host has what the real one has: what was proved on it holds."""
        found = self._evidence(example)
        self._wait_for_life(found)
        assert not found.otherwise, "the kernel has it otherwise than the fake:\n" + "\n".join(found.otherwise)

    def test_kernel_ping(self, example: Example) -> None:
        """Containers of one network reach each other by each family that they have, or by none: as the example says."""
        found = self._evidence(example)
        self._wait_for_life(found)
        wrong = [address for address, answered in found.answers if answered is not example.siblings]
        assert not wrong, f"{'no ' if example.siblings else 'an '}answer from {', '.join(wrong)}"

    def _evidence(self, example: Example) -> Evidence:
        self.wait_for_right_answers(example)
        if reason := inside.missing():
            pytest.skip(f"level kernel: {reason}")
        key = (type(self), repr(example))  # what it is called does not tell all of it
        if key not in self._found:
            self._found[key] = inside.isolated(evidence, self.driver, example)
        found = self._found[key]
        if found.missing:
            pytest.skip(f"kernel feature: {', '.join(found.missing)}")
        return found

    def _wait_for_life(self, found: Evidence) -> None:
        if found.error:
            pytest.skip(f"there was no conversation to judge: {found.error}")
