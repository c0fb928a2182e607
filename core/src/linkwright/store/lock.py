"""One daemon per state directory. The kernel holds the lock, so a crash releases it."""

import fcntl
import os
from pathlib import Path

from attrs import frozen

from linkwright.errors import Conflict
from linkwright.store.files import told


@frozen
class DirectoryLock:
    """The right to use a state directory, for as long as it is not released."""

    handle: int

    @classmethod
    def take(cls, path: Path) -> "DirectoryLock":
        """Lock the file *path*, made if need be; Conflict, naming the holder, while another has it.

        ``flock`` and not ``fcntl``: the lock belongs to the open file, so a second store in this process is
        refused as well. The file stays when the lock goes: unlinking it would let two hold "the" lock.
        """
        with told(f"{path} cannot be opened"):
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(handle, 0)
        except BlockingIOError:
            holder = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
            os.close(handle)
            raise Conflict(
                f"the state directory {path.parent} is in use by the process with pid {holder}; stop that one, or "
                "give this one a directory of its own (--state-dir)"
            ) from None
        with told(f"{path} cannot be written"):  # a full disk: whoever is refused then reads "unknown"
            os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        return cls(handle)

    def release(self) -> None:
        """Give it up."""
        os.close(self.handle)
