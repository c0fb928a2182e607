"""Numbers of the nf_tables netlink interface, by name. Facts only: what is sent with them is ``messages``.

Source: linux/netfilter/nf_tables.h, linux/netfilter/nfnetlink.h, linux/netfilter.h. Names are those of the headers,
less the prefix.
"""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType

NETLINK_NETFILTER = 12
SUBSYSTEM = 10  # NFNL_SUBSYS_NFTABLES
GROUP_NFTABLES = 7  # NFNLGRP_NFTABLES
BATCH_BEGIN = 16  # NFNL_MSG_BATCH_BEGIN
BATCH_END = 17  # NFNL_MSG_BATCH_END


class Family(IntEnum):
    """Address families of tables (NFPROTO_*)."""

    INET = 1
    IP = 2
    BRIDGE = 7
    IP6 = 10


class Kind(IntEnum):
    """Messages (NFT_MSG_*)."""

    NEWTABLE = 0
    GETTABLE = 1
    DELTABLE = 2
    NEWCHAIN = 3
    GETCHAIN = 4
    DELCHAIN = 5
    NEWRULE = 6
    GETRULE = 7
    DELRULE = 8
    NEWSET = 9
    GETSET = 10
    DELSET = 11
    NEWSETELEM = 12
    GETSETELEM = 13
    DELSETELEM = 14
    NEWGEN = 15
    NEWOBJ = 18
    GETOBJ = 19


class TableAttribute(IntEnum):
    """NFTA_TABLE_*."""

    NAME = 1
    FLAGS = 2
    USERDATA = 6


class ChainAttribute(IntEnum):
    """NFTA_CHAIN_*."""

    TABLE = 1
    NAME = 3
    HOOK = 4
    POLICY = 5
    TYPE = 7


class HookAttribute(IntEnum):
    """NFTA_HOOK_*."""

    NUMBER = 1
    PRIORITY = 2


class RuleAttribute(IntEnum):
    """NFTA_RULE_*."""

    TABLE = 1
    CHAIN = 2
    EXPRESSIONS = 4


class SetAttribute(IntEnum):
    """NFTA_SET_*."""

    TABLE = 1
    NAME = 2
    FLAGS = 3
    KEY_TYPE = 4
    KEY_LEN = 5
    DATA_TYPE = 6
    DATA_LEN = 7
    ID = 10
    USERDATA = 13


class ElementListAttribute(IntEnum):
    """NFTA_SET_ELEM_LIST_*."""

    TABLE = 1
    SET = 2
    ELEMENTS = 3


class ElementAttribute(IntEnum):
    """NFTA_SET_ELEM_*."""

    KEY = 1
    DATA = 2
    FLAGS = 3


class ObjectAttribute(IntEnum):
    """NFTA_OBJ_*."""

    TABLE = 1
    NAME = 2
    TYPE = 3
    DATA = 4


SET_MAP = 0x8  # NFT_SET_MAP
ELEMENT_CATCH_ALL = 0x2  # NFT_SET_ELEM_CATCHALL
OBJECT_COUNTER = 1  # NFT_OBJECT_COUNTER
COUNTER_PACKETS = 2  # NFTA_COUNTER_PACKETS
LIST_ELEMENT = 1  # NFTA_LIST_ELEM
DATA_VALUE = 1  # NFTA_DATA_VALUE
DATA_VERDICT = 2  # NFTA_DATA_VERDICT
VERDICT_CODE = 1  # NFTA_VERDICT_CODE
VERDICT_CHAIN = 2  # NFTA_VERDICT_CHAIN
EXPRESSION_NAME = 1  # NFTA_EXPR_NAME
EXPRESSION_DATA = 2  # NFTA_EXPR_DATA

#: Where a base chain may sit (NF_INET_*).
HOOKS: Mapping[str, int] = MappingProxyType(
    {"prerouting": 0, "input": 1, "forward": 2, "output": 3, "postrouting": 4},
)

#: The names that nft(8) has for priorities: those of bridges, and those of all other families. It prints one, with an
#: offset, up to ten away from it (nftables, src/rule.c, std_prios and bridge_std_prios).
BRIDGE_PRIORITIES: Mapping[str, int] = MappingProxyType({"dstnat": -300, "filter": -200, "out": 100, "srcnat": 300})
PRIORITIES: Mapping[str, int] = MappingProxyType(
    {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100},
)
#: Those that it knows at one hook only.
PRIORITY_HOOKS: Mapping[str, str] = MappingProxyType({"dstnat": "prerouting", "srcnat": "postrouting", "out": "output"})

#: What a packet's fate is called (NF_*, NFT_*). Jump and goto name a chain.
VERDICTS: Mapping[str, int] = MappingProxyType(
    {"drop": 0, "accept": 1, "continue": -1, "jump": -3, "goto": -4, "return": -5},
)
