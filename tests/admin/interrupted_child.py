"""Kills ``init`` before each file it puts in place, once each, then runs it again. POSIX: it forks.

``python -m tests.admin.interrupted_child FOLDER`` makes ``FOLDER/1``, ``FOLDER/2`` … and prints how many.
"""

from __future__ import annotations

import functools
import itertools
import os
import sys
from collections.abc import Callable
from pathlib import Path

from roosync_p2p.admin import founding, listing, passphrases  # noqa: F401 - before forking, once
from roosync_p2p.admin.main import roosync_admin
from roosync_p2p.api.terminal import run_tool

_KILLED = 9


def main(folder: Path) -> int:
    """Runs until an ``init`` was not killed any more."""
    for number in itertools.count(1):
        home = folder / str(number)
        killed = _forked(functools.partial(_init, home, kill_at=number))
        if killed == 0:
            print(number - 1)
            return 0
        if killed != _KILLED or _forked(functools.partial(_init, home, kill_at=None)) != 0:
            print(f"init after a kill at {number} failed", file=sys.stderr)
            return 1
    return 1


def _init(home: Path, *, kill_at: int | None) -> int:
    steps = itertools.count(1)

    def counted(real: Callable[..., None]) -> Callable[..., None]:
        def step(*args: object, **kwargs: object) -> None:
            if next(steps) == kill_at:
                os._exit(_KILLED)
            real(*args, **kwargs)

        return step

    os.replace = counted(os.replace)
    os.rename = counted(os.rename)
    return run_tool(
        roosync_admin, ["--home", str(home), "init", "--machine", "myia-ai-01", "--no-passphrase", "--json"]
    )


def _forked(act: Callable[[], int]) -> int:
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os._exit(act())
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
