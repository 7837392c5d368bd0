"""A process that commits without end and says so after each: ``committing_child.py DATABASE SEQUENCE``."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from roosync_p2p.adapters.sqlite import SqliteStore
from tests.conformance.store_rows import mail


def main() -> None:
    """Commits an entry with its message and delivery, from the given sequence on, until somebody ends it."""
    store = SqliteStore.open(Path(sys.argv[1]))
    for sequence in itertools.count(int(sys.argv[2])):
        store.commit(mail(sequence, priority=("LOW", "HIGH")[sequence % 2]))
        sys.stdout.write(f"{sequence}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
