"""What this kernel can do, by asking it: each feature by a message that it refuses, one way or the other.

Rule: nothing is ever made. The link asked for has a name that no link may have ("/" is in it), which the kernel looks
at after the kind and its attributes; so the errno tells how far it came (rtnl_newlink, register_netdevice). A qdisc and
an action are asked for without what they cannot be made without, which the kernel looks at when it has found the kind
(tbf_init, tcf_mirred_init).
"""

import errno
from collections.abc import Callable, Mapping
from pathlib import Path

from linkwright.kernel import encode_link
from linkwright.kernel import rtnetlink as rt
from linkwright.kernel.netlink import NLM_F_CREATE, NLM_F_EXCL, Request, attribute, nested, text
from linkwright.kernel.transport import Rtnetlink

#: Kinds of links, as rtnetlink calls them: each is a feature of that name.
_KINDS = ("bridge", "veth", "macvlan", "ipvlan", "vxlan", "vlan", "dummy", "vrf", "geneve", "wireguard", "ifb")
#: A tag protocol that no VLAN has; only a kernel with bridge VLAN filtering looks at it (br_validate).
_NO_VLAN_PROTOCOL = b"\x12\x34"

#: Feature → the file below /proc/sys that is its presence.
_FILES: Mapping[str, str] = {"ipv6": "net/ipv6", "br_netfilter": "net/bridge/bridge-nf-call-iptables"}


def probe(netlink: Rtnetlink, proc_sys: Path = Path("/proc/sys")) -> frozenset[str]:
    """Return the names of the features that are there.

    They are kinds of links, ``vlan_filtering``, ``tbf`` and ``mirred`` (traffic control), ``ipv6``, ``br_netfilter``.
    Asking for a kind may load its module, as making such a link would. OSError if the socket fails.
    """
    questions: dict[str, tuple[Request, Callable[[int], bool]]] = {
        kind: (_ask(kind), lambda code: code != errno.EOPNOTSUPP) for kind in _KINDS
    }
    protocol = attribute(rt.IFLA_BR_VLAN_PROTOCOL, _NO_VLAN_PROTOCOL)
    questions["vlan_filtering"] = (_ask("bridge", protocol), lambda code: code == errno.EPROTONOSUPPORT)
    questions["tbf"] = (_ask_qdisc("tbf"), lambda code: code != errno.ENOENT)
    questions["mirred"] = (_ask_action("mirred"), lambda code: code != errno.ENOENT)
    failures = netlink.execute([request for request, _ in questions.values()])
    # Without CAP_NET_ADMIN the answer says nothing.
    answered = {at: failed.code for at, failed in failures.items() if failed.code != errno.EPERM}
    found = {name for at, (name, (_, there)) in enumerate(questions.items()) if at in answered and there(answered[at])}
    return frozenset(found | {name for name, path in _FILES.items() if (proc_sys / path).exists()})


def _ask(kind: str, data: bytes = b"") -> Request:
    info = nested(rt.IFLA_LINKINFO, text(rt.IFLA_INFO_KIND, kind), nested(rt.IFLA_INFO_DATA, data))
    return encode_link.message(rt.RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0, text(rt.IFLA_IFNAME, "lw/probe"), info)


def _ask_qdisc(kind: str) -> Request:
    head = rt.TCMSG.pack(rt.AF_UNSPEC, _LOOPBACK, 0, rt.TC_H_ROOT, 0)
    return Request(rt.RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, head + text(rt.TCA_KIND, kind))


def _ask_action(kind: str) -> Request:
    action = nested(rt.TCA_ACT_TAB, nested(rt.TCA_ACT_TAB, text(rt.TCA_ACT_KIND, kind)))
    return Request(rt.RTM_NEWACTION, NLM_F_CREATE | NLM_F_EXCL, rt.TCAMSG.pack(rt.AF_UNSPEC) + action)


#: The index of ``lo``, the first link of every network namespace.
_LOOPBACK = 1
