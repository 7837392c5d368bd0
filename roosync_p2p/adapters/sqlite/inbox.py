"""A page of the inbox out of 100,000 messages: short backward walks over indexes, merged (docs/protocol/store.md §3.3).

SQLite sorts everything when an ``IN`` and an ``ORDER BY`` meet, so each inbox and status is asked for by itself, for
no more than the page can hold. Only the ranks are read that way; the rows of the page follow by primary key.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator

from roosync_p2p.adapters.sqlite.connect import transaction
from roosync_p2p.adapters.sqlite.mapping import MESSAGE_COLUMNS, delivery_row, message_row
from roosync_p2p.core.ports import InboxItem, InboxPage, InboxQuery
from roosync_p2p.core.store_rules import format_cursor, parse_cursor, queried_limit, queried_statuses

__all__ = ["inbox_page"]


def inbox_page(connection: sqlite3.Connection, query: InboxQuery) -> InboxPage:
    """One page, of one moment.

    Raises:
        UsageError: the query's cursor, status or limit is none.
    """
    limit = queried_limit(query)
    streams = list(_streams(query, limit + 1))
    with transaction(connection):
        ranks = sorted(
            (rank for statement, values in streams for (rank,) in connection.execute(statement, values)), reverse=True
        )
        items = tuple(_item(connection, rank) for rank in ranks[:limit])
        unread = _unread(connection, query.workspaces)
    return InboxPage(items=items, next=format_cursor(ranks[limit - 1]) if len(ranks) > limit else None, unread=unread)


def _streams(query: InboxQuery, count: int) -> Iterator[tuple[str, tuple[object, ...]]]:
    below, statuses = parse_cursor(query.before), queried_statuses(query)
    workspaces = (None,) if query.workspaces is None else tuple(dict.fromkeys(query.workspaces))
    statement = _statement(query)
    for workspace, status in itertools.product(workspaces, statuses):
        values = (workspace, query.sender, query.thread_id)
        yield statement, (*(value for value in values if value is not None), status, below, count)


def _statement(query: InboxQuery) -> str:
    """The ranks of one stream, with the index that fits the narrowest filter."""
    if query.thread_id is not None:
        index = "deliveries_by_thread"
    elif query.sender is not None:
        index = "deliveries_by_author"
    elif query.workspaces is not None:
        index = "deliveries_by_workspace"
    else:
        index = "deliveries_by_status"
    conditions = [
        *(["workspace = ?"] if query.workspaces is not None else []),
        *(["author = ?"] if query.sender is not None else []),
        *(["thread_id = ?"] if query.thread_id is not None else []),
    ]
    return (
        f"SELECT rank FROM deliveries INDEXED BY {index} WHERE "  # noqa: S608 - constants of this function
        + " AND ".join([*conditions, "status = ?", "rank < ?"])
        + " ORDER BY rank DESC LIMIT ?"
    )


def _item(connection: sqlite3.Connection, rank: int) -> InboxItem:
    columns = connection.execute(
        f"SELECT deliveries.workspace, status, arrived_ms, changed_ms, {MESSAGE_COLUMNS} FROM deliveries"  # noqa: S608
        " JOIN messages ON messages.no = deliveries.message_no WHERE rank = ?",
        (rank,),
    ).fetchone()
    message = message_row(columns[4:])
    return InboxItem(message=message, delivery=delivery_row((message.entry, *columns[:4])))


def _unread(connection: sqlite3.Connection, workspaces: tuple[str, ...] | None) -> int:
    counts = dict(connection.execute("SELECT workspace, unread FROM unread_counts"))
    return sum(counts.values() if workspaces is None else (counts.get(name, 0) for name in set(workspaces)))
