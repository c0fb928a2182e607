"""What rtnetlink(7) calls things: numbers and struct layouts, each with its header. Tables only, no logic.

pyroute2 has most of these too; importing it costs 60 ms and 8 MB, which a daemon that restarts under a live Docker
does not want to pay for numbers. The tests hold the two against each other.
"""

from struct import Struct

# --- message types and families (linux/rtnetlink.h, linux/socket.h) ---
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_SETLINK = 16, 17, 18, 19
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH = 28, 29, 30
RTM_NEWQDISC, RTM_DELQDISC, RTM_GETQDISC = 36, 37, 38
RTM_NEWTFILTER, RTM_DELTFILTER, RTM_GETTFILTER = 44, 45, 46
RTM_NEWACTION = 48
RTM_NEWVLAN, RTM_DELVLAN, RTM_GETVLAN = 112, 113, 114
AF_UNSPEC, AF_INET, AF_BRIDGE, AF_INET6 = 0, 2, 7, 10
#: By ``ipaddress`` version.
FAMILY = {4: AF_INET, 6: AF_INET6}

#: The routing protocol number on our routes, neighbours and addresses (rtm_protocol, NDA_PROTOCOL, IFA_PROTO).
#: iproute2's etc/iproute2/rt_protos names 0 to 18, 42, 84, 99 and 186 to 192, FRR goes on to 199 and Calico uses 80;
#: 213 is in the unused rest. IFA_PROTO has a registry of its own, in which the kernel takes 1 to 3.
PROTOCOL = 213

# --- multicast groups (enum rtnetlink_groups) ---
RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_TC, RTNLGRP_BRVLAN = 1, 3, 4, 33
RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE = 5, 7
RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE = 9, 11
EVENT_GROUPS = (
    RTNLGRP_LINK,
    RTNLGRP_NEIGH,
    RTNLGRP_TC,
    RTNLGRP_IPV4_IFADDR,
    RTNLGRP_IPV4_ROUTE,
    RTNLGRP_IPV6_IFADDR,
    RTNLGRP_IPV6_ROUTE,
    RTNLGRP_BRVLAN,
)

# --- links (linux/if_link.h, linux/if.h) ---
#: struct ifinfomsg: family, padding, device type, index, flags, which flags to change.
IFINFO = Struct("=BxHiII")
IFF_UP = 0x1
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_PROTINFO = 1, 3, 4, 5, 10, 12
IFLA_LINKINFO, IFLA_IFALIAS, IFLA_AF_SPEC, IFLA_GROUP, IFLA_EXT_MASK, IFLA_LINK_NETNSID = 18, 20, 26, 27, 29, 37
RTEXT_FILTER_SKIP_STATS = 8  # a link's counters are two thirds of its message
IFLA_INFO_KIND, IFLA_INFO_DATA, IFLA_INFO_SLAVE_KIND, IFLA_INFO_SLAVE_DATA = 1, 2, 4, 5
VETH_INFO_PEER = 1
IFLA_MACVLAN_MODE, IFLA_MACVLAN_MACADDR_MODE, IFLA_MACVLAN_MACADDR, IFLA_MACVLAN_MACADDR_DATA = 1, 3, 4, 5
IFLA_MACVLAN_BC_QUEUE_LEN, MACVLAN_MACADDR_SET = 7, 3
IFLA_IPVLAN_MODE, IFLA_IPVLAN_FLAGS = 1, 2
IFLA_VLAN_ID = 1
IFLA_BR_VLAN_FILTERING, IFLA_BR_VLAN_PROTOCOL, IFLA_BR_MCAST_SNOOPING, IFLA_BR_VLAN_DEFAULT_PVID = 7, 8, 23, 39
IFLA_VXLAN_ID, IFLA_VXLAN_LINK, IFLA_VXLAN_LOCAL, IFLA_VXLAN_LEARNING, IFLA_VXLAN_PROXY = 1, 3, 4, 7, 11
IFLA_VXLAN_PORT, IFLA_VXLAN_LOCAL6 = 15, 17
IFLA_BRPORT_MODE = 4
#: Attributes of a bridge port by the name that ``plan.resources.BridgePort`` gives them.
BRIDGE_PORT = {
    "learning": 8,  # IFLA_BRPORT_LEARNING
    "flood": 9,  # IFLA_BRPORT_UNICAST_FLOOD
    "isolated": 33,  # IFLA_BRPORT_ISOLATED
    "neighbour_suppress": 32,  # IFLA_BRPORT_NEIGH_SUPPRESS
}
#: By the name that ``plan.resources.MacvlanMode`` gives them (enum macvlan_mode).
MACVLAN_MODE = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8, "source": 16}
#: By the names that ``plan.resources.IpvlanMode`` and ``IpvlanFlag`` give them (enum ipvlan_mode, IPVLAN_F_*).
IPVLAN_MODE = {"l2": 0, "l3": 1, "l3s": 2}
IPVLAN_FLAG = {"bridge": 0, "private": 1, "vepa": 2}
#: Indexes that we choose lie here: far above those that the kernel counts up to, and well below INT_MAX.
INDEX_RANGE = (1 << 24, 1 << 30)

# --- VLANs of bridges (linux/if_bridge.h) ---
IFLA_BRIDGE_FLAGS, IFLA_BRIDGE_VLAN_INFO = 0, 2
BRIDGE_FLAGS_SELF = 2
#: struct bridge_vlan_info: flags, VLAN.
BRIDGE_VLAN_INFO = Struct("=HH")
BRIDGE_VLAN_INFO_PVID, BRIDGE_VLAN_INFO_UNTAGGED = 2, 4
#: struct br_vlan_msg: family, reserved, index.
BR_VLAN_MSG = Struct("=BxxxI")
BRIDGE_VLANDB_ENTRY = 1
BRIDGE_VLANDB_ENTRY_INFO, BRIDGE_VLANDB_ENTRY_RANGE = 1, 2

# --- addresses (linux/if_addr.h) ---
#: struct ifaddrmsg: family, prefix length, flags, scope, index.
IFADDR = Struct("=BBBBI")
IFA_ADDRESS, IFA_LOCAL, IFA_FLAGS, IFA_PROTO = 1, 2, 8, 11
IFA_F_NODAD = 0x02
#: What the kernel added by itself: loopback, from a router advertisement, link-local (IFAPROT_*).
IFAPROT_OF_KERNEL = frozenset({1, 2, 3})

# --- routes (linux/rtnetlink.h) ---
#: struct rtmsg: family, destination and source length, tos, table, protocol, scope, type, flags.
RTMSG = Struct("=BBBBBBBBI")
RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC, RTA_MULTIPATH = 1, 4, 5, 6, 7, 9
RTA_TABLE, RTA_VIA = 15, 18
RTN_UNICAST = 1
RTM_F_CLONED = 0x200
RT_TABLE_UNSPEC, RT_TABLE_MAIN, RT_TABLE_LOCAL = 0, 254, 255
RT_SCOPE_UNIVERSE, RT_SCOPE_LINK, RT_SCOPE_NOWHERE = 0, 253, 255
#: struct rtnexthop: length, flags, hops, index.
RTNEXTHOP = Struct("=HBBi")
#: Made by the kernel itself, or by a router advertisement it accepted (RTPROT_KERNEL, RTPROT_RA).
RTPROT_OF_KERNEL = frozenset({2, 9})
#: What an IPv6 route without a metric gets (IP6_RT_PRIO_USER).
METRIC_IPV6 = 1024

# --- neighbours and forwarding entries (linux/neighbour.h) ---
#: struct ndmsg: family, padding, index, state, flags, type.
NDMSG = Struct("=BxxxiHBB")
NDA_DST, NDA_LLADDR, NDA_IFINDEX, NDA_MASTER, NDA_PROTOCOL = 1, 2, 8, 9, 12
NTF_SELF, NTF_MASTER, NTF_PROXY = 0x02, 0x04, 0x08
NUD_NOARP, NUD_PERMANENT = 0x40, 0x80

# --- traffic control (linux/rtnetlink.h, linux/pkt_sched.h, linux/pkt_cls.h, linux/tc_act/tc_mirred.h) ---
#: struct tcmsg: family, index, handle, parent, info.
TCMSG = Struct("=BxxxiIII")
TCA_KIND, TCA_OPTIONS = 1, 2
TC_H_ROOT, TC_H_INGRESS, INGRESS_HANDLE = 0xFFFFFFFF, 0xFFFFFFF1, 0xFFFF0000
TC_LINKLAYER_ETHERNET = 1
TCA_TBF_PARMS, TCA_TBF_RATE64, TCA_TBF_BURST = 1, 4, 6
#: struct tc_ratespec: cell_log, link layer, overhead, cell_align, mpu, bytes a second.
RATESPEC = Struct("=BBHhHI")
#: The rest of struct tc_tbf_qopt, after two of those: limit, buffer, mtu.
TBF_REST = Struct("=III")
TCA_U32_SEL, TCA_U32_ACT = 5, 7
#: struct tc_u32_sel: flags, offset shift, keys; the mask, place and so on of a variable offset.
U32_SEL = Struct("=BBBxHHhhI")
#: struct tc_u32_key: mask, value, offset, mask of the offset.
U32_KEY = Struct("=IIii")
TC_U32_TERMINAL = 1
TCA_ACT_TAB, TCA_ACT_KIND, TCA_ACT_OPTIONS = 1, 1, 2
TCA_MIRRED_PARMS = 2
#: struct tc_mirred: index, capabilities, action, two counts, what to do, where to.
MIRRED = Struct("=IIiiiiI")
#: struct tcamsg: family.
TCAMSG = Struct("=Bxxx")
TC_ACT_STOLEN = 4
TCA_EGRESS_REDIR = 1
ETH_P_ALL = 3

# --- sockets (linux/netlink.h, asm-generic/socket.h) ---
NETLINK_ROUTE = 0
SOL_NETLINK = 270
NETLINK_ADD_MEMBERSHIP, NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK = 1, 10, 11, 12
SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33
