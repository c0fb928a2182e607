"""The page of all settings, ``docs/reference/configuration.md``, from the table. Text only.

``python -m linkwright.daemon.config.manual`` prints it; a test holds the page in the repository to it.
"""

import sys

from linkwright.daemon.config.settings import SETTINGS, Setting

_HEAD = """\
# Configuration

<!-- Made from the table in core/src/linkwright/daemon/config/settings.py; change it there, then
     python -m linkwright.daemon.config.manual > docs/reference/configuration.md -->

`linkwright serve` reads each setting from the first place that has it:

1. a flag on the command line,
2. an environment variable,
3. the TOML file that `--config` (or `LINKWRIGHT_CONFIG`) names,
4. the default.

A value that cannot be used, and a key in the file that there is not, are refused at the start, with the place where
they stand. A variable that begins with `LINKWRIGHT_` and is none of these is named in the log.

| Flag | Environment | In the file | Default |
| --- | --- | --- | --- |
"""

_TAIL = """
## Notes

- Flags that take no value have a `--no-…` form, which wins over a file or a variable that says yes. As variables they
  are written as Docker writes them: `true`, `1`, `false`, `0`.
- `--metrics ""` is `--metrics off`. There is no encryption and no password on that port: let it listen on an address
  that only Prometheus reaches.
- The sockets in the plugin directory are called prefix and driver, `lw-bridge.sock`, and `lw-ipam.sock`; they and the
  admin socket are for root alone (mode 0600).
- A second daemon on the host needs its own `--instance`, `--prefix`, `--run-dir`, `--state-dir` and `--metrics`.
- `default_pools` is what Docker calls `default-address-pools`: `base` is cut into pools of prefix length `size`.

## A file

```toml
metrics = "127.0.0.1:9477"
log_format = "json"
drivers = ["bridge", "macvlan"]
manage_forwarding = false
docker_witness = "unix:///run/docker.sock"
docker_bridges = ["docker1"]
default_pools = [
    { base = "10.200.0.0/16", size = 24 },
    { base = "fd3c:5a2b:91e0::/48", size = 64 },
]
firewall_mark = 0x1000
```

The same by the command line:

```sh
linkwright serve --metrics 127.0.0.1:9477 --log-format json --drivers bridge,macvlan --no-manage-forwarding \\
    --docker-witness unix:///run/docker.sock --docker-bridges docker1 \\
    --default-pools 10.200.0.0/16:24,fd3c:5a2b:91e0::/48:64 --firewall-mark 0x1000
```
"""


def page() -> str:
    """Return the whole page."""
    rows = "".join(_row(setting) for setting in SETTINGS)
    meanings = "".join(_meaning(setting) for setting in SETTINGS)
    return f"{_HEAD}{rows}\n## What they do\n\n{meanings}{_TAIL}"


def _flag(setting: Setting) -> str:
    return f"`{setting.flag} {setting.form.metavar}`" if setting.form.metavar else f"`{setting.flag}`"


def _row(setting: Setting) -> str:
    key = f"`{setting.key}`" if setting.key else "none"
    plain = setting.otherwise if " " in setting.otherwise else f"`{setting.otherwise}`"
    return f"| {_flag(setting)} | `{setting.variable}` | {key} | {plain} |\n"


def _meaning(setting: Setting) -> str:
    return f"- `{setting.flag}`: {setting.help}.\n"


if __name__ == "__main__":
    sys.stdout.write(page())
