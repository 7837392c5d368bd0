"""How long a whole command takes, from the start of its process to its end, with a node running."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from tests.benchmarks.plan import Plan
from tests.benchmarks.results import Figure, Report, distribution
from tests.helpers.fleet import ROOSYNC, Fleet

__all__ = ["roosync_command", "run"]

SECTION: Final = "Whole commands"
FLOOR: Final = (("python, nothing imported", "pass"), ("python, `import asyncio` alone", "import asyncio"))
COMMAND_S: Final = 60.0


def roosync_command() -> tuple[str, ...]:
    """The installed console script of this interpreter; the module where there is none."""
    script = shutil.which("roosync", path=str(Path(sys.executable).parent))
    return ROOSYNC if script is None else (script,)


def run(report: Report, plan: Plan) -> None:
    """Two linked nodes; the commands are those of the first."""
    with Fleet.found("machine-a", "machine-b") as fleet:
        node, other = fleet.start_all()
        fleet.until_linked()
        commands: dict[str, Callable[[], list[str]]] = {
            "roosync --help": lambda: [*roosync_command(), "--help"],
            "roosync status": lambda: [*roosync_command(), "--home", str(node.home), "status"],
            "roosync machines": lambda: [*roosync_command(), "--home", str(node.home), "machines"],
            "roosync inbox": lambda: [*roosync_command(), "--home", str(node.home), "inbox"],
            "roosync send": lambda: [*roosync_command(), "--home", str(node.home), "send", other.name, "hello", "body"],
        }
        for what, code in FLOOR:
            _measure(report, plan, what, "python", [sys.executable, "-c", code], node.environ)
        for what, argv in commands.items():
            _measure(report, plan, what, "roosync", argv(), node.environ)


def _measure(report: Report, plan: Plan, what: str, who: str, argv: Sequence[str], environ: dict[str, str]) -> None:
    _seconds(argv, environ)  # once for the compiler and the disk's cache
    took = [_seconds(argv, environ) for _ in range(plan.commands)]
    report.add(Figure(section=SECTION, what=what, who=who, unit="ms", values=distribution(took, 1000)))


def _seconds(argv: Sequence[str], environ: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(argv, check=True, capture_output=True, stdin=subprocess.DEVNULL, env=environ, timeout=COMMAND_S)
    return time.perf_counter() - began
