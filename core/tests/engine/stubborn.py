"""A fake kernel that refuses whatever touches certain keys, again and again, as a real one does with what is in use."""

import errno

from linkwright.plan import Key, Step
from linkwright.testkit.fake_kernel import FakeKernel
from linkwright.testkit.fake_kernel_state import FakeKernelState
from linkwright.testkit.fake_links import refused


def refuse(kernel: FakeKernel, *keys: Key) -> None:
    """Let *kernel* refuse every step on one of *keys* from now on; without any, do everything again."""

    def attempt(state: FakeKernelState, step: Step) -> None:
        if step.resource.key in keys:
            raise refused(errno.EBUSY, step, "in use")
        FakeKernel._attempt(kernel, state, step)

    kernel._attempt = attempt  # type: ignore[method-assign]
