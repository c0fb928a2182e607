"""Checks of the kernel's abilities and settings, and of the daemon's own limits."""

from typing import Final

from linkwright.daemon.admin.doctor.surroundings import Finding, Status, Surroundings

#: Kernel feature → what cannot be had without it. The drivers of the table fail without theirs.
_FEATURES: Final = {
    "bridge": "bridge and vxlan networks",
    "veth": "bridge and vxlan networks",
    "macvlan": "macvlan networks",
    "vxlan": "vxlan networks",
    "vlan": "VLAN sub-interfaces of a macvlan parent",
    "ipv6": "IPv6",
}
_NEEDED_BY: Final = {"bridge": ("bridge", "veth"), "macvlan": ("macvlan",), "vxlan": ("bridge", "veth", "vxlan")}

#: Bytes of the event socket's buffer below which a few hundred containers that stop at once overrun it.
_SMALL_BUFFER: Final = 1 << 20

#: 2024-01-01: no linkwright is older, so an earlier clock is wrong.
_BEFORE_US: Final = 1_704_067_200

#: Seconds by which the clock may have been put back unremarked.
_SLACK: Final = 60.0


def drivers(surroundings: Surroundings) -> Finding:
    """Whether every installed driver was loaded and still answers."""
    live = surroundings.live
    if live is None or not live.drivers:
        return Finding(Status.FAIL, "no driver is loaded", "install one, as in `pip install linkwright-bridge`")
    if live.suspended:
        return Finding(
            Status.FAIL,
            f"suspended, since they did not answer in time: {', '.join(live.suspended)}",
            "update or remove them, then restart linkwright; their networks are left as they are meanwhile",
        )
    if live.left_out:
        return Finding(Status.WARN, f"left out: {'; '.join(live.left_out)}", "update or remove what is named")
    return Finding(Status.OK, f"loaded: {', '.join(live.drivers)}")


def clock(surroundings: Surroundings) -> Finding:
    """Whether the clock can be right: addresses rest, and orphans wait, by it."""
    if surroundings.now < _BEFORE_US:
        return Finding(Status.FAIL, "the clock says a time before this program was written", "set the clock (NTP)")
    live = surroundings.live
    if live is not None and live.newest > surroundings.now + _SLACK:
        return Finding(
            Status.WARN,
            f"something was made {live.newest - surroundings.now:.0f} s from now: the clock was put back",
            "what rests, or waits to be removed, does so for that much longer; keep the clock by NTP",
        )
    return Finding(Status.OK, "plausible")


def features(surroundings: Surroundings) -> Finding:
    """Whether the kernel can do what the loaded drivers need."""
    if surroundings.features is None:
        return Finding(Status.WARN, "the kernel could not be asked", "run this as root, in the daemon's namespaces")
    missing = [name for name in _FEATURES if name not in surroundings.features]
    loaded = surroundings.live.drivers if surroundings.live else ()
    broken = [name for name in loaded if set(_NEEDED_BY.get(name, ())) & set(missing)]
    text = "; ".join(f"no {name}: without it no {_FEATURES[name]}" for name in missing)
    if broken:
        return Finding(
            Status.FAIL, text, f"driver {', '.join(broken)} cannot work here: load the module, or use another kernel"
        )
    if missing:
        return Finding(Status.WARN, text, "load the module (modprobe) if you want that")
    return Finding(Status.OK, f"has {', '.join(_FEATURES)}")


def forwarding(surroundings: Surroundings, *, version: int) -> Finding:
    """Whether the host forwards packets, where a network of ours needs it."""
    path = {4: "net/ipv4/ip_forward", 6: "net/ipv6/conf/all/forwarding"}[version]
    value = surroundings.setting(path)
    name = path.replace("/", ".")
    needed = path in (surroundings.live.settings if surroundings.live else {})
    if value is None:
        return Finding(Status.FAIL if needed else Status.OK, f"{name} cannot be read: this kernel has no IPv{version}")
    if value != "0":
        return Finding(Status.OK, f"{name} is {value}")
    advice = f"sysctl -w {name}=1 (Docker does so when it starts), or start linkwright with --manage-forwarding"
    if needed:
        return Finding(Status.FAIL, f"{name} is 0: containers on networks that lead outside reach nothing", advice)
    if version == 4:  # noqa: PLR2004 - few networks are IPv6
        return Finding(Status.WARN, f"{name} is 0: a network that leads outside will be refused", advice)
    return Finding(Status.OK, f"{name} is 0, and no network needs it")


def neighbours(surroundings: Surroundings, *, version: int) -> Finding:
    """Whether the neighbour table has room: one table serves all namespaces of a kernel (net/core/neighbour.c).

    Each container has an entry for its gateway, and the host one for it; those that talk to each other have more.
    """
    name = f"net.ipv{version}.neigh.default.gc_thresh3"
    value = surroundings.setting(name.replace(".", "/"))
    endpoints = surroundings.live.endpoints if surroundings.live else 0
    if value is None or not value.isdecimal():
        return Finding(Status.OK, f"{name} is not to be seen here: it is the first network namespace's")
    entries, most = 2 * endpoints, int(value)
    text = f"{name} is {most}; {endpoints} endpoints need some {entries} entries"
    if entries <= most // 2:
        return Finding(Status.OK, text)
    wanted = 1 << max(12, (4 * entries - 1).bit_length())
    advice = f"sysctl -w {name}={wanted}, and gc_thresh2 to half of that"
    return Finding(Status.FAIL if entries > most else Status.WARN, text, advice)


def events(surroundings: Surroundings) -> Finding:
    """Whether the socket by which the kernel tells of changes has room; an overrun costs a look at everything."""
    size = surroundings.live.receive_buffer if surroundings.live else 0
    text = f"the event socket holds {size >> 10} KiB"
    if not size:
        return Finding(Status.OK, "the size of the event socket is not known")
    if size < _SMALL_BUFFER:
        return Finding(
            Status.WARN, text, "give linkwright CAP_NET_ADMIN in the first user namespace, or raise net.core.rmem_max"
        )
    return Finding(Status.OK, text)
