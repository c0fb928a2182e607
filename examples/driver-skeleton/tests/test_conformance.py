"""The battery that every driver passes: three lines, and the examples."""

from linkwright_ptp import PointToPoint

from linkwright.testkit import DriverConformance, Example

pytest_plugins = ["linkwright.testkit"]

IPV4 = ("10.201.0.0/24",)


class TestPointToPoint(DriverConformance):
    """Open, and shut."""

    driver = PointToPoint
    examples = (
        Example(subnets=IPV4),
        Example({"open": "false", "mtu": "1400"}, subnets=IPV4, siblings=False),
    )
