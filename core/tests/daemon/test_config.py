"""Settings: one meaning whichever way they come, all of them in the manual, and a wrong one says where it stands."""

import errno
import re
import tomllib
from collections.abc import Callable, Mapping
from ipaddress import IPv4Address, IPv6Address, ip_network
from pathlib import Path
from typing import Any

import attrs
import pytest

from linkwright.daemon.config import SETTINGS, Config, Listen, Setting, load, unread
from linkwright.daemon.config.manual import page
from linkwright.errors import Refused
from linkwright.ipam import DefaultPool

ROOT = Path(__file__).parents[3]
MANUAL = ROOT / "docs" / "reference" / "configuration.md"
FILE = Path("/etc/linkwright.toml")

#: A value of each setting that is not its default: the field, as text, in TOML, and what it is.
EXAMPLES: Mapping[str, tuple[str, str, Any]] = {
    "plugin_dir": ("/p", '"/p"', Path("/p")),
    "run_dir": ("/r", '"/r"', Path("/r")),
    "state_dir": ("/s", '"/s"', Path("/s")),
    "prefix": ("net.", '"net."', "net."),
    "drivers": ("bridge, vxlan", '["bridge", "vxlan"]', ("bridge", "vxlan")),
    "metrics": ("[::1]:9000", '"[::1]:9000"', Listen(IPv6Address("::1"), 9000)),
    "log_format": ("json", '"json"', "json"),
    "log_level": ("debug", '"debug"', "debug"),
    "strict": ("true", "true", True),
    "manage_forwarding": ("1", "true", True),
    "docker_witness": ("unix:///d.sock", '"unix:///d.sock"', Path("/d.sock")),
    "docker_bridges": ("docker1, br0", '["docker1", "br0"]', ("docker1", "br0")),
    "period": ("5", "5", 5),
    "instance": ("blue-2", '"blue-2"', "blue-2"),
    "ipam": ("netbox", '"netbox"', "netbox"),
    "default_pools": (
        "10.0.0.0/16:24,fd00:1::/48:64",
        '[{ base = "10.0.0.0/16", size = 24 }, { base = "fd00:1::/48", size = 64 }]',
        (DefaultPool(ip_network("10.0.0.0/16"), 24), DefaultPool(ip_network("fd00:1::/48"), 64)),
    ),
    "firewall_mark": ("0x2000000", "0x2000000", 1 << 25),
}

Read = Callable[[Path], str]


def reading(text: str) -> Read:
    """A reader that has *text* in the one file there is."""

    def read_file(path: Path) -> str:
        if path != FILE:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory")
        return text

    return read_file


NOTHING = reading("")


def from_file(text: str) -> Config:
    """What a file with *text* gives."""
    return load({"config": str(FILE)}, {}, read_file=reading(text))


def settings_in_file() -> list[Setting]:
    """The settings that a file may have."""
    return [setting for setting in SETTINGS if setting.key]


def test_without_anything_all_is_as_the_outside_interface_says() -> None:
    """The defaults are promises to the unit file, the installer and Docker's own search path."""
    expected = Config(
        config=None,
        plugin_dir=Path("/run/docker/plugins"),
        run_dir=Path("/run/linkwright"),
        state_dir=Path("/var/lib/linkwright"),
        prefix="lw-",
        drivers=None,
        metrics=Listen(IPv4Address("127.0.0.1"), 9477),
        log_format="console",
        log_level="info",
        strict=False,
        manage_forwarding=False,
        docker_witness=None,
        docker_bridges=(),
        period=30,
        instance="default",
        default_pools=(),
        firewall_mark=0x1000,
    )
    assert load({}, {}, read_file=NOTHING) == expected


def test_every_field_of_the_configuration_is_a_row_and_has_an_example_here() -> None:
    """A setting that is not in the table could not be given, one without an example would go untested."""
    assert [field.name for field in attrs.fields(Config)] == [setting.field for setting in SETTINGS]
    assert {*EXAMPLES} == {setting.field for setting in settings_in_file()}


@pytest.mark.parametrize("field", EXAMPLES)
def test_a_setting_means_the_same_as_flag_variable_and_key(field: str) -> None:
    """Three ways to write it, one value."""
    text, toml, expected = EXAMPLES[field]
    ways = (
        load({field: text}, {}, read_file=NOTHING),
        load({}, {f"LINKWRIGHT_{field.upper()}": text}, read_file=NOTHING),
        from_file(f"{field} = {toml}"),
    )
    assert [expected] * 3 == [getattr(config, field) for config in ways]


@pytest.mark.parametrize("field", EXAMPLES)
def test_what_is_shown_can_be_read_again(field: str) -> None:
    """So that the manual and `status` show what a user can paste."""
    setting = next(one for one in SETTINGS if one.field == field)
    value = EXAMPLES[field][2]
    assert value == setting.form.read(setting.form.show(value))


def test_a_flag_wins_over_the_environment_and_that_over_the_file() -> None:
    """The order that everybody expects, for each pair of neighbours."""
    flags, environ = {"config": str(FILE), "prefix": "flag-"}, {"LINKWRIGHT_PREFIX": "variable-"}
    read_file = reading('prefix = "file-"')
    assert load(flags, environ, read_file=read_file).prefix == "flag-"
    assert load({"config": str(FILE)}, environ, read_file=read_file).prefix == "variable-"
    assert load({"config": str(FILE)}, {}, read_file=read_file).prefix == "file-"


def test_a_flag_that_was_not_given_leaves_the_choice_to_the_others() -> None:
    """Click hands over None for those."""
    flags = dict.fromkeys((setting.field for setting in SETTINGS), None)
    assert load(flags, {"LINKWRIGHT_STRICT": "true"}, read_file=NOTHING) == Config(strict=True)


def test_a_boolean_flag_can_take_back_what_the_file_says() -> None:
    """``--no-strict`` beside ``strict = true``."""
    flags = {"config": str(FILE), "strict": False}
    assert load(flags, {}, read_file=reading("strict = true")).strict is False


def test_the_file_may_be_named_by_a_variable() -> None:
    """As a unit file does it; and the configuration tells which file it was."""
    environ = {"LINKWRIGHT_CONFIG": str(FILE)}
    assert load({}, environ, read_file=reading('instance = "a"')) == Config(config=FILE, instance="a")


@pytest.mark.parametrize("off", ["", "off"])
@pytest.mark.parametrize("field", ["metrics", "docker_witness"])
def test_an_optional_part_can_be_switched_off_everywhere(field: str, off: str) -> None:
    """Also against a file that switches it on."""
    text, toml, _ = EXAMPLES[field]
    assert text
    flags = {"config": str(FILE), field: off}
    assert getattr(load(flags, {}, read_file=reading(f"{field} = {toml}")), field) is None


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("plugin_dir", "plugins"),
        ("config", ""),
        ("state_dir", ""),
        ("prefix", ""),
        ("prefix", "../lw"),
        ("drivers", ""),
        ("drivers", "bridge,"),
        ("drivers", "../x"),
        ("metrics", "9477"),
        ("metrics", ":9477"),
        ("metrics", "localhost:9477"),
        ("metrics", "127.0.0.1:65536"),
        ("metrics", "127.0.0.1:+1"),
        ("metrics", "::1:9477"),
        ("log_format", "JSON"),
        ("log_level", "trace"),
        ("strict", "maybe"),
        ("docker_witness", "/run/docker.sock"),
        ("docker_witness", "tcp://127.0.0.1:2375"),
        ("period", "0"),
        ("period", "0.5"),
        ("period", "3601"),
        ("instance", "Blue"),
        ("instance", "seventeen-letters"),
        ("default_pools", ""),
        ("default_pools", "10.0.0.0/16"),
        ("default_pools", "10.0.0.1/16:24"),
        ("default_pools", "10.0.0.0/16:12"),
        ("default_pools", "10.0.0.0/16:33"),
        ("default_pools", "10.0.0.0/16:24,10.0.7.0/24:28"),
        ("firewall_mark", "0"),
        ("firewall_mark", "0x3"),
        ("firewall_mark", "010"),
        ("firewall_mark", "0x100000000"),
        ("firewall_mark", "bit"),
    ],
)
def test_a_bad_value_is_refused_with_where_it_came_from(field: str, text: str) -> None:
    """The user sees which of the places to correct, and the value as it was written."""
    setting = next(one for one in SETTINGS if one.field == field)
    with pytest.raises(Refused) as by_flag:
        load({field: text}, {}, read_file=NOTHING)
    with pytest.raises(Refused) as by_variable:
        load({}, {setting.variable: text}, read_file=NOTHING)
    assert str(by_flag.value).startswith(f"{setting.flag}: {text!r} cannot be used: ")
    assert str(by_variable.value).startswith(f"environment variable {setting.variable}: {text!r} cannot be used: ")


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ('strict = "true"', "without quotes"),
        ("metrics = 9477", "in quotes"),
        ('drivers = "bridge"', "a list of names"),
        ("drivers = [1]", "a list of names"),
        ("drivers = []", "leave it out"),
        ("default_pools = []", "leave it out"),
        ('default_pools = [{ base = "10.0.0.0/8" }]', "a list of tables"),
        ('default_pools = "10.0.0.0/16:24"', "a list of tables"),
        ("firewall_mark = true", "one bit of 32"),
        ("period = true", "a whole number of seconds"),
        ("period = 0.5", "a whole number of seconds"),
    ],
)
def test_a_bad_value_in_the_file_is_refused_with_its_key_and_file(line: str, advice: str) -> None:
    """TOML has types, and the message says which one is meant."""
    with pytest.raises(Refused) as refused:
        from_file(line)
    assert str(refused.value).startswith(f"{line.partition(' ')[0]} in {FILE}: ")
    assert advice in str(refused.value)


def test_an_unknown_key_in_the_file_is_refused_with_the_nearest_known_one() -> None:
    """A key that is silently ignored is a setting that somebody believes in."""
    with pytest.raises(Refused, match=r"setting 'plugin-dir' that there is not; did you mean plugin_dir\?"):
        from_file('plugin-dir = "/p"')
    with pytest.raises(Refused, match="there are default_pools, docker_bridges, docker_witness"):
        from_file("x = 1")


def test_the_file_cannot_name_another_file() -> None:
    """No chains of files: the key is as unknown as any other."""
    with pytest.raises(Refused, match="'config' that there is not"):
        from_file('config = "/etc/other.toml"')


def test_a_file_that_is_not_there_or_no_toml_is_refused_by_name() -> None:
    """Starting with the defaults instead would be a different daemon."""
    with pytest.raises(Refused, match=r"/etc/other\.toml, cannot be read: No such file"):
        load({"config": "/etc/other.toml"}, {}, read_file=NOTHING)
    with pytest.raises(Refused, match=r"/etc/linkwright\.toml, is not TOML: .*line 1"):
        from_file("metrics = off")


def test_a_variable_with_a_typing_error_is_told() -> None:
    """Refusing it would be too much: other programs may use such names too."""
    environ = {"LINKWRIGHT_STATEDIR": "/s", "LINKWRIGHT_PREFIX": "a", "PATH": "/bin"}
    expected = ("the environment variable LINKWRIGHT_STATEDIR is not read; did you mean LINKWRIGHT_STATE_DIR?",)
    assert expected == unread(environ)


def test_a_flag_that_no_setting_has_is_a_bug_and_not_silence() -> None:
    """The command line is made from the same table; whoever adds to it by hand hears of it."""
    with pytest.raises(TypeError, match="no settings: verbose"):
        load({"verbose": True}, {}, read_file=NOTHING)


def test_s_08_the_page_in_the_manual_is_the_one_made_from_the_table() -> None:
    """`python -m linkwright.daemon.config.manual > docs/reference/configuration.md` makes it so."""
    assert MANUAL.read_text() == page()


def test_s_08_the_manual_has_each_setting_and_the_code_accepts_each_that_it_has() -> None:
    """The two sets are equal: flags, variables and keys, read back from the page as a person reads it."""
    text = MANUAL.read_text()
    rows = re.findall(r"^\| `(--[a-z-]+)[^|]*\| `(\w+)` \| (?:`(\w+)`|none) \|", text, re.MULTILINE)
    assert rows == [(setting.flag, setting.variable, setting.key) for setting in SETTINGS]
    for flag, variable, key in rows:
        field = flag.removeprefix("--").replace("-", "_")
        written, toml, value = EXAMPLES.get(field, (str(FILE), "", FILE))
        assert value == getattr(load({field: written}, {}, read_file=NOTHING), field)
        assert value == getattr(load({}, {variable: written}, read_file=NOTHING), field)
        assert not key or value == getattr(from_file(f"{key} = {toml}"), key)


def test_the_file_in_the_manual_is_one_that_loads_and_equals_its_command_line() -> None:
    """An example that is not run goes stale."""
    text = MANUAL.read_text()
    toml = re.search(r"```toml\n(.*?)```", text, re.DOTALL)
    shell = re.search(r"```sh\nlinkwright serve (.*?)```", text, re.DOTALL)
    assert toml is not None
    assert shell is not None
    words = shell[1].replace("\\\n", " ").split()
    flags: dict[str, object] = {}
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word.startswith("--no-"):
            flags[word.removeprefix("--no-").replace("-", "_")] = False
        elif word.startswith("--"):
            flags[word.removeprefix("--").replace("-", "_")] = after
    assert {*flags} == {*tomllib.loads(toml[1])}
    assert attrs.evolve(from_file(toml[1]), config=None) == load(flags, {}, read_file=NOTHING)
