"""A synchronised directory as users have it: one directory for each machine, and a program that copies between them.

    with Copier(path, ["alice", "berta"], lag_s=(1.0, 3.0)) as shared:
        shared.of("alice")   the directory that alice's node is given

What one machine writes, replaces or deletes shows up at the others later, each file after its own lag, so that files
overtake each other; some come as a conflict copy too, and some half before they come whole.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

__all__ = ["Copier"]

LOOK_S: Final = 0.05


class Copier:
    """Copies what changes in one directory to the others, until it is closed.

    Args:
        path: where the directories are made.
        names: one directory each.
        lag_s: least and greatest time until a change shows elsewhere.
        doubled: the share of files that arrive with a conflict copy beside them.
        halved: the share of files that are there half first.
    """

    def __init__(
        self,
        path: Path,
        names: Sequence[str],
        *,
        lag_s: tuple[float, float],
        doubled: float = 0.3,
        halved: float = 0.3,
        seed: int = 1,
    ) -> None:
        self._roots = {name: path / name for name in names}
        for root in self._roots.values():
            root.mkdir(parents=True)
        self._lag_s = lag_s
        self._doubled = doubled
        self._halved = halved
        self._dice = random.Random(seed)
        self._held: dict[str, dict[str, bytes]] = {name: {} for name in names}
        self._due: list[tuple[float, str, str, bytes | None]] = []
        self._stop = threading.Event()
        self._paused = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.copied = 0

    def of(self, name: str) -> Path:
        """The directory of one machine."""
        return self._roots[name]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def pause(self) -> None:
        """Copies nothing until :meth:`go_on`."""
        self._paused.set()

    def go_on(self) -> None:
        """Copies again, what changed meanwhile too."""
        self._paused.clear()

    def _run(self) -> None:
        while not self._stop.wait(LOOK_S):
            if not self._paused.is_set():
                self._notice()
                self._deliver()

    def _notice(self) -> None:
        for name, root in self._roots.items():
            seen = {relative: data for relative, data in _files(root).items() if "/tmp/" not in f"/{relative}"}
            held = self._held[name]
            for relative in {*seen, *held}:
                if seen.get(relative) == held.get(relative):
                    continue
                if relative in seen:
                    held[relative] = seen[relative]
                else:
                    del held[relative]
                for other in self._roots:
                    if other != name:
                        self._send(other, relative, seen.get(relative))

    def _send(self, to: str, relative: str, data: bytes | None) -> None:
        at = time.monotonic() + self._dice.uniform(*self._lag_s)
        if data and self._dice.random() < self._halved:
            self._due.append((at - 0.3, to, relative, data[: len(data) // 2]))
        if data and self._dice.random() < self._doubled:
            stem, dot, suffix = relative.rpartition(".")
            copy = f"{stem} (1){dot}{suffix}" if dot else f"{relative} (1)"
            self._due.append((at, to, copy, data))
        self._due.append((at, to, relative, data))

    def _deliver(self) -> None:
        now = time.monotonic()
        due = sorted((row for row in self._due if row[0] <= now), key=lambda row: row[0])
        self._due = [row for row in self._due if row[0] > now]
        for _, to, relative, data in due:
            target = self._roots[to] / relative
            if data is None:
                target.unlink(missing_ok=True)
                self._held[to].pop(relative, None)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.parent / f"~{target.name}"
            part.write_bytes(data)
            part.replace(target)
            self._held[to][relative] = data
            self.copied += 1


def _files(root: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path in root.rglob("*"):
        try:
            if path.is_file() and not path.name.startswith("~"):
                found[path.relative_to(root).as_posix()] = path.read_bytes()
        except OSError:
            continue  # it was replaced or deleted in this very moment
    return found
