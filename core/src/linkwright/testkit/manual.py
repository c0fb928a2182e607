"""The page of the contract, ``docs/reference/driver-contract.md``, from the contract's own code. Text only.

``python -m linkwright.testkit.manual`` prints it; a test holds the page in the repository to it. What stands nowhere in
code, the meaning of the firewall's sets, is a table here, and as many rows as there are sets.
"""

import ast
import enum
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from linkwright import sdk
from linkwright.daemon.discovery import GROUP
from linkwright.engine.registry import RULES
from linkwright.kernel.ruleset import ruleset
from linkwright.testkit.battery import DriverConformance
from linkwright.testkit.example import Example

#: Set or map of our firewall tables → what an element in it means.
SETS: Final[Mapping[str, str]] = {
    "bridges": "the link is one of ours: what comes by it or leaves by it is judged here, and dropped unless permitted",
    "siblings": "from the first link to the second packets may go; both are ours, and one and the same for one bridge",
    "outward": "the link leads outside; without it, neither to the outside nor to other links of ours",
    "hairpin": "what was led to a published port, and leaves by the link that it came by, gets the host's address",
    "others": "bridges of somebody else, Docker's own: filled by the core, no driver",
    "trusted": "from the first link, one of the host's, who is behind the second is reached by an address of its own",
    "unprotected4": "containers behind the link are reached by their own addresses, from wherever there is a route",
    "routed4": "likewise, but only by ICMP echo; see `open4`",
    "open4": "this address, protocol and port is reached from wherever there is a route",
    "masquerade4": "what comes by the link and leaves to elsewhere gets the address of the link that it leaves by",
    "source4": "likewise this address",
    "published4": "what comes to this address of the host, protocol and port is led to that address and port",
    "wildcard4": "the same for every address of the host",
    "relayed6": "this address of the host, protocol and port, which the core relays, is closed to links not `outward`",
    "relayed_wildcard6": "the same for every address of the host",
    "checked": "what comes by the link, a port of a bridge, is dropped unless its sender is among the next three",
    "macs": "this hardware address may send by the link",
    "senders4": "this address may send by the link",
}

_HEAD = """\
# The driver contract

<!-- Made from the contract's own code; change that, then
     python -m linkwright.testkit.manual > docs/reference/driver-contract.md -->

Everything here is imported as `from linkwright import sdk`; that is the one import of a driver. How to begin is
[Writing a driver](../tutorial/writing-a-driver.md), why it is so [Drivers](../explanation/drivers.md).

The contract has a version, `sdk.API`, which is {api}. A driver that names another one is refused when it is loaded.
Names may be added to `sdk` in any minor version; none is removed or renamed within a version of the contract.

"""

_FOUND = """\
## How a driver is found

By an entry point of the group `{group}`, whose name is the driver's. linkwright loads all that are
installed, or those that `--drivers` names, when it starts: what is installed or taken away while it runs counts after
its next start. A package that cannot be loaded is left out, and told by `linkwright drivers`; with `--strict` the
daemon does not start. Refused, with the distribution and its version, is a class of which one of these holds:

"""

_HARMS = """
## What a driver can do wrong

Each question is asked in a thread with a deadline, and the answer is checked before anything is made of it. Whatever
goes wrong is the call's that asked: Docker is told which driver of which distribution and version broke the contract,
and how.

| it | then |
| --- | --- |
| raises `sdk.Refused` or `sdk.Conflict` | the call is refused with its words |
| raises anything else, `SystemExit` too | the call fails; the log has the traceback |
| answers nonsense, or wishes for what the linter refuses | the call fails with what is wrong |
| does not answer in time | the call fails; after the second time it is asked no more until the next start |
| is uninstalled while it has networks | they stay as they are, frozen; Docker is told which package is missing |
"""


def page() -> str:
    """Return the whole page."""
    return "".join(
        (
            _HEAD.format(api=sdk.API),
            "## The class\n\n",
            _class(sdk.Driver),
            "## Optional powers\n\nEach is found by its methods; there is nothing to register.\n\n",
            *(_class(power, level="###", suffix=f" (`{name}`)") for name, power in sdk.POWERS.items()),
            _FOUND.format(group=GROUP),
            *(f"- {rule}\n" for rule in RULES),
            _HARMS,
            "\n## What a driver is handed\n\n",
            *map(_value, (sdk.Network, sdk.Subnet, sdk.HostFacts, sdk.LinkFact, sdk.Endpoint, sdk.PortBinding)),
            "## What a driver answers\n\n",
            *map(_value, (sdk.Wishes, sdk.Join, sdk.StaticRoute, sdk.Capabilities, sdk.AddressClaim)),
            "## What can be wished for\n\n",
            *map(_value, RESOURCES),
            "## Kinds of links\n\n",
            *map(_value, _KINDS),
            "## The firewall's sets\n\n",
            *_sets(),
            "\n## What saves writing\n\n",
            *map(_function, _FUNCTIONS),
            "## The battery\n\n",
            *_battery(),
        )
    )


RESOURCES: Final = (
    sdk.Link,
    sdk.Address,
    sdk.Route,
    sdk.Neighbour,
    sdk.FdbEntry,
    sdk.BridgeVlan,
    sdk.Hairpin,
    sdk.Shaper,
    sdk.Redirect,
    sdk.Sysctl,
    sdk.Element,
    sdk.Hold,
    sdk.BridgePort,
)

_KINDS: Final = (
    sdk.Bridge,
    sdk.Veth,
    sdk.Macvlan,
    sdk.MacvlanMode,
    sdk.Ipvlan,
    sdk.IpvlanMode,
    sdk.IpvlanFlag,
    sdk.Vlan,
    sdk.Vxlan,
    sdk.Ifb,
    sdk.Existing,
)

_FUNCTIONS: Final = (
    sdk.option,
    sdk.read_endpoint,
    sdk.boolean,
    sdk.number,
    sdk.choice,
    sdk.text,
    sdk.mtu,
    sdk.rate,
    sdk.size,
    sdk.interface_name,
    sdk.link_name,
    sdk.veth,
    sdk.sandbox_end,
    sdk.gateways,
    sdk.bridge_rules,
    sdk.rate_limits,
)


def _class(cls: type, *, level: str = "", suffix: str = "") -> str:
    """A class that authors write: what it says of itself, its attributes, and each method with its docstring."""
    head = f"{level} {cls.__name__}{suffix}\n\n" if level else ""
    lines = [f"{head}{_doc(cls)}\n\n```python\nclass {cls.__name__}:\n"]
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    members = tree.body if isinstance(tree, ast.ClassDef) else []
    lines += [f"    {ast.unparse(one)}\n" for one in members if isinstance(one, ast.AnnAssign)]
    methods = [one for one in members if isinstance(one, ast.FunctionDef)]
    for one in methods:
        lines.append(f"    def {one.name}({ast.unparse(one.args)}) -> {ast.unparse(one.returns or one)}: ...\n")
    lines.append("```\n\n")
    lines += [f"- `{one.name}`: {_flat(ast.get_docstring(one) or '')}\n" for one in methods]
    return "".join(lines) + "\n"


def _value(cls: type[Any]) -> str:
    """A class of values: what it says of itself, and its fields or members."""
    if issubclass(cls, enum.Enum):
        members = ", ".join(f"`{one.name}` ({one.value})" for one in cls)
        return f"### {cls.__name__}\n\n{_doc(cls)}\n\n{members}\n\n"
    rows = "".join(_field(one) for one in attrs.fields(cls) if not one.name.startswith("_"))
    table = f"\n\n| field | type | default |\n| --- | --- | --- |\n{rows}" if rows else "\n"
    return f"### {cls.__name__}\n\n{_doc(cls)}{table}\n"


def _field(field: "attrs.Attribute[Any]") -> str:
    default = field.default
    made = type(default).__name__ == "Factory"  # attrs types its class as a function
    shown = "" if default is attrs.NOTHING else "empty" if made or not str(default) else f"`{default}`"
    return f"| `{field.name}` | `{_type(field.type)}` | {shown} |\n"


def _type(annotation: object) -> str:
    plain = isinstance(annotation, type) and not hasattr(annotation, "__args__")
    return _bare(str(getattr(annotation, "__name__", "")) if plain else str(annotation)).replace("|", "\\|")


def _bare(text: str) -> str:
    """*text* without the modules that names are of, and without the marks of type variables."""
    return _MODULES.sub("", text).replace("~", "")


def _function(function: Any) -> str:
    signature = _bare(str(inspect.signature(function)))
    name = f"{function.__name__}{signature}" if len(signature) < _LONG else f"{function.__name__}(…)"
    return f"### {function.__name__}\n\n`sdk.{name}`\n\n{_doc(function)}\n\n"


_MODULES: Final = re.compile(r"\b(?:[a-z_]+\.)+(?=[A-Z])")

#: A signature that is longer is not read.
_LONG: Final = 160


def _sets() -> Iterator[str]:
    yield (
        "An `Element` names one. The tables that they are in are fixed, and nothing else in them is a driver's to\n"
        "change; a set that ends in 4 has a twin for IPv6 that ends in 6. Parts are written as nft(8) writes them.\n\n"
        "| set | key, and for a map `:` value | an element means |\n| --- | --- | --- |\n"
    )
    for table in ruleset():
        for one in table.sets:
            if one.name in SETS:
                yield f"| `{one.name}` | `{one.type_text}` | {SETS[one.name]} |\n"


def _battery() -> Iterator[str]:
    yield (
        "`linkwright.testkit.DriverConformance` (`pip install 'linkwright[testkit]'`) holds a driver to all this.\n\n"
        "| case | what it proves |\n| --- | --- |\n"
    )
    for base in DriverConformance.__bases__:
        cases = [(name, one) for name, one in vars(base).items() if name.startswith("test_")]
        yield from (f"| `{name}` | {_flat(inspect.getdoc(one) or '')} |\n" for name, one in cases)
    yield f"\n### Example\n\n{_doc(Example)}\n\n| field | type | default |\n| --- | --- | --- |\n"
    yield from (_field(field) for field in attrs.fields(Example))


def _doc(thing: Any) -> str:
    return (inspect.getdoc(thing) or "").replace("``", "`")


def _flat(text: str) -> str:
    return " ".join(text.replace("``", "`").split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write(page())
