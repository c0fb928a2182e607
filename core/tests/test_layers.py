"""Who may import whom, as a table with a reason for each forbidden edge; and what every module has to be.

The tables are the architecture. A new layer needs a row here, and one that has gone must lose its row.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

ROOT = Path(__file__).parents[2]
CORE = ROOT / "core" / "src"


def words(names: str) -> list[str]:
    """Split a cell of a table."""
    return names.split()


def spread(table: dict[str, str]) -> dict[str, str]:
    """Give each word of a row's name a row of its own."""
    return {name: reason for names, reason in table.items() for name in words(names)}


#: What each layer may import, lowest layer first: the folders of the package, and ``errors``, a layer in one module.
MAY: dict[str, str] = {
    "errors": "",
    "model": "errors",
    "plan": "errors model",
    "sdk": "errors model plan",
    "wire": "errors model",
    "kernel": "errors model plan",
    "ipam": "errors model",
    "store": "errors model",
    "hostports": "errors model",
    "engine": "errors model plan sdk ipam",
    "daemon": "errors model plan sdk wire kernel ipam store hostports engine",
    "cli": "errors model plan sdk wire kernel ipam store hostports engine daemon",
    "testkit": "errors model plan sdk wire kernel ipam store hostports engine daemon",
}

LAYERS = frozenset(MAY)

_UP = "the lower layer answers by return value, or over what the upper one handed down; it never calls up"
_KIT = "what only tests need must not be needed to run"
_WHERE_PARTS_MEET = "only the composition root knows which parts there are"

#: Why each layer may not import the others: every other layer is in MAY or here, and never in both.
WHY_NOT: dict[str, dict[str, str]] = {
    "errors": {
        "model plan sdk wire kernel ipam store hostports engine daemon cli": "its text is made where it is raised",
        "testkit": _KIT,
    },
    "model": {
        "plan sdk wire kernel ipam store hostports engine daemon cli": "values know neither their use nor their users",
        "testkit": _KIT,
    },
    "plan": {
        "sdk": "wishes are compared alike whoever wrote them",
        "wire": "a plan is the same whether Docker or an operator asked for it",
        "kernel hostports": "code that decides never touches the kernel",
        "ipam store engine daemon cli": _UP,
        "testkit": _KIT,
    },
    "sdk": {
        "wire": "drivers never see Docker's JSON",
        "kernel hostports": "drivers describe; they can be tested without root because they cannot reach the kernel",
        "ipam store": "a driver keeps no state and chooses no address: it would not choose the same again",
        "engine daemon cli": _UP,
        "testkit": _KIT,
    },
    "wire": {
        "plan sdk": "how a request is fulfilled is not the protocol's to know",
        "kernel store hostports": "bytes become typed requests without anything being done about them",
        "ipam": "what a pool means is the ledger's; the protocol only carries it",
        "engine daemon cli": _UP,
        "testkit": _KIT,
    },
    "kernel": {
        "sdk": "the kernel is told steps, and knows nothing of drivers",
        "wire ipam store": "the kernel is told steps, and knows neither requests nor state",
        "hostports": "rules lead packets, sockets hold ports; the engine is who does one and then the other",
        "engine daemon cli": _UP,
        "testkit": _KIT,
    },
    "ipam": {
        "plan sdk": "addresses are given out alike for every driver",
        "wire": "the ledger is asked by the protocol, an operator, or a replay in the same words",
        "kernel hostports": "what the host has is handed in as data, so that the ledger can be tested by properties",
        "store": "transitions yield facts; who stores them is handed in (model.change.Commit)",
        "engine daemon cli": _UP,
        "testkit": _KIT,
    },
    "store": {
        "plan sdk": "wishes are not stored: they are made again from what Docker asked for",
        "wire": "records outlive the protocol's versions",
        "kernel hostports": "the disk and the kernel meet only in an answer",
        "ipam": "the store keeps facts and does not judge them",
        "engine daemon cli": _UP,
        "testkit": _KIT,
    },
    "hostports": {
        "plan sdk": "what is bound has been decided; a socket is no wish, since two processes cannot both have it",
        "wire ipam store": "sockets are told ports, and know neither requests nor state",
        "kernel": "sockets hold ports, rules lead packets; the engine is who does one and then the other",
        "engine daemon cli": _UP,
        "testkit": _KIT,
    },
    "engine": {
        "wire": "the engine is asked in its own words, by Docker or by an operator",
        "kernel": "it is handed a kernel (engine.ports), so that the fake one tells the same stories",
        "store hostports": "it is handed a store, and who holds ports, for the same reason",
        "daemon cli": _UP,
        "testkit": _KIT,
    },
    "daemon": {"cli": "a command starts the daemon, not the other way round", "testkit": _KIT},
    "cli": {"testkit": _KIT},
    "testkit": {"cli": _WHERE_PARTS_MEET + ", and tests of the command line run the command"},
}

_IO = "it would do I/O, and this layer is pure: values in, values out"

#: What the pure layers may not import, from whatever package.
IMPURE = spread(
    {
        "socket ssl select selectors fcntl mmap sqlite3 pyroute2 http urllib httpx h11": _IO,
        "os io pathlib shutil tempfile subprocess signal ctypes": _IO,
        "trio asyncio threading multiprocessing concurrent": "what never waits needs no task",
        "time": "a clock in here cannot be moved by a test; the time is handed in",
        "random secrets uuid": "the same input gives the same answer, in every process",
        "logging structlog prometheus_client": "what happened is told by return value",
    }
)

#: The layers that are pure, and the modules in them that are not.
PURE = ("errors", "model", "plan", "sdk", "wire", "ipam")
NOT_PURE = {"linkwright.ipam.actor": "the task that owns the ledger and hands its facts to the store"}

#: The engine may wait (trio), and that is all it may.
ENGINE_NEVER = spread(
    {
        "socket ssl os pathlib subprocess sqlite3 pyroute2 h11 fcntl ctypes": "it is handed a kernel and a store",
        "time": "it is handed a clock",
        "logging structlog prometheus_client": "it tells an observer what happened",
    }
)

#: Packages that have one home, and why.
HOMES: dict[str, tuple[str, str]] = {
    "sqlite3": ("store", "one writer of the file"),
    "pyroute2": ("kernel", "one place speaks netlink"),
    "h11": ("daemon", "one server"),
    "prometheus_client": ("daemon", "events are turned into metrics in one place"),
    "importlib_metadata": ("daemon", "drivers are found at the composition root"),
    "jeepney": ("daemon", "firewalld is told in one place"),
    "click": ("cli", "a daemon has no arguments of its own"),
    "pytest": ("testkit", _KIT),
    "hypothesis": ("testkit", _KIT),
}

#: Names that say nothing of what is behind the door.
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers", "base", "core"}

#: Lines a module may have. Past 300 one looks for two rooms; past this one has to find them.
MOST_LINES = 500


@frozen
class Module:
    """A source file by its dotted name."""

    name: str
    path: Path

    @property
    def layer(self) -> str:
        """The second part of the name; ``linkwright`` itself has none."""
        return (*self.name.split("."), "")[1]

    @property
    def tree(self) -> ast.Module:
        """The file, parsed."""
        return ast.parse(self.path.read_text(), str(self.path))

    def imports(self) -> Iterator[str]:
        """Every module it imports, wherever in the file: in functions and under TYPE_CHECKING too."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.name} imports relatively, which hides the layer"
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules(root: Path) -> list[Module]:
    """All modules below *root*, by name."""
    found = []
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        found.append(Module(".".join(parts[:-1] if parts[-1] == "__init__" else parts), path))
    return found


CORE_MODULES = modules(CORE)
ALL_MODULES = CORE_MODULES + [module for root in sorted(ROOT.glob("plugins/*/src")) for module in modules(root)]


def test_every_layer_of_the_table_is_there_and_has_a_row() -> None:
    """A layer that is gone loses its row; one that comes gets one, with its reasons."""
    package = CORE / "linkwright"
    folders = {path.parent.name for path in package.glob("*/*.py")}
    files = {path.stem for path in package.glob("*.py")} - {"__init__"}
    assert folders | files == LAYERS
    assert set(WHY_NOT) == LAYERS


@pytest.mark.parametrize("layer", sorted(LAYERS))
def test_the_tables_judge_every_pair(layer: str) -> None:
    """Each layer may import another, or there is a reason why not."""
    forbidden = [name for names in WHY_NOT[layer] for name in words(names)]
    assert sorted(LAYERS - {layer}) == sorted([*words(MAY[layer]), *forbidden])


@pytest.mark.parametrize("layer", sorted(LAYERS))
def test_a_layer_imports_only_what_it_may(layer: str) -> None:
    """The message of a failure names the module, what it imports, and the reason against it."""
    reasons = spread(WHY_NOT[layer])
    broken = [
        f"{module.name} imports {imported}: {reasons[target]}"
        for module in CORE_MODULES
        if module.layer == layer
        for imported in module.imports()
        for target in imported.split(".")[1:2]
        if imported.startswith("linkwright.") and target in reasons
    ]
    assert broken == []


def test_the_package_itself_imports_nothing() -> None:
    """``import linkwright`` costs nothing and pulls in no layer."""
    assert [list(module.imports()) for module in CORE_MODULES if module.name == "linkwright"] == [[]]


@pytest.mark.parametrize("layer", PURE)
def test_pure_layers_do_no_io(layer: str) -> None:
    """They import nothing that could, and do not open files by the built-in function either."""
    broken = [
        f"{module.name} imports {imported}: {IMPURE[imported.partition('.')[0]]}"
        for module in CORE_MODULES
        if module.layer == layer and module.name not in NOT_PURE
        for imported in module.imports()
        if imported.partition(".")[0] in IMPURE
    ]
    broken += [
        f"{module.name}:{node.lineno} calls {node.func.id}(): {_IO}"
        for module in CORE_MODULES
        if module.layer == layer and module.name not in NOT_PURE
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"open", "print", "input"}
    ]
    assert broken == []


def test_the_exceptions_to_purity_exist() -> None:
    """An exception for a module that is gone would let another one of that name slip through."""
    assert set(NOT_PURE) <= {module.name for module in CORE_MODULES}


def test_drivers_are_pure_and_see_only_the_sdk() -> None:
    """What holds for anybody's driver holds for ours: one import of linkwright, and no I/O."""
    broken = [
        f"{module.name} imports {imported}"
        for module in ALL_MODULES
        if module not in CORE_MODULES
        for imported in module.imports()
        if imported.partition(".")[0] in IMPURE or (imported.startswith("linkwright.") and imported != "linkwright.sdk")
    ]
    assert broken == []


def test_the_engine_waits_and_does_nothing_itself() -> None:
    """No sockets, no SQL, no netlink, no clock: it is handed them."""
    broken = [
        f"{module.name} imports {imported}: {ENGINE_NEVER[imported.partition('.')[0]]}"
        for module in CORE_MODULES
        if module.layer == "engine"
        for imported in module.imports()
        if imported.partition(".")[0] in ENGINE_NEVER
    ]
    assert broken == []


@pytest.mark.parametrize("package", HOMES)
def test_a_package_with_one_home_is_imported_only_there(package: str) -> None:
    """Changing the library means changing one layer."""
    home, reason = HOMES[package]
    broken = [
        f"{module.name} imports {package}, whose home is {home}: {reason}"
        for module in ALL_MODULES
        if module.layer not in {home, "testkit"}
        for imported in module.imports()
        if imported.partition(".")[0] == package
    ]
    assert broken == []


@pytest.mark.parametrize("module", ALL_MODULES, ids=lambda module: module.name)
def test_a_module_is_a_room_with_a_sign(module: Module) -> None:
    """It begins with a docstring, has a name that says something, and fits in a reader's head."""
    assert ast.get_docstring(module.tree), f"{module.name} does not say what may live in it"
    assert not EMPTY_NAMES & set(module.name.split(".")), f"{module.name}: the name says nothing of what is in it"
    lines = len(module.path.read_text().splitlines())
    assert lines <= MOST_LINES, f"{module.name} has {lines} lines: look for two rooms"
