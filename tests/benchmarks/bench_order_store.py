"""What the one order costs the store on this machine: ``python -m tests.benchmarks.bench_order_store [DIRECTORY]``.

100,000 items, 100,000 commit numbers and 20,000 pairs of state, in commits of 64 numbers: each writes its items, what
became of them, and the pairs that they touched. The directory decides which disk is measured; a temporary one
otherwise.
"""

from __future__ import annotations

import functools
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

from roosync_p2p.adapters.sqlite import SqliteStore
from roosync_p2p.core.ports import Store
from roosync_p2p.core.rows import LogItemRow, Row, StateRow
from roosync_p2p.ids import CommitNumber, LogIndex, Term
from tests.conformance.order_rows import commit
from tests.conformance.store_rows import entry_id

__all__ = ["main"]

NUMBERS = 100_000
PAIRS = 20_000
BATCH = 64
ITEM_BYTES = 100  # an item names its entries by their hashes
VALUE_BYTES = 200
BATCHES_PER_TRANSACTION = (1, 16)  # one batch a sync, and what gathers while the disk is busy


def batches() -> Iterator[list[Row]]:
    """What the core writes for each batch of numbers."""
    for at in range(1, NUMBERS + 1, BATCH):
        numbers = range(at, min(at + BATCH, NUMBERS + 1))
        yield [
            *(
                LogItemRow(index=LogIndex(n), term=Term(n // 1000), data=n.to_bytes(8) * (ITEM_BYTES // 8))
                for n in numbers
            ),
            *(commit(n, entry_id(n), leaf=entry_id("leaf", n)) for n in numbers),
            *(StateRow(key=f"claim/{n * 7919 % PAIRS:06d}", value=n.to_bytes(8) * (VALUE_BYTES // 8)) for n in numbers),
        ]


def main() -> None:
    """Measures and prints one line a figure."""
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        for together in BATCHES_PER_TRANSACTION:
            _measure(Path(folder) / f"node-{together}.db", together)


def _measure(path: Path, together: int) -> None:
    rows = list(batches())
    store = SqliteStore.open(path)
    try:
        took_s = _seconds(lambda: _write(store, rows, together))
        _say(
            f"written, {together * BATCH} numbers a transaction", f"{took_s:.2f} s, {NUMBERS / took_s:,.0f} numbers / s"
        )
        again_s = _seconds(lambda: _write(store, rows, together))
        _say("the same rows again", f"{again_s:.2f} s")
        _say("load, best of 5", f"{1000 * min(_seconds(store.load) for _ in range(5)):.0f} ms")
        tracemalloc.start()
        loaded = store.load()
        used, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        pairs = sum(len(key) + len(value) for key, value in loaded.state)
        log = sum(map(len, loaded.log.data))
        _say("loaded", f"{used / 1e6:.1f} MB, of it {log / 1e6:.1f} MB items and {pairs / 1e6:.1f} MB pairs")
        for name, read in _reads(store).items():
            _say(name, f"{1000 * min(_seconds(read) for _ in range(20)):.2f} ms")
    finally:
        store.close()
    _say("database", f"{path.stat().st_size / 1e6:.1f} MB")
    _say("opening again, with its check", f"{1000 * _seconds(lambda: SqliteStore.open(path).close()):.0f} ms")


def _reads(store: Store) -> dict[str, Callable[[], object]]:
    middle = NUMBERS // 2
    return {
        "64 commits": functools.partial(store.commits, CommitNumber(middle), BATCH),
        "commit of an entry": functools.partial(store.commit_of, entry_id(middle)),
        "all leaves": functools.partial(store.leaves, CommitNumber(1), NUMBERS),
        "64 items": functools.partial(store.log_items, LogIndex(middle), BATCH, 1 << 20),
    }


def _write(store: Store, rows: list[list[Row]], together: int) -> None:
    for at in range(0, len(rows), together):
        store.commit([row for batch in rows[at : at + together] for row in batch])


def _seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def _say(what: str, figure: str) -> None:
    print(f"{what:40} {figure}", flush=True)


if __name__ == "__main__":
    main()
