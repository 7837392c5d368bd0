"""The floors of the house hold, and the check that says so finds what it should."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.house.floors import ARROWS, FLOORS, PACKAGE, ROOT, modules, violations


def test_every_module_imports_only_from_lower_floors() -> None:
    sources = ((path.relative_to(ROOT / PACKAGE), path.read_text(encoding="utf-8")) for path in modules())
    found = [violation for path, source in sources for violation in violations(path, source)]
    assert not found, "\n".join(found)


def test_every_package_of_the_house_has_a_floor() -> None:
    top = {path.stem for path in (ROOT / PACKAGE).iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert top <= set(FLOORS)


def test_every_arrow_stays_on_its_floor_and_has_a_reason() -> None:
    for (reader, read), reason in ARROWS.items():
        assert FLOORS[reader] == FLOORS[read], f"{reader} and {read} are on different floors: no arrow is needed"
        assert (read, reader) not in ARROWS, f"{reader} and {read} know each other"
        assert reason


@pytest.mark.parametrize(
    ("path", "source", "word"),
    [
        ("codec/x.py", "from roosync_p2p.trust.keys import verify", "above floor 1"),
        ("liveness/x.py", "from roosync_p2p.gossip.pulls import Pulls", "neighbour"),
        ("trust/x.py", "import roosync_p2p.entries.entry", "neighbour"),
        ("core/x.py", "import socket", "no operating system"),
        ("core/x.py", "def f() -> None:\n    from time import monotonic", "no operating system"),
        ("gossip/x.py", "import os.path", "no operating system"),
        ("core/x.py", "from __future__ import annotations\nfrom roosync_p2p import api", "above floor 5"),
        ("node/x.py", "import importlib\nimportlib.import_module('roosync_p2p.api.server')", "above floor 7"),
        ("node/x.py", "import importlib\nimportlib.import_module(f'roosync_p2p.api.{1}')", "above floor 7"),
        ("cli/x.py", "from roosync_p2p.node.run import run_node", "does not read node"),
        ("cli/x.py", "from roosync_p2p.adapters.home import Home", "does not read adapters"),
        ("cli/demo.py", "from roosync_p2p.admin.founding import found", "neighbour"),
        ("admin/x.py", "from roosync_p2p.node.joining import join", "does not read node"),
        ("mcp_server/x.py", "from roosync_p2p.core.settings import parse_toml", "does not read core"),
        ("cli/x.py", "from roosync_p2p.mcp_server.server import RoosyncServer", "neighbour"),
        ("api/x.py", "from tests.helpers import trust", "tests are no part"),
        ("ledger/x.py", "order = sorted(things, key=lambda thing: hash(thing))", "hash()"),
        ("trust/x.py", "import datetime\ndatetime.datetime.now(tz)", "wall clock"),
        ("trust/x.py", "import datetime as dt\ndt.datetime.now(tz)", "wall clock"),
        ("trust/x.py", "from datetime import date\ndate.today()", "wall clock"),
        ("cellar/x.py", "", "has no floor"),
        ("core/x.py", "from roosync_p2p.cellar import wine", "has no floor"),
    ],
)
def test_a_violation_is_found(path: str, source: str, word: str) -> None:
    found = list(violations(Path(path), source))
    assert len(found) == 1, found
    assert word in found[0]


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("entries/x.py", "from roosync_p2p.trust.keys import verify"),
        ("core/x.py", "import datetime\nfrom roosync_p2p import limits\nfrom roosync_p2p.gossip.pulls import Pulls"),
        ("core/x.py", "class A:\n    def __hash__(self) -> int:\n        return hash(self.key)"),
        ("adapters/x.py", "import os, socket, time"),
        ("cli/up.py", "from roosync_p2p.node.run import run_node"),
        ("admin/x.py", "from roosync_p2p.adapters.home import Home"),
    ],
)
def test_what_is_allowed_is_not_a_violation(path: str, source: str) -> None:
    assert not list(violations(Path(path), source))
