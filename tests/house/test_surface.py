"""What every module keeps to: its public names, its size, its grammar, its silence."""

from __future__ import annotations

import ast
import functools
import importlib
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import roosync_p2p
from tests.house.floors import FLOORS, PACKAGE, ROOT, modules

LINES_MAX = 500
GRAMMARS = ((3, 11), (3, 12), (3, 13))
SPEAKS_FROM_FLOOR = 9  # below, what is for people goes through a callback or the log


def module_name(path: Path) -> str:
    """``roosync_p2p.core.desk`` for its file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def shown(path: Path) -> str:
    """The file, as a failure names it."""
    return path.relative_to(ROOT / PACKAGE).as_posix()


@functools.cache
def parsed() -> list[tuple[Path, ast.Module]]:
    """Every module with its tree; what breaks a rule is told of all at once."""
    return [(path, ast.parse(path.read_text(encoding="utf-8"), filename=str(path))) for path in modules()]


def top_level_names(tree: ast.Module) -> set[str]:
    """What a module binds at its top level, also under ``if`` and ``try``."""
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.ImportFrom(names=found) | ast.Import(names=found):
                names.update(alias.asname or alias.name for alias in found)
    return names


def is_all(node: ast.Assign | ast.AnnAssign) -> bool:
    """Whether this is the list of public names."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return ast.unparse(targets[0]) == "__all__"


def test_every_module_says_what_is_public_and_has_it() -> None:
    wrong = {}
    for path, tree in parsed():
        only_documentation = all(isinstance(node, ast.Expr) for node in tree.body)
        if only_documentation or path.name == "limits.py":  # a folder; and in limits every name is public
            continue
        values = [node.value for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign) and is_all(node)]
        public = [] if len(values) != 1 else ast.literal_eval(ast.unparse(values[0] or ast.Constant(None)))
        if len(values) != 1:
            wrong[shown(path)] = "no __all__"
        elif missing := set(public) - top_level_names(tree):
            wrong[shown(path)] = f"missing: {missing}"
        elif len(set(public)) != len(public):
            wrong[shown(path)] = "a name twice"
    assert wrong == {}


def test_every_module_is_short_enough_to_be_read() -> None:
    lines = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert {path: count for path, count in lines.items() if count > LINES_MAX} == {}


@pytest.mark.parametrize("grammar", GRAMMARS)
def test_every_module_is_written_in_the_grammar_of_every_supported_python(grammar: tuple[int, int]) -> None:
    for path in modules():
        ast.parse(path.read_text(encoding="utf-8"), filename=str(path), feature_version=grammar)


def test_only_the_tools_print() -> None:
    wrong = {}
    for path, tree in parsed():
        floor = FLOORS[path.relative_to(ROOT / PACKAGE).parts[0].removesuffix(".py")]
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"]
        if calls and floor < SPEAKS_FROM_FLOOR and path.name != "__main__.py":
            wrong[shown(path)] = [call.lineno for call in calls]
    assert wrong == {}


def test_every_module_can_be_imported_with_warnings_as_errors() -> None:
    names = [module_name(path) for path in modules() if path.name != "__main__.py"]
    code = f"import importlib\nfor name in {names!r}: importlib.import_module(name)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr


def test_the_public_surface_is_the_clients_and_the_version() -> None:
    assert set(roosync_p2p.__all__) == {"Client", "SyncClient", "__version__"}
    for name in roosync_p2p.__all__:
        assert getattr(roosync_p2p, name) is not None
    assert roosync_p2p.Client is importlib.import_module("roosync_p2p.api.client").Client
    with pytest.raises(AttributeError):
        _ = roosync_p2p.nothing_of_that_name


def test_the_version_is_said_in_one_place() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    assert "version" not in project["project"]
    assert project["tool"]["hatch"]["version"]["path"] == f"{PACKAGE}/version.py"
    assert metadata.version("roosync-p2p") == roosync_p2p.__version__


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / PACKAGE / "py.typed").is_file()


def test_every_bound_has_its_reason_beside_it() -> None:
    lines = (ROOT / PACKAGE / "limits.py").read_text(encoding="utf-8").splitlines()
    bounds = [line for line in lines if line[:1].isupper() and ": Final" in line]
    assert bounds
    without = [line.partition(":")[0] for line in bounds if "#" not in line]
    assert not without, f"no reason is given for {', '.join(without)}"


def test_every_bound_is_used() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in modules() if path.name != "limits.py")
    tree = ast.parse((ROOT / PACKAGE / "limits.py").read_text(encoding="utf-8"))
    names = {
        node.target.id for node in tree.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    own = ast.unparse(tree)
    unused = sorted(name for name in names if name not in source and own.count(name) < 2)
    assert not unused, f"bounds that nothing keeps: {', '.join(unused)}"
