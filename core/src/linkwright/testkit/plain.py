"""Wishes as JSON and back.

What comes back otherwise than it went was no plain value: a text where a number belongs, a subclass that knows more
than its class. Such a value would be compared with the kernel's for ever in vain.
"""

import json
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any, Final, get_args

from cattrs import Converter
from cattrs.strategies import configure_tagged_union

from linkwright.model import Address, Interface, Mac, Prefix
from linkwright.plan import LinkKind, Resource, Wishes

_RESOURCE: Final[Any] = Resource  # a union, which the codec reads by a tag

_FAMILIES: Final = {Address: ip_address, Interface: ip_interface, Prefix: ip_network}


def round_trip(wishes: Wishes) -> Wishes:
    """Return *wishes* as they come back from JSON; whatever the codec raises if they do not."""
    text = json.dumps([_CONVERTER.unstructure(wish, Resource) for wish in wishes])
    return Wishes(_CONVERTER.structure(one, _RESOURCE) for one in json.loads(text))


def _make_converter() -> Converter:
    converter = Converter(forbid_extra_keys=True)
    for union, read in _FAMILIES.items():
        for each in get_args(union):
            converter.register_unstructure_hook(each, str)
            converter.register_structure_hook(each, lambda text, cls: cls(text))
        for cls in (union, union | None):
            converter.register_structure_hook(cls, _optional(read))
            converter.register_unstructure_hook(cls, lambda value: None if value is None else str(value))
    converter.register_unstructure_hook(Mac, str)
    converter.register_structure_hook(Mac, lambda text, _: Mac.parse(text))
    configure_tagged_union(LinkKind, converter)
    configure_tagged_union(Resource, converter)
    return converter


def _optional(read: Any) -> Any:
    return lambda text, _: None if text is None else read(text)


_CONVERTER: Final = _make_converter()
