"""What lies on links in the fake kernel, its settings and its firewall elements; and ``do``, the way to change any.

Rule 1: no trio and no events here, that is ``fake_kernel``. Rule 2: nothing is refused here that ``core/tests/kernel``
did not see the real kernel refuse.
"""

import errno
from collections.abc import Callable, Iterator
from ipaddress import IPv6Interface

from attrs import evolve

from linkwright.plan.resources import (
    Address,
    Bridge,
    BridgeVlan,
    Element,
    FdbEntry,
    Hairpin,
    Link,
    Neighbour,
    Redirect,
    Resource,
    Route,
    Shaper,
    Sysctl,
)
from linkwright.plan.steps import Action, Step
from linkwright.testkit.fake_links import FakeLinks, refused

#: What a freshly booted kernel answers below /proc/sys; ``*`` stands for a link's name.
SYSCTL_DEFAULTS = {
    "net/ipv4/ip_forward": "0",
    "net/ipv4/ip_local_port_range": "32768\t60999",
    "net/ipv4/ip_unprivileged_port_start": "1024",
    "net/ipv4/conf/*/accept_local": "0",
    "net/ipv4/conf/*/arp_announce": "0",
    "net/ipv4/conf/*/arp_ignore": "0",
    "net/ipv4/conf/*/forwarding": "0",
    "net/ipv4/conf/*/proxy_arp": "0",
    "net/ipv4/conf/*/proxy_arp_pvlan": "0",
    "net/ipv4/conf/*/route_localnet": "0",
    "net/ipv4/conf/*/rp_filter": "0",
    "net/ipv4/conf/*/send_redirects": "1",
    "net/ipv6/conf/*/accept_dad": "1",
    "net/ipv6/conf/*/accept_ra": "1",
    "net/ipv6/conf/*/addr_gen_mode": "0",
    "net/ipv6/conf/*/autoconf": "1",
    "net/ipv6/conf/*/disable_ipv6": "0",
    "net/ipv6/conf/*/forwarding": "0",
    "net/ipv6/conf/*/proxy_ndp": "0",
    "net/bridge/bridge-nf-call-iptables": "1",
    "net/bridge/bridge-nf-call-ip6tables": "1",
    "net/bridge/bridge-nf-call-arptables": "1",
}

_EVERY_LINK = {"all", "default", "lo"}
_CONF_DEPTH = 5  # net / ipv4 / conf / LINK / setting


class FakeKernelState(FakeLinks):
    """Everything the fake kernel has, by key, and the one way to change it: ``do``."""

    def __init__(self) -> None:
        super().__init__()
        self.proc_sys_read_only = False
        self.table = False  # whether the fixed firewall table is there
        self._do: dict[type, Callable[[Step], None]] = {
            Link: self.do_link,
            Address: self._address,
            Route: self._route,
            Neighbour: self._neighbour,
            FdbEntry: self._fdb,
            BridgeVlan: self._bridge_vlan,
            Hairpin: self._hairpin,
            Shaper: self._shaping,
            Redirect: self._shaping,
            Sysctl: self._sysctl,
            Element: self._element,
        }

    def copy(self) -> "FakeKernelState":
        """Return the same state apart, so that a failed plan leaves this one as it was."""
        other = FakeKernelState()
        other.resources, other.ours = dict(self.resources), set(self.ours)
        other.lent, other.sysctls, other.lowest = dict(self.lent), dict(self.sysctls), dict(self.lowest)
        other.proc_sys_read_only, other.table = self.proc_sys_read_only, self.table
        return other

    def do(self, step: Step) -> None:
        """Do one step; KernelError as the kernel would say it."""
        self._do[type(step.resource)](step)

    def read_sysctl(self, path: str) -> str | None:
        """The setting's value; None where the kernel has no such file."""
        parts = path.split("/")
        if len(parts) == _CONF_DEPTH and parts[2] == "conf":
            if parts[3] not in _EVERY_LINK and self.link(parts[3]) is None:
                return None
            default = SYSCTL_DEFAULTS.get("/".join((*parts[:3], "*", parts[4])))
        else:
            default = SYSCTL_DEFAULTS.get(path)
        return None if default is None else self.sysctls.get(path, default)

    # --- what lies on links ---

    def _lies(self, step: Step, *, replaces: bool) -> None:
        resource = step.resource
        if step.action is Action.DELETE:
            self.drop(resource.key)
            return
        for required in resource.requires:
            if self.link(required[1]) is None:
                raise refused(errno.ENODEV, step)
        if step.action is Action.CREATE and resource.key in self.resources and not replaces:
            raise refused(errno.EEXIST, step)
        self._put(resource)

    def _address(self, step: Step) -> None:
        match step:
            case Step(action=Action.CREATE, resource=Address(link=link, interface=IPv6Interface())):
                if self.read_sysctl(f"net/ipv6/conf/{link}/disable_ipv6") == "1":
                    raise refused(errno.EACCES, step)
        self._lies(step, replaces=False)

    def _neighbour(self, step: Step) -> None:
        self._lies(step, replaces=True)

    def _fdb(self, step: Step) -> None:
        self._lies(step, replaces=True)

    def _shaping(self, step: Step) -> None:
        self._lies(step, replaces=True)

    def _bridge_vlan(self, step: Step) -> None:
        vlan = step.resource
        assert isinstance(vlan, BridgeVlan)  # noqa: S101 - the table of do() says so
        link = self.link(vlan.link)
        on = link if link is None or vlan.on_bridge else self.link(link.master or "")
        if step.action is not Action.DELETE and link is not None and not (on and isinstance(on.kind, Bridge)):
            raise refused(errno.EOPNOTSUPP, step)
        self._lies(Step(step.action, evolve(vlan, on_bridge=False), step.before), replaces=True)

    def _hairpin(self, step: Step) -> None:
        link = self.link(step.resource.key[1])
        if step.action is not Action.DELETE and link is not None and link.port is None:
            raise refused(errno.EOPNOTSUPP, step)
        self._lies(step, replaces=True)

    def _route(self, step: Step) -> None:
        route = step.resource
        assert isinstance(route, Route)  # noqa: S101 - the table of do() says so
        if step.action is Action.DELETE:
            self.drop(route.key)
            return
        if route.link is not None:
            link = self.link(route.link)
            if link is None:
                raise refused(errno.ENODEV, step)
            if not link.up:
                raise refused(errno.ENETDOWN, step, "Nexthop device is not up")
        if route.via is not None:
            route = evolve(route, link=self._reaches(step, route))
        if route.source is not None and not any(route.source == held.interface.ip for held in self._addresses()):
            raise refused(errno.EINVAL, step, "Invalid prefsrc address")
        self._lies(Step(step.action, route, step.before), replaces=False)

    def _reaches(self, step: Step, route: Route) -> str:
        for held in self._addresses():
            if route.via in held.interface.network and route.link in {None, held.link}:
                return held.link
        for other in self.resources.values():
            match other:
                case Route(link=str() as link, via=None) if route.via in other.destination:
                    if route.link in {None, link}:
                        return link
        unreachable = errno.ENETUNREACH if route.destination.version == 4 else errno.EHOSTUNREACH  # noqa: PLR2004
        raise refused(unreachable, step, "Nexthop has invalid gateway")

    def _addresses(self) -> Iterator[Address]:
        return (resource for resource in self.resources.values() if isinstance(resource, Address))

    # --- host-wide ---

    def _sysctl(self, step: Step) -> None:
        sysctl = step.resource
        assert isinstance(sysctl, Sysctl)  # noqa: S101 - the table of do() says so
        value = sysctl.otherwise if step.action is Action.DELETE else sysctl.value
        had = self.read_sysctl(sysctl.path)
        if had is None and step.action is not Action.DELETE:
            raise refused(errno.ENOENT, step)
        if value is None or had in {None, value}:
            return  # a setting has no absence
        if self.proc_sys_read_only:
            raise refused(errno.EROFS, step, "/proc/sys is read-only here")
        self.sysctls[sysctl.path] = value

    def _element(self, step: Step) -> None:
        element = step.resource
        if step.action is Action.DELETE:
            self.drop(element.key)
            return
        self.table = True  # the real firewall makes its table again rather than fail
        if step.action is Action.CREATE and self.resources.get(element.key, element) != element:
            raise refused(errno.EEXIST, step)
        self._put(element)

    def _put(self, resource: Resource) -> None:
        self.resources[resource.key] = resource
        self.ours.add(resource.key)
