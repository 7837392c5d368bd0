"""PySyncObj beside us: Raft in Python, three processes on 127.0.0.1, in an environment that is made for the purpose.

https://github.com/bakwc/PySyncObj. It keeps its log in memory and its messages are pickles without signatures. As it
comes it looks for work every 50 ms and sends every 100 ms; *tuned* it does both every 0.1 ms, which is never at rest.
"""

from __future__ import annotations

import contextlib
import json
import math
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Self

from tests.benchmarks.commit_rows import VALUE_BYTES
from tests.helpers.fleet import free_port, until

__all__ = ["PySyncObjFleet", "pysyncobj_environment"]

_SCRIPT: Final = Path(__file__).with_name("pysyncobj_node.py")
_INSTALL_S: Final = 120.0
_ANSWER_S: Final = 300.0
_UP_S: Final = 60.0
_TUNED: Final = {"appendEntriesPeriod": 0.0001, "autoTickPeriod": 0.0001}


@contextlib.contextmanager
def pysyncobj_environment() -> Iterator[tuple[str, str]]:
    """An environment that has it: its Python, and why there is none, of which one is empty."""
    with tempfile.TemporaryDirectory(prefix="rbpysyncobj") as folder:
        python = str(Path(folder) / "bin" / "python")
        try:
            for argv in ([sys.executable, "-m", "venv", folder], [python, "-m", "pip", "install", "-q", "pysyncobj"]):
                subprocess.run(argv, check=True, capture_output=True, timeout=_INSTALL_S)
        except (OSError, subprocess.SubprocessError) as error:
            yield "", f"PySyncObj could not be installed from PyPI: {error}"
            return
        yield python, ""


class _Node:
    def __init__(self, python: str, home: Path, settings: dict[str, Any]) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self._python = python
        self._home = home
        self._log = home / f"{self.address.rpartition(':')[2]}.log"
        self._settings = settings
        self._process: subprocess.Popen[str] | None = None

    def start(self, partners: list[str]) -> None:
        wanted = {"address": self.address, "partners": partners, "settings": self._settings, "size": VALUE_BYTES}
        self._process = subprocess.Popen(
            [self._python, "-P", str(_SCRIPT), json.dumps(wanted)],  # -P: a module beside it has the library's name
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log.open("w"),
            text=True,
            cwd=self._home,
        )

    def kill(self) -> float:
        """SIGKILL, and the process is gone; the moment just before."""
        at_s = time.monotonic()
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
        return at_s

    def ask(self, do: str, **more: object) -> Any:
        """Raises TimeoutError when it does not answer."""
        self.tell(do, **more)
        return self.told()

    def tell(self, do: str, **more: object) -> None:
        """Asks; :meth:`told` waits for the answer."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, **more}) + "\n")
        self._process.stdin.flush()

    def told(self) -> Any:
        assert self._process is not None
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], _ANSWER_S)[0]:
            raise TimeoutError(f"a node does not answer within {_ANSWER_S:g} s")
        line = self._process.stdout.readline()
        if not line:
            raise OSError(f"a node ended: {self._log.read_text(errors='replace')[-300:]!r}")
        return json.loads(line)


class PySyncObjFleet:
    """Three nodes; see :class:`~tests.benchmarks.commit_rows.Committing`."""

    def __init__(self, python: str, *, tuned: bool) -> None:
        self.who = "PySyncObj, tuned" if tuned else "PySyncObj"
        shown = ", ".join(f"{name}={value}" for name, value in _TUNED.items())
        self.note = "neither synced nor signed; asked within the process" + (f"; {shown}" if tuned else "")
        self._path = Path(tempfile.mkdtemp(prefix="rbpysyncobj"))
        self._nodes = [_Node(python, self._path, _TUNED if tuned else {}) for _ in range(3)]

    def __enter__(self) -> Self:
        try:
            for node in self._nodes:
                self._start(node)
            self._until_agreed()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for node in self._nodes:
            node.kill()
        shutil.rmtree(self._path, ignore_errors=True)

    def one_at_a_time(self, count: int, *, at_leader: bool) -> list[float]:
        """See :class:`~tests.benchmarks.commit_rows.Committing`."""
        leader = self._until_agreed()
        asked = leader if at_leader else self._others(leader)[0]
        return [end - begin for begin, end in asked.ask("put", count=count, at_once=1)]

    def in_flight(self, count: int, at_once: int) -> list[tuple[float, float]]:
        """See :class:`~tests.benchmarks.commit_rows.Committing`."""
        calls: list[tuple[float, float]] = self._until_agreed().ask("put", count=count, at_once=at_once)
        return calls

    def failover(self) -> float:
        """See :class:`~tests.benchmarks.commit_rows.Committing`."""
        leader = self._until_agreed()
        asked = self._others(leader)[0]
        killed_s = leader.kill()
        taken_s: float = asked.ask("until")
        self._start(leader)
        self._until_agreed()
        return taken_s - killed_s

    def fill(self, count: int) -> None:
        """See :class:`~tests.benchmarks.commit_rows.Committing`; nothing is kept, so nothing is made."""

    def restart(self) -> float:
        """See :class:`~tests.benchmarks.commit_rows.Committing`."""
        return math.inf

    def _start(self, node: _Node) -> None:
        node.start([other.address for other in self._nodes if other is not node])

    def _until_agreed(self) -> _Node:
        until(lambda: len(self._leaders()) == 1 and None not in self._leaders(), _UP_S, what="all name one leader")
        (leader,) = self._leaders()
        return next(node for node in self._nodes if node.address == leader)

    def _leaders(self) -> set[str | None]:
        return {node.ask("leader") for node in self._nodes}

    def _others(self, leader: _Node) -> list[_Node]:
        return [node for node in self._nodes if node is not leader]
