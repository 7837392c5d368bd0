"""What the store costs on this machine: ``python -m tests.benchmarks.bench_store [DIRECTORY]``.

The directory decides which disk is measured; a temporary one otherwise.
"""

from __future__ import annotations

import functools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from roosync_p2p.adapters.sqlite import SqliteStore
from roosync_p2p.core.ports import InboxQuery, Store
from roosync_p2p.core.rows import Row
from tests.conformance.store_rows import AUTHORS, CHAINS, delivery, entry, message

__all__ = ["main"]

ENTRIES = 100_000
PRIORITIES = ("LOW", "MEDIUM", "MEDIUM", "HIGH", "URGENT")


def commits_singly(store: Store, count: int = 2_000) -> float:
    """Durable commits of one entry, a second."""
    rows = [entry(number, AUTHORS[1], CHAINS[1], bytes(300)) for number in range(1, count + 1)]
    return count / _seconds(lambda: _commit_all(store, [[row] for row in rows]))


def rows_by_hundreds(store: Store, count: int = ENTRIES) -> float:
    """Durable entries in commits of a hundred, a second."""
    rows = [entry(number, AUTHORS[0], CHAINS[0], bytes(300)) for number in range(1, count + 1)]
    return count / _seconds(lambda: _commit_all(store, [rows[at : at + 100] for at in range(0, count, 100)]))


def fill_inbox(store: Store, count: int = ENTRIES) -> float:
    """Messages with a delivery in commits of a hundred, a second; a third of them read, in four inboxes."""

    def fill() -> None:
        for at in range(1, count + 1, 100):
            numbers = range(at, at + 100)
            store.commit(
                [
                    *(message(n, PRIORITIES[n % 5], thread=f"t-{n // 50}") for n in numbers),
                    *(delivery(n, f"w{n % 4}", "read" if n % 3 == 0 else "unread") for n in numbers),
                ]
            )

    return count / _seconds(fill)


def main() -> None:
    """Measures and prints one line a figure."""
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        path = Path(folder) / "node.db"
        store = SqliteStore.open(path)
        try:
            _say("commits of one entry", f"{commits_singly(store):,.0f} / s")
            _say("entries by hundreds", f"{rows_by_hundreds(store):,.0f} / s")
            _say("load of 102,000 entries", f"{1000 * min(_seconds(store.load) for _ in range(5)):.1f} ms")
            _say("messages with delivery by hundreds", f"{fill_inbox(store):,.0f} / s")
            for name, query in _QUERIES.items():
                _say(
                    f"inbox page of 50, {name}",
                    _percentiles([_seconds(functools.partial(store.inbox, query)) for _ in range(200)]),
                )
            _say("run of 256 entries", _percentiles([_seconds(lambda: _run(store)) for _ in range(200)]))
            _say("database", f"{store.facts().database_bytes / 1e6:.0f} MB, {store.facts().sqlite_version}")
        finally:
            store.close()
        _say("opening again, with its check", f"{1000 * _seconds(lambda: SqliteStore.open(path).close()):.0f} ms")


_QUERIES = {
    "first": InboxQuery(),
    "first, all but archived": InboxQuery(status=None),
    "two inboxes": InboxQuery(workspaces=("", "w1")),
    "deep": InboxQuery(before="1000"),
    "one sender": InboxQuery(sender=AUTHORS[0], workspaces=("w1",)),
    "one thread": InboxQuery(thread_id="t-7"),
    "200 items": InboxQuery(limit=200),
}


def _commit_all(store: Store, batches: Sequence[Sequence[Row]]) -> None:
    for rows in batches:
        store.commit(rows)


def _run(store: Store) -> int:
    return len(store.entries(AUTHORS[0], 1, CHAINS[0], 50_000, count_max=256, bytes_max=1 << 20))


def _seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def _percentiles(seconds: list[float]) -> str:
    ordered = statistics.quantiles(seconds, n=100)
    return f"p50 {1000 * ordered[49]:.2f} ms, p99 {1000 * ordered[98]:.2f} ms"


def _say(what: str, figure: str) -> None:
    print(f"{what:40} {figure}", flush=True)


if __name__ == "__main__":
    main()
