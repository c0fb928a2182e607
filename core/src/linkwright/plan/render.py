"""Plans as a person would type them with ip(8), bridge(8), tc(8), nft(8) and sysctl(8). For eyes and golden tests."""

from collections.abc import Callable, Iterable
from typing import Any

from linkwright.plan.compare import changed
from linkwright.plan.resources import (
    Address,
    Bridge,
    BridgePort,
    BridgeVlan,
    Element,
    Existing,
    FdbEntry,
    Hairpin,
    Ifb,
    Ipvlan,
    Link,
    LinkKind,
    Macvlan,
    Neighbour,
    Redirect,
    Route,
    Shaper,
    Sysctl,
    Veth,
    Vlan,
    Vxlan,
)
from linkwright.plan.sets import OF_BRIDGE_TABLE
from linkwright.plan.shaping import INGRESS_PREFERENCE, LATENCY_MS, SHAPER_MAJOR
from linkwright.plan.steps import Action, Step

#: The name of the firewall's tables; other instances than the default one have names of their own.
TABLE = "linkwright"


def table_name(instance: str) -> str:
    """Return the name of an instance's tables: instances of one network namespace keep theirs apart."""
    return TABLE if instance == "default" else f"{TABLE}_{instance.replace('-', '_')}"


def render(step: Step, table: str = TABLE) -> str:
    """Return *step* as one or more command lines; *table* is the name of the firewall's tables."""
    if isinstance(step.resource, Element):
        return "\n".join(_element(step.action, step.resource, table))
    return "\n".join(_RENDER[type(step.resource)](step))


def render_all(steps: Iterable[Step], table: str = TABLE) -> str:
    """Return all *steps*, one command a line, with a newline at the end of each."""
    return "".join(f"{line}\n" for step in steps for line in render(step, table).splitlines())


def _link(step: Step) -> list[str]:
    link: Any = step.resource
    if step.action is Action.DELETE:
        return [f"ip link del {link.name}"]
    if step.action is Action.CREATE:
        words = ["ip link add", link.name, *_attributes(link), "up" if link.up else "", *_kind(link.kind, link.mtu)]
        lines = [" ".join(word for word in words if word)]
        if link.mark is not None:
            lines.append(f'ip link set {link.name} alias "{link.mark}"')
        return lines + _port(link)
    return _link_change(link, step.before)


def _link_change(link: Link, before: Any) -> list[str]:
    names = changed(before if before is not None else Link(link.name, up=None), link)
    words = [word for name in _WORDS if name in names for word in _word(link, name)]
    if "up" in names:
        words.append("up" if link.up else "down")
    lines = [f"ip link set {link.name} {' '.join(words)}"] if words else []
    if "mark" in names:
        lines.append(f'ip link set {link.name} alias "{link.mark}"')
    if "port" in names:
        lines += _port(link)
    if any(name.startswith("kind") for name in names):
        lines.append(f"ip link set {link.name} {' '.join(_kind(link.kind))}")
    return lines


#: Attribute of a link → its word in ip-link(8).
_WORDS = {"mtu": "mtu", "mac": "address", "master": "master"}


def _word(link: Link, name: str) -> list[str]:
    value = getattr(link, name)
    if value is None:
        return []
    return [_WORDS[name], str(value)] if value != "" else [f"no{_WORDS[name]}"]


def _attributes(link: Link) -> list[str]:
    words = [word for name in _WORDS if getattr(link, name) != "" for word in _word(link, name)]
    parent = getattr(link.kind, "parent", None) if not isinstance(link.kind, Vxlan) else None
    return ["link", parent, *words] if parent else words


def _kind(kind: LinkKind, mtu: int | None = None) -> list[str]:
    match kind:
        case Bridge():
            return ["type", "bridge", *_bridge(kind)]
        case Veth(peer=peer, peer_mac=mac):
            words = ["type", "veth", "peer", "name", peer, *(["mtu", str(mtu)] if mtu else [])]
            return words + (["address", str(mac)] if mac else [])
        case Macvlan(mode=mode, bc_queue_len=length, sources=sources):
            words = ["type", "macvlan", "mode", mode.value, *([] if length is None else ["bcqueuelen", str(length)])]
            return words + (["macaddr", "set", *map(str, sources)] if sources else [])
        case Ipvlan(mode=layer, flag=flag):
            return ["type", "ipvlan", "mode", layer.value, flag.value]
        case Vlan(vid=vid):
            return ["type", "vlan", "id", str(vid)]
        case Vxlan():
            return _vxlan(kind)
        case Ifb():
            return ["type", "ifb"]
        case Existing():
            return []


def _bridge(kind: Bridge) -> list[str]:
    words = [] if kind.multicast_snooping is None else ["mcast_snooping", _number(kind.multicast_snooping)]
    words += [] if kind.vlan_filtering is None else ["vlan_filtering", _number(kind.vlan_filtering)]
    return words + ([] if kind.default_pvid is None else ["vlan_default_pvid", str(kind.default_pvid)])


def _vxlan(kind: Vxlan) -> list[str]:
    words = ["type", "vxlan", "id", str(kind.vni), "dstport", str(kind.port)]
    words += ["local", str(kind.local)] if kind.local else []
    words += ["dev", kind.parent] if kind.parent else []
    words += [] if kind.learning is None else ["learning" if kind.learning else "nolearning"]
    return words + ([] if kind.proxy is None else ["proxy" if kind.proxy else "noproxy"])


_PORT_FLAGS = {
    "learning": "learning",
    "flood": "flood",
    "isolated": "isolated",
    "neighbour_suppress": "neigh_suppress",
}


def _port(link: Link) -> list[str]:
    port = link.port or BridgePort()
    words = [
        f"{flag} {'on' if getattr(port, name) else 'off'}"
        for name, flag in _PORT_FLAGS.items()
        if getattr(port, name) is not None
    ]
    return [f"bridge link set dev {link.name} {' '.join(words)}"] if words else []


def _number(value: bool) -> str:
    return "1" if value else "0"


_VERB = {Action.CREATE: "add", Action.CHANGE: "replace", Action.DELETE: "del"}


def _address(step: Step) -> list[str]:
    address: Any = step.resource
    quick = " nodad" if address.interface.version == 6 and step.action is not Action.DELETE else ""  # noqa: PLR2004
    return [f"ip addr {_VERB[step.action]} {address.interface} dev {address.link}{quick}"]


def _route(step: Step) -> list[str]:
    route: Any = step.resource
    words = [f"ip route {_VERB[step.action]}", str(route.destination)]
    for value, flag in (
        (route.via, "via"),
        (route.link, "dev"),
        (route.source, "src"),
        (route.metric, "metric"),
        (None if route.table == 254 else route.table, "table"),  # noqa: PLR2004 - RT_TABLE_MAIN
    ):
        words += [flag, str(value)] if value is not None else []
    return [" ".join(words)]


def _neighbour(step: Step) -> list[str]:
    neighbour: Any = step.resource
    if neighbour.proxy:
        return [f"ip neigh {_VERB[step.action]} proxy {neighbour.address} dev {neighbour.link}"]
    at = f" lladdr {neighbour.mac}" if neighbour.mac and step.action is not Action.DELETE else ""
    return [f"ip neigh {_VERB[step.action]} {neighbour.address}{at} dev {neighbour.link}"]


def _fdb(step: Step) -> list[str]:
    entry: Any = step.resource
    verb = "append" if step.action is Action.CREATE and not any(entry.mac.octets) else _VERB[step.action]
    where = f"dst {entry.remote} self" if entry.remote else "master static"
    return [f"bridge fdb {verb} {entry.mac} dev {entry.link} {where}"]


def _bridge_vlan(step: Step) -> list[str]:
    vlan: Any = step.resource
    verb = "del" if step.action is Action.DELETE else "add"
    vids = str(vlan.vid) if vlan.last is None else f"{vlan.vid}-{vlan.last}"
    flags = ("pvid" if vlan.pvid else "", "untagged" if vlan.untagged else "") if verb == "add" else ()
    words = ("bridge vlan", verb, "dev", vlan.link, "vid", vids, *flags, "self" if vlan.on_bridge else "")
    return [" ".join(word for word in words if word)]


def _hairpin(step: Step) -> list[str]:
    hairpin: Any = step.resource
    return [f"bridge link set dev {hairpin.link} hairpin {'off' if step.action is Action.DELETE else 'on'}"]


def _shaper(step: Step) -> list[str]:
    shaper: Any = step.resource
    handle = f"root handle {SHAPER_MAJOR:x}:"
    if step.action is Action.DELETE:
        return [f"tc qdisc del dev {shaper.link} {handle}"]
    how = f"rate {shaper.rate}bit burst {shaper.burst}b latency {LATENCY_MS}ms"
    return [f"tc qdisc replace dev {shaper.link} {handle} tbf {how}"]


def _redirect(step: Step) -> list[str]:
    redirect: Any = step.resource
    qdisc = f"tc qdisc {'del' if step.action is Action.DELETE else 'replace'} dev {redirect.link} ingress"
    which = f"dev {redirect.link} parent ffff: pref {INGRESS_PREFERENCE} protocol all"
    to = f"u32 match u32 0 0 action mirred egress redirect dev {redirect.to}"
    old = [f"tc filter del {which}"] if step.action is Action.CHANGE else []
    return [qdisc] if step.action is Action.DELETE else [*old, qdisc, f"tc filter add {which} {to}"]


#: sysctl(8) takes dots for slashes and, within a name, slashes for dots: ``eth0.50`` is ``eth0/50``.
DOTTED = str.maketrans("/.", "./")


def _sysctl(step: Step) -> list[str]:
    sysctl: Any = step.resource
    value = sysctl.otherwise if step.action is Action.DELETE else sysctl.value
    if value is None:
        return []  # a setting cannot be absent: a link's goes with the link, the host's stays
    return [f"sysctl -w {sysctl.path.translate(DOTTED)}={value}"]


def _element(action: Action, element: Element, table: str) -> list[str]:
    key = " . ".join(element.parts)
    value = f" : {' . '.join(element.data)}" if element.data else ""
    where = f"{'bridge' if element.set in OF_BRIDGE_TABLE else 'inet'} {table} {element.set}"
    add = f"nft add element {where} {{ {key}{value} }}"
    delete = f"nft delete element {where} {{ {key} }}"
    # nft(8) has no replace: adding a key that is there with other data is EEXIST.
    return {Action.CREATE: [add], Action.CHANGE: [delete, add], Action.DELETE: [delete]}[action]


_RENDER: dict[type, Callable[[Step], list[str]]] = {
    Link: _link,
    Address: _address,
    Route: _route,
    Neighbour: _neighbour,
    FdbEntry: _fdb,
    BridgeVlan: _bridge_vlan,
    Hairpin: _hairpin,
    Shaper: _shaper,
    Redirect: _redirect,
    Sysctl: _sysctl,
}
