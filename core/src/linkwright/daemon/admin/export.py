"""All that the daemon remembers, as the text of ``store.archive``."""

from linkwright import __version__
from linkwright.daemon.admin.asked import Asked, Work
from linkwright.daemon.admin.insides import Insides
from linkwright.store import Archive, export_text


async def export(insides: Insides, _: Asked) -> Work:
    """The state as the last commit left it: one read, so that its parts fit together."""
    contents = await insides.store.load()
    archive = Archive(contents, instance=insides.config.instance, build=__version__)
    return lambda: export_text(archive)
