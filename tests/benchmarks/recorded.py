"""A program whose output is read by a thread, each line with the moment it came at."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final, Self

__all__ = ["RecordedProgram"]

_END_S: Final = 10.0


class RecordedProgram:
    """Starts a program; it is killed when the context is left.

    Args:
        argv: the command.
        home: its working directory, and what it takes for the user's home.
        environ: on top of this process's environment.
    """

    def __init__(self, argv: Sequence[str], home: Path, environ: Mapping[str, str] | None = None) -> None:
        self._lines: list[tuple[float, str]] = []
        self._changed = threading.Condition()
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=home,
            env={**os.environ, "HOME": str(home), **(environ or {})},
        )
        assert self._process.stdout is not None
        self._thread = threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """Of the program."""
        return self._process.pid

    def signal(self, number: int) -> float:
        """Sends a signal; the moment just before."""
        at_s = time.monotonic()
        os.kill(self._process.pid, number)
        return at_s

    def kill(self) -> float:
        """SIGKILL, and the process is gone; the moment just before. Safe to call again."""
        at_s = time.monotonic()
        if self._process.poll() is None:
            self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        self._thread.join(_END_S)
        return at_s

    def wait(self, *words: str, within_s: float, since_s: float = 0.0) -> float:
        """The moment of the first line since then that has all these words; waits for it.

        Raises:
            TimeoutError: none came in time.
        """
        deadline = time.monotonic() + within_s
        with self._changed:
            while True:
                for at_s, line in self._lines:
                    if at_s >= since_s and all(word in line for word in words):
                        return at_s
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not self._changed.wait(left_s):
                    end = "\n".join(line for _, line in self._lines[-20:])
                    raise TimeoutError(f"no line with {words} within {within_s:g} s; the last lines:\n{end}")

    def count(self, *words: str) -> int:
        """How many lines so far have all these words."""
        with self._changed:
            return sum(all(word in line for word in words) for _, line in self._lines)

    def _read(self, output: IO[str]) -> None:
        with output:
            for line in output:
                with self._changed:
                    self._lines.append((time.monotonic(), line.rstrip()))
                    self._changed.notify_all()
