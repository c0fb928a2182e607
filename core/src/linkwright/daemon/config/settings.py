"""Every setting of the daemon, one field each. To add one, add a field: flag, variable, TOML key and manual follow.

The field ``state_dir`` is the flag ``--state-dir``, the variable ``LINKWRIGHT_STATE_DIR`` and the key ``state_dir``.
Frozen values only: nothing is read here (``loading``), and no setting is explained anywhere else (``manual``).
"""

# ruff: noqa: RUF009 - each call declares one field, as attrs.field does; the values are frozen
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final

import attrs

from linkwright.daemon.config import forms
from linkwright.daemon.config.forms import Form, Listen
from linkwright.ipam.automatic import DefaultPool
from linkwright.kernel.ruleset import MARK_BIT

_METADATA = "linkwright.setting"

LOG_FORMATS: Final = ("console", "json")
LOG_LEVELS: Final = ("debug", "info", "warning", "error")


@attrs.frozen
class Setting:
    """One row of the table. ``key`` is "" for what cannot stand in a file; ``otherwise`` shows the default."""

    field: str
    flag: str
    variable: str
    key: str
    form: Form[Any]
    default: Any
    otherwise: str
    help: str

    @property
    def boolean(self) -> bool:
        """Whether the flag takes no value."""
        return self.form is forms.FLAG


def _setting(form: Form[Any], default: Any, help: str, *, otherwise: str = "", in_file: bool = True) -> Any:  # noqa: A002 - as argparse has it
    """Declare a setting as a field of ``Config``; *otherwise* says the default where its value does not."""
    return attrs.field(
        default=default,
        metadata={_METADATA: (form, otherwise or form.show(default), help, in_file)},
    )


@attrs.frozen
class Config:
    """All settings of one daemon."""

    config: Path | None = _setting(
        forms.FILE,
        None,
        "a TOML file with settings",
        otherwise="no file",
        in_file=False,
    )
    plugin_dir: Path = _setting(
        forms.FOLDER,
        Path("/run/docker/plugins"),
        "where Docker looks for plugin sockets; each driver gets one there, and IPAM another",
    )
    run_dir: Path = _setting(
        forms.FOLDER,
        Path("/run/linkwright"),
        "where `admin.sock` lies, by which the other commands reach the daemon",
    )
    state_dir: Path = _setting(
        forms.FOLDER,
        Path("/var/lib/linkwright"),
        "where the durable state lies: networks, endpoints, pools and leases",
    )
    prefix: str = _setting(
        forms.PREFIX,
        "lw-",
        "what the names of the drivers begin with for Docker: `docker network create -d lw-bridge`",
    )
    drivers: tuple[str, ...] | None = _setting(
        forms.NAMES,
        None,
        "the drivers to load",
        otherwise="all that are installed",
    )
    metrics: Listen | None = _setting(
        forms.LISTEN,
        Listen(IPv4Address("127.0.0.1"), 9477),
        "where to serve `/metrics`, `/healthz` and `/readyz`; `off` serves them nowhere",
    )
    log_format: str = _setting(
        forms.one_of("FORMAT", *LOG_FORMATS),
        "console",
        "how log lines look: `console` for people (coloured on a terminal), `json` for machines",
    )
    log_level: str = _setting(
        forms.one_of("LEVEL", *LOG_LEVELS),
        "info",
        "the least important lines to log: `debug`, `info`, `warning` or `error`",
    )
    strict: bool = _setting(
        forms.FLAG,
        default=False,
        help="refuse to start when an installed driver cannot be loaded, instead of leaving it out",
    )
    manage_forwarding: bool = _setting(
        forms.FLAG,
        default=False,
        help="switch the host's IP forwarding on where a network needs it, and drop forwarded packets that are "
        "nobody's; otherwise such a network is refused on a host that does not forward",
    )
    docker_witness: Path | None = _setting(
        forms.UNIX_SOCKET,
        None,
        "ask this Docker daemon, read-only, what it deleted while we were away",
    )
    docker_bridges: tuple[str, ...] = _setting(
        forms.LINKS,
        (),
        "bridges of Docker's own that are not called as it calls them by itself (docker0, br-…): ours are kept apart "
        "from them as well; with a witness they need not be named",
        otherwise="none",
    )
    period: int = _setting(
        forms.SECONDS,
        30,
        "how often all is looked at: the host, the addresses in use and, with a witness, Docker; what Docker has "
        "forgotten without saying so is removed after two such looks",
    )
    instance: str = _setting(
        forms.INSTANCE,
        "default",
        "keeps several daemons of one host apart: part of firewall tables, marks on links, and locks",
    )
    ipam: str = _setting(
        forms.BACKEND,
        "builtin",
        "who chooses subnets and addresses: `builtin`, or an IPAM back-end that is installed as a package of its own",
    )
    default_pools: tuple[DefaultPool, ...] = _setting(
        forms.POOLS,
        (),
        "what networks without `--subnet` are cut from: prefixes, and the prefix length of each pool",
        otherwise="Docker's own pools, and a unique local prefix for IPv6",
    )
    firewall_mark: int = _setting(
        forms.MARK,
        MARK_BIT,
        "the packet mark bit by which our firewall tells Docker's what it has accepted; change it where something "
        "else on the host uses that bit",
    )


def _row(field: "attrs.Attribute[Any]") -> Setting:
    form, otherwise, text, in_file = field.metadata[_METADATA]
    return Setting(
        field=field.name,
        flag="--" + field.name.replace("_", "-"),
        variable="LINKWRIGHT_" + field.name.upper(),
        key=field.name if in_file else "",
        form=form,
        default=field.default,
        otherwise=otherwise,
        help=text,
    )


SETTINGS: Final[tuple[Setting, ...]] = tuple(_row(field) for field in attrs.fields(Config))
