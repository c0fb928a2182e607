"""The vxlan driver and the battery that every driver passes."""

from linkwright.testkit import DriverConformance, Example
from linkwright_vxlan import Vxlan


class TestVxlan(DriverConformance):
    """With peers, and alone over IPv6."""

    driver = Vxlan
    examples = (
        {"vni": "42", "peers": "192.0.2.1,192.0.2.9"},
        Example({"vni": "43", "local": "2001:db8::1", "mtu": "1400"}, internal=True),
    )
