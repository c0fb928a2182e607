"""How things of ours are named. Pure, and the same in every process, so that leftovers are recognised."""

import hashlib
import string

from linkwright.errors import Refused
from linkwright.plan.links import NAME_LENGTH, kernel_name

_HEX = frozenset(string.hexdigits.lower())
_FULL_ID = 64

#: "x" is how ``kernel.condemn`` names links that are being removed: another one of that name would not be seen.
_ROLES = string.ascii_lowercase.replace("x", "")
_SHOWN = 12  # what `docker ps` and `docker network ls` show of an id


def link_name(role: str, id: str) -> str:  # noqa: A002 - the domain's word
    """Return a link name: ``lw``, one letter of *role*, and the twelve digits of *id* that Docker shows.

    ``IFNAMSIZ`` leaves 15 bytes, which this fills. Two ids with equal first digits give one name; the second is then
    refused with the holder named. An id that is not Docker's 64 hexadecimal digits is hashed.
    """
    if len(role) != 1 or role not in _ROLES:
        raise ValueError(f"a role is one letter of {_ROLES}, not {role!r}")
    docker = len(id) == _FULL_ID and _HEX.issuperset(id)
    digits = id if docker else hashlib.sha256(id.encode()).hexdigest()
    return f"lw{role}{digits[:_SHOWN]}"


def interface_name(name: str) -> str:
    """Check a name that a user chose for an interface in a container and return it.

    Raises Refused for what the kernel does not take, for '%', which would be a pattern, and for what nobody can read.
    """
    try:
        kernel_name(None, None, name)
        fits = name.isprintable() and "%" not in name
    except ValueError:
        fits = False
    if not fits:
        raise Refused(f"{name!r} is no interface name: 1 to {NAME_LENGTH} bytes without '/', ':', '%' or space")
    return name
