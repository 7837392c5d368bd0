"""Connections to the database: one that writes, and readers that cannot.

Older SQLite libraries can damage a write-ahead log that two connections write, so there is exactly one writing
connection in one process; readers are opened read-only and never checkpoint.
"""

from __future__ import annotations

import contextlib
import sqlite3
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from roosync_p2p import limits
from roosync_p2p.errors import StoreError

__all__ = ["ReaderPool", "connect_reader", "connect_writer", "transaction"]


def connect_writer(path: Path, *, busy_timeout_s: float) -> sqlite3.Connection:
    """The writing connection: durable at each commit, also through a power cut.

    The caller closes it, and uses it in one thread at a time.
    """
    connection = _connect(path, "rw", busy_timeout_s)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA journal_size_limit = {limits.STORE_JOURNAL_BYTES_MAX}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {limits.STORE_CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA cache_size = {-limits.STORE_CACHE_KIB}")
        if sys.platform == "darwin":  # there fsync alone leaves the data in the drive's cache
            connection.execute("PRAGMA fullfsync = ON")
            connection.execute("PRAGMA checkpoint_fullfsync = ON")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def connect_reader(path: Path, *, busy_timeout_s: float) -> sqlite3.Connection:
    """A connection that cannot write. The caller closes it, and uses it in one thread at a time."""
    return _connect(path, "ro", busy_timeout_s)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection, begin: str = "BEGIN") -> Iterator[None]:
    """One transaction: committed at the end, rolled back when the block or the commit itself fails."""
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # after some errors SQLite has rolled back already
            connection.execute("ROLLBACK")
        raise


class ReaderPool:
    """Read-only connections, lent to one thread at a time.

    Args:
        path: the database, which exists.
        busy_timeout_s: how long a read waits for a lock, in seconds.
    """

    def __init__(self, path: Path, *, busy_timeout_s: float) -> None:
        self._path = path
        self._busy_timeout_s = busy_timeout_s
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    @contextlib.contextmanager
    def lend(self) -> Iterator[sqlite3.Connection]:
        """A connection for one read; it comes back by itself.

        Raises:
            StoreError: the store is closed (``store_closed``).
            sqlite3.Error: no connection could be opened.
        """
        connection = self._take()
        reusable = False
        try:
            yield connection
            reusable = not connection.in_transaction
        finally:
            self._give_back(connection, reusable=reusable)

    def close(self) -> None:
        """Closes what is idle now, and what is lent as it comes back; safe to call twice."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise StoreError("the store is closed; nothing was read", code="store_closed")
            if self._idle:
                return self._idle.pop()
        return connect_reader(self._path, busy_timeout_s=self._busy_timeout_s)

    def _give_back(self, connection: sqlite3.Connection, *, reusable: bool) -> None:
        with self._lock:
            keep = reusable and not self._closed and len(self._idle) < limits.STORE_IDLE_READERS_MAX
            if keep:
                self._idle.append(connection)
        if not keep:
            connection.close()


def _connect(path: Path, mode: str, busy_timeout_s: float) -> sqlite3.Connection:
    # isolation_level=None: transactions are begun by us, in words; threads are kept apart by us as well.
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=busy_timeout_s,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
