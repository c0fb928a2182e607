"""The bridge driver and the battery that every driver passes."""

from linkwright.testkit import DriverConformance, Example
from linkwright_bridge import Bridge

_APART = {"com.docker.network.bridge.enable_icc": "false", "mtu": "1400", "rate": "10mbit", "spoof_check": "true"}


class TestBridge(DriverConformance):
    """With its ports, without them and cut off, limited and checked, and leading nowhere."""

    driver = Bridge
    examples = ({}, Example(_APART, {"rate": "1gbit"}, siblings=False), Example(internal=True))
