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

__all__ = ["inbox_page", "inbox_statement"]


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
    statement = inbox_statement(query)
    for workspace, status in itertools.product(workspaces, statuses):
        values = (query.tag, status, below, workspace, *(value for _, value in _filters(query)))
        yield statement, (*(value for value in values if value is not None), count)


def inbox_statement(query: InboxQuery) -> str:
    """The ranks of one stream, by the index of the narrowest filter; the other filters look at what that finds.

    Its parameters: the tag, the status, the rank below which it begins, the workspace, the other filters, the count.
    """
    conditions = [
        *(["deliveries.workspace = ?"] if query.workspaces is not None else []),
        *(condition for condition, _ in _filters(query)),
    ]
    if query.tag is not None:
        ranks, status = "delivery_tags.rank", "delivery_tags.status"
        source = "delivery_tags CROSS JOIN deliveries ON deliveries.rank = delivery_tags.rank"
        first = ["tag = ?"]
    else:
        ranks, status = "deliveries.rank", "deliveries.status"
        source = f"deliveries INDEXED BY {_index(query)}"
        first = []
    return (
        f"SELECT {ranks} FROM {source} WHERE "  # noqa: S608 - constants of this module
        + " AND ".join([*first, f"{status} = ?", f"{ranks} < ?", *conditions])
        + f" ORDER BY {ranks} DESC LIMIT ?"
    )


def _index(query: InboxQuery) -> str:
    """Most threads are shorter than what one sender wrote, and so on; days are few where somebody asks for them."""
    if query.thread_id is not None:
        return "deliveries_by_thread"
    if query.sender is not None:
        return "deliveries_by_author"
    if query.since_ms is not None or query.until_ms is not None:
        return "deliveries_by_time"
    if query.type is not None:
        return "deliveries_by_type"
    if query.priority is not None:
        return "deliveries_by_priority"
    return "deliveries_by_status" if query.workspaces is None else "deliveries_by_workspace"


def _filters(query: InboxQuery) -> list[tuple[str, object]]:
    asked = (
        ("deliveries.author = ?", query.sender),
        ("deliveries.thread_id = ?", query.thread_id),
        ("deliveries.priority = ?", query.priority),
        ("deliveries.type = ?", query.type),
        ("deliveries.sent_ms >= ?", query.since_ms),
        ("deliveries.sent_ms < ?", query.until_ms),
    )
    return [(condition, value) for condition, value in asked if value is not None]


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
