"""The floors of the house as data, and the rule that holds them: a module imports only from lower floors.

Packages of one floor do not know each other, unless an arrow says so and why. The pure floors know no operating
system, no clock and no chance. :func:`violations` judges the source of one module, so that the rule can be tried on
made-up modules too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["ARROWS", "FLOORS", "PACKAGE", "PURE_FLOOR_MAX", "READERS", "Reader", "modules", "violations"]

PACKAGE: Final = "roosync_p2p"
ROOT: Final = Path(__file__).parents[2]
PURE_FLOOR_MAX: Final = 5

FLOORS: Final[Mapping[str, int]] = {
    "errors": 0,
    "version": 0,
    "ids": 0,
    "clock": 0,
    "entropy": 0,
    "limits": 0,
    "codec": 1,
    "trust": 2,
    "entries": 2,
    "shared_config": 2,
    "gossip": 3,
    "liveness": 3,
    "consensus": 3,
    "ledger": 3,
    "proof": 3,
    "mailbox": 4,
    "projection": 4,
    "audit": 4,
    "core": 5,
    "simulation": 6,
    "adapters": 6,
    "node": 7,
    "api": 8,
    "mcp_server": 9,
    "dashboard": 9,
    "cli": 9,
    "admin": 9,
    "__init__": 10,  # the public surface: loads the clients
    "__main__": 10,  # python -m roosync_p2p: runs the command line
}

# Who may know whom on its own floor, and why.
ARROWS: Final[Mapping[tuple[str, str], str]] = {
    ("ids", "errors"): "an id that does not parse raises",
    ("ids", "limits"): "an id is bounded",
    ("clock", "errors"): "a time that does not parse raises",
    ("clock", "limits"): "a time is bounded",
    ("entropy", "limits"): "a draw is bounded",
    ("entries", "trust"): "an entry is a signed envelope (docs/decisions/entries-read-trust.md)",
    ("audit", "projection"): "an audit reads what the projection wrote",
}


class Reader(NamedTuple):
    """What the modules of a package at the edge may read, beyond what every floor may: floor 0 and themselves.

    Attributes:
        packages: for every module.
        more: for single modules.
    """

    packages: frozenset[str]
    more: Mapping[str, frozenset[str]]


# The tools see the API client, the schemas, and the parsers of what users write; a few modules are doors to the rest.
READERS: Final[Mapping[str, Reader]] = {
    "cli": Reader(
        packages=frozenset({"api", "core"}),
        more={
            "up": frozenset({"node"}),
            "join": frozenset({"node", "trust"}),
            "doctor": frozenset({"node"}),
            "persons": frozenset({"adapters", "trust"}),
            "service": frozenset({"adapters"}),
        },
    ),
    "mcp_server": Reader(packages=frozenset({"api"}), more={}),
    "admin": Reader(
        packages=frozenset({"api", "core", "trust", "entries", "codec", "adapters"}),
        more={},
    ),
}

_WORLD: Final = frozenset(
    {
        "_thread",
        "anyio",
        "asyncio",
        "concurrent",
        "ctypes",
        "getpass",
        "http",
        "multiprocessing",
        "os",
        "platform",
        "random",
        "secrets",
        "select",
        "selectors",
        "shutil",
        "signal",
        "socket",
        "socketserver",
        "sqlite3",
        "ssl",
        "subprocess",
        "sys",
        "tempfile",
        "threading",
        "time",
        "trio",
        "urllib",
        "uuid",
    }
)
_IMPURE_CALLS: Final = {
    "hash": "differs from run to run for text",
    "id": "differs from run to run",
    "open": "is a file",
    "input": "is a terminal",
    "print": "is a terminal",
}
_WALL_CLOCK: Final = frozenset({"now", "utcnow", "today"})


class _Import(NamedTuple):
    module: str
    line: int


def modules() -> list[Path]:
    """Every module of the package."""
    return sorted((ROOT / PACKAGE).rglob("*.py"))


def violations(path: Path, source: str) -> Iterator[str]:
    """What is wrong with one module of the package, each as a line for a person.

    Args:
        path: relative to the package, such as ``core/desk.py``.
    """
    package = path.parts[0].removesuffix(".py")
    tree = ast.parse(source)
    floor = FLOORS.get(package)
    if floor is None:
        yield f"{path}: {package} has no floor"
        return
    for found in _imports(tree):
        reason = _wrong_import(package, floor, path.stem, found.module)
        if reason:
            yield f"{path}:{found.line}: imports {found.module}: {reason}"
    if floor <= PURE_FLOOR_MAX:
        for line, what in _impure(tree):
            yield f"{path}:{line}: {what}"


def _wrong_import(package: str, floor: int, stem: str, module: str) -> str:
    top, _, rest = module.partition(".")
    if top == "tests":
        return "tests are no part of the program"
    if top != PACKAGE:
        return "floors 0 to 5 know no operating system, clock or chance" if _is_world(top, floor) else ""
    target = rest.partition(".")[0] or "__init__"
    if target in (package, "version"):
        return ""
    if target not in FLOORS:
        return "" if target.startswith("__") else f"{target} has no floor"
    return _wrong_floor(package, floor, target) or _beyond_reader(package, stem, target)


def _wrong_floor(package: str, floor: int, target: str) -> str:
    if FLOORS[target] > floor:
        return f"{target} is on floor {FLOORS[target]}, above floor {floor}"
    if FLOORS[target] == floor and (package, target) not in ARROWS:
        return f"{target} is a neighbour on floor {floor}, and no arrow says that {package} may know it"
    return ""


def _beyond_reader(package: str, stem: str, target: str) -> str:
    reader = READERS.get(package)
    if reader is None or FLOORS[target] == 0 or target in reader.packages | reader.more.get(stem, frozenset()):
        return ""
    return f"{package} does not read {target}"


def _is_world(top: str, floor: int) -> bool:
    return floor <= PURE_FLOOR_MAX and top in _WORLD


def _imports(tree: ast.AST) -> Iterator[_Import]:
    """Every import, also those inside functions and for type checkers, and what is loaded by name."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (_Import(name.name, node.lineno) for name in names)
            case ast.ImportFrom(module=str(module), names=names):
                if module == PACKAGE:  # `from roosync_p2p import limits`
                    yield from (_Import(f"{PACKAGE}.{name.name}", node.lineno) for name in names)
                else:
                    yield _Import(module, node.lineno)
            case ast.Call(func=ast.Attribute(attr="import_module"), args=[first, *_]):
                name = _leading_text(first)
                if name.startswith(f"{PACKAGE}."):
                    yield _Import(name, node.lineno)


def _leading_text(node: ast.expr) -> str:
    """The constant beginning of a text or of an f-string."""
    if isinstance(node, ast.JoinedStr) and node.values:
        node = node.values[0]
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _impure(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """What differs from run to run or leaves the program. A ``__hash__`` may hash: nothing is ordered by it."""
    if isinstance(tree, ast.FunctionDef) and tree.name == "__hash__":
        return
    match tree:
        case ast.Call(func=ast.Name(id=name)) if name in _IMPURE_CALLS:
            yield tree.lineno, f"calls {name}(), which {_IMPURE_CALLS[name]}"
        case ast.Attribute(value=ast.Name(id="datetime" | "date" | "dt"), attr=name) if name in _WALL_CLOCK:
            yield tree.lineno, f"reads the wall clock ({name})"
        case ast.Attribute(value=ast.Attribute(attr="datetime" | "date"), attr=name) if name in _WALL_CLOCK:
            yield tree.lineno, f"reads the wall clock ({name})"
    for child in ast.iter_child_nodes(tree):
        yield from _impure(child)
