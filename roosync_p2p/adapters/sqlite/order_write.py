"""Writing the rows of the one order of the fleet, by the rules of docs/protocol/store.md §3.4; part of ``write``."""

from __future__ import annotations

import sqlite3

from roosync_p2p.adapters.sqlite.mapping import COMMIT_COLUMNS, commit_values
from roosync_p2p.core.rows import (
    CommitCutRow,
    CommitRow,
    LogCutRow,
    LogItemRow,
    OrderKeyRow,
    OrderRow,
    SideEntryRow,
    StateRow,
)

__all__ = ["write_order_row"]


def write_order_row(connection: sqlite3.Connection, row: OrderRow) -> None:
    """Writes one row inside the caller's transaction."""
    match row:
        case LogItemRow():
            connection.execute(
                "INSERT OR REPLACE INTO log_items (number, term, data) VALUES (?, ?, ?)",
                (row.index, row.term, row.data),
            )
        case LogCutRow():
            connection.execute("DELETE FROM log_items WHERE number >= ?", (row.first,))
        case StateRow(key=key, value=None):
            connection.execute("DELETE FROM state WHERE key = ?", (key,))
        case StateRow(key=key, value=value):
            connection.execute("INSERT OR REPLACE INTO state (key, value) VALUES (?, ?)", (key, value))
        case CommitRow():
            connection.execute(
                f"INSERT OR REPLACE INTO commits ({COMMIT_COLUMNS})"  # noqa: S608 - a constant of ours
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                commit_values(row),
            )
        case CommitCutRow():
            connection.execute("DELETE FROM commits WHERE number >= ?", (row.first,))
        case OrderKeyRow():
            connection.execute(
                "INSERT INTO order_keys (key, request, entry) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (row.key, row.request, row.entry),
            )
        case SideEntryRow():
            connection.execute(
                "INSERT INTO side_entries (id, header, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (row.id, row.header, row.body),
            )
