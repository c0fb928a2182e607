"""Whose a link is that has a name of ours. Pure. Nothing of anybody else's is ever touched, so this is asked first.

=============================================  ========================================================
marked for the network or endpoint that wants  ours
marked otherwise                               another network's whose id begins alike, or another instance's
without a mark, never made by us               somebody else's
without a mark, made by us once, of the same   ours: somebody wiped the mark (``ip link set … alias ''``);
kind and with the wished hardware address      addresses are derived from ids, nobody has them by chance
without a mark, anything else, or of a name    somebody else's
that others give too (``eth0.50``)
=============================================  ========================================================
"""

from linkwright.plan import PREFIX, Hold, Link, Resource


def stranger(wanted: Resource, found: Resource, *, made: bool) -> str:
    """Return in words why *found* is not the link that *wanted* wishes to own; "" where it is, or is no link.

    *made* says that we have made it once: then a missing mark may have been wiped.
    """
    if not isinstance(wanted, Link) or not isinstance(found, Link) or wanted.hold is not Hold.OWN:
        return ""
    if found.mark is not None:
        ours = wanted.mark is None or wanted.mark.same_owner(found.mark)
        return "" if ours else f"link {found.name!r} belongs to {found.mark}, whose id begins alike"
    by_chance = not wanted.name.startswith(PREFIX)
    if made and not by_chance and type(wanted.kind) is type(found.kind) and wanted.mac in {None, found.mac}:
        return ""
    return f"the host has a link {found.name!r} that is not linkwright's; remove or rename it and try again"
