"""The reads of the one order of the fleet: log, state, commit numbers, and the entries that they name.

One statement or one snapshot each, on a connection that cannot write; the loading ones run in the caller's snapshot.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable
from typing import Final

from roosync_p2p.adapters.sqlite.connect import transaction
from roosync_p2p.adapters.sqlite.mapping import COMMIT_COLUMNS, commit_row, log_item_row, order_key_row
from roosync_p2p.core.rows import CommitRow, LogItemRow, LogLoaded, OrderKeyRow
from roosync_p2p.core.store_rules import PromiseBroken
from roosync_p2p.ids import CommitNumber, EntryId, LogIndex

__all__ = [
    "commit_of",
    "commit_rows",
    "last_commit",
    "leaves_of",
    "log_run",
    "order_key_of",
    "ordered_entries",
    "whole_log",
    "whole_state",
]

_HEADER_AND_BODY: Final = (
    "SELECT header, body FROM entries WHERE id = ? AND body IS NOT NULL",
    "SELECT header, body FROM side_entries WHERE id = ?",
)

# --- loading --------------------------------------------------------------------------------------------------------


def whole_log(connection: sqlite3.Connection) -> LogLoaded:
    """The whole log.

    Raises:
        PromiseBroken: its items are not a run from index 1.
    """
    log = LogLoaded()
    add_term, add_data = log.terms.append, log.data.append
    items = connection.execute("SELECT number, term, data FROM log_items ORDER BY number")
    for expected, (number, term, data) in enumerate(items, start=1):
        if number != expected:
            raise PromiseBroken(f"the log has a gap: item {number} follows item {expected - 1}")
        add_term(term)
        add_data(data)
    return log


def whole_state(connection: sqlite3.Connection) -> tuple[tuple[str, bytes], ...]:
    """The state, by key."""
    return tuple(connection.execute("SELECT key, value FROM state ORDER BY key"))


def last_commit(connection: sqlite3.Connection) -> CommitRow | None:
    """The commit of the highest number."""
    found = _commits(connection, "1 ORDER BY number DESC LIMIT 1", ())
    return found[0] if found else None


# --- reading --------------------------------------------------------------------------------------------------------


def ordered_entries(connection: sqlite3.Connection, ids: Iterable[EntryId]) -> dict[EntryId, tuple[bytes, bytes]]:
    """Header and body of each, in a chain or beside the chains; what is missing or has no body is left out."""
    found: dict[EntryId, tuple[bytes, bytes]] = {}
    with transaction(connection):
        for entry in ids:
            for statement in _HEADER_AND_BODY:
                columns = connection.execute(statement, (entry,)).fetchone()
                if columns is not None:
                    found[entry] = columns
                    break
    return found


def commit_rows(connection: sqlite3.Connection, first: CommitNumber, count_max: int) -> list[CommitRow]:
    """The commits from ``first`` on, ascending."""
    return _commits(connection, "number >= ? ORDER BY number LIMIT ?", (first, max(count_max, 0)))


def commit_of(connection: sqlite3.Connection, entry: EntryId) -> CommitRow | None:
    """The commit of the lowest number that names the entry."""
    found = _commits(connection, "entry = ? ORDER BY number LIMIT 1", (entry,))
    return found[0] if found else None


def leaves_of(connection: sqlite3.Connection, first: CommitNumber, count_max: int) -> list[bytes]:
    """The leaves from ``first`` to the next gap or bound."""
    statement = "SELECT number, leaf FROM commits WHERE number >= ? ORDER BY number LIMIT ?"
    found: list[bytes] = []
    with contextlib.closing(connection.execute(statement, (first, max(count_max, 0)))) as cursor:
        for number, leaf in cursor:
            if number != first + len(found):
                break
            found.append(leaf)
    return found


def order_key_of(connection: sqlite3.Connection, key: str) -> OrderKeyRow | None:
    """The entry that an ordered request became."""
    found = connection.execute("SELECT key, request, entry FROM order_keys WHERE key = ?", (key,)).fetchone()
    return order_key_row(found) if found else None


def log_run(connection: sqlite3.Connection, first: LogIndex, count_max: int, bytes_max: int) -> list[LogItemRow]:
    """Items from ``first`` to the next gap or bound; at least one if it is there."""
    statement = "SELECT number, term, data FROM log_items WHERE number >= ? ORDER BY number LIMIT ?"
    found: list[LogItemRow] = []
    size = 0
    # Closed at once when a bound ends it early: an open cursor would hold the snapshot, and the log would grow.
    with contextlib.closing(connection.execute(statement, (first, max(count_max, 1)))) as cursor:
        for row in map(log_item_row, cursor):
            size += len(row.data)
            if row.index != first + len(found) or (found and size > bytes_max):
                break
            found.append(row)
    return found


def _commits(connection: sqlite3.Connection, condition: str, values: tuple[object, ...]) -> list[CommitRow]:
    statement = f"SELECT {COMMIT_COLUMNS} FROM commits WHERE {condition}"  # noqa: S608 - constants of this module
    return list(map(commit_row, connection.execute(statement, values)))
