"""A process that holds the lock of a home until its input ends: ``holding_child.py LOCK_FILE``."""

from __future__ import annotations

import sys
from pathlib import Path

from roosync_p2p.adapters.home_lock import HomeLock


def main() -> None:
    """Says ``held`` once it holds the lock."""
    with HomeLock.acquire(Path(sys.argv[1]), program="roosync up", started="2026-01-15T09:15:30.000Z"):
        sys.stdout.write("held\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
