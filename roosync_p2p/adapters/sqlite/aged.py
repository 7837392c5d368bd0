"""Messages whose time is over, for retention (docs/protocol/messages.md §9): walks of indexes, the oldest first."""

from __future__ import annotations

import json
import sqlite3
from typing import Final

from roosync_p2p.adapters.sqlite.connect import transaction
from roosync_p2p.adapters.sqlite.mapping import delivery_row
from roosync_p2p.core.ports import Aged, AgedQuery

__all__ = ["AGED_STATEMENTS", "aged_messages"]

_DELIVERED: Final = (
    "SELECT messages.author, messages.entry, deliveries.workspace, status, arrived_ms, changed_ms FROM deliveries"
    " INDEXED BY {index} CROSS JOIN messages ON messages.no = deliveries.message_no WHERE "
)
_NOT_EXEMPT: Final = (
    " AND NOT EXISTS (SELECT 1 FROM kept WHERE kept.entry = messages.entry)"
    " AND messages.message_id NOT IN (SELECT value FROM json_each(:cited))"
)
# In an inbox a task ends with this machine's own answer; a body is wanted until anybody answered.
_OPEN_HERE: Final = (
    " AND (messages.type <> 'task' OR EXISTS (SELECT 1 FROM receipts WHERE message = messages.entry"
    " AND reader = :mine AND receipts.workspace = deliveries.workspace AND state IN ('acted', 'declined')))"
)
_OPEN_ANYWHERE: Final = (
    " AND (messages.type <> 'task' OR EXISTS (SELECT 1 FROM receipts WHERE message = messages.entry"
    " AND state IN ('acted', 'declined')))"
)
AGED_STATEMENTS: Final = {
    "archive": _DELIVERED.format(index="deliveries_by_change")
    + "status = 'read' AND changed_ms <= :read_ms"
    + _NOT_EXEMPT
    + _OPEN_HERE
    + " ORDER BY changed_ms, rank LIMIT :limit",
    "expire": _DELIVERED.format(index="deliveries_by_time")
    + "status = 'unread' AND sent_ms <= :unread_ms AND arrived_ms <= :shown_ms"
    + _NOT_EXEMPT
    + _OPEN_HERE
    + " ORDER BY sent_ms, rank LIMIT :limit",
    "drop": "SELECT messages.entry"  # noqa: S608 - constants of this module
    " FROM messages INDEXED BY messages_by_age WHERE dropped = 0"
    " AND time_ms <= :archived_ms AND CASE WHEN EXISTS (SELECT 1 FROM deliveries WHERE message_no = messages.no)"
    " THEN NOT EXISTS (SELECT 1 FROM deliveries WHERE message_no = messages.no"
    " AND (status <> 'archived' OR changed_ms > :archived_ms))"
    " ELSE EXISTS (SELECT 1 FROM entries WHERE id = messages.entry AND received_ms <= :elsewhere_ms) END"
    + _NOT_EXEMPT
    + " AND NOT EXISTS (SELECT 1 FROM amendments WHERE message = messages.entry AND amendments.time_ms > :archived_ms)"
    + _OPEN_ANYWHERE
    + " ORDER BY time_ms, messages.no LIMIT :limit",
}


def aged_messages(connection: sqlite3.Connection, query: AgedQuery) -> Aged:
    """What is found, of one moment."""
    values = {
        "mine": query.mine,
        "read_ms": query.read_ms,
        "unread_ms": query.unread_ms,
        "shown_ms": query.shown_ms,
        "archived_ms": query.archived_ms,
        "elsewhere_ms": query.elsewhere_ms,
        "cited": json.dumps(query.cited),
        "limit": query.limit,
    }
    with transaction(connection):
        found = {name: connection.execute(statement, values).fetchall() for name, statement in AGED_STATEMENTS.items()}
    return Aged(
        archive=tuple(delivery_row(columns[1:]) for columns in found["archive"]),
        expire=tuple((columns[0], delivery_row(columns[1:])) for columns in found["expire"]),
        drop=tuple(entry for (entry,) in found["drop"]),
    )
